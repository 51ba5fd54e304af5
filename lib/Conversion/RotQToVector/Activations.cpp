//===- Activations.cpp - Host kernels of rotate and quantize_activation
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HostKernels.h"

#include "rotq/Conversion/SegmentIndex.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::rotq;
using ::rotq::Blocking;
using ::rotq::paddedLength;
using ::rotq::storedLength;

static int64_t rowLength(Value matrix) {
  return cast<MemRefType>(matrix.getType()).getDimSize(1);
}

namespace {
struct LowerRotate : public OpRewritePattern<RotateOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(RotateOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.hasPureBufferSemantics() || !hasContiguousRows(op) ||
        !isSupported(op.getRotation()))
      return rewriter.notifyMatchFailure(op, "no host kernel");
    HostBuilder builder(op.getLoc(), rewriter);
    Value input = op.getInput(), output = op.getInits();
    int64_t padded = paddedLength(rowLength(op.getInverse() ? output : input));
    auto rotation = op.getRotation().getRotation();
    builder.parallelRows(builder.rows(output), /*grain=*/1, padded,
                         [&](Value row, Value scratch) {
                           builder.loadRow(input, row, scratch, padded);
                           // Every rotation so far is its own inverse.
                           builder.rotate(scratch, *rotation, padded);
                           builder.storeRow(scratch, output, row);
                         });
    rewriter.eraseOp(op);
    return success();
  }
};

/// As rotq::quantizeActivation does it, a row at a time.
struct LowerQuantizeActivation : public OpRewritePattern<QuantizeActivationOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(QuantizeActivationOp op,
                                PatternRewriter &rewriter) const override;
};
} // namespace

/// max |x| of a segment; NaN does not count.
static Value emitLargest(HostBuilder &b, Value scratch, Value offset,
                         int64_t length) {
  Value zero = b.zero(VectorType::get({kFloats}, b.getF32Type()));
  Value lanes = b.loop(
      b.index(0), b.index(length), kFloats, zero,
      [&](Value i, ValueRange carried) -> SmallVector<Value> {
        Value x = b.load(scratch, b.add(offset, i), kFloats);
        Value magnitude = math::AbsFOp::create(b, x);
        Value isLarger = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT,
                                               magnitude, carried[0]);
        return {arith::SelectOp::create(b, isLarger, magnitude, carried[0])};
      })[0];
  return vector::ReductionOp::create(b, vector::CombiningKind::MAXNUMF, lanes);
}

/// x * inverse to the nearest even integer in [-127, 127]; NaN becomes 0.
static Value emitCodes(HostBuilder &b, Value x, Value inverse) {
  auto constant = [&](float value) { return b.splat(b.f32(value), kFloats); };
  Value code =
      math::RoundEvenOp::create(b, arith::MulFOp::create(b, x, inverse));
  Value isNaN = arith::CmpFOp::create(b, arith::CmpFPredicate::UNO, code, code);
  code = arith::SelectOp::create(b, isNaN, constant(0), code);
  code = arith::MinimumFOp::create(b, code, constant(127));
  code = arith::MaximumFOp::create(b, code, constant(-127));
  return arith::FPToSIOp::create(b, VectorType::get({kFloats}, b.getI8Type()),
                                 code);
}

/// Codes, scale and sum of one segment of the row in `scratch`.
static void emitSegment(HostBuilder &b, ValueRange outs, Value scratch,
                        Value row, Value segment, Value offset,
                        int64_t length) {
  Value largest = emitLargest(b, scratch, offset, length);
  Value isPositive =
      arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, largest, b.f32(0));
  Value inverse = arith::SelectOp::create(
      b, isPositive, arith::DivFOp::create(b, b.f32(127), largest), b.f32(0));
  inverse = b.splat(inverse, kFloats);
  auto sumType = VectorType::get({kFloats}, b.getI32Type());
  Value sums = b.loop(b.index(0), b.index(length), kFloats, b.zero(sumType),
                      [&](Value i, ValueRange carried) -> SmallVector<Value> {
                        Value k = b.add(offset, i);
                        Value codes =
                            emitCodes(b, b.load(scratch, k, kFloats), inverse);
                        b.store(codes, outs[0], {row, k});
                        Value wide = arith::ExtSIOp::create(b, sumType, codes);
                        return {b.add(carried[0], wide)};
                      })[0];
  Value sum = vector::ReductionOp::create(b, vector::CombiningKind::ADD, sums);
  Value scale = arith::DivFOp::create(b, largest, b.f32(127));
  memref::StoreOp::create(b, scale, outs[1], ValueRange{row, segment});
  memref::StoreOp::create(b, sum, outs[2], ValueRange{row, segment});
}

LogicalResult
LowerQuantizeActivation::matchAndRewrite(QuantizeActivationOp op,
                                         PatternRewriter &rewriter) const {
  if (!op.hasPureBufferSemantics() || !hasContiguousRows(op) ||
      !isSupported(op.getRotation()) || op.getRests() ||
      operandOf(op.getInits()[0]) != Operand::Int8)
    return rewriter.notifyMatchFailure(op, "no host kernel");
  HostBuilder builder(op.getLoc(), rewriter);
  Value input = op.getInput();
  SmallVector<Value> outs(op.getInits());
  int64_t k = rowLength(input), padded = paddedLength(k);
  auto rotation = op.getRotation().getRotation();
  Blocking blocking = activationBlocking(k, op.getGroup());
  auto emitRow = [&](Value row, Value scratch) {
    builder.loadRow(input, row, scratch, padded);
    builder.rotate(scratch, *rotation, padded);
    builder.forSegments(blocking, [&](Value offset, int64_t length) {
      Value segment =
          emitSegmentIndex(builder, builder.getLoc(), blocking, offset);
      emitSegment(builder, outs, scratch, row, segment, offset, length);
    });
    if (int64_t rest = storedLength(k) - padded)
      builder.store(builder.zero(VectorType::get({rest}, builder.getI8Type())),
                    outs[0], {row, builder.index(padded)});
  };
  builder.parallelRows(builder.rows(outs[0]), /*grain=*/1, padded, emitRow);
  rewriter.eraseOp(op);
  return success();
}

void mlir::rotq::populateRotQToVectorActivationPatterns(
    RewritePatternSet &patterns) {
  patterns.add<LowerRotate, LowerQuantizeActivation>(patterns.getContext());
}
