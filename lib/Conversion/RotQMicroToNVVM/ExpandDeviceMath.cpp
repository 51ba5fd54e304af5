//===- ExpandDeviceMath.cpp - Functions of math as device arithmetic
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Conversion/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/ADT/TypeSwitch.h"

namespace mlir::rotq {
#define GEN_PASS_DEF_EXPANDDEVICEMATH
#include "rotq/Conversion/Passes.h.inc"
} // namespace mlir::rotq

using namespace mlir;
using namespace mlir::rotq;

/// The intrinsic of LLVM that NVPTX has an instruction for, which rounds as the
/// host does; or empty.
static StringRef intrinsicOf(Operation *op) {
  return llvm::TypeSwitch<Operation *, StringRef>(op)
      .Case([](math::AbsFOp) { return "llvm.fabs"; })
      .Case([](math::CeilOp) { return "llvm.ceil"; })
      .Case([](math::CopySignOp) { return "llvm.copysign"; })
      .Case([](math::FloorOp) { return "llvm.floor"; })
      .Case([](math::FmaOp) { return "llvm.fma"; })
      .Case([](math::RoundEvenOp) { return "llvm.roundeven"; })
      .Case([](math::SqrtOp) { return "llvm.sqrt"; })
      .Case([](math::TruncOp) { return "llvm.trunc"; })
      .Default(StringRef());
}

namespace {
struct ExpandDeviceMath
    : public mlir::rotq::impl::ExpandDeviceMathBase<ExpandDeviceMath> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    auto always = [](StringRef) { return true; };
    populateMathF32ExpansionPatterns(patterns, always);
    populateMathPolynomialApproximationPatterns(patterns, always);
    math::populateExpansionPatterns(
        patterns, {"acosh", "asinh", "atanh", "clampf", "cosh", "exp2", "powf",
                   "round", "rsqrt", "sinh", "tan"});
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      return signalPassFailure();
    // By name: gpu-to-nvvm makes calls of libdevice of the ops for them.
    WalkResult result = getOperation().walk([](Operation *op) -> WalkResult {
      if (StringRef name = intrinsicOf(op); !name.empty()) {
        OpBuilder builder(op);
        auto call = LLVM::CallIntrinsicOp::create(
            builder, op->getLoc(), op->getResult(0).getType(),
            builder.getStringAttr(name), op->getOperands());
        op->replaceAllUsesWith(call);
        op->erase();
        return success();
      }
      if (isa_and_nonnull<math::MathDialect>(op->getDialect()) ||
          isa<arith::RemFOp>(op))
        return op->emitOpError("has no lowering for GPUs");
      return success();
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }
};
} // namespace
