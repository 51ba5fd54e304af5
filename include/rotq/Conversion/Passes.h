//===- Passes.h - Conversions
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_CONVERSION_PASSES_H
#define ROTQ_CONVERSION_PASSES_H

#include "rotq/Dialect/RotQ/IR/RotQ.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace mlir::rotq {

#define GEN_PASS_DECL
#include "rotq/Conversion/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "rotq/Conversion/Passes.h.inc"

} // namespace mlir::rotq

#endif // ROTQ_CONVERSION_PASSES_H
