//===- TensorBuilder.cpp - Tensor arithmetic in linalg --------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TensorBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::rotq;

//===----------------------------------------------------------------------===//
// Scalars
//===----------------------------------------------------------------------===//

Value TensorBuilder::index(int64_t value) {
  return arith::ConstantIndexOp::create(*this, value);
}

Value TensorBuilder::f32(double value) {
  return arith::ConstantOp::create(*this, getF32FloatAttr(float(value)));
}

Value TensorBuilder::add(Value a, Value b) {
  return arith::AddFOp::create(*this, a, b);
}

Value TensorBuilder::subtract(Value a, Value b) {
  return arith::SubFOp::create(*this, a, b);
}

Value TensorBuilder::multiply(Value a, Value b) {
  return arith::MulFOp::create(*this, a, b);
}

Value TensorBuilder::accumulate(Value a, Value b) {
  return arith::AddFOp::create(*this, a, b,
                               arith::FastMathFlags::reassoc |
                                   arith::FastMathFlags::contract);
}

Value TensorBuilder::exp(Value value) {
  return math::ExpOp::create(*this, value);
}

Value TensorBuilder::sigmoid(Value value) {
  Value one = f32(1);
  Value power = exp(arith::NegFOp::create(*this, value));
  return arith::DivFOp::create(*this, one, add(one, power));
}

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

RankedTensorType TensorBuilder::typeOf(ArrayRef<OpFoldResult> shape) {
  SmallVector<int64_t> sizes;
  for (OpFoldResult size : shape)
    sizes.push_back(getConstantIntValue(size).value_or(ShapedType::kDynamic));
  return RankedTensorType::get(sizes, getF32Type());
}

SmallVector<OpFoldResult> TensorBuilder::shapeOf(Value tensor) {
  return tensor::getMixedSizes(*this, getLoc(), tensor);
}

Value TensorBuilder::empty(ArrayRef<OpFoldResult> shape) {
  return tensor::EmptyOp::create(*this, shape, getF32Type());
}

Value TensorBuilder::filled(ArrayRef<OpFoldResult> shape, double value) {
  return linalg::FillOp::create(*this, f32(value), empty(shape)).getResult(0);
}

SmallVector<Value> TensorBuilder::generic(ArrayRef<Operand> inputs,
                                          ArrayRef<Operand> destinations,
                                          Body body) {
  unsigned loops = 0;
  for (const Operand &operand :
       llvm::concat<const Operand>(inputs, destinations))
    for (unsigned dim : operand.dims)
      loops = std::max(loops, dim + 1);
  SmallVector<utils::IteratorType> iterators(loops,
                                             utils::IteratorType::reduction);
  for (const Operand &destination : destinations)
    for (unsigned dim : destination.dims)
      iterators[dim] = utils::IteratorType::parallel;

  SmallVector<AffineMap> maps;
  auto addMap = [&](const Operand &operand) {
    SmallVector<AffineExpr> results;
    for (unsigned dim : operand.dims)
      results.push_back(getAffineDimExpr(dim));
    maps.push_back(AffineMap::get(loops, 0, results, getContext()));
    return operand.tensor;
  };
  SmallVector<Value> ins = llvm::map_to_vector(inputs, addMap);
  SmallVector<Value> outs = llvm::map_to_vector(destinations, addMap);
  auto op = linalg::GenericOp::create(
      *this, ValueRange(outs).getTypes(), ins, outs, maps, iterators,
      [&](OpBuilder &nested, Location, ValueRange elements) {
        InsertionGuard guard(*this);
        restoreInsertionPoint(nested.saveInsertionPoint());
        linalg::YieldOp::create(*this, body(elements));
      });
  return llvm::to_vector_of<Value>(op.getResults());
}

Value TensorBuilder::map(ArrayRef<Operand> inputs, ArrayRef<OpFoldResult> shape,
                         Body body) {
  Dims dims = llvm::to_vector(llvm::seq(unsigned(shape.size())));
  return generic(inputs, {{empty(shape), dims}}, body).front();
}

Value TensorBuilder::matmul(Value x, Value weight, Value destination) {
  auto type = cast<RankedTensorType>(weight.getType());
  if (!destination)
    destination = empty({shapeOf(x)[0], getIndexAttr(type.getDimSize(0))});
  Value init = linalg::FillOp::create(*this, f32(0), destination).getResult(0);
  return linalg::MatmulTransposeBOp::create(*this, getLoc(),
                                            ValueRange{x, weight}, init)
      .getResult(0);
}

//===----------------------------------------------------------------------===//
// Views
//===----------------------------------------------------------------------===//

Value TensorBuilder::split(Value tensor, int64_t position,
                           ArrayRef<int64_t> extents) {
  SmallVector<OpFoldResult> shape;
  SmallVector<ReassociationIndices> groups;
  int64_t next = 0;
  for (auto [i, size] : llvm::enumerate(shapeOf(tensor))) {
    ReassociationIndices &group = groups.emplace_back();
    if (int64_t(i) != position) {
      shape.push_back(size);
      group.push_back(next++);
      continue;
    }
    for (int64_t extent : extents) {
      shape.push_back(getIndexAttr(extent));
      group.push_back(next++);
    }
  }
  return tensor::ExpandShapeOp::create(*this, typeOf(shape), tensor, groups,
                                       shape);
}

Value TensorBuilder::flatten(Value tensor) {
  int64_t rank = cast<RankedTensorType>(tensor.getType()).getRank();
  SmallVector<ReassociationIndices> groups = {
      {0}, llvm::to_vector_of<int64_t, 2>(llvm::seq<int64_t>(1, rank))};
  return tensor::CollapseShapeOp::create(*this, tensor, groups);
}

Value TensorBuilder::slice(Value tensor, ArrayRef<OpFoldResult> offsets,
                           ArrayRef<OpFoldResult> sizes,
                           ArrayRef<OpFoldResult> strides,
                           ArrayRef<int64_t> droppedDims) {
  SmallVector<OpFoldResult> ones(sizes.size(), getIndexAttr(1));
  SmallVector<OpFoldResult> kept;
  for (auto [i, size] : llvm::enumerate(sizes))
    if (!llvm::is_contained(droppedDims, int64_t(i)))
      kept.push_back(size);
  return tensor::ExtractSliceOp::create(*this, typeOf(kept), tensor, offsets,
                                        sizes,
                                        strides.empty() ? ones : strides);
}

Value TensorBuilder::insert(Value tensor, Value destination,
                            ArrayRef<OpFoldResult> offsets,
                            ArrayRef<OpFoldResult> sizes,
                            ArrayRef<OpFoldResult> strides) {
  SmallVector<OpFoldResult> ones(sizes.size(), getIndexAttr(1));
  return tensor::InsertSliceOp::create(*this, tensor, destination, offsets,
                                       sizes, strides.empty() ? ones : strides);
}
