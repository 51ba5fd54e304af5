//===- GroupedMatmul.cpp - Groups of matmuls, one by one
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Reference.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::rotq;

namespace {
/// A matmul for every weight. Where the epilogue takes several sums, the first
/// is that of a matmul with the epilogue, which reads the others as f32
/// matrices.
struct ExpandGroupedMatmul : public OpRewritePattern<GroupedMatmulOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(GroupedMatmulOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.hasPureTensorSemantics())
      return rewriter.notifyMatchFailure(op, "not on tensors");
    Location loc = op.getLoc();
    size_t sums = size_t(op.getNumSums());
    auto multiply = [&](Value weight, ValueRange operands, Value init) {
      return MatmulOp::create(rewriter, loc, init.getType(), op.getInputs(),
                              weight, operands, init, op.getGroupAttr(),
                              op.getRestsAttr(), op.getKernelsAttr());
    };
    SmallVector<Value> results;
    for (auto [i, init] : llvm::enumerate(op.getInits())) {
      OperandRange weights = op.getWeights().slice(i * sums, sums);
      SmallVector<Value> operands;
      for (Value weight : weights.drop_front()) {
        Value sum = tensor::EmptyOp::create(
            rewriter, loc, tensor::getMixedSizes(rewriter, loc, init),
            rewriter.getF32Type());
        operands.push_back(multiply(weight, {}, sum).getResult());
      }
      llvm::append_range(operands, op.getEpilogueOperandsOf(int64_t(i)));
      auto matmul = multiply(weights.front(), operands, init);
      if (!op.getEpilogue().empty())
        rewriter.cloneRegionBefore(op.getEpilogue(), matmul.getEpilogue(),
                                   matmul.getEpilogue().begin());
      results.push_back(matmul.getResult());
    }
    rewriter.replaceOp(op, results);
    return success();
  }
};
} // namespace

void mlir::rotq::populateRotQToLinalgGroupPatterns(
    RewritePatternSet &patterns) {
  patterns.add<ExpandGroupedMatmul>(patterns.getContext());
}
