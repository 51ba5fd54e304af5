//===- RotQTypes.cpp - Types of the rotq dialect
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Dialect/RotQ/IR/RotQ.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::rotq;

#define GET_TYPEDEF_CLASSES
#include "rotq/Dialect/RotQ/IR/RotQTypes.cpp.inc"

void RotQDialect::registerTypes() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "rotq/Dialect/RotQ/IR/RotQTypes.cpp.inc"
      >();
}

::rotq::WeightLayout WeightType::getCanonicalLayout() const {
  return ::rotq::WeightLayout(getFormat().getFormat(), getN(), getK());
}

::rotq::TiledLayout WeightType::getTiledLayout() const {
  return ::rotq::TiledLayout(getFormat().getFormat(), getN(), getK());
}

MemRefType WeightType::getStorageType() const {
  int64_t bytes = isCanonical() ? getCanonicalLayout().totalBytes
                                : getTiledLayout().totalBytes;
  return MemRefType::get({bytes}, IntegerType::get(getContext(), 8));
}

WeightType WeightType::rotatedView() const {
  return get(getContext(), getN(), ::rotq::paddedLength(getK()),
             getFormat().withoutRotation(), getLayout());
}

WeightType WeightType::withLayout(LayoutKind layout) const {
  return get(getContext(), getN(), getK(), getFormat(), layout);
}

Type WeightType::parse(AsmParser &parser) {
  SmallVector<int64_t> shape;
  FormatAttr format;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseLess() ||
      parser.parseDimensionList(shape, /*allowDynamic=*/false,
                                /*withTrailingX=*/false) ||
      parser.parseComma() || parser.parseAttribute(format))
    return {};
  LayoutKind layout = LayoutKind::Canonical;
  if (succeeded(parser.parseOptionalComma())) {
    FailureOr<LayoutKind> kind = FieldParser<LayoutKind>::parse(parser);
    if (failed(kind))
      return {};
    layout = *kind;
  }
  if (parser.parseGreater())
    return {};
  if (shape.size() != 2) {
    parser.emitError(loc) << "expected a weight of shape N x K but got "
                          << shape.size() << " dimensions";
    return {};
  }
  return getChecked([&] { return parser.emitError(loc); }, parser.getContext(),
                    shape[0], shape[1], format, layout);
}

void WeightType::print(AsmPrinter &printer) const {
  printer << "<" << getN() << "x" << getK() << ", " << getFormat();
  if (!isCanonical())
    printer << ", " << stringifyLayoutKind(getLayout());
  printer << ">";
}

LogicalResult WeightType::verify(function_ref<InFlightDiagnostic()> emitError,
                                 int64_t n, int64_t k, FormatAttr, LayoutKind) {
  // A blob is addressed with 64 bits, its parts with 31.
  constexpr int64_t kMax = int64_t(1) << 31;
  if (n < 1 || k < 1 || n >= kMax || k >= kMax)
    return emitError() << "expected N and K from 1 to 2^31 - 1 but got " << n
                       << " x " << k;
  return success();
}
