//===- Dot.cpp - dot on vectors of the host
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HostMicroOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::rotq;

/// Every element of the result is the sum of two neighbours.
static Value emitPairSums(OpBuilder &builder, Location loc, Value vector) {
  int64_t count = cast<VectorType>(vector.getType()).getDimSize(0) / 2;
  SmallVector<int64_t> even, odd;
  for (int64_t i = 0; i < count; ++i) {
    even.push_back(2 * i);
    odd.push_back(2 * i + 1);
  }
  return arith::AddIOp::create(
      builder, loc,
      vector::ShuffleOp::create(builder, loc, vector, vector, even),
      vector::ShuffleOp::create(builder, loc, vector, vector, odd));
}

/// Widens, multiplies and adds up: for any host.
static Value emitWideningDot(OpBuilder &builder, Location loc, DotOp op,
                             Value acc) {
  auto type =
      VectorType::get(op.getLhs().getType().getShape(), builder.getI32Type());
  Value lhs;
  if (op.getUnsignedLhs())
    lhs = arith::ExtUIOp::create(builder, loc, type, op.getLhs());
  else
    lhs = arith::ExtSIOp::create(builder, loc, type, op.getLhs());
  Value rhs = arith::ExtSIOp::create(builder, loc, type, op.getRhs());
  Value products = arith::MulIOp::create(builder, loc, lhs, rhs);
  Value sums = emitPairSums(builder, loc, products);
  return arith::AddIOp::create(builder, loc, acc,
                               emitPairSums(builder, loc, sums));
}

/// vpdpbusd multiplies unsigned by signed bytes. A signed byte with its sign
/// bit flipped is the value plus 128, so
///
///   sum lhs rhs = sum (lhs + 128) rhs - sum 128 rhs.
static Value emitVnniDot(OpBuilder &builder, Location loc, StringRef intrinsic,
                         Value lhs, Value rhs, Value acc) {
  auto bytes = cast<VectorType>(lhs.getType());
  Value signBits = arith::ConstantOp::create(
      builder, loc,
      SplatElementsAttr::get(bytes, builder.getI8IntegerAttr(-128)));
  Value zero = arith::ConstantOp::create(builder, loc,
                                         builder.getZeroAttr(acc.getType()));
  Value shifted = arith::XOrIOp::create(builder, loc, lhs, signBits);
  Value sum = emitIntrinsic(builder, loc, intrinsic, acc.getType(),
                            {acc, shifted, rhs});
  Value excess = emitIntrinsic(builder, loc, intrinsic, acc.getType(),
                               {zero, signBits, rhs});
  return arith::SubIOp::create(builder, loc, sum, excess);
}

namespace {
/// Instructions that multiply bytes and add up neighbours: pairs to words that
/// saturate (pmaddubsw), and pairs of those (pmaddwd).
struct PairSums {
  StringRef feature;
  StringRef bytes, words; ///< intrinsics
  int64_t width;          ///< bytes
};
} // namespace

/// The widest of them that `count` bytes fill.
static const PairSums *findPairSums(const HostFeatures &features,
                                    int64_t count) {
  static const PairSums known[] = {
      {"avx512bw", "llvm.x86.avx512.pmaddubs.w.512",
       "llvm.x86.avx512.pmaddw.d.512", 64},
      {"avx2", "llvm.x86.avx2.pmadd.ub.sw", "llvm.x86.avx2.pmadd.wd", 32},
      {"ssse3", "llvm.x86.ssse3.pmadd.ub.sw.128", "llvm.x86.sse2.pmadd.wd",
       16}};
  for (const PairSums &sums : known)
    if (features.has(sums.feature) && count % sums.width == 0)
      return &sums;
  return nullptr;
}

