//===- MatvecKernel.cpp - dp4a matrix-vector kernel
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"

#include "rotq/Conversion/SegmentIndex.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mlir::rotq;

/// Weights a lane owns in one step. Fewer would load less than four bytes of a
/// plane; more would spread the codes that a warp loads over more cache lines.
static constexpr int64_t kLane = 32;
static constexpr int64_t kChunk = 32 * kLane;
static constexpr int64_t kUnroll = 4;

void mlir::rotq::buildMatvec(KernelBuilder &b, const KernelFunction &kernel,
                             const MatmulProblem &problem, KernelAttr config) {
  WeightReader weight(b, problem.weight, kernel.argument("weight"));
  const ::rotq::WeightLayout &layout = weight.getLayout();
  int64_t n = problem.weight.getN(), k = problem.weight.getK();
  int64_t stored = ::rotq::storedLength(k);
  ::rotq::Blocking groups = activationBlocking(k, problem.group);
  Value codes = kernel.argument("codes"), scales = kernel.argument("scales");
  Value sums = kernel.argument("sums"), y = kernel.argument("y");
  Value m = kernel.rows(b);

  Value thread = b.threadId();
  Value lane = b.rem(thread, 32), warp = b.div(thread, 32);
  Value firstRow =
      b.mul(b.add(b.mul(b.blockId(gpu::Dimension::x), config.getWarps()), warp),
            config.getRows());
  Value firstCol = b.mul(b.blockId(gpu::Dimension::y), config.getCols());
  // Rows and columns beyond the matrix are computed from the last one and not
  // stored: no branch in the loop.
  SmallVector<Value> rows, cols;
  for (int64_t r = 0; r < config.getRows(); ++r)
    rows.push_back(b.min(b.add(firstRow, r), n - 1));
  Value lastCol = b.sub(m, b.index(1));
  for (int64_t c = 0; c < config.getCols(); ++c)
    cols.push_back(b.min(b.add(firstCol, c), lastCol));

  /// Adds the products of the lane's run of weights at `position` to the sums.
  auto addProducts = [&](Value position, ValueRange carried) {
    SmallVector<Value> next(carried);
    Value group = emitSegmentIndex(b, b.getLoc(), groups, position);
    Value segment =
        emitSegmentIndex(b, b.getLoc(), layout.scaleBlocking, position);
    SmallVector<Value> points;
    for (Value row : rows)
      points.push_back(weight.points(row, position, kLane));
    for (auto [c, col] : llvm::enumerate(cols)) {
      Value x = b.load(codes, b.add(b.mul(col, stored), position),
                       VectorType::get({kLane}, b.getI8Type()), 16);
      Value numbers = b.add(b.mul(col, 4 * groups.size()), b.mul(group, 4));
      Value scale = b.load(scales, numbers, b.getF32Type(), 4);
      for (auto [r, row] : llvm::enumerate(rows)) {
        Value &sum = next[r * cols.size() + c];
        Value dot = DotOp::create(b, points[r], x, b.i32(0));
        Value product = arith::SIToFPOp::create(b, b.getF32Type(), dot);
        sum = b.fma(product, b.mulF(weight.step(row, segment), scale), sum);
        if (!weight.hasOffset())
          continue;
        // The offset meets the sum of a whole group: once, on the lane where
        // the group starts.
        Value starts = b.startsSegment(groups, position);
        Value total = arith::SIToFPOp::create(
            b, b.getF32Type(), b.load(sums, numbers, b.getI32Type(), 4));
        Value shift =
            b.fma(total, b.mulF(weight.offset(row, segment), scale), sum);
        sum = b.select(starts, shift, sum);
      }
    }
    return next;
  };

  // Whole chunks, several at a time, so that their loads are under way
  // together; then what is left of the row, where some lanes have nothing.
  int64_t whole = stored / kChunk * kChunk;
  int64_t unrolled = whole / (kUnroll * kChunk) * (kUnroll * kChunk);
  Value laneStart = b.mul(lane, kLane);
  SmallVector<Value> sumsOfLane(rows.size() * cols.size(), b.f32(0));
  if (unrolled > 0)
    sumsOfLane =
        b.forLoop(b.index(0), b.index(unrolled), kUnroll * kChunk, sumsOfLane,
                  [&](Value start, ValueRange carried) {
                    SmallVector<Value> next(carried);
                    for (int64_t i = 0; i < kUnroll; ++i)
                      next = addProducts(
                          b.add(b.add(start, i * kChunk), laneStart), next);
                    return next;
                  });
  for (int64_t start = unrolled; start < whole; start += kChunk)
    sumsOfLane = addProducts(b.add(laneStart, start), sumsOfLane);
  if (whole < stored) {
    Value position = b.add(laneStart, whole);
    sumsOfLane = b.ifElse(b.less(position, stored), sumsOfLane,
                          [&] { return addProducts(position, sumsOfLane); });
  }

  Value isFirstLane = b.equal(lane, b.index(0));
  for (int64_t r = 0; r < config.getRows(); ++r)
    for (int64_t c = 0; c < config.getCols(); ++c) {
      Value total = b.warpSum(sumsOfLane[r * config.getCols() + c]);
      Value row = b.add(firstRow, r), col = b.add(firstCol, c);
      Value stores = b.logicalAnd(isFirstLane,
                                  b.logicalAnd(b.less(row, n), b.less(col, m)));
      b.ifThen(stores, [&] {
        int64_t bytes = problem.outputType.getIntOrFloatBitWidth() / 8;
        Value address = b.mul(b.add(b.mul(col, n), row), bytes);
        b.store(b.fromF32(total, problem.outputType), y, address, bytes);
      });
    }
}
