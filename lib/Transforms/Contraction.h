//===- Contraction.h - Matmuls of linalg
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_TRANSFORMS_CONTRACTION_H
#define ROTQ_LIB_TRANSFORMS_CONTRACTION_H

#include "rotq/Dialect/RotQ/IR/RotQ.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/PatternMatch.h"

namespace mlir::rotq {

/// y[m, n] += x[m, k] w[n, k], or w[k, n], on tensors of f32 or f16. The weight
/// is seen through casts and transposes.
struct Contraction {
  linalg::LinalgOp op;  ///< input 0 is x
  OpOperand *weightUse; ///< w, as `op` reads it
  Value root;           ///< what the casts and transposes start from
  bool isKMajor;        ///< root is w[n, k], not w[k, n]

  Location getLoc() const { return weightUse->getOwner()->getLoc(); }
  /// N and K of the root.
  std::pair<int64_t, int64_t> getShape() const;
};

/// Matches `op`; nothing when it is something else.
std::optional<Contraction> matchContraction(Operation *op);

/// The value before a cast or a transpose of a matrix, null when `op` is
/// neither.
Value getMatrixSource(Operation *op, bool &isTranspose);

/// Replaces the contraction by a product with `weight`, plus what its
/// destination held unless that is zero.
void replaceByMatmul(RewriterBase &rewriter, const Contraction &contraction,
                     Value weight);

} // namespace mlir::rotq

#endif // ROTQ_LIB_TRANSFORMS_CONTRACTION_H
