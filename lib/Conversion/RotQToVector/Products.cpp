//===- Products.cpp - Host kernels of matmul
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HostKernels.h"

#include "rotq/Conversion/SegmentIndex.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::rotq;
using ::rotq::Blocking;
using ::rotq::Segment;

/// Rows of the activation that share one decoding, where no kernel says.
static constexpr int64_t kDefaultTile = 4;

/// The tile of the last kernel, that of many rows. Rows that fill no tile go
/// one by one, so it does for few rows too.
static int64_t tileOf(MatmulOp op) {
  std::optional<ArrayAttr> kernels = op.getKernels();
  if (!kernels || kernels->empty())
    return kDefaultTile;
  return cast<KernelAttr>(kernels->getValue().back()).getCols();
}

static void emitResult(HostBuilder &b, MatmulOp op, Value sum, Value m,
                       Value n) {
  SmallVector<Value> arguments = {sum};
  for (Value operand : op.getEpilogueOperands()) {
    bool isVector = cast<MemRefType>(operand.getType()).getRank() == 1;
    arguments.push_back(memref::LoadOp::create(
        b, operand, isVector ? ValueRange{n} : ValueRange{m, n}));
  }
  Value out = op.getInits();
  Type element = cast<MemRefType>(out.getType()).getElementType();
  Value value =
      inlineEpilogue(b, b.getLoc(), op.getEpilogue(), element, arguments);
  memref::StoreOp::create(b, value, out, ValueRange{m, n});
}

//===----------------------------------------------------------------------===//
// int8 activation
//===----------------------------------------------------------------------===//

namespace {
/// y[m : m + count, n] for one row of the weight and a tile of the activation.
class QuantizedTile {
public:
  QuantizedTile(HostBuilder &b, MatmulOp op, const WeightBuffers &weight,
                Value row, ArrayRef<Value> rows)
      : b(b), codes(op.getInputs()[0]), scales(op.getInputs()[1]),
        sums(op.getInputs()[2]), weight(weight), row(row), rows(rows),
        activationCut(
            activationBlocking(weight.layout.k, int64_t(*op.getGroup()))),
        cut(weight.layout.k,
            std::min(int64_t(*op.getGroup()), weight.format.scale.group)) {}

  /// One f32 sum for every row of the tile.
  SmallVector<Value> emit();

private:
  SmallVector<Value> emitDots(Value offset, int64_t length);
  SmallVector<Value> emitSegment(Value offset, int64_t length,
                                 ValueRange totals);

  HostBuilder &b;
  Value codes, scales, sums;
  const WeightBuffers &weight;
  Value row;
  ArrayRef<Value> rows;
  Blocking activationCut;
  Blocking cut; ///< the finer one of weight and activation
};
} // namespace

/// The exact products of a segment, summed into kChunk / 4 lanes.
SmallVector<Value> QuantizedTile::emitDots(Value offset, int64_t length) {
  int64_t chunk = std::min(length, kChunk);
  auto type = VectorType::get({chunk / 4}, b.getI32Type());
  SmallVector<Value> zeros(rows.size(), b.zero(type));
  auto step = [&](Value k, ValueRange carried) {
    Value points = b.points(weight, row, k, chunk);
    SmallVector<Value> dots;
    for (auto [m, dot] : llvm::zip(rows, carried))
      dots.push_back(
          DotOp::create(b, type, points, b.load(codes, {m, k}, chunk), dot));
    return dots;
  };
  if (length == chunk)
    return step(offset, zeros);
  return b.loop(b.index(0), b.index(length), chunk, zeros,
                [&](Value i, ValueRange carried) {
                  return step(b.add(offset, i), carried);
                });
}

