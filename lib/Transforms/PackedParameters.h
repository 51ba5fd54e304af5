//===- PackedParameters.h - Arguments that become packed weights
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_TRANSFORMS_PACKEDPARAMETERS_H
#define ROTQ_LIB_TRANSFORMS_PACKEDPARAMETERS_H

#include "Contraction.h"
#include "FormatPlan.h"
#include "RowGather.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/EquivalenceClasses.h"
#include "llvm/ADT/MapVector.h"

namespace mlir::rotq {

/// What reads one weight.
struct WeightConsumers {
  SmallVector<Contraction> contractions;
  SmallVector<RowGather> gathers;
};

/// Remarks, at each of them, that a weight stays as it is.
void reportMissedWeight(const WeightConsumers &consumers, const char *why);

/// Named parameters of a module, and the arguments of private functions that
/// they are passed to.
class PackedParameters {
public:
  /// Finds the arguments that `plan` gives a format, and clones private
  /// functions until each of their arguments has one.
  PackedParameters(ModuleOp module, const FormatPlan &plan);

  /// Whether `value` is a parameter, named or passed on; the plan need not
  /// give it a format.
  bool contains(Value value) const;

  /// Changes the types of those that are weights of matmuls or tables of
  /// lookups everywhere, and of nothing else. `consumers` are those of the
  /// module as it is now. Adds the number of ops replaced to `numReplaced`.
  LogicalResult pack(const llvm::MapVector<Value, WeightConsumers> &consumers,
                     unsigned &numReplaced);

private:
  bool canSpecialize(func::FuncOp callee) const;
  void specializeCallees(func::FuncOp caller,
                         SmallVectorImpl<func::FuncOp> &pending);
  LogicalResult verifyPlanIsUsed();

  ModuleOp module;
  const FormatPlan &plan;
  SymbolTable symbols;
  /// Functions that are called by `func.call` and by nothing else.
  llvm::SmallPtrSet<Operation *, 8> callees;
  llvm::MapVector<Value, FormatAttr> formats;
  /// Arguments that are one weight, since one is passed for the other.
  llvm::EquivalenceClasses<Value> groups;
  /// The function for a callee and the formats of its operands, if it has any.
  DenseMap<std::pair<Operation *, ArrayAttr>, func::FuncOp> specializations;
  /// What a clone was made of.
  DenseMap<Operation *, func::FuncOp> origins;
};

} // namespace mlir::rotq

#endif // ROTQ_LIB_TRANSFORMS_PACKEDPARAMETERS_H
