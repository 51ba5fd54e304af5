//===- Weights.cpp - Reference lowering of dequantize and gather
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Reference.h"
#include "ScalarMaterializer.h"

#include "rotq/Conversion/SegmentIndex.h"
#include "rotq/Conversion/WeightBuffers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::rotq;

static constexpr int64_t kRun = ::rotq::kRowGranule;

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
  for (Value view : buffers.planes)
    planes.push_back(emitPart(builder, view, buffers.firstRow, layout.n));
  scales = emitPart(builder, buffers.scales, buffers.firstRow, layout.n);
}

/// The bytes from byte `from` of a run on, as words.
SmallVector<Value> ReferenceWeight::emitWords(ImplicitLocOpBuilder &builder,
                                              size_t plane, Value row,
                                              Value run, int64_t from) const {
  Type i32 = builder.getI32Type();
  int64_t runBytes = layout.planes[plane].runBytes;
  Value first = arith::MulIOp::create(
      builder, run, arith::ConstantIndexOp::create(builder, runBytes));
  SmallVector<Value> words;
  for (int64_t i = from; i < runBytes; ++i) {
    Value at = arith::AddIOp::create(
        builder, first, arith::ConstantIndexOp::create(builder, i));
    Value byte = arith::ExtUIOp::create(
        builder, i32, emitElement(builder, planes[plane], {row, at}));
    if ((i - from) % 4 == 0) {
      words.push_back(byte);
      continue;
    }
    byte = arith::ShLIOp::create(
        builder, byte,
        arith::ConstantIntOp::create(builder, 8 * ((i - from) % 4), 32));
    words.back() = arith::OrIOp::create(builder, words.back(), byte);
  }
  return words;
}

/// The words of the points of 32 weights.
SmallVector<Value> ReferenceWeight::emitRun(ImplicitLocOpBuilder &builder,
                                            Value row, Value run) const {
  ScalarMaterializer materializer(builder);
  SmallVector<::rotq::Expr> parts;
  for (size_t plane = 0; plane < planes.size(); ++plane)
    parts.push_back(materializer.input(emitWords(builder, plane, row, run, 0)));
  if (int64_t circle = format.coding->circle()) {
    Value before =
        emitRunBefore(builder, builder.getLoc(), run, layout.k, circle);
    int64_t lastWord = layout.planes.front().runBytes - 4;
    parts.push_back(
        materializer.input(emitWords(builder, 0, row, before, lastWord)));
  }
  return SmallVector<Value>(materializer.words(format.codebook->decode(
      materializer, format.coding->unpack(
                        materializer, {parts.data(), parts.size()}, kRun))));
}

Value ReferenceWeight::emitPoints(ImplicitLocOpBuilder &builder,
                                  OpFoldResult count, RowFn rowFn) const {
  auto index = [](ImplicitLocOpBuilder &b, int64_t value) -> Value {
    return arith::ConstantIndexOp::create(b, value);
  };
  int64_t runs = ::rotq::storedLength(layout.k) / kRun;
  Value empty = tensor::EmptyOp::create(
      builder,
      ArrayRef<OpFoldResult>{count, builder.getIndexAttr(runs * kRun / 4)},
      builder.getI32Type());
  Value zero = index(builder, 0), one = index(builder, 1);
  auto fillRow = [&](OpBuilder &nested, Location loc, Value i,
                     ValueRange carried) {
    ImplicitLocOpBuilder b(loc, nested);
    Value row = rowFn(b, i);
    auto fillRun = [&](OpBuilder &inner, Location at, Value run,
                       ValueRange values) {
      ImplicitLocOpBuilder c(at, inner);
      Value filled = values[0];
      Value first = arith::MulIOp::create(c, run, index(c, kRun / 4));
      for (auto [j, word] : llvm::enumerate(emitRun(c, row, run)))
        filled = tensor::InsertOp::create(
            c, word, filled,
            ValueRange{i,
                       arith::AddIOp::create(c, first, index(c, int64_t(j)))});
      scf::YieldOp::create(c, filled);
    };
    scf::YieldOp::create(b, scf::ForOp::create(b, index(b, 0), index(b, runs),
                                               index(b, 1), carried, fillRun)
                                .getResults());
  };
  return scf::ForOp::create(
             builder, zero,
             getValueOrCreateConstantIndexOp(builder, builder.getLoc(), count),
             one, empty, fillRow)
      .getResult(0);
}

Value ReferenceWeight::emitPoint(ImplicitLocOpBuilder &builder, Value points,
                                 Value row, Value k) {
  Value four = arith::ConstantIndexOp::create(builder, 4);
  Value word = emitElement(builder, points,
                           {row, arith::DivUIOp::create(builder, k, four)});
  Value bits =
      arith::MulIOp::create(builder, arith::RemUIOp::create(builder, k, four),
                            arith::ConstantIndexOp::create(builder, 8));
  word = arith::ShRUIOp::create(
      builder, word,
      arith::IndexCastUIOp::create(builder, builder.getI32Type(), bits));
  return arith::TruncIOp::create(builder, builder.getI8Type(), word);
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

Value ReferenceWeight::emitRows(ImplicitLocOpBuilder &builder,
                                OpFoldResult count, RowFn rowFn) const {
  Type f32 = builder.getF32Type();
  Value points = emitPoints(builder, count, rowFn);
  int64_t padded = layout.scaleBlocking.paddedSize();
  // step * point + offset, in two roundings.
  Value rotated = emitTensor(
      builder, {count, builder.getIndexAttr(padded)}, f32,
      [&](ImplicitLocOpBuilder &b, ValueRange indices) {
        Value n = rowFn(b, indices[0]), k = indices[1];
        Value point = arith::SIToFPOp::create(
            b, f32, emitPoint(b, points, indices[0], k));
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
  return ReferenceWeight(builder, weight)
      .emitRows(builder, builder.getIndexAttr(weight.getType().getN()),
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
    ReferenceWeight reader(builder, op.getWeight());
    Value ids = op.getIds();
    Value rows = reader.emitRows(
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
