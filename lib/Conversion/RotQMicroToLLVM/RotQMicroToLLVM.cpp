//===- RotQMicroToLLVM.cpp - Micro-ops for the host
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Conversion/Passes.h"

#include "HostMicroOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/DialectConversion.h"

namespace mlir::rotq {
#define GEN_PASS_DEF_CONVERTROTQMICROTOLLVM
#include "rotq/Conversion/Passes.h.inc"
} // namespace mlir::rotq

using namespace mlir;
using namespace mlir::rotq;

namespace {
struct ConvertRotQMicroToLLVM
    : public mlir::rotq::impl::ConvertRotQMicroToLLVMBase<
          ConvertRotQMicroToLLVM> {
  using ConvertRotQMicroToLLVMBase::ConvertRotQMicroToLLVMBase;

  void runOnOperation() override {
    HostFeatures hostFeatures(features);
    RewritePatternSet patterns(&getContext());
    populateHostDecodePatterns(patterns, hostFeatures);
    populateHostDotPatterns(patterns, hostFeatures);
    populateHostFwhtPatterns(patterns);

    ConversionTarget target(getContext());
    target.addIllegalOp<UnpackOp, DecodeOp, DotOp, FwhtOp>();
    target.markUnknownOpDynamicallyLegal([](Operation *) { return true; });
    if (failed(applyPartialConversion(getOperation(), target,
                                      std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
