//===- Fwht.cpp - fwht on vectors of the host
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

/// Long vectors are handled in pieces of this many elements, so that strides
/// from here on need no shuffles.
static constexpr int64_t kPiece = 16;

/// Butterflies of a stride inside a vector: element i becomes
/// x[i] + x[i ^ stride], or x[i ^ stride] - x[i] where i has that bit.
static Value emitShuffledStage(OpBuilder &builder, Location loc, Value x,
                               int64_t stride) {
  int64_t count = cast<VectorType>(x.getType()).getDimSize(0);
  SmallVector<int64_t> partners, signs;
  for (int64_t i = 0; i < count; ++i) {
    partners.push_back(i ^ stride);
    signs.push_back(i & stride ? count + i : i);
  }
  Value negated = arith::NegFOp::create(builder, loc, x);
  return arith::AddFOp::create(
      builder, loc, vector::ShuffleOp::create(builder, loc, x, x, partners),
      vector::ShuffleOp::create(builder, loc, x, negated, signs));
}

static SmallVector<Value> emitStage(OpBuilder &builder, Location loc,
                                    ArrayRef<Value> pieces, int64_t stride,
                                    int64_t pieceLength) {
  SmallVector<Value> result(pieces);
  if (stride < pieceLength) {
    for (Value &piece : result)
      piece = emitShuffledStage(builder, loc, piece, stride);
    return result;
  }
  size_t distance = stride / pieceLength;
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (i & distance)
      continue;
    Value a = pieces[i], b = pieces[i + distance];
    result[i] = arith::AddFOp::create(builder, loc, a, b);
    result[i + distance] = arith::SubFOp::create(builder, loc, a, b);
  }
  return result;
}

namespace {
/// rotq.fwht of one lane  ->  shuffles and adds
struct LowerFwht : public OpRewritePattern<FwhtOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(FwhtOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getLanes() != 1)
      return rewriter.notifyMatchFailure(op, "the host has one lane");
    Location loc = op.getLoc();
    int64_t count = op.getType().getDimSize(0);
    int64_t pieceLength = std::min(count, kPiece);
    SmallVector<Value> pieces;
    for (int64_t i = 0; i < count; i += pieceLength)
      pieces.push_back(emitSlice(rewriter, loc, op.getInput(), i, pieceLength));
    for (int64_t stride = 1; stride < int64_t(op.getBlock()); stride *= 2) {
      SmallVector<Value> next =
          emitStage(rewriter, loc, pieces, stride, pieceLength);
      if (Value length = op.getLength()) {
        Value bound = arith::ConstantOp::create(
            rewriter, loc, rewriter.getI32IntegerAttr(stride));
        Value isActive = arith::CmpIOp::create(
            rewriter, loc, arith::CmpIPredicate::ult, bound, length);
        for (auto [piece, old] : llvm::zip(next, pieces))
          piece = arith::SelectOp::create(rewriter, loc, isActive, piece, old);
      }
      pieces = std::move(next);
    }
    rewriter.replaceOp(op, emitConcat(rewriter, loc, pieces));
    return success();
  }
};
} // namespace

void mlir::rotq::populateHostFwhtPatterns(RewritePatternSet &patterns) {
  patterns.add<LowerFwht>(patterns.getContext());
}