/// pmaddubsw multiplies unsigned by signed bytes, and its words hold only such
/// pairs of products as have |rhs| for the unsigned ones. With m all ones where
/// rhs is negative and 0 elsewhere, ~a = -a - 1 makes
///
///   sum lhs rhs = sum |rhs| (lhs ^ m) + sum |rhs| & m.
///
/// A lhs without sign is 128 more than the signed byte with its sign bit
/// flipped. What is added is the same for every lhs.
static Value emitPairwiseDot(OpBuilder &builder, Location loc,
                             const PairSums &known, bool isUnsigned, Value lhs,
                             Value rhs, Value acc) {
  auto bytes = cast<VectorType>(lhs.getType());
  auto words = VectorType::get({known.width / 2}, builder.getI16Type());
  auto splat = [&](VectorType type, int64_t value) -> Value {
    Attribute element = builder.getIntegerAttr(type.getElementType(), value);
    return arith::ConstantOp::create(builder, loc,
                                     SplatElementsAttr::get(type, element));
  };
  auto pairs = [&](Value a, Value b) {
    return emitIntrinsic(builder, loc, known.bytes, words, {a, b});
  };
  auto sum = [&](Value pairs) {
    return emitIntrinsic(builder, loc, known.words, acc.getType(),
                         {pairs, splat(words, 1)});
  };
  Value isNegative = arith::ShRSIOp::create(builder, loc, rhs, splat(bytes, 7));
  Value magnitude = arith::SubIOp::create(
      builder, loc, arith::XOrIOp::create(builder, loc, rhs, isNegative),
      isNegative);
  Value rest = pairs(arith::AndIOp::create(builder, loc, magnitude, isNegative),
                     splat(bytes, 1));
  if (isUnsigned) {
    Value signBits = splat(bytes, -128);
    rest = arith::AddIOp::create(builder, loc, rest, pairs(signBits, rhs));
    lhs = arith::XOrIOp::create(builder, loc, lhs, signBits);
  }
  Value products =
      pairs(magnitude, arith::XOrIOp::create(builder, loc, lhs, isNegative));
  acc = arith::AddIOp::create(builder, loc, acc, sum(rest));
  return arith::AddIOp::create(builder, loc, acc, sum(products));
}

namespace {
/// rotq.dot  ->  vpdpbusd, pmaddubsw, or widening
struct LowerDot : public OpRewritePattern<DotOp> {
  LowerDot(MLIRContext *context, const HostFeatures &features)
      : OpRewritePattern(context), features(features) {}

  LogicalResult matchAndRewrite(DotOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    auto type = dyn_cast<VectorType>(op.getAcc().getType());
    if (type) {
      rewriter.replaceOp(op, emitDot(rewriter, loc, op, op.getAcc()));
      return success();
    }
    int64_t count = op.getLhs().getType().getDimSize(0);
    type = VectorType::get({count / 4}, rewriter.getI32Type());
    Value zero =
        arith::ConstantOp::create(rewriter, loc, rewriter.getZeroAttr(type));
    rewriter.replaceOpWithNewOp<vector::ReductionOp>(
        op, vector::CombiningKind::ADD, emitDot(rewriter, loc, op, zero),
        op.getAcc());
    return success();
  }

private:
  Value emitDot(OpBuilder &builder, Location loc, DotOp op, Value acc) const {
    int64_t count = op.getLhs().getType().getDimSize(0);
    StringRef intrinsic;
    int64_t width = count;
    if (count % 64 == 0 && features.has("avx512vnni")) {
      intrinsic = "llvm.x86.avx512.vpdpbusd.512";
      width = 64;
    } else if (count % 32 == 0 &&
               (features.has("avxvnni") ||
                (features.has("avx512vnni") && features.has("avx512vl")))) {
      intrinsic = "llvm.x86.avx512.vpdpbusd.256";
      width = 32;
    }
    const PairSums *pairSums = nullptr;
    if (intrinsic.empty()) {
      pairSums = findPairSums(features, count);
      if (!pairSums)
        return emitWideningDot(builder, loc, op, acc);
      width = pairSums->width;
    }
    SmallVector<Value> parts;
    for (int64_t i = 0; i < count; i += width) {
      Value lhs = emitSlice(builder, loc, op.getLhs(), i, width);
      Value rhs = emitSlice(builder, loc, op.getRhs(), i, width);
      Value start = emitSlice(builder, loc, acc, i / 4, width / 4);
      if (pairSums)
        parts.push_back(emitPairwiseDot(builder, loc, *pairSums,
                                        op.getUnsignedLhs(), lhs, rhs, start));
      else
        parts.push_back(
            op.getUnsignedLhs()
                ? emitIntrinsic(builder, loc, intrinsic, start.getType(),
                                {start, lhs, rhs})
                : emitVnniDot(builder, loc, intrinsic, lhs, rhs, start));
    }
    return emitConcat(builder, loc, parts);
  }

  const HostFeatures &features;
};
} // namespace

void mlir::rotq::populateHostDotPatterns(RewritePatternSet &patterns,
                                         const HostFeatures &features) {
  patterns.add<LowerDot>(patterns.getContext(), features);
}
