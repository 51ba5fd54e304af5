//===- Weights.cpp - Reference lowering of dequantize and gather
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Reference.h"

#include "rotq/Conversion/SegmentIndex.h"
#include "rotq/Conversion/WeightBuffers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::rotq;

//===----------------------------------------------------------------------===//
// Reading a weight
//===----------------------------------------------------------------------===//

/// The rows of a part of the blob that belong to the handle.
static Value emitPart(ImplicitLocOpBuilder &builder, Value view, Value firstRow,
                      int64_t rows) {
  Value part = bufferization::ToTensorOp::create(
      builder, memref::getTensorTypeFromMemRefType(view.getType()), view,
      /*restrict=*/true);
  if (!firstRow)
    return part;
  auto type = cast<RankedTensorType>(part.getType());
  OpFoldResult zero = builder.getIndexAttr(0), one = builder.getIndexAttr(1);
  return tensor::ExtractSliceOp::create(
      builder, part, ArrayRef<OpFoldResult>{firstRow, zero},
      ArrayRef<OpFoldResult>{builder.getIndexAttr(rows),
                             builder.getIndexAttr(type.getDimSize(1))},
      ArrayRef<OpFoldResult>{one, one});
}

ReferenceWeight::ReferenceWeight(ImplicitLocOpBuilder &builder,
                                 TypedValue<WeightType> weight)
    : format(weight.getType().getFormat().getFormat()),
      layout(weight.getType().getCanonicalLayout()) {
  WeightBuffers buffers(builder, builder.getLoc(), weight);
  for (auto [view, plane] : llvm::zip(buffers.planes, layout.planes)) {
    planes.push_back(emitPart(builder, view, buffers.firstRow, layout.n));
    SmallVector<int32_t> bits;
    for (unsigned i = 0; i < 32 / plane.width; ++i)
      bits.push_back(format.coding->position(i, plane.width));
    positions.push_back(emitTable(builder, bits));
  }
  scales = emitPart(builder, buffers.scales, buffers.firstRow, layout.n);
  SmallVector<int8_t> table(size_t(1) << format.codebook->bits());
  for (auto [code, point] : llvm::enumerate(table))
    format.codebook->point(code, {&point, 1});
  points = emitTable(builder, table);
}

std::optional<ReferenceWeight>
ReferenceWeight::get(ImplicitLocOpBuilder &builder,
                     TypedValue<WeightType> weight) {
  if (weight.getType().getFormat().getCodebook().getCodebook()->dim() != 1)
    return std::nullopt;
  return ReferenceWeight(builder, weight);
}

Value ReferenceWeight::emitPoint(ImplicitLocOpBuilder &builder, Value n,
                                 Value k) const {
  auto index = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(builder, value);
  };
  auto word = [&](int64_t value) -> Value {
    return arith::ConstantIntOp::create(builder, value, 32);
  };
  Value code = word(0);
  unsigned low = 0;
  for (auto [p, plane] : llvm::enumerate(layout.planes)) {
    Value perWord = index(32 / plane.width);
    Value column = arith::DivUIOp::create(builder, k, perWord);
    Value slot = arith::RemUIOp::create(builder, k, perWord);
    Value bits = arith::ShRUIOp::create(
        builder, emitElement(builder, planes[p], {n, column}),
        emitElement(builder, positions[p], slot));
    bits = arith::AndIOp::create(builder, bits, word((1 << plane.width) - 1));
    bits = arith::ShLIOp::create(builder, bits, word(low));
    code = arith::OrIOp::create(builder, code, bits);
    low += plane.width;
  }
  Value entry =
      arith::IndexCastUIOp::create(builder, builder.getIndexType(), code);
  return emitElement(builder, points, entry);
}

Value ReferenceWeight::emitNumber(ImplicitLocOpBuilder &builder, Value n,
                                  Value k, int64_t number) const {
  Value segment =
      emitSegmentIndex(builder, builder.getLoc(), layout.scaleBlocking, k);
  Value column = arith::AddIOp::create(
      builder,
      arith::MulIOp::create(
          builder, segment,
          arith::ConstantIndexOp::create(builder, format.scale.numbers())),
      arith::ConstantIndexOp::create(builder, number));
  return arith::ExtFOp::create(builder, builder.getF32Type(),
                               emitElement(builder, scales, {n, column}));
}

