//===- KernelSelector.h - The fastest kernels for a matmul
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_TARGET_KERNELSELECTOR_H
#define ROTQ_TARGET_KERNELSELECTOR_H

#include "rotq/Target/KernelTable.h"

namespace mlir::rotq {

/// A kernel and the range of M it is for; `mMax` 0 is no upper end.
struct KernelChoice {
  KernelConfig config;
  int64_t mMin = 1, mMax = 0;

  bool takes(int64_t m) const { return mMin <= m && (mMax == 0 || m <= mMax); }
};

/// Estimates times on a chip by the cost model, corrected by the errors that it
/// makes for what was measured nearby. At a shape and M of the table an
/// estimate is what was measured; without a table it is the model's.
class KernelSelector {
public:
  KernelSelector(const KernelTable &table, bool hasWarpgroups,
                 const MatmulShape &shape, bool hasRests = false);

  /// A few kernels for every M: ranges rise and touch. Where the activation has
  /// rests, one ends with the rows that do.
  SmallVector<KernelChoice> choose() const;

  /// Of every configuration that takes M, the fastest first.
  SmallVector<MeasuredKernel> estimate(int64_t m) const;

  /// What a search has to try at M: those that by the model alone take at most
  /// `slack` times as long as the best, the fastest first, and `always`.
  SmallVector<MeasuredKernel> candidates(int64_t m, double slack,
                                         const KernelConfig &always) const;

  /// Every configuration that takes M, by the model alone; in no order.
  SmallVector<MeasuredKernel> predict(int64_t m) const;

private:
  /// That of the shape, if there is one.
  const MeasuredRow *findRow(int64_t m) const;
  bool takes(const KernelConfig &config, int64_t m) const;

  const KernelTable &table;
  bool hasWarpgroups, hasRests;
  MatmulShape shape;
  SmallVector<KernelConfig> space;
  /// Of every kernel of every row of the table: the logarithm of what was
  /// measured over what the model predicts.
  std::vector<SmallVector<double>> errors;
};

} // namespace mlir::rotq

#endif // ROTQ_TARGET_KERNELSELECTOR_H
