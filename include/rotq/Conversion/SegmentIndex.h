//===- SegmentIndex.h - Segments of a row as IR
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// How a row is cut is static, so the questions of rotq::Blocking become a shift
// and a few compares with constants. Every function computes in the type of its
// operand: index, i32, or what the caller's loops run in.
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_CONVERSION_SEGMENTINDEX_H
#define ROTQ_CONVERSION_SEGMENTINDEX_H

#include "rotq/Codec/Blocking.h"

#include "mlir/IR/Builders.h"

namespace mlir::rotq {

/// Blocking::indexOf: the segment that holds position `k`, the last one for
/// the positions after the padded length.
Value emitSegmentIndex(OpBuilder &builder, Location loc,
                       const ::rotq::Blocking &blocking, Value k);

/// Length of segment `index`.
Value emitSegmentLength(OpBuilder &builder, Location loc,
                        const ::rotq::Blocking &blocking, Value index);

/// Position where segment `index` starts; the padded length for one past the
/// last segment.
Value emitSegmentOffset(OpBuilder &builder, Location loc,
                        const ::rotq::Blocking &blocking, Value index);

/// rotq::runBefore: the run of 32 weights before `run` of a row of `length` in
/// its circle.
Value emitRunBefore(OpBuilder &builder, Location loc, Value run, int64_t length,
                    int64_t circle);

} // namespace mlir::rotq

#endif // ROTQ_CONVERSION_SEGMENTINDEX_H
