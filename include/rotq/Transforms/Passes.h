//===- Passes.h - Passes on tensors
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_TRANSFORMS_PASSES_H
#define ROTQ_TRANSFORMS_PASSES_H

#include "rotq/Dialect/RotQ/IR/RotQ.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace mlir::rotq {

/// Where the rotation of a weight is paid.
enum class Placement { Auto, Activation, Load };

/// The values of an option that chooses a placement.
inline llvm::cl::ValuesClass placementValues() {
  return llvm::cl::values(
      clEnumValN(Placement::Auto, "auto", "the cheaper place"),
      clEnumValN(Placement::Activation, "activation", "on the activation"),
      clEnumValN(Placement::Load, "load",
                 "on the weight, in the kernel's load stage"));
}

/// The values of an option that chooses what activations become.
inline llvm::cl::ValuesClass operandValues() {
  return llvm::cl::values(
      clEnumValN(Operand::Int8, "int8", "int8, with every chip"),
      clEnumValN(
          Operand::E4M3, "e4m3",
          "floats of 8 bits, as are points then: as fast, and loses more"));
}

#define GEN_PASS_DECL
#include "rotq/Transforms/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "rotq/Transforms/Passes.h.inc"

} // namespace mlir::rotq

#endif // ROTQ_TRANSFORMS_PASSES_H
