//===- Decode.cpp - unpack and decode on vectors of the host
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HostMicroOps.h"

#include "rotq/Conversion/ExprMaterializer.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::rotq;

namespace {
/// A byte shuffle: looks up bytes of a table of 16 in every 128-bit lane.
struct ByteShuffle {
  StringRef feature;
  StringRef intrinsic;
  int64_t bytes;
};

class HostMaterializer final : public ExprMaterializer {
public:
  /// With `isSplit`, values of even codes come ahead of those of odd ones.
  HostMaterializer(OpBuilder &builder, Location loc,
                   const HostFeatures &features, bool isSplit = false)
      : ExprMaterializer(builder, loc), features(features), isSplit(isSplit) {}

private:
  Value emitLookup(Value codes, std::span<const int8_t> table) override;
  Value emitGather(Value indices, std::span<const uint32_t> table) override;
  Value spread(Value bytes);
  SmallVector<Value> takeApart(Value bytes);
  Value emitShuffles(Value indices, std::span<const int8_t> table,
                     const ByteShuffle &shuffle);
  Value emitSelects(Value indices, std::span<const int8_t> table);
  Value fill(VectorType type, int64_t value) {
    return arith::ConstantOp::create(
        builder, loc,
        SplatElementsAttr::get(
            type, builder.getIntegerAttr(type.getElementType(), value)));
  }

  const HostFeatures &features;
  bool isSplit;
};
} // namespace

/// The widest shuffle of the host that `bytes` bytes fill.
static std::optional<ByteShuffle> findShuffle(const HostFeatures &features,
                                              int64_t bytes) {
  static const ByteShuffle shuffles[] = {
      {"avx512bw", "llvm.x86.avx512.pshuf.b.512", 64},
      {"avx2", "llvm.x86.avx2.pshuf.b", 32},
      {"ssse3", "llvm.x86.ssse3.pshuf.b.128", 16}};
  for (const ByteShuffle &shuffle : shuffles)
    if (features.has(shuffle.feature) && bytes % shuffle.bytes == 0)
      return shuffle;
  return std::nullopt;
}

Value HostMaterializer::emitLookup(Value codes, std::span<const int8_t> table) {
  Value bytes = emitBitCast(builder, loc, codes, builder.getI8Type());
  SmallVector<Value> parts;
  for (Value indices :
       isSplit ? takeApart(bytes) : SmallVector<Value>{spread(bytes)}) {
    int64_t count = cast<VectorType>(indices.getType()).getDimSize(0);
    std::optional<ByteShuffle> shuffle = findShuffle(features, count);
    parts.push_back(shuffle ? emitShuffles(indices, table, *shuffle)
                            : emitSelects(indices, table));
  }
  return emitBitCast(builder, loc, emitConcat(builder, loc, parts),
                     builder.getI32Type());
}

Value HostMaterializer::emitGather(Value indices,
                                   std::span<const uint32_t> table) {
  auto type = cast<VectorType>(indices.getType());
  int64_t count = type.getDimSize(0);
  Value base = LLVM::AddressOfOp::create(
      builder, loc, getTable(builder, loc, table, /*addressSpace=*/0));
  Value addresses = LLVM::GEPOp::create(
      builder, loc, VectorType::get({count}, base.getType()),
      type.getElementType(), base, ArrayRef<LLVM::GEPArg>{indices});
  Value all = arith::ConstantOp::create(
      builder, loc,
      SplatElementsAttr::get(VectorType::get({count}, builder.getI1Type()),
                             true));
  return LLVM::masked_gather::create(builder, loc, type, addresses, all,
                                     ValueRange(), /*alignment=*/4);
}

/// Two nibbles a byte become two bytes: 0xba -> 0x0bba -> 0x0b0a.
Value HostMaterializer::spread(Value bytes) {
  auto type = VectorType::get(cast<VectorType>(bytes.getType()).getShape(),
                              builder.getI16Type());
  Value pairs = arith::ExtUIOp::create(builder, loc, type, bytes);
  Value high = arith::ShLIOp::create(builder, loc, pairs, fill(type, 4));
  pairs = arith::OrIOp::create(builder, loc, pairs, high);
  pairs = arith::AndIOp::create(builder, loc, pairs, fill(type, 0x0f0f));
  return emitBitCast(builder, loc, pairs, builder.getI8Type());
}

