//===- FoldDequantize.cpp - Products with the packed weight
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Contraction.h"
#include "rotq/Transforms/Transforms.h"

using namespace mlir;
using namespace mlir::rotq;

namespace {
/// x dequantize(W)^T = matmul(x, W).
struct FoldDequantize : public OpInterfaceRewritePattern<linalg::LinalgOp> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;

  LogicalResult matchAndRewrite(linalg::LinalgOp op,
                                PatternRewriter &rewriter) const override {
    std::optional<Contraction> contraction = matchContraction(op);
    if (!contraction)
      return rewriter.notifyMatchFailure(op, "not a product of two matrices");
    auto dequantize = contraction->root.getDefiningOp<DequantizeOp>();
    if (!dequantize)
      return rewriter.notifyMatchFailure(op, "the weight is not dequantized");
    if (!contraction->isKMajor)
      return rewriter.notifyMatchFailure(op, "the product is along N");
    replaceByMatmul(rewriter, *contraction, dequantize.getWeight());
    return success();
  }
};
} // namespace

void mlir::rotq::populateFoldDequantizePatterns(RewritePatternSet &patterns) {
  patterns.add<FoldDequantize>(patterns.getContext());
}
