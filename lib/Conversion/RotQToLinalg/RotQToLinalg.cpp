//===- RotQToLinalg.cpp - The reference
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Conversion/Passes.h"

#include "Reference.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/DialectConversion.h"

namespace mlir::rotq {
#define GEN_PASS_DEF_CONVERTROTQTOLINALG
#include "rotq/Conversion/Passes.h.inc"
} // namespace mlir::rotq

using namespace mlir;
using namespace mlir::rotq;

namespace {
struct ConvertRotQToLinalg
    : public mlir::rotq::impl::ConvertRotQToLinalgBase<ConvertRotQToLinalg> {
  void runOnOperation() override {
    WalkResult result = getOperation().walk([](QuantizeOp op) {
      op.emitOpError("has no lowering: its source is not a constant");
      return WalkResult::interrupt();
    });
    if (result.wasInterrupted())
      return signalPassFailure();

    RewritePatternSet patterns(&getContext());
    populateRotQToLinalgWeightPatterns(patterns);
    populateRotQToLinalgActivationPatterns(patterns);
    populateRotQToLinalgProductPatterns(patterns);
    populateRotQToLinalgGroupPatterns(patterns);

    ConversionTarget target(getContext());
    target.addIllegalOp<DequantizeOp, GatherOp, GroupedMatmulOp, MatmulOp,
                        QuantizeActivationOp, RotateOp>();
    target.markUnknownOpDynamicallyLegal([](Operation *) { return true; });
    if (failed(applyPartialConversion(getOperation(), target,
                                      std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
