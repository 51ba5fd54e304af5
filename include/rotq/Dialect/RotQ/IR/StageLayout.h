//===- StageLayout.h - The shared memory of a matmul kernel -----*- C++ -*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_DIALECT_ROTQ_IR_STAGELAYOUT_H
#define ROTQ_DIALECT_ROTQ_IR_STAGELAYOUT_H

#include "rotq/Dialect/RotQ/IR/RotQ.h"

namespace mlir::rotq {

/// What the shared memory of a kernel depends on.
struct StagedMatmul {
  KernelKind kind;
  int64_t rows, cols, warps, split, stages; ///< of the kernel
  int64_t slots;                            ///< of a tile of the weight
  bool hasOffset;
  int64_t scaleGroup; ///< of the weight
  int64_t group;      ///< of the activation
  int64_t sums = 1;   ///< of an element, each of other warps

  static StagedMatmul get(KernelAttr kernel, WeightType weight, int64_t group,
                          int64_t sums);
};

/// How a kernel that stages its operands divides dynamic shared memory. Every
/// stage has a place for each of the tiles of K that warps take in one turn
/// (`split` of them); a place holds a tile of the block's columns of the
/// activation, codes and scales, and of its warps' rows of the weight:
///
///   codes:   [place] of `codeBytes`
///   scales:  [place][group][column] f32
///   sums:    the same of i32, where the weight has an offset
///   weights: [place][warp of the part][row tile] of `fragmentBytes`, that is
///            [slot] 512 bytes as in TiledLayout, then [segment][lane] numbers
///            of two rows
struct StageLayout {
  explicit StageLayout(const StagedMatmul &matmul);

  int64_t stages, split, cols;
  bool hasCoreMatrices;           ///< of the activation: `wgmma` reads them
  int64_t codeBytes;              ///< of a place
  int64_t groupsPerTile;          ///< of the activation
  int64_t warps;                  ///< of a part
  int64_t rowTiles;               ///< of a warp
  int64_t slotBytes, numberBytes; ///< of a row tile; of a lane in a segment
  int64_t fragmentBytes;
  int64_t scalesStart, sumsStart, weightsStart, totalBytes;
};

/// The dynamic shared memory a kernel takes, in bytes: that of its stages, and
/// after them of the sums of warps that share a tile.
int64_t sharedMemoryOf(const StagedMatmul &matmul);

/// What a kernel keeps in shared memory beside that: the table that points of
/// the weight are gathered from, up to where dynamic memory can start.
int64_t tableMemoryOf(const ::rotq::Format &format);

/// The most a block can have on every chip, or on those with warpgroups where
/// the kernel is of these.
int64_t mostSharedMemory(KernelKind kind);

} // namespace mlir::rotq

#endif // ROTQ_DIALECT_ROTQ_IR_STAGELAYOUT_H
