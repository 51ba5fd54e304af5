//===- Reference.h - Building blocks of the reference lowering
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_CONVERSION_ROTQTOLINALG_REFERENCE_H
#define ROTQ_LIB_CONVERSION_ROTQTOLINALG_REFERENCE_H

#include "rotq/Dialect/RotQ/IR/RotQ.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/PatternMatch.h"

namespace mlir::rotq {

void populateRotQToLinalgWeightPatterns(RewritePatternSet &patterns);
void populateRotQToLinalgActivationPatterns(RewritePatternSet &patterns);
void populateRotQToLinalgGroupPatterns(RewritePatternSet &patterns);
void populateRotQToLinalgProductPatterns(RewritePatternSet &patterns);

/// What a tensor holds at the position `indices`.
using ElementFn =
    function_ref<Value(ImplicitLocOpBuilder &builder, ValueRange indices)>;
/// `total` and what position `k` adds to it.
using ReduceFn =
    function_ref<Value(ImplicitLocOpBuilder &builder, Value k, Value total)>;

/// A tensor, written as a function of the position.
Value emitTensor(ImplicitLocOpBuilder &builder, ArrayRef<OpFoldResult> sizes,
                 Type element, ElementFn elementFn);

/// `source`, f32, in the destination and float type of `init`.
Value emitStore(ImplicitLocOpBuilder &builder, Value source, Value init);

/// An element of a tensor.
Value emitElement(ImplicitLocOpBuilder &builder, Value tensor,
                  ValueRange indices);

/// A constant tensor of rank 1.
Value emitTable(ImplicitLocOpBuilder &builder, ArrayRef<int8_t> values);
Value emitTable(ImplicitLocOpBuilder &builder, ArrayRef<int32_t> values);
Value emitTable(ImplicitLocOpBuilder &builder, ArrayRef<float> values);

/// As f32: a code in e4m3, and an int8 point rounded to e4m3.
Value emitValueOfE4M3(ImplicitLocOpBuilder &builder, Value code);
Value emitPointInE4M3(ImplicitLocOpBuilder &builder, Value point);

/// Goes through the positions of segment `segment` in rising order.
Value emitSegmentLoop(ImplicitLocOpBuilder &builder,
                      const ::rotq::Blocking &blocking, Value segment,
                      Value initial, ReduceFn reduceFn);

/// M x K floats, as f32 with rows zero-padded to `length`.
Value emitPadded(ImplicitLocOpBuilder &builder, Value matrix, int64_t length);

/// The rows of `x` (M x padded length, f32) rotated. Null for a rotation that
/// the reference does not know.
Value emitRotation(ImplicitLocOpBuilder &builder,
                   const ::rotq::Rotation &rotation, Value x);

/// The codes and scales of a weight, read from its bytes.
class ReferenceWeight {
public:
  ReferenceWeight(ImplicitLocOpBuilder &builder, TypedValue<WeightType> weight);

  using RowFn = function_ref<Value(ImplicitLocOpBuilder &, Value)>;

  /// The int8 points of `count` rows, row i being row rowFn(i) of the weight:
  /// count x S / 4 words of four.
  Value emitPoints(ImplicitLocOpBuilder &builder, OpFoldResult count,
                   RowFn rowFn) const;
  /// Point k of row `row` of them, i8.
  static Value emitPoint(ImplicitLocOpBuilder &builder, Value points, Value row,
                         Value k);
  /// Step or offset (`number` 0 or 1) of weight (n, k), as f32.
  Value emitNumber(ImplicitLocOpBuilder &builder, Value n, Value k,
                   int64_t number) const;
  bool hasOffset() const { return format.scale.hasOffset; }

  /// `count` reconstructed rows, f32, row i being row rowFn(i) of the weight.
  /// Null for a rotation that the reference does not know.
  Value emitRows(ImplicitLocOpBuilder &builder, OpFoldResult count,
                 RowFn rowFn) const;

private:
  SmallVector<Value> emitWords(ImplicitLocOpBuilder &builder, size_t plane,
                               Value row, Value run, int64_t from) const;
  SmallVector<Value> emitRun(ImplicitLocOpBuilder &builder, Value row,
                             Value run) const;

  ::rotq::Format format;
  ::rotq::WeightLayout layout; ///< K is that of the handle
  SmallVector<Value> planes;   ///< N x bytes, i8
  Value scales;                ///< N x numbers, f16
};

/// All rows of a weight: N x K, f32.
Value emitWeight(ImplicitLocOpBuilder &builder, TypedValue<WeightType> weight);

} // namespace mlir::rotq

#endif // ROTQ_LIB_CONVERSION_ROTQTOLINALG_REFERENCE_H
