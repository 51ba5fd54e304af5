//===- StagedActivation.h - A quantized activation in shared memory
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_CONVERSION_ROTQTOGPU_STAGEDACTIVATION_H
#define ROTQ_LIB_CONVERSION_ROTQTOGPU_STAGEDACTIVATION_H

#include "Kernels.h"

namespace mlir::rotq {

/// The codes and scales of the columns that the warps of a block share, a tile
/// of K at a time: while they compute on one, cp.async copies the next.
///
/// Of a column, 256 codes are 16 chunks of 16 bytes. Odd columns have the
/// chunks of a pair swapped, so that the eight lanes of two columns that load
/// 16 bytes together find them in different banks.
class StagedActivation {
public:
  /// Emits at the start of the kernel. `firstCol`: of the block; `whole`: tiles
  /// that are full.
  StagedActivation(KernelBuilder &b, KernelFunction &kernel,
                   const MatmulProblem &problem, KernelAttr config,
                   Value firstCol, int64_t whole);

  /// Starts to copy a tile.
  void start(Value tile);
  /// Waits until what was started is there, for all warps, and all of them are
  /// done with the tile before.
  void finish();

  /// The 32 codes that a lane feeds from a run of a column: words of operand B.
  Value words(Value tile, int64_t colTile, int64_t run);
  /// The scales of columns 2t and 2t + 1 for a position in a full tile.
  SmallVector<Value> scales(Value tile, int64_t colTile, int64_t position);

private:
  void copyCodes(Value tile);
  void copyScales(Value tile);
  Value stageOf(Value tile) { return b.rem(tile, kStages); }

  static constexpr int64_t kStages = 2;

  KernelBuilder &b;
  KernelFunction &kernel;
  ::rotq::Blocking groups;
  int64_t cols, threads, stored, whole;
  int64_t groupsPerTile; ///< of a full tile
  Value thread, firstCol, lastCol;
  Value codes, codeScales;     ///< pointers to shared memory
  std::array<Value, 2> chunks; ///< where the lane's chunks are in a run
  Value pair;                  ///< where the lane's scales are in a column tile
};

} // namespace mlir::rotq

#endif // ROTQ_LIB_CONVERSION_ROTQTOGPU_STAGEDACTIVATION_H
