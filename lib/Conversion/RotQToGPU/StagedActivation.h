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

/// The codes and scales of the columns that the warps of a block share, in
/// stages of a tile of K for each of the warps that divide it: while they
/// compute on one, cp.async copies the next ones.
///
/// Of a column, a tile has 256 codes. For `mma.sync` they are 16 chunks of 16
/// bytes in order, those of a lane's run next to each other; odd columns have
/// the chunks of a pair swapped, so that the eight lanes of two columns that
/// load 16 bytes together find them in different banks.
///
/// For `wgmma` they are core matrices: [run][word][column][t] of 4 bytes, where
/// t is the lane whose run the word is of, and 16 bytes behind every word's
/// columns. Two words of all lanes' runs are operand B of one instruction. In
/// global memory codes are interleaved: 16 bytes there are 16 bytes here, and
/// what eight threads write at a time lies in different banks.
class StagedActivation {
public:
  /// Emits at the start of the kernel. `firstCol`: of the block; `whole`: tiles
  /// that are full.
  StagedActivation(KernelBuilder &b, KernelFunction &kernel,
                   const MatmulProblem &problem, KernelAttr config,
                   Value firstCol, int64_t whole);

  /// Dynamic shared memory of the kernel.
  static int64_t sharedBytes(const MatmulProblem &problem, KernelAttr config);

  /// Starts to copy as many of the first of `tiles` tiles as all stages but one
  /// have.
  void startFirst(int64_t tiles);
  /// Starts to copy those that take the stage before that of `tile`, the first
  /// of a stage.
  void start(Value tile, int64_t tiles);
  /// Waits until the oldest stage that was started is there, for all warps, and
  /// all of them are done with the stage before.
  void finish();

  /// The 32 codes that a lane feeds from a run of a column: words of operand B
  /// of `mma.sync`.
  Value words(Value tile, int64_t colTile, int64_t run);
  /// Words 2 step and 2 step + 1 of every lane's run: the descriptor of operand
  /// B of `wgmma`, an i64.
  Value descriptor(Value tile, int64_t run, int64_t step);
  /// The scales of columns 2t and 2t + 1 for a position in a full tile.
  SmallVector<Value> scales(Value tile, int64_t colTile, int64_t position);

private:
  struct Layout {
    Layout(const MatmulProblem &problem, KernelAttr config);
    int64_t stages, split, cols;
    bool hasCoreMatrices;
    int64_t wordBytes;     ///< from a word of all columns to the next
    int64_t stageBytes;    ///< of codes
    int64_t groupsPerTile; ///< of a full tile
    int64_t totalBytes;
    int64_t scalesStart() const { return stages * split * stageBytes; }
  };

  void copy(Value tile);
  void copyChunks(Value tile);
  void copyInterleaved(Value tile);
  void copyWords(Value tile);
  void forColumns(Value begin, int64_t step,
                  function_ref<void(Value, Value)> body);
  void copyScales(Value tile);
  /// Where a tile is among those of all stages.
  Value stageOf(Value tile);

  KernelBuilder &b;
  KernelFunction &kernel;
  Layout layout;
  ::rotq::Blocking groups;
  int64_t threads, stored, whole;
  Value thread, firstCol, lastCol;
  Value shared;                ///< pointer: codes, then scales
  std::array<Value, 2> chunks; ///< where the lane's chunks are in a run
  Value pair;                  ///< where the lane's scales are in a column tile
};

} // namespace mlir::rotq

#endif // ROTQ_LIB_CONVERSION_ROTQTOGPU_STAGEDACTIVATION_H
