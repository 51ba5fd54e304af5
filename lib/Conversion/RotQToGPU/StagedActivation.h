//===- StagedActivation.h - A quantized activation in shared memory
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_CONVERSION_ROTQTOGPU_STAGEDACTIVATION_H
#define ROTQ_LIB_CONVERSION_ROTQTOGPU_STAGEDACTIVATION_H

#include "Kernels.h"

#include "rotq/Dialect/RotQ/IR/StageLayout.h"

namespace mlir::rotq {

/// Where a tile of K is among those of all stages.
Value placeOf(KernelBuilder &b, const StageLayout &layout, Value tile);

/// The codes and scales of the columns that the warps of a block share, in the
/// places of the stages.
///
/// Of a column, a tile has 256 codes. For `mma.sync` they are 16 chunks of 16
/// bytes in order, those of a lane's run next to each other; odd columns have
/// the chunks of a pair swapped, so that the eight lanes of two columns that
/// load 16 bytes together find them in different banks.
///
/// For `wgmma` they are rows of core matrices: [run][column][word][t] of 4
/// bytes, where t is the lane whose run the word is of, and the words of a row
/// change places as the swizzle of 128 bytes has them: word XOR column mod 8.
/// Two words of all lanes' runs are operand B of one instruction. In global
/// memory codes are interleaved, so that eight threads copy the 128 bytes of a
/// row to such a row; spread over eight rows, that takes several times as long.
class StagedActivation {
public:
  /// Emits at the start of the kernel. `firstCol`: of the block; `whole`: tiles
  /// that are full.
  StagedActivation(KernelBuilder &b, KernelFunction &kernel,
                   const MatmulProblem &problem, const StageLayout &layout,
                   Value firstCol, int64_t whole);

  /// Starts to copy a tile; all threads of the block do.
  void copy(Value tile);

  /// The 32 codes that a lane feeds from a run of a column: words of operand B
  /// of `mma.sync`.
  Value words(Value tile, int64_t colTile, int64_t run);
  /// Words 2 step and 2 step + 1 of every lane's run, of the column tiles from
  /// this one on: the descriptor of operand B of `wgmma`, an i64.
  Value descriptor(Value tile, int64_t colTile, int64_t run, int64_t step);
  /// The scales of columns 2t and 2t + 1 for a position in a full tile.
  SmallVector<Value> scales(Value tile, int64_t colTile, int64_t position);
  /// Their sums of codes; those of a weight without offset are not there.
  SmallVector<Value> sums(Value tile, int64_t colTile, int64_t position);

private:
  void copyChunks(Value tile);
  Value chunkAt(Value tile, Value run, Value column, Value word);
  void copyInterleaved(Value tile);
  void copyWords(Value tile);
  void forColumns(Value begin, int64_t step,
                  function_ref<void(Value, Value)> body);
  void copyScales(Value tile);
  SmallVector<Value> ofColumns(int64_t start, Type type, Value tile,
                               int64_t colTile, int64_t position);

  KernelBuilder &b;
  KernelFunction &kernel;
  StageLayout layout;
  ::rotq::Blocking groups;
  int64_t threads, stored, whole;
  Value thread, firstCol, lastCol;
  Value shared;                ///< pointer: of the kernel
  std::array<Value, 2> chunks; ///< where the lane's chunks are in a run
  Value pair;                  ///< where the lane's scales are in a column tile
};

} // namespace mlir::rotq

#endif // ROTQ_LIB_CONVERSION_ROTQTOGPU_STAGEDACTIVATION_H
