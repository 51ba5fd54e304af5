//===- TiledLayout.h - The layout of a weight that GPU kernels read
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_CODEC_TILEDLAYOUT_H
#define ROTQ_CODEC_TILEDLAYOUT_H

#include "rotq/Codec/PackedWeight.h"

namespace rotq {

/// The words and scales of a packed N x K weight in the order in which the
/// lanes of a warp take them: a kernel's copy of the canonical layout, made
/// when a weight is loaded and never stored in a file.
///
/// A tile is kRows rows of kColumns weights; tiles of kRows rows (a strip) lie
/// one behind the other, and rows and columns beyond the stored matrix are
/// zero. Of a tile, lane 4g + t of a warp owns rows g and g + 8 and in each the
/// runs of 32 weights that start at columns 32t and 128 + 32t. That is a
/// fragment of operand A of `mma.sync` (rows g and g + 8 in lane 4g + t) up to
/// the order of the columns, which is free as long as operand B follows it.
///
///   tiles:  [strip][tile][slot][lane] 16 bytes, 4 or 8 in the last slot
///   scales: [strip][segment][g][row g, row g + 8][number] f16
///
/// Slot by slot, a lane has the bytes of its runs plane by plane, and of a
/// plane those of (row g, first run), (row g, second run), (row g + 8, first
/// run), (row g + 8, second run), as in the canonical plane: a run of b bytes
/// takes b words of the lane. One or two words over make a narrow last slot.
/// The scales start at a multiple of 16 bytes.
///
/// Codings of circles have circles of a tile. Where columns of the last tile
/// lie beyond the matrix, its last run is the last one of the row once more, so
/// that in every tile it is the one before the first.
struct TiledLayout {
  static constexpr int64_t kRows = 16, kColumns = 256, kRun = 32;

  TiledLayout(const Format &format, int64_t n, int64_t k);

  struct Plane {
    int64_t runBytes;  ///< of 32 weights; the words that a lane has
    int64_t firstWord; ///< of a lane
  };

  int64_t strips;
  int64_t tilesPerStrip;
  std::vector<Plane> planes;
  int64_t words;        ///< of a lane in a tile
  int64_t slots;        ///< of a tile
  int64_t scalesOffset; ///< bytes
  int64_t segments;     ///< of a row, as in the canonical layout
  int64_t numbersPerSegment;
  int64_t totalBytes;

  int64_t tileBytes() const {
    return kSlot * (slots - 1) + 32 * slotBytes(slots - 1);
  }
  /// Bytes of a lane in a slot; slots start every kSlot bytes.
  int64_t slotBytes(int64_t slot) const {
    int64_t left = words - 4 * slot;
    return left == 1 || left == 2 ? 4 * left : 16;
  }
  static constexpr int64_t kSlot = 512;
};

/// Copies a blob of the canonical layout into one of the tiled layout. Error:
/// sizes that do not match.
Status repack(const Format &format, int64_t n, int64_t k,
              std::span<const std::byte> canonical, std::span<std::byte> tiled);

} // namespace rotq

#endif // ROTQ_CODEC_TILEDLAYOUT_H