Value ReferenceWeight::emitRows(
    ImplicitLocOpBuilder &builder, OpFoldResult count,
    function_ref<Value(ImplicitLocOpBuilder &, Value)> rowFn) const {
  Type f32 = builder.getF32Type();
  int64_t padded = layout.scaleBlocking.paddedSize();
  // step * point + offset, in two roundings.
  Value rotated = emitTensor(
      builder, {count, builder.getIndexAttr(padded)}, f32,
      [&](ImplicitLocOpBuilder &b, ValueRange indices) {
        Value n = rowFn(b, indices[0]), k = indices[1];
        Value point = arith::SIToFPOp::create(b, f32, emitPoint(b, n, k));
        Value value = arith::MulFOp::create(b, emitNumber(b, n, k, 0), point);
        if (hasOffset())
          value = arith::AddFOp::create(b, value, emitNumber(b, n, k, 1));
        return value;
      });
  // Every rotation so far is its own inverse.
  Value rows = emitRotation(builder, *format.rotation, rotated);
  if (!rows || layout.k == padded)
    return rows;
  OpFoldResult zero = builder.getIndexAttr(0), one = builder.getIndexAttr(1);
  return tensor::ExtractSliceOp::create(
      builder, rows, ArrayRef<OpFoldResult>{zero, zero},
      ArrayRef<OpFoldResult>{count, builder.getIndexAttr(layout.k)},
      ArrayRef<OpFoldResult>{one, one});
}

Value mlir::rotq::emitWeight(ImplicitLocOpBuilder &builder,
                             TypedValue<WeightType> weight) {
  std::optional<ReferenceWeight> reader = ReferenceWeight::get(builder, weight);
  if (!reader)
    return {};
  return reader->emitRows(
      builder, builder.getIndexAttr(weight.getType().getN()),
      [](ImplicitLocOpBuilder &, Value row) { return row; });
}

//===----------------------------------------------------------------------===//
// Patterns
//===----------------------------------------------------------------------===//

namespace {
struct LowerDequantize : public OpRewritePattern<DequantizeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(DequantizeOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.hasPureTensorSemantics())
      return rewriter.notifyMatchFailure(op, "expected tensors");
    ImplicitLocOpBuilder builder(op.getLoc(), rewriter);
    Value weight = emitWeight(builder, op.getWeight());
    if (!weight)
      return rewriter.notifyMatchFailure(op, "the reference lacks a part");
    rewriter.replaceOp(op, emitStore(builder, weight, op.getInits()));
    return success();
  }
};

struct LowerGather : public OpRewritePattern<GatherOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(GatherOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.hasPureTensorSemantics())
      return rewriter.notifyMatchFailure(op, "expected tensors");
    ImplicitLocOpBuilder builder(op.getLoc(), rewriter);
    std::optional<ReferenceWeight> reader =
        ReferenceWeight::get(builder, op.getWeight());
    if (!reader)
      return rewriter.notifyMatchFailure(op, "the reference lacks a part");
    Value ids = op.getIds();
    Value rows = reader->emitRows(
        builder, tensor::getMixedSize(builder, op.getLoc(), ids, 0),
        [&](ImplicitLocOpBuilder &b, Value t) -> Value {
          Value id = emitElement(b, ids, t);
          if (id.getType().isIndex())
            return id;
          return arith::IndexCastOp::create(b, b.getIndexType(), id);
        });
    if (!rows)
      return rewriter.notifyMatchFailure(op, "the reference lacks a part");
    rewriter.replaceOp(op, emitStore(builder, rows, op.getInits()));
    return success();
  }
};
} // namespace

void mlir::rotq::populateRotQToLinalgWeightPatterns(
    RewritePatternSet &patterns) {
  patterns.add<LowerDequantize, LowerGather>(patterns.getContext());
}
