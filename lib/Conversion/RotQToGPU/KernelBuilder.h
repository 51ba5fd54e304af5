//===- KernelBuilder.h - Emission inside one GPU kernel
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_CONVERSION_ROTQTOGPU_KERNELBUILDER_H
#define ROTQ_LIB_CONVERSION_ROTQTOGPU_KERNELBUILDER_H

#include "rotq/Dialect/RotQ/IR/RotQ.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::rotq {

/// Addresses are a pointer to global memory and an offset in bytes; offsets
/// and positions are of index type.
class KernelBuilder : public ImplicitLocOpBuilder {
public:
  using ImplicitLocOpBuilder::ImplicitLocOpBuilder;

  Value index(int64_t value);
  Value i32(int64_t value);
  Value f32(float value);
  Value zero(Type type);

  Value add(Value a, Value b);
  Value add(Value a, int64_t b) { return add(a, index(b)); }
  Value mul(Value a, Value b);
  Value mul(Value a, int64_t b) { return mul(a, index(b)); }
  Value div(Value a, int64_t b);
  Value rem(Value a, int64_t b);
  Value min(Value a, Value b);
  Value min(Value a, int64_t b) { return min(a, index(b)); }
  Value less(Value a, Value b);
  Value less(Value a, int64_t b) { return less(a, index(b)); }
  Value equal(Value a, Value b);
  Value logicalAnd(Value a, Value b);
  Value exclusiveOr(Value a, Value b);
  Value exclusiveOr(Value a, int64_t b) { return exclusiveOr(a, index(b)); }
  Value select(Value condition, Value a, Value b);

  Value sub(Value a, Value b);

  Value mulF(Value a, Value b);
  Value addF(Value a, Value b);
  /// a * b + c in one rounding.
  Value fma(Value a, Value b, Value c);
  /// An f16 or f32 scalar as f32, and back.
  Value toF32(Value value);
  Value fromF32(Value value, Type type);

  /// Of memory that this launch does not write. `isConstant`: neither does the
  /// launch before it, so that the read-only path can serve it, and before
  /// `KernelFunction::waitForPredecessor`.
  Value load(Value pointer, Value byteOffset, Type type, int64_t alignment,
             bool isConstant = false);
  /// 1, 2 or 4 words of constant memory, as above, that no other thread wants:
  /// they take no place in L1, and the lines behind them come into L2.
  Value loadStreamed(Value pointer, Value byteOffset, int64_t words);
  void store(Value value, Value pointer, Value byteOffset, int64_t alignment);

  /// Starts to copy 4 or 16 bytes from global memory (cp.async); of `size` only
  /// the first `given` where that is not null, and zeros.
  void copyToShared(Value shared, Value sharedOffset, Value pointer,
                    Value byteOffset, int64_t size, Value given = {});

  Value threadId();
  Value blockId(gpu::Dimension dimension);

  /// `value` of the lane whose number differs by `mask`.
  Value shuffleXor(Value value, int64_t mask);
  /// `value` of lane `lane`.
  Value shuffleFrom(Value value, Value lane);
  /// Sum over the warp of an f32.
  Value warpSum(Value value);

  /// Whether a segment of `blocking` starts at `position`.
  Value startsSegment(const ::rotq::Blocking &blocking, Value position);

  /// Word `i` of a vector of i32.
  Value word(Value words, int64_t i);
  /// A vector reinterpreted as 32-bit words.
  Value asWords(Value vector);

  /// Loop over [0, count) in steps, with carried values; `body` returns the
  /// next ones.
  SmallVector<Value>
  forLoop(Value begin, Value end, int64_t step, ValueRange init,
          function_ref<SmallVector<Value>(Value, ValueRange)> body);
  /// `then` where the condition holds, else the values of `otherwise`.
  SmallVector<Value> ifElse(Value condition, ValueRange otherwise,
                            function_ref<SmallVector<Value>()> then);
  void ifThen(Value condition, function_ref<void()> then,
              function_ref<void()> otherwise = nullptr);
};

} // namespace mlir::rotq

#endif // ROTQ_LIB_CONVERSION_ROTQTOGPU_KERNELBUILDER_H
