//===- GroupedMatmul.h - Groups of matmuls, one by one
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_CONVERSION_GROUPEDMATMUL_H
#define ROTQ_CONVERSION_GROUPEDMATMUL_H

#include "mlir/IR/PatternMatch.h"

namespace mlir::rotq {

/// `rotq.grouped_matmul` becomes a `rotq.matmul` for every weight, on tensors
/// and on memrefs: for targets that launch nothing.
void populateExpandGroupedMatmulPatterns(RewritePatternSet &patterns);

} // namespace mlir::rotq

#endif // ROTQ_CONVERSION_GROUPEDMATMUL_H
