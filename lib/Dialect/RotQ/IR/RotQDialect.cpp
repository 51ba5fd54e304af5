//===- RotQDialect.cpp - Registration of the rotq dialect
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Dialect/RotQ/IR/RotQ.h"

#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::rotq;

#include "rotq/Dialect/RotQ/IR/RotQDialect.cpp.inc"
#include "rotq/Dialect/RotQ/IR/RotQInterfaces.cpp.inc"
#include "rotq/Dialect/RotQ/IR/RotQOpInterfaces.cpp.inc"

namespace {
/// Formats are long: print them once, at the top, as `#rq3`.
struct RotQAsmInterface : public OpAsmDialectInterface {
  using OpAsmDialectInterface::OpAsmDialectInterface;

  AliasResult getAlias(Attribute attr, raw_ostream &os) const override {
    auto format = dyn_cast<FormatAttr>(attr);
    if (!format || format.getName().empty())
      return AliasResult::NoAlias;
    os << format.getName();
    return AliasResult::OverridableAlias;
  }
};
} // namespace

void RotQDialect::initialize() {
  registerAttributes();
  registerTypes();
  addOperations<
#define GET_OP_LIST
#include "rotq/Dialect/RotQ/IR/RotQOps.cpp.inc"
      >();
  addInterfaces<RotQAsmInterface>();
}

LogicalResult RotQDialect::verifyRegionArgAttribute(Operation *op, unsigned,
                                                    unsigned argIndex,
                                                    NamedAttribute attribute) {
  if (attribute.getName() != "rotq.parameter")
    return success();
  auto name = dyn_cast<StringAttr>(attribute.getValue());
  if (!name || name.empty())
    return op->emitOpError()
           << "expected 'rotq.parameter' of argument " << argIndex
           << " to be a name but got " << attribute.getValue();
  return success();
}
