//===- Import.h - Decoders as modules ---------------------------*- C++ -*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_IMPORT_IMPORT_H
#define ROTQ_IMPORT_IMPORT_H

#include "rotq/Import/Decoder.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace mlir::rotq {

/// The decoder as a module of upstream dialects (func, linalg, tensor, arith,
/// math, bufferization): the functions `prefill` and `decode` of
/// docs/models.md, every weight an f32 argument with its name in
/// `rotq.parameter`. Loads the dialects it needs. Error: one tensor in places
/// of several shapes.
llvm::Expected<OwningOpRef<ModuleOp>> importDecoder(MLIRContext &context,
                                                    const Decoder &decoder);

/// The function `calibrate` of docs/models.md as such a module: what the linear
/// layers read, as sums of products.
llvm::Expected<OwningOpRef<ModuleOp>> importCalibration(MLIRContext &context,
                                                        const Decoder &decoder);

} // namespace mlir::rotq

#endif // ROTQ_IMPORT_IMPORT_H
