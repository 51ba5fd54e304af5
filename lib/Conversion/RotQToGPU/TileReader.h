//===- TileReader.h - A weight in tiles, as a lane sees it
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_CONVERSION_ROTQTOGPU_TILEREADER_H
#define ROTQ_LIB_CONVERSION_ROTQTOGPU_TILEREADER_H

#include "GroupMember.h"

namespace mlir::rotq {

/// What a lane has of a tile of a warp.
struct RowFragments {
  SmallVector<Value> slots;
  SmallVector<Value> numbers; ///< of the scale segments
};

/// The same of all row tiles in one column of tiles.
struct Fragments {
  SmallVector<RowFragments> rowTiles;

  SmallVector<Value> flatten() const;
  /// The same with other values.
  Fragments with(ValueRange values) const;
};

/// Reads the part of a weight that `rotq::TiledLayout` gives to one lane.
/// `half` is 0 for row g and 1 for row g + 8; `run` is 0 or 1.
class TileReader {
public:
  /// Of weight `sum` of the member; `type` gives format and K.
  TileReader(KernelBuilder &b, WeightType type, const GroupMember &member,
             Value sum, Value lane)
      : b(b), type(type), layout(type.getTiledLayout()),
        blob(member.weight(sum)), scalesOffset(member.scalesOffset()),
        lane(lane) {}

  bool hasOffset() const { return layout.numbersPerSegment > 1; }

  /// The lane's words of a tile: a vector of i32 for every slot.
  SmallVector<Value> slots(Value strip, Value tile);
  /// Where the lane's words of a slot are in the blob, in bytes.
  Value slotAt(Value strip, Value tile, int64_t slot);
  int64_t slotBytes(int64_t slot) const { return layout.slotBytes(slot); }
  /// The bits of the codes of both runs, as they are stored, filled up to words
  /// with others. Of a coding with one plane.
  SmallVector<Value> bits(ArrayRef<Value> slots, int64_t half);
  /// The 32 points of a run, a vector of elements of 8 bits.
  Value points(ArrayRef<Value> slots, int64_t half, int64_t run, Type element);

  /// The numbers of both rows in a segment, to take apart with `step` and
  /// `offset`.
  Value numbers(Value strip, Value segment);
  Value numbersAt(Value strip, Value segment); ///< in bytes
  VectorType numbersType() const;
  Value getBlob() const { return blob; }
  /// As f32.
  Value step(Value numbers, int64_t half) { return number(numbers, half, 0); }
  Value offset(Value numbers, int64_t half) { return number(numbers, half, 1); }

private:
  SmallVector<Value> words(ArrayRef<Value> slots,
                           const ::rotq::TiledLayout::Plane &plane,
                           int64_t start, int64_t bytes);
  Value wordBefore(ArrayRef<Value> slots, int64_t half, int64_t run);
  Value number(Value numbers, int64_t half, int64_t which);

  KernelBuilder &b;
  WeightType type;
  ::rotq::TiledLayout layout;
  Value blob, scalesOffset, lane;
};

} // namespace mlir::rotq

#endif // ROTQ_LIB_CONVERSION_ROTQTOGPU_TILEREADER_H
