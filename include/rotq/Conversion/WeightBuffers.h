//===- WeightBuffers.h - The parts of a packed weight as memrefs
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_CONVERSION_WEIGHTBUFFERS_H
#define ROTQ_CONVERSION_WEIGHTBUFFERS_H

#include "rotq/Dialect/RotQ/IR/RotQ.h"

namespace mlir::rotq {

/// Views of the blob that a handle stands for. The handle is followed through
/// rotated_view and extract_rows to the weight that owns the bytes; the views
/// cover all of its rows.
struct WeightBuffers {
  WeightBuffers(OpBuilder &builder, Location loc,
                TypedValue<WeightType> weight);

  /// Row `row` of the handle, as a row of the views.
  Value rowOf(OpBuilder &builder, Location loc, Value row) const;

  ::rotq::WeightLayout layout; ///< of the weight that owns the bytes
  FormatAttr formatAttr;       ///< of the handle
  ::rotq::Format format;       ///< the same, for the codec
  SmallVector<Value> planes;   ///< memref<N x bytes x i8>
  Value scales;                ///< memref<N x numbers x f16>
  Value firstRow;              ///< index; null where the handle has all rows
};

} // namespace mlir::rotq

#endif // ROTQ_CONVERSION_WEIGHTBUFFERS_H