/// totals[m] += step xscale dot + offset xscale xsum
SmallVector<Value> QuantizedTile::emitSegment(Value offset, int64_t length,
                                              ValueRange totals) {
  SmallVector<Value> dots = emitDots(offset, length);
  Value group = emitSegmentIndex(b, b.getLoc(), activationCut, offset);
  Value step = b.number(weight, row, offset, 0), shift;
  if (weight.format.scale.hasOffset)
    shift = b.number(weight, row, offset, 1);
  SmallVector<Value> results;
  for (auto [m, dot, total] : llvm::zip(rows, dots, totals)) {
    Value scale = memref::LoadOp::create(b, scales, ValueRange{m, group});
    Value integer =
        vector::ReductionOp::create(b, vector::CombiningKind::ADD, dot);
    Value term = arith::MulFOp::create(
        b, arith::MulFOp::create(b, step, scale),
        arith::SIToFPOp::create(b, b.getF32Type(), integer));
    if (shift) {
      // The verifier keeps the activation's cut the finer one here.
      Value sum = memref::LoadOp::create(b, sums, ValueRange{m, group});
      Value moved = arith::MulFOp::create(
          b, arith::MulFOp::create(b, shift, scale),
          arith::SIToFPOp::create(b, b.getF32Type(), sum));
      term = arith::AddFOp::create(b, term, moved);
    }
    results.push_back(arith::AddFOp::create(b, total, term));
  }
  return results;
}

SmallVector<Value> QuantizedTile::emit() {
  SmallVector<Value> totals(rows.size(), b.f32(0));
  if (int64_t full = cut.fullBlocks())
    totals = b.loop(b.index(0), b.index(full * cut.block()), cut.block(),
                    totals, [&](Value offset, ValueRange carried) {
                      return emitSegment(offset, cut.block(), carried);
                    });
  for (const Segment &segment : cut.tail())
    totals = emitSegment(b.index(segment.offset), segment.length, totals);
  return totals;
}

//===----------------------------------------------------------------------===//
// Pattern
//===----------------------------------------------------------------------===//

/// y[:, begin : end] of an int8 activation
static void emitQuantized(HostBuilder &b, MatmulOp op,
                          const WeightBuffers &weight, Value begin, Value end) {
  b.tiles(begin, end, 1, [&](ArrayRef<Value> ns) {
    Value row = weight.rowOf(b, b.getLoc(), ns[0]);
    b.tiles(b.index(0), b.rows(op.getInits()), tileOf(op),
            [&](ArrayRef<Value> ms) {
              QuantizedTile tile(b, op, weight, row, ms);
              for (auto [m, sum] : llvm::zip(ms, tile.emit()))
                emitResult(b, op, sum, m, ns[0]);
            });
  });
}

/// y[:, begin : end] of a float activation, from decoded rows
static void emitFloat(HostBuilder &b, MatmulOp op, const WeightBuffers &weight,
                      Value begin, Value end) {
  Value count = arith::SubIOp::create(b, end, begin);
  int64_t padded = weight.layout.scaleBlocking.paddedSize();
  auto type = MemRefType::get({ShapedType::kDynamic, padded}, b.getF32Type());
  b.withScratch(type, count, [&](Value decoded) {
    b.tiles(b.index(0), count, 1, [&](ArrayRef<Value> rows) {
      Value n = b.add(begin, rows[0]);
      b.decodeRow(weight, weight.rowOf(b, b.getLoc(), n),
                  b.row(decoded, rows[0]));
    });
    emitFloatProducts(b, op.getInputs()[0], decoded, b.index(0), count,
                      [&](Value m, Value row, Value sum) {
                        emitResult(b, op, sum, m, b.add(begin, row));
                      });
  });
}

namespace {
struct LowerMatmul : public OpRewritePattern<MatmulOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(MatmulOp op,
                                PatternRewriter &rewriter) const override {
    WeightType type = op.getWeight().getType();
    if (!op.hasPureBufferSemantics() || !hasContiguousRows(op) ||
        !isSupported(type) || op.getRests())
      return rewriter.notifyMatchFailure(op, "no host kernel");
    HostBuilder b(op.getLoc(), rewriter);
    WeightBuffers weight(b, op.getLoc(), op.getWeight());
    Value work =
        arith::MulIOp::create(b, b.rows(op.getInits()), b.index(type.getK()));
    b.parallel(b.index(type.getN()), kGrain, work, [&](Value begin, Value end) {
      if (op.isQuantized())
        emitQuantized(b, op, weight, begin, end);
      else
        emitFloat(b, op, weight, begin, end);
    });
    rewriter.eraseOp(op);
    return success();
  }
};
} // namespace

void mlir::rotq::populateRotQToVectorProductPatterns(
    RewritePatternSet &patterns) {
  patterns.add<LowerMatmul>(patterns.getContext());
}
