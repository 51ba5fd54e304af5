//===- HostKernels.h - Building blocks of the host's kernels
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_CONVERSION_ROTQTOVECTOR_HOSTKERNELS_H
#define ROTQ_LIB_CONVERSION_ROTQTOVECTOR_HOSTKERNELS_H

#include "rotq/Conversion/WeightBuffers.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/PatternMatch.h"

namespace mlir::rotq {

void populateRotQToVectorActivationPatterns(RewritePatternSet &patterns);
void populateRotQToVectorDensePatterns(RewritePatternSet &patterns);
void populateRotQToVectorProductPatterns(RewritePatternSet &patterns,
                                         int64_t vectorBytes);
void populateRotQToVectorWeightPatterns(RewritePatternSet &patterns);

/// Floats are handled in vectors of this many.
inline constexpr int64_t kFloats = 16;
/// Weights are unpacked this many at a time, or as many as the segment has.
inline constexpr int64_t kChunk = 64;
/// A thread takes this many rows of a weight at a time.
inline constexpr int64_t kGrain = 8;

/// Whether `op` is y[m, n] += x[m, k] w[n, k] on memrefs, without a rotq op.
bool isDenseProduct(Operation *op);

/// Builds kernels: loops, vectors, and the steps that kernels share.
class HostBuilder : public ImplicitLocOpBuilder {
public:
  using ImplicitLocOpBuilder::ImplicitLocOpBuilder;

  using LoopBody =
      function_ref<SmallVector<Value>(Value position, ValueRange carried)>;
  using SegmentBody = function_ref<void(Value offset, int64_t length)>;

  Value index(int64_t value);
  Value add(Value a, Value b);
  Value add(Value a, int64_t b) { return b == 0 ? a : add(a, index(b)); }
  Value f32(float value);
  Value zero(Type type);
  Value splat(Value scalar, int64_t count);

  /// for position in [begin, end) by step; what `body` returns is carried.
  SmallVector<Value> loop(Value begin, Value end, int64_t step,
                          ValueRange initial, LoopBody body);
  void loop(int64_t begin, int64_t end, int64_t step,
            function_ref<void(Value)> body);
  void branch(Value condition, function_ref<void()> then,
              function_ref<void()> otherwise);
  /// Tiles of `tile` positions of [begin, end), then what is left one by one.
  void tiles(Value begin, Value end, int64_t tile,
             function_ref<void(ArrayRef<Value> positions)> body);
  using RangeBody = function_ref<void(Value begin, Value end)>;
  /// Ranges of `grain` that cover [0, count), in any order, maybe at the same
  /// time; one range where `count` times `work`, in multiplications or what
  /// takes as long, is little. `work` is of one position.
  void parallel(Value count, int64_t grain, Value work, RangeBody body);
  /// The same, a position at a time, with a row of `length` f32 numbers for
  /// every range.
  void parallelRows(Value count, int64_t grain, int64_t length,
                    function_ref<void(Value position, Value scratch)> body);
  /// The full blocks in a loop, then the tail.
  void forSegments(const ::rotq::Blocking &blocking, SegmentBody body);

  Value load(Value memref, ValueRange indices, int64_t count);
  void store(Value vector, Value memref, ValueRange indices);
  /// Element i is the sum of the lanes of vector i: halves are added, then
  /// halves of the sums. Numbers of vectors and of lanes are powers of two.
  Value sumLanes(ArrayRef<Value> vectors);
  Value element(Value vector, int64_t i);
  Value fromElements(ArrayRef<Value> values);
  Value rows(Value matrix);

  /// A buffer, for as long as `body` runs.
  void withScratch(MemRefType type, ValueRange sizes,
                   function_ref<void(Value)> body);
  /// A row of a matrix, as a memref of its own.
  Value row(Value matrix, Value i);
  /// scratch[:] = row of matrix, zero-padded to `padded`.
  void loadRow(Value matrix, Value row, Value scratch, int64_t padded);
  /// row of matrix = the first numbers of scratch.
  void storeRow(Value scratch, Value matrix, Value row);
  /// Rotates the numbers of `scratch`.
  void rotate(Value scratch, const ::rotq::Rotation &rotation, int64_t padded);

  /// `count` points of row `row` (of the views) from position `k` on: int8.
  Value points(const WeightBuffers &weight, Value row, Value k, int64_t count);
  /// Brings what `points` loads into the cache.
  void prefetch(const WeightBuffers &weight, Value row, Value k);
  /// Step or offset (`number` 0 or 1) of position `k`, f16.
  Value number(const WeightBuffers &weight, Value row, Value k, int64_t number);
  /// scratch[:] = the reconstructed row, its rotation undone.
  void decodeRow(const WeightBuffers &weight, Value row, Value scratch);

private:
  void rotateSegment(Value scratch, Value offset, int64_t length);
  Value byteOf(const ::rotq::WeightLayout::Plane &plane, Value k);
  Value words(Value bytes);
  Value wordsBefore(const WeightBuffers &weight, Value row, Value k,
                    int64_t count, Value words);
};

/// Receives element (m, n) of the product with every weight.
using ResultFn = function_ref<void(Value m, Value n, ValueRange sums)>;

/// `result` of the elements of a tile. The sum of rows ms[i] and ns[j] is at
/// i * ns.size() + j of the vector that every weight has.
void emitElements(HostBuilder &b, ArrayRef<Value> ms, ArrayRef<Value> ns,
                  ValueRange sums, ResultFn result);

/// The products, in f32, of the rows of x with the rows [begin, end) of every
/// matrix of `ws`.
void emitFloatProducts(HostBuilder &b, Value x, ValueRange ws, Value begin,
                       Value end, ResultFn result);

/// The same of the quantized activation of `op`, with the rows [begin, end) of
/// `weights`, in vectors of `vectorBytes` codes.
void emitQuantizedProducts(HostBuilder &b, MatmulOpInterface op,
                           ArrayRef<WeightBuffers> weights, int64_t vectorBytes,
                           Value begin, Value end, ResultFn result);

/// Whether kernels know the parts of this format.
bool isSupported(WeightType type);
bool isSupported(RotationAttrInterface rotation);
/// Whether rows of every memref among the operands of `op` are contiguous.
bool hasContiguousRows(Operation *op);

} // namespace mlir::rotq

#endif // ROTQ_LIB_CONVERSION_ROTQTOVECTOR_HOSTKERNELS_H
