//===- NarrowFloats.h - Floats of 8 bits on NVIDIA GPUs
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_CONVERSION_NARROWFLOATS_H
#define ROTQ_CONVERSION_NARROWFLOATS_H

#include "mlir/IR/Builders.h"

namespace mlir::rotq {

/// A vector of f32, a multiple of four of them, rounded to the nearest
/// e4m3, ties to even; beyond the largest to the largest. As 32-bit words.
Value emitToE4M3(OpBuilder &builder, Location loc, Value floats);

/// The same of int8, in 32-bit words.
Value emitPointsToE4M3(OpBuilder &builder, Location loc, Value words);

/// e4m3 in a vector of 32-bit words, as f32.
Value emitFromE4M3(OpBuilder &builder, Location loc, Value words);

} // namespace mlir::rotq

#endif // ROTQ_CONVERSION_NARROWFLOATS_H
