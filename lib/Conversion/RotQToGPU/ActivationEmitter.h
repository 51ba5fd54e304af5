//===- ActivationEmitter.h - What kernels that quantize have in common
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A warp has a slot of a row, kLane values a lane, which it rotates and
// quantizes.
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_CONVERSION_ROTQTOGPU_ACTIVATIONEMITTER_H
#define ROTQ_LIB_CONVERSION_ROTQTOGPU_ACTIVATIONEMITTER_H

#include "Kernels.h"

#include "rotq/Codec/TiledLayout.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace mlir::rotq {

class ActivationEmitter {
public:
  ActivationEmitter(KernelBuilder &b, KernelFunction &kernel,
                    const ActivationProblem &problem)
      : b(b), kernel(kernel), problem(problem),
        groups(activationBlocking(problem.k, problem.group)),
        stored(::rotq::storedLength(problem.k)) {}

  /// Values a lane owns, and a warp.
  static constexpr int64_t kLane = 8;
  static constexpr int64_t kSlot = 32 * kLane;
  static_assert(kSlot == ::rotq::TiledLayout::kColumns);
  /// Warps of a block that share what it does.
  static constexpr int64_t kWarps = 4;

  /// A slot for every warp of a block.
  void emit();

protected:
  /// `value` as it is for scalars, for every element of vectors.
  Value splat(Value value, Type type) {
    return isa<VectorType>(type) ? vector::BroadcastOp::create(b, type, value)
                                 : value;
  }
  /// The lane's values of a row, from `position` on.
  Value loadValues(Value row, Value position);
  /// Such values rotated.
  Value rotate(Value values, Value position);
  Value rotatedValues(Value row, Value position);
  /// The length of the group at `position`; null where all have the same.
  Value groupLength(Value position);
  /// Combines the values of the lanes that share a group; every lane of the
  /// group gets the result.
  Value reduceOverGroup(Value value, Value length,
                        function_ref<Value(Value, Value)> combine);
  /// most / largest, or 0.
  Value inverseOf(Value largest, Value most);
  /// value * inverse within [-most, most]; not-a-number is 0. `value` here and
  /// below is a scalar or a vector, the others are scalars.
  Value inSteps(Value value, Value inverse, Value most);
  /// To the nearest even integer, as a float up from 1.5 * 2^23.
  Value round(Value value);
  /// What was rounded, as i32.
  Value integers(Value rounded);
  void quantize(Value values, Value row, Value position, Value length);

  KernelBuilder &b;
  KernelFunction &kernel;
  const ActivationProblem &problem;
  ::rotq::Blocking groups;
  int64_t stored; ///< codes of a row

private:
  Value lengthAt(const ::rotq::Blocking &blocking, Value position);
  void quantizeToE4M3(Value steps, Value scale, Value row, Value position,
                      Value length);
  void storeCodes(Value bytes, Value row, Value position);
  void storeRow(Value bytes, Value values, Value scale, Value row,
                Value position, Value length);
  void storeIntegers(Value codes, Value scale, Value row, Value position,
                     Value length);
};

} // namespace mlir::rotq

#endif // ROTQ_LIB_CONVERSION_ROTQTOGPU_ACTIVATIONEMITTER_H
