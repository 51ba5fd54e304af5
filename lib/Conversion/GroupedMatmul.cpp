//===- GroupedMatmul.cpp - Groups of matmuls, one by one
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Conversion/GroupedMatmul.h"

#include "rotq/Dialect/RotQ/IR/RotQ.h"

using namespace mlir;
using namespace mlir::rotq;

namespace {
struct ExpandGroupedMatmul : public OpRewritePattern<GroupedMatmulOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(GroupedMatmulOp op,
                                PatternRewriter &rewriter) const override {
    SmallVector<Value> results;
    for (auto [weight, init] :
         llvm::zip_equal(op.getWeights(), op.getInits())) {
      SmallVector<Type> types;
      if (op.hasPureTensorSemantics())
        types.push_back(init.getType());
      auto matmul =
          MatmulOp::create(rewriter, op.getLoc(), types, op.getInputs(), weight,
                           init, op.getGroupAttr(), op.getKernelsAttr());
      llvm::append_range(results, matmul->getResults());
    }
    rewriter.replaceOp(op, results);
    return success();
  }
};
} // namespace

void mlir::rotq::populateExpandGroupedMatmulPatterns(
    RewritePatternSet &patterns) {
  patterns.add<ExpandGroupedMatmul>(patterns.getContext());
}
