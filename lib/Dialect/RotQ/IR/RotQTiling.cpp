//===- RotQTiling.cpp - Tiling of the matmul
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Dialect/RotQ/IR/RotQ.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mlir::rotq;

// The domain is M x N. K is not a loop: segments are rotated and scaled whole,
// and cutting K is the kernel's business.

SmallVector<utils::IteratorType> MatmulOp::getLoopIteratorTypes() {
  return {utils::IteratorType::parallel, utils::IteratorType::parallel};
}

SmallVector<Range> MatmulOp::getIterationDomain(OpBuilder &builder) {
  Location loc = getLoc();
  OpFoldResult zero = builder.getIndexAttr(0), one = builder.getIndexAttr(1);
  OpFoldResult m = tensor::getMixedSize(builder, loc, getInits(), 0);
  OpFoldResult n = builder.getIndexAttr(getWeight().getType().getN());
  return {{zero, m, one}, {zero, n, one}};
}

static Value sliceRows(OpBuilder &builder, Location loc, Value matrix,
                       OpFoldResult offset, OpFoldResult size,
                       SmallVectorImpl<Operation *> &slices) {
  OpFoldResult zero = builder.getIndexAttr(0), one = builder.getIndexAttr(1);
  OpFoldResult width = tensor::getMixedSize(builder, loc, matrix, 1);
  auto slice = tensor::ExtractSliceOp::create(
      builder, loc, matrix, ArrayRef<OpFoldResult>{offset, zero},
      ArrayRef<OpFoldResult>{size, width}, ArrayRef<OpFoldResult>{one, one});
  slices.push_back(slice);
  return slice;
}

FailureOr<TilingResult>
MatmulOp::getTiledImplementation(OpBuilder &builder,
                                 ArrayRef<OpFoldResult> offsets,
                                 ArrayRef<OpFoldResult> sizes) {
  if (!hasPureTensorSemantics())
    return emitOpError("expected tensors to tile");
  Location loc = getLoc();
  WeightType type = getWeight().getType();
  std::optional<int64_t> rows = getConstantIntValue(sizes[1]);
  if (!rows)
    return emitOpError() << "expected a tile size along N that divides "
                         << type.getN()
                         << ": the rows of a packed weight are static";

  SmallVector<Operation *> slices;
  SmallVector<Value> operands;
  for (Value input : getInputs())
    operands.push_back(
        sliceRows(builder, loc, input, offsets[0], sizes[0], slices));
  Value weight = getWeight();
  if (*rows != type.getN()) {
    if (!type.isCanonical())
      return emitOpError() << "expected a weight in the canonical layout to "
                              "tile along N but got "
                           << type;
    auto tileType =
        WeightType::get(getContext(), *rows, type.getK(), type.getFormat());
    Value offset = getValueOrCreateConstantIndexOp(builder, loc, offsets[1]);
    weight = ExtractRowsOp::create(builder, loc, tileType, weight, offset);
  }
  operands.push_back(weight);
  OpFoldResult one = builder.getIndexAttr(1);
  for (Value operand : getEpilogueOperands()) {
    // M x N, or N.
    size_t first = 2 - size_t(cast<ShapedType>(operand.getType()).getRank());
    auto slice = tensor::ExtractSliceOp::create(
        builder, loc, operand, offsets.drop_front(first),
        sizes.drop_front(first), SmallVector<OpFoldResult>(2 - first, one));
    slices.push_back(slice);
    operands.push_back(slice);
  }
  auto init =
      tensor::ExtractSliceOp::create(builder, loc, getInits(), offsets, sizes,
                                     SmallVector<OpFoldResult>(2, one));
  slices.push_back(init);
  operands.push_back(init);
  Operation *tiled =
      cloneWith(builder, getOperation(), TypeRange{init.getType()}, operands);
  return TilingResult{{tiled}, {tiled->getResult(0)}, slices};
}

LogicalResult MatmulOp::getResultTilePosition(
    OpBuilder &, unsigned, ArrayRef<OpFoldResult> offsets,
    ArrayRef<OpFoldResult> sizes, SmallVector<OpFoldResult> &resultOffsets,
    SmallVector<OpFoldResult> &resultSizes) {
  resultOffsets.assign(offsets.begin(), offsets.end());
  resultSizes.assign(sizes.begin(), sizes.end());
  return success();
}
