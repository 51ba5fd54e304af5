//===- RotQToVector.cpp - Host kernels
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Conversion/Passes.h"

#include "HostKernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/DialectConversion.h"

namespace mlir::rotq {
#define GEN_PASS_DEF_CONVERTROTQTOVECTOR
#include "rotq/Conversion/Passes.h.inc"
} // namespace mlir::rotq

using namespace mlir;
using namespace mlir::rotq;

namespace {
struct ConvertRotQToVector
    : public mlir::rotq::impl::ConvertRotQToVectorBase<ConvertRotQToVector> {
  using ConvertRotQToVectorBase::ConvertRotQToVectorBase;

  void runOnOperation() override {
    if (vectorBytes != 32 && vectorBytes != 64) {
      emitError(getOperation().getLoc())
          << "expected vectors of 32 or 64 bytes but got "
          << int64_t(vectorBytes);
      return signalPassFailure();
    }
    WalkResult result = getOperation()->walk([](QuantizeOp op) {
      op.emitOpError("has no lowering on the host: its source is not a "
                     "constant");
      return WalkResult::interrupt();
    });
    if (result.wasInterrupted())
      return signalPassFailure();
    RewritePatternSet patterns(&getContext());
    populateRotQToVectorActivationPatterns(patterns);
    populateRotQToVectorDensePatterns(patterns);
    populateRotQToVectorProductPatterns(patterns, vectorBytes);
    populateRotQToVectorWeightPatterns(patterns);

    ConversionTarget target(getContext());
    target.addIllegalOp<DequantizeOp, GatherOp, GroupedMatmulOp, MatmulOp,
                        QuantizeActivationOp, RotateOp>();
    target.markUnknownOpDynamicallyLegal(
        [](Operation *op) { return !isDenseProduct(op); });
    if (failed(applyPartialConversion(getOperation(), target,
                                      std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