/// The low nibbles, and the high ones.
SmallVector<Value> HostMaterializer::takeApart(Value bytes) {
  Value pairs = emitBitCast(builder, loc, bytes, builder.getI16Type());
  auto type = cast<VectorType>(pairs.getType());
  Value high = arith::ShRUIOp::create(builder, loc, pairs, fill(type, 4));
  SmallVector<Value> nibbles;
  for (Value part : {pairs, high}) {
    part = arith::AndIOp::create(builder, loc, part, fill(type, 0x0f0f));
    nibbles.push_back(emitBitCast(builder, loc, part, builder.getI8Type()));
  }
  return nibbles;
}

Value HostMaterializer::emitShuffles(Value indices,
                                     std::span<const int8_t> table,
                                     const ByteShuffle &shuffle) {
  auto type = VectorType::get({shuffle.bytes}, builder.getI8Type());
  SmallVector<int8_t> lanes(shuffle.bytes);
  for (auto [i, value] : llvm::enumerate(lanes))
    value = table[i % table.size()];
  Value levels = arith::ConstantOp::create(
      builder, loc, DenseElementsAttr::get(type, ArrayRef<int8_t>(lanes)));
  int64_t count = cast<VectorType>(indices.getType()).getDimSize(0);
  SmallVector<Value> parts;
  for (int64_t i = 0; i < count; i += shuffle.bytes)
    parts.push_back(emitIntrinsic(
        builder, loc, shuffle.intrinsic, type,
        {levels, emitSlice(builder, loc, indices, i, shuffle.bytes)}));
  return emitConcat(builder, loc, parts);
}

Value HostMaterializer::emitSelects(Value indices,
                                    std::span<const int8_t> table) {
  auto type = cast<VectorType>(indices.getType());
  Value values = fill(type, table[0]);
  for (size_t code = 1; code < table.size(); ++code) {
    Value matches =
        arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, indices,
                              fill(type, int64_t(code)));
    values = arith::SelectOp::create(builder, loc, matches,
                                     fill(type, table[code]), values);
  }
  return values;
}

namespace {
/// rotq.unpack  ->  masks and shifts
struct LowerUnpack : public OpRewritePattern<UnpackOp> {
  LowerUnpack(MLIRContext *context, const HostFeatures &features)
      : OpRewritePattern(context), features(features) {}

  LogicalResult matchAndRewrite(UnpackOp op,
                                PatternRewriter &rewriter) const override {
    HostMaterializer materializer(rewriter, op.getLoc(), features);
    rewriter.replaceOp(op, materializer.unpack(op));
    return success();
  }

  const HostFeatures &features;
};

/// rotq.decode  ->  byte shuffles, or selects. Where only even and odd values
/// apart are asked for, they are never brought together.
struct LowerDecode : public OpRewritePattern<DecodeOp> {
  LowerDecode(MLIRContext *context, const HostFeatures &features)
      : OpRewritePattern(context), features(features) {}

  LogicalResult matchAndRewrite(DecodeOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    VectorType codesType = op.getCodes().getType();
    if (codesType.getNumElements() * codesType.getElementTypeBitWidth() % 32)
      return rewriter.notifyMatchFailure(op, "expected whole words of codes");
    auto deinterleave =
        op->hasOneUse() && codesType.getElementType().isInteger(4)
            ? dyn_cast<vector::DeinterleaveOp>(*op->user_begin())
            : vector::DeinterleaveOp();
    HostMaterializer materializer(rewriter, loc, features, bool(deinterleave));
    Value values = materializer.decode(op);
    if (!values)
      return rewriter.notifyMatchFailure(op, "points of the host are int8");
    if (deinterleave) {
      int64_t half = deinterleave.getResultVectorType().getDimSize(0);
      rewriter.replaceOp(deinterleave,
                         {emitSlice(rewriter, loc, values, 0, half),
                          emitSlice(rewriter, loc, values, half, half)});
      rewriter.eraseOp(op);
    } else {
      rewriter.replaceOp(op, values);
    }
    return success();
  }

  const HostFeatures &features;
};
} // namespace

void mlir::rotq::populateHostDecodePatterns(RewritePatternSet &patterns,
                                            const HostFeatures &features) {
  patterns.add<LowerUnpack, LowerDecode>(patterns.getContext(), features);
}
