//===- TensorBuilder.h - Tensor arithmetic in linalg ------------*- C++ -*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_IMPORT_TENSORBUILDER_H
#define ROTQ_LIB_IMPORT_TENSORBUILDER_H

#include "mlir/Dialect/Utils/StructuredOpsUtils.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::rotq {

/// Builds the steps of a decoder: linalg on f32 tensors.
///
/// `generic` takes the dimensions that each tensor has, by their numbers: "a
/// product of (0, 2) and (1, 2) into (0, 1)" is a matmul by a transposed
/// matrix. The order of the numbers is that of the loops, outermost first;
/// those that no result has are reductions.
class TensorBuilder : public ImplicitLocOpBuilder {
public:
  using ImplicitLocOpBuilder::ImplicitLocOpBuilder;

  using Dims = SmallVector<unsigned>;
  /// An operand of `generic`.
  struct Operand {
    Value tensor;
    Dims dims;
  };
  /// Gets the elements of the inputs, then those of the destinations.
  using Body = function_ref<SmallVector<Value>(ValueRange elements)>;

  Value index(int64_t value);
  Value f32(double value);
  Value add(Value a, Value b);
  Value subtract(Value a, Value b);
  Value multiply(Value a, Value b);
  /// a + b, in any order of summation.
  Value accumulate(Value a, Value b);
  Value exp(Value value);
  /// 1 / (1 + exp(-value))
  Value sigmoid(Value value);

  RankedTensorType typeOf(ArrayRef<OpFoldResult> shape);
  SmallVector<OpFoldResult> shapeOf(Value tensor);
  Value empty(ArrayRef<OpFoldResult> shape);
  Value filled(ArrayRef<OpFoldResult> shape, double value);

  SmallVector<Value> generic(ArrayRef<Operand> inputs,
                             ArrayRef<Operand> destinations, Body body);
  /// One result of its own shape, that of its dimensions.
  Value map(ArrayRef<Operand> inputs, ArrayRef<OpFoldResult> shape, Body body);
  /// x W^T into `destination`, or a new tensor.
  Value matmul(Value x, Value weight, Value destination = nullptr);

  /// Splits the dimension at `position` into extents that multiply to it.
  Value split(Value tensor, int64_t position, ArrayRef<int64_t> extents);
  /// Joins all dimensions from the second on.
  Value flatten(Value tensor);
  Value slice(Value tensor, ArrayRef<OpFoldResult> offsets,
              ArrayRef<OpFoldResult> sizes, ArrayRef<OpFoldResult> strides = {},
              ArrayRef<int64_t> droppedDims = {});
  Value insert(Value tensor, Value destination, ArrayRef<OpFoldResult> offsets,
               ArrayRef<OpFoldResult> sizes,
               ArrayRef<OpFoldResult> strides = {});
};

} // namespace mlir::rotq

#endif // ROTQ_LIB_IMPORT_TENSORBUILDER_H
