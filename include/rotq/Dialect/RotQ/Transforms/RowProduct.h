//===- RowProduct.h - Products with the rows of a matrix in linalg
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_DIALECT_ROTQ_TRANSFORMS_ROWPRODUCT_H
#define ROTQ_DIALECT_ROTQ_TRANSFORMS_ROWPRODUCT_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace mlir::rotq {

/// How the second operand of a product is stored.
enum class WeightOrder {
  NxK, ///< y[m, n] += x[m, k] w[n, k]
  KxN  ///< y[m, n] += x[m, k] w[k, n]
};

/// Matches a product of matrices and their sum, with nothing else in its body
/// but conversions between floats; on tensors or memrefs. Nothing when `op` is
/// something else.
std::optional<WeightOrder> matchRowProduct(linalg::LinalgOp op);

} // namespace mlir::rotq

#endif // ROTQ_DIALECT_ROTQ_TRANSFORMS_ROWPRODUCT_H
