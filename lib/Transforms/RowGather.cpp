//===- RowGather.cpp - Lookups of rows in linalg
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RowGather.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::rotq;

/// Whether `value` is the element of input 0 of `op`, as an index.
static bool isId(linalg::GenericOp op, Value value) {
  if (auto cast = value.getDefiningOp<arith::IndexCastOp>())
    value = cast.getIn();
  return value == op.getRegionInputArgs().front();
}

static bool isLoop(Value value, uint64_t dim) {
  auto index = value.getDefiningOp<linalg::IndexOp>();
  return index && index.getDim() == dim;
}

std::optional<RowGather> mlir::rotq::matchRowGather(Operation *candidate) {
  auto op = dyn_cast<linalg::GenericOp>(candidate);
  if (!op || !op.hasPureTensorSemantics() || op.getNumLoops() != 2 ||
      op.getNumParallelLoops() != 2 || op.getNumDpsInputs() != 1 ||
      op.getNumDpsInits() != 1)
    return {};
  MLIRContext *context = op.getContext();
  auto row = getAffineDimExpr(0, context),
       column = getAffineDimExpr(1, context);
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  if (maps[0] != AffineMap::get(2, 0, row) ||
      maps[1] != AffineMap::get(2, 0, {row, column}, context))
    return {};
  Type id = getElementTypeOrSelf(op.getInputs()[0].getType());
  if (!id.isInteger(32) && !id.isInteger(64) && !id.isIndex())
    return {};
  auto extract = op.getBlock()
                     ->getTerminator()
                     ->getOperand(0)
                     .getDefiningOp<tensor::ExtractOp>();
  if (!extract || extract.getIndices().size() != 2 ||
      !isId(op, extract.getIndices()[0]) || !isLoop(extract.getIndices()[1], 1))
    return {};
  // The whole of a row, in the type of the table.
  auto table = cast<RankedTensorType>(extract.getTensor().getType());
  auto result = cast<RankedTensorType>(op.getResultTypes()[0]);
  if (table.isDynamicDim(1) || table.getDimSize(1) != result.getDimSize(1) ||
      !(table.getElementType().isF32() || table.getElementType().isF16()))
    return {};
  return RowGather{op, op.getInputs()[0], &extract.getTensorMutable()};
}

void mlir::rotq::replaceByGather(RewriterBase &rewriter,
                                 const RowGather &gather, Value weight) {
  linalg::GenericOp op = gather.op;
  rewriter.setInsertionPoint(op);
  Value out = op.getOutputs()[0];
  auto lookup = GatherOp::create(rewriter, op.getLoc(), out.getType(),
                                 gather.ids, weight, out);
  rewriter.replaceOp(op, lookup.getResult());
}
