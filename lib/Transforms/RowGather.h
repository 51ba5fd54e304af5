//===- RowGather.h - Lookups of rows in linalg
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_TRANSFORMS_ROWGATHER_H
#define ROTQ_LIB_TRANSFORMS_ROWGATHER_H

#include "rotq/Dialect/RotQ/IR/RotQ.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/PatternMatch.h"

namespace mlir::rotq {

/// out[t, k] = table[ids[t], k]: a linalg.generic whose body extracts.
struct RowGather {
  linalg::GenericOp op;
  Value ids;           ///< a vector of i32, i64 or index
  OpOperand *tableUse; ///< the table, as tensor.extract reads it

  Value getTable() const { return tableUse->get(); }
};

/// Matches `op`; nothing when it is something else.
std::optional<RowGather> matchRowGather(Operation *op);

/// Replaces the lookup by one in a packed table.
void replaceByGather(RewriterBase &rewriter, const RowGather &gather,
                     Value weight);

} // namespace mlir::rotq

#endif // ROTQ_LIB_TRANSFORMS_ROWGATHER_H
