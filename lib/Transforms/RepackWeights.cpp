//===- RepackWeights.cpp - Weights in the layout that kernels read
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Transforms/Passes.h"

namespace mlir::rotq {
#define GEN_PASS_DEF_REPACKWEIGHTS
#include "rotq/Transforms/Passes.h.inc"
} // namespace mlir::rotq

using namespace mlir;
using namespace mlir::rotq;

namespace {
struct RepackWeights
    : public mlir::rotq::impl::RepackWeightsBase<RepackWeights> {
  void runOnOperation() override {
    getOperation().walk([&](MatmulOpInterface op) {
      if (!readsTiles(op))
        return;
      for (OpOperand &operand : op.getWeightsMutable())
        if (auto weight = cast<TypedValue<WeightType>>(operand.get());
            weight.getType().isCanonical())
          operand.set(repacked(weight));
    });
  }

private:
  /// Kernels of one matmul share the weight and so its layout.
  static bool readsTiles(MatmulOpInterface op) {
    return op.getKernels() &&
           llvm::any_of(op.getKernels()->getAsRange<KernelAttr>(),
                        [](KernelAttr kernel) {
                          return kernel.getKind() != KernelKind::HostVector;
                        });
  }

  /// The weight in tiles: views stay views, so that weights are repacked where
  /// they come from, and once.
  TypedValue<WeightType> repacked(TypedValue<WeightType> weight) {
    if (TypedValue<WeightType> result = known.lookup(weight))
      return result;
    OpBuilder builder(&getContext());
    builder.setInsertionPointAfterValue(weight);
    WeightType type = weight.getType().withLayout(LayoutKind::Tiles);
    TypedValue<WeightType> result;
    if (auto view = weight.getDefiningOp<RotatedViewOp>()) {
      result = RotatedViewOp::create(builder, weight.getLoc(), type,
                                     repacked(view.getSource()));
    } else {
      result = RepackOp::create(builder, weight.getLoc(), type, weight);
      ++numRepacked;
    }
    known[weight] = result;
    return result;
  }

  DenseMap<Value, TypedValue<WeightType>> known;
};
} // namespace
