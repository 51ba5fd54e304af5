//===- Products.cpp - Host kernels of matmul
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HostKernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace mlir::rotq;

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
  LowerMatmul(MLIRContext *context, int64_t vectorBytes)
      : OpRewritePattern(context), vectorBytes(vectorBytes) {}

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
      if (!op.isQuantized())
        return emitFloat(b, op, weight, begin, end);
      emitQuantizedProducts(
          b, op, weight, vectorBytes, begin, end,
          [&](Value m, Value n, Value sum) { emitResult(b, op, sum, m, n); });
    });
    rewriter.eraseOp(op);
    return success();
  }

  int64_t vectorBytes;
};
} // namespace

void mlir::rotq::populateRotQToVectorProductPatterns(
    RewritePatternSet &patterns, int64_t vectorBytes) {
  patterns.add<LowerMatmul>(patterns.getContext(), vectorBytes);
}
