//===- RotQEpilogue.cpp - What products are stored as
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Dialect/RotQ/IR/RotQ.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace mlir::rotq;

Operation *mlir::rotq::cloneWith(OpBuilder &builder, Operation *op,
                                 TypeRange results, ValueRange operands) {
  OperationState state(op->getLoc(), op->getName(), operands, results,
                       op->getAttrs());
  for (Region &region : op->getRegions()) {
    Region *copy = state.addRegion();
    if (!region.empty())
      builder.cloneRegionBefore(region, *copy, copy->begin());
  }
  return builder.create(state);
}

bool mlir::rotq::isEpilogueOp(Operation *op) {
  return op->getNumRegions() == 0 && op->getNumResults() == 1 && isPure(op) &&
         (op->hasTrait<OpTrait::ConstantLike>() ||
          OpTrait::hasElementwiseMappableTraits(op));
}

Value mlir::rotq::inlineEpilogue(OpBuilder &builder, Location loc,
                                 Region &epilogue, Type element,
                                 ValueRange arguments) {
  if (epilogue.empty()) {
    if (element.isF32())
      return arguments.front();
    return arith::TruncFOp::create(builder, loc, element, arguments.front());
  }
  Block &body = epilogue.front();
  IRMapping mapping;
  mapping.map(body.getArguments(), arguments);
  for (Operation &op : body.without_terminator())
    builder.clone(op, mapping);
  return mapping.lookup(cast<YieldOp>(body.back()).getValue());
}
