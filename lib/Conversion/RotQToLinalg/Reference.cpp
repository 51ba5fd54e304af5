//===- Reference.cpp - Building blocks of the reference lowering
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Reference.h"

#include "rotq/Codec/E4M3.h"
#include "rotq/Conversion/SegmentIndex.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::rotq;

Value mlir::rotq::emitTensor(ImplicitLocOpBuilder &builder,
                             ArrayRef<OpFoldResult> sizes, Type element,
                             ElementFn elementFn) {
  int64_t rank = sizes.size();
  Value empty = tensor::EmptyOp::create(builder, sizes, element);
  auto body = [&](OpBuilder &nested, Location loc, ValueRange) {
    ImplicitLocOpBuilder inner(loc, nested);
    SmallVector<Value> indices;
    for (int64_t i = 0; i < rank; ++i)
      indices.push_back(linalg::IndexOp::create(inner, i));
    linalg::YieldOp::create(inner, elementFn(inner, indices));
  };
  auto generic = linalg::GenericOp::create(
      builder, empty.getType(), /*inputs=*/ValueRange(), empty,
      builder.getMultiDimIdentityMap(rank),
      SmallVector<utils::IteratorType>(rank, utils::IteratorType::parallel),
      body);
  return generic.getResult(0);
}

Value mlir::rotq::emitStore(ImplicitLocOpBuilder &builder, Value source,
                            Value init) {
  auto type = cast<RankedTensorType>(init.getType());
  int64_t rank = type.getRank();
  AffineMap identity = builder.getMultiDimIdentityMap(rank);
  auto body = [&](OpBuilder &nested, Location loc, ValueRange arguments) {
    Value value = arguments[0];
    if (value.getType() != type.getElementType())
      value =
          arith::TruncFOp::create(nested, loc, type.getElementType(), value);
    linalg::YieldOp::create(nested, loc, value);
  };
  auto generic = linalg::GenericOp::create(
      builder, type, source, init, ArrayRef<AffineMap>{identity, identity},
      SmallVector<utils::IteratorType>(rank, utils::IteratorType::parallel),
      body);
  return generic.getResult(0);
}

Value mlir::rotq::emitElement(ImplicitLocOpBuilder &builder, Value tensor,
                              ValueRange indices) {
  return tensor::ExtractOp::create(builder, tensor, indices);
}

template <typename T>
static Value emitDenseTable(ImplicitLocOpBuilder &builder, ArrayRef<T> values,
                            Type element) {
  auto type = RankedTensorType::get({int64_t(values.size())}, element);
  return arith::ConstantOp::create(builder,
                                   DenseElementsAttr::get(type, values));
}

Value mlir::rotq::emitTable(ImplicitLocOpBuilder &builder,
                            ArrayRef<int8_t> values) {
  return emitDenseTable(builder, values, builder.getI8Type());
}

Value mlir::rotq::emitTable(ImplicitLocOpBuilder &builder,
                            ArrayRef<int32_t> values) {
  return emitDenseTable(builder, values, builder.getI32Type());
}

Value mlir::rotq::emitTable(ImplicitLocOpBuilder &builder,
                            ArrayRef<float> values) {
  return emitDenseTable(builder, values, builder.getF32Type());
}

/// The f32 for a byte.
static Value emitByteLookup(ImplicitLocOpBuilder &builder, Value byte,
                            function_ref<float(uint8_t)> value) {
  SmallVector<float> values;
  for (unsigned i = 0; i < 256; ++i)
    values.push_back(value(uint8_t(i)));
  Value index =
      arith::IndexCastUIOp::create(builder, builder.getIndexType(), byte);
  return emitElement(builder, emitTable(builder, values), index);
}

Value mlir::rotq::emitValueOfE4M3(ImplicitLocOpBuilder &builder, Value code) {
  return emitByteLookup(
      builder, arith::BitcastOp::create(builder, builder.getI8Type(), code),
      ::rotq::fromE4M3);
}

Value mlir::rotq::emitPointInE4M3(ImplicitLocOpBuilder &builder, Value point) {
  return emitByteLookup(builder, point, [](uint8_t byte) {
    return ::rotq::fromE4M3(::rotq::toE4M3(int8_t(byte)));
  });
}

Value mlir::rotq::emitSegmentLoop(ImplicitLocOpBuilder &builder,
                                  const ::rotq::Blocking &blocking,
                                  Value segment, Value initial,
                                  ReduceFn reduceFn) {
  Location loc = builder.getLoc();
  Value one = arith::ConstantIndexOp::create(builder, 1);
  Value next = arith::AddIOp::create(builder, segment, one);
  Value begin = emitSegmentOffset(builder, loc, blocking, segment);
  Value end = emitSegmentOffset(builder, loc, blocking, next);
  auto body = [&](OpBuilder &nested, Location loc, Value k, ValueRange total) {
    ImplicitLocOpBuilder inner(loc, nested);
    scf::YieldOp::create(inner, reduceFn(inner, k, total[0]));
  };
  return scf::ForOp::create(builder, begin, end, one, initial, body)
      .getResult(0);
}

Value mlir::rotq::emitPadded(ImplicitLocOpBuilder &builder, Value matrix,
                             int64_t length) {
  auto type = cast<RankedTensorType>(matrix.getType());
  int64_t k = type.getDimSize(1);
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, builder.getLoc(), matrix);
  sizes[1] = builder.getIndexAttr(length);
  Type f32 = builder.getF32Type();
  if (k == length && type.getElementType() == f32)
    return matrix;
  return emitTensor(
      builder, sizes, f32, [&](ImplicitLocOpBuilder &b, ValueRange indices) {
        Value column = indices[1], inside;
        if (k != length) {
          Value last = arith::ConstantIndexOp::create(b, k - 1);
          inside =
              arith::CmpIOp::create(b, arith::CmpIPredicate::ule, column, last);
          column = arith::MinUIOp::create(b, column, last);
        }
        Value value = emitElement(b, matrix, {indices[0], column});
        if (value.getType() != f32)
          value = arith::ExtFOp::create(b, f32, value);
        if (!inside)
          return value;
        Value zero = arith::ConstantOp::create(b, b.getF32FloatAttr(0));
        return arith::SelectOp::create(b, inside, value, zero).getResult();
      });
}
