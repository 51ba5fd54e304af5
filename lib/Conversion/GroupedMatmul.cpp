//===- GroupedMatmul.cpp - Groups of matmuls, one by one
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Conversion/GroupedMatmul.h"

#include "rotq/Dialect/RotQ/IR/RotQ.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::rotq;

namespace {
/// Where the epilogue takes several sums, the first is that of a matmul with
/// the epilogue, which reads the others as f32 matrices.
struct ExpandGroupedMatmul : public OpRewritePattern<GroupedMatmulOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(GroupedMatmulOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    size_t sums = size_t(op.getNumSums());
    auto multiply = [&](Value weight, ValueRange operands, Value init) {
      SmallVector<Type> types;
      if (op.hasPureTensorSemantics())
        types.push_back(init.getType());
      return MatmulOp::create(rewriter, loc, types, op.getInputs(), weight,
                              operands, init, op.getGroupAttr(),
                              op.getRestsAttr(), op.getKernelsAttr());
    };
    SmallVector<Value> results;
    for (auto [i, init] : llvm::enumerate(op.getInits())) {
      OperandRange weights = op.getWeights().slice(i * sums, sums);
      SmallVector<Value> operands, buffers;
      for (Value weight : weights.drop_front()) {
        Value sum = createMatrix(rewriter, loc, init);
        auto matmul = multiply(weight, {}, sum);
        operands.push_back(matmul.getResult() ? matmul.getResult() : sum);
        if (!matmul.getResult())
          buffers.push_back(sum);
      }
      llvm::append_range(operands, op.getEpilogueOperandsOf(int64_t(i)));
      auto matmul = multiply(weights.front(), operands, init);
      if (!op.getEpilogue().empty())
        rewriter.cloneRegionBefore(op.getEpilogue(), matmul.getEpilogue(),
                                   matmul.getEpilogue().begin());
      llvm::append_range(results, matmul->getResults());
      for (Value buffer : buffers)
        memref::DeallocOp::create(rewriter, loc, buffer);
    }
    rewriter.replaceOp(op, results);
    return success();
  }

private:
  /// In f32, and as large as `like`.
  static Value createMatrix(OpBuilder &builder, Location loc, Value like) {
    Type f32 = builder.getF32Type();
    if (isa<TensorType>(like.getType()))
      return tensor::EmptyOp::create(
          builder, loc, tensor::getMixedSizes(builder, loc, like), f32);
    auto type =
        MemRefType::get(cast<MemRefType>(like.getType()).getShape(), f32);
    SmallVector<Value> sizes;
    if (type.isDynamicDim(0))
      sizes.push_back(memref::DimOp::create(builder, loc, like, 0));
    return memref::AllocOp::create(builder, loc, type, sizes);
  }
};
} // namespace

void mlir::rotq::populateExpandGroupedMatmulPatterns(
    RewritePatternSet &patterns) {
  patterns.add<ExpandGroupedMatmul>(patterns.getContext());
}
