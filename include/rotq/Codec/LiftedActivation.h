//===- LiftedActivation.h - An activation to multiply with bits -*- C++ -*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_CODEC_LIFTEDACTIVATION_H
#define ROTQ_CODEC_LIFTEDACTIVATION_H

#include "rotq/Codec/FrameCodebook.h"
#include "rotq/Codec/TiledLayout.h"

namespace rotq {

/// Where GPU kernels have an activation that is lifted by a frame (see
/// FrameCodebook): z_j = m_j . x for every vector m_j and every `dim` values x
/// of a row. For every segment of `kColumns` of them (and those of the tail, as
/// Blocking has it), with a = max |z|, in f32:
///
///   scale = a / most,  inverse = a > 0 ? most / a : 0
///   code = z * inverse, rounded to the nearest even integer
///
/// where `most` is 127, or 32767 with two parts, of 8 bits each. NaN counts as
/// 0. A row is
///
///   bits:   [segment][part][lane] of `words` 32-bit words
///   scales: [segment] f32 scale, f32 scale * (sum of codes)
///
/// filled up to a multiple of 16 bytes. Words are bit planes: lane 4g + t of a
/// warp has bit 8 part + g of codes, those of the code bits of weights that
/// lane 4g' + t has in TiledLayout, in their order there, its first run before
/// its second; other bits are 0. The words of all lanes lie in chunks of 4, and
/// of 2 and 1 at the end, [chunk][lane][word].
struct LiftedLayout {
  static constexpr int64_t kPlanes = 8; ///< of a part

  /// `parts`: 1 or 2.
  LiftedLayout(const FrameCodebook &frame, int64_t k, int64_t parts);

  /// The frame that can lift activations of a format, or null: the codes of a
  /// frame, one behind the other, without offsets.
  static const FrameCodebook *frameOf(const Format &format);

  /// Words of a lane that lie side by side.
  struct Chunk {
    int64_t first, size;
    bool operator==(const Chunk &) const = default;
    /// Bytes from the start of a part to the word `first` of a lane.
    int64_t offset(int64_t lane) const {
      return 4 * (32 * first + lane * size);
    }
  };
  /// All that a lane has, in order.
  std::vector<Chunk> chunks() const;
  /// Bytes from a part to the next.
  int64_t partBytes() const { return 32 * 4 * words; }
  int64_t segmentBytes() const { return parts * partBytes(); }
  int64_t mostCode() const { return parts == 2 ? 32767 : 127; }
  /// Of the first value of a code within the bits that a lane has, for weight
  /// `position` of a tile.
  int64_t firstBit(int64_t position) const;

  int64_t dim, bits; ///< of a code
  int64_t words;     ///< of a lane
  int64_t segments, parts;
  int64_t scalesOffset, rowBytes;
};

/// Activations of up to this many rows can be lifted, and those of so few have
/// two parts where rests are kept (see ActivationLayout).
inline constexpr int64_t kMaxRowsLifted = 16;

/// The bytes of `m` rows of `k` values that were rotated, M x K.
std::vector<std::byte> liftActivation(const FrameCodebook &frame,
                                      std::span<const float> x, int64_t m,
                                      int64_t k, int64_t parts);

} // namespace rotq

#endif // ROTQ_CODEC_LIFTEDACTIVATION_H
