//===- Transforms.h - Patterns on tensors
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_TRANSFORMS_TRANSFORMS_H
#define ROTQ_TRANSFORMS_TRANSFORMS_H

namespace mlir {
class RewritePatternSet;
} // namespace mlir

namespace mlir::rotq {

/// A linalg matmul by a `rotq.dequantize` becomes a `rotq.matmul` by the packed
/// weight.
void populateFoldDequantizePatterns(RewritePatternSet &patterns);

} // namespace mlir::rotq

#endif // ROTQ_TRANSFORMS_TRANSFORMS_H
