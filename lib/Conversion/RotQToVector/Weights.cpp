//===- Weights.cpp - Host kernels of dequantize and gather
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HostKernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlir::rotq;

/// out[i, :] = the row of the weight that `rowFn` names, for every i.
static void emitRows(HostBuilder &builder, TypedValue<WeightType> handle,
                     Value out, function_ref<Value(Value)> rowFn) {
  WeightBuffers weight(builder, builder.getLoc(), handle);
  int64_t padded = weight.layout.scaleBlocking.paddedSize();
  builder.parallelRows(
      builder.rows(out), kGrain, padded, [&](Value i, Value scratch) {
        Value row = weight.rowOf(builder, builder.getLoc(), rowFn(i));
        builder.decodeRow(weight, row, scratch);
        builder.storeRow(scratch, out, i);
      });
}

namespace {
struct LowerDequantize : public OpRewritePattern<DequantizeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(DequantizeOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.hasPureBufferSemantics() || !hasContiguousRows(op) ||
        !isSupported(op.getWeight().getType()))
      return rewriter.notifyMatchFailure(op, "no host kernel");
    HostBuilder builder(op.getLoc(), rewriter);
    emitRows(builder, op.getWeight(), op.getInits(),
             [](Value row) { return row; });
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerGather : public OpRewritePattern<GatherOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(GatherOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.hasPureBufferSemantics() || !hasContiguousRows(op) ||
        !isSupported(op.getWeight().getType()))
      return rewriter.notifyMatchFailure(op, "no host kernel");
    HostBuilder builder(op.getLoc(), rewriter);
    emitRows(builder, op.getWeight(), op.getInits(), [&](Value i) -> Value {
      Value id = memref::LoadOp::create(builder, op.getIds(), i);
      if (id.getType().isIndex())
        return id;
      return arith::IndexCastOp::create(builder, builder.getIndexType(), id);
    });
    rewriter.eraseOp(op);
    return success();
  }
};
} // namespace

void mlir::rotq::populateRotQToVectorWeightPatterns(
    RewritePatternSet &patterns) {
  patterns.add<LowerDequantize, LowerGather>(patterns.getContext());
}
