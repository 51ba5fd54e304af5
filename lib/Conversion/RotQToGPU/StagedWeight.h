//===- StagedWeight.h - A weight in shared memory
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_CONVERSION_ROTQTOGPU_STAGEDWEIGHT_H
#define ROTQ_LIB_CONVERSION_ROTQTOGPU_STAGEDWEIGHT_H

#include "TileReader.h"

#include "rotq/Dialect/RotQ/IR/StageLayout.h"

namespace mlir::rotq {

/// The tiles of the warps of a block in the places of the stages. Every lane
/// copies what it reads itself: it waits for its own copies and no other's.
/// Loads into registers would take these, and ptxas sinks them to their uses.
class StagedWeight {
public:
  /// `strips`: of the warp's row tiles; `inPart`: the warp among those of its
  /// part.
  StagedWeight(KernelBuilder &b, KernelFunction &kernel, TileReader &weight,
               WeightType type, const StageLayout &layout,
               ArrayRef<Value> strips, Value inPart, Value lane);

  /// Starts to copy a whole tile of K.
  void copy(Value tile);
  /// A whole tile of K that is there.
  RowFragments load(Value tile, int64_t rowTile);
  Fragments load(Value tile);

private:
  /// Where a slot of the lane is, and its numbers of a segment.
  Value slotAt(Value tile, int64_t rowTile, int64_t slot);
  Value numbersAt(Value tile, int64_t rowTile, int64_t segment);

  KernelBuilder &b;
  TileReader &weight;
  StageLayout layout;
  ::rotq::Blocking scales; ///< of the weight
  int64_t slots, segments; ///< of a tile
  ArrayRef<Value> strips;
  Value shared, inPart, lane;
};

} // namespace mlir::rotq

#endif // ROTQ_LIB_CONVERSION_ROTQTOGPU_STAGEDWEIGHT_H
