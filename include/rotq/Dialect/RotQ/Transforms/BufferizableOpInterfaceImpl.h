//===- BufferizableOpInterfaceImpl.h - Bufferization of rotq ops
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_DIALECT_ROTQ_TRANSFORMS_BUFFERIZABLEOPINTERFACEIMPL_H
#define ROTQ_DIALECT_ROTQ_TRANSFORMS_BUFFERIZABLEOPINTERFACEIMPL_H

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace mlir::rotq {

/// How one-shot bufferization turns rotq ops on tensors into rotq ops on
/// memrefs. Weights are neither, and pass through.
void registerBufferizableOpInterfaceExternalModels(DialectRegistry &registry);

} // namespace mlir::rotq

#endif // ROTQ_DIALECT_ROTQ_TRANSFORMS_BUFFERIZABLEOPINTERFACEIMPL_H
