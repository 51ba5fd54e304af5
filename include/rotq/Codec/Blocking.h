//===- Blocking.h - How a row of weights is cut -----------------*- C++ -*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_CODEC_BLOCKING_H
#define ROTQ_CODEC_BLOCKING_H

#include <algorithm>
#include <cstdint>
#include <vector>

namespace rotq {

/// Rows are zero-padded to a multiple of this many weights before rotation.
inline constexpr int64_t kRowGranule = 32;

/// Stored rows start every multiple of this many weights, so that the 2-bit
/// plane of every row starts on a 16-byte boundary.
inline constexpr int64_t kPitchGranule = 64;

/// Longest block of a rotation and longest group of a scale.
inline constexpr int64_t kMaxBlock = 4096;

/// A block or group that is a row, of whatever length.
inline constexpr int64_t kWholeRow = int64_t(1) << 32;

inline constexpr int64_t roundUp(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

/// `k` rounded up to `kRowGranule`: the length that is rotated and scaled.
inline constexpr int64_t paddedLength(int64_t k) {
  return roundUp(k, kRowGranule);
}

/// `k` rounded up to `kPitchGranule`: the length that is stored.
inline constexpr int64_t storedLength(int64_t k) {
  return roundUp(k, kPitchGranule);
}

/// The run of 32 weights before run `run` of a row of `k`. Circles of `circle`
/// weights start at every multiple of it, and the last one ends with the padded
/// row; a run behind that has any run before it.
inline constexpr int64_t runBefore(int64_t run, int64_t k, int64_t circle) {
  int64_t runs = circle / kRowGranule, first = run - run % runs;
  if (run != first)
    return run - 1;
  int64_t end = std::min(first + runs, paddedLength(k) / kRowGranule);
  return std::max(end - 1, first);
}

/// A run of consecutive weights of a row.
struct Segment {
  int64_t offset;
  int64_t length;
  bool operator==(const Segment &) const = default;
};

/// The cut of a row into segments: as many blocks of `block` as fit into the
/// padded length, then falling powers of two (K = 640, block 256: 256 + 256 +
/// 128; K = 4304: 16 x 256 + 128 + 64 + 32). Every segment's offset is a
/// multiple of its length. Rotations act on, and scales belong to, segments.
class Blocking {
public:
  /// `k` > 0 weights a row; `block` is a power of two, at least `kRowGranule`,
  /// or `kWholeRow`, of which there is one segment.
  Blocking(int64_t k, int64_t block);

  /// The padded length where the block is a row.
  int64_t block() const { return blockLength; }
  int64_t paddedSize() const { return padded; }
  /// Number of segments, full blocks and tail together.
  int64_t size() const { return fullBlocks() + int64_t(tailSegments.size()); }
  int64_t fullBlocks() const { return padded / blockLength; }
  /// The segments after the full blocks: lengths are distinct falling powers
  /// of two below `block`.
  const std::vector<Segment> &tail() const { return tailSegments; }
  Segment segment(int64_t index) const;
  /// Index of the segment that holds position `k`. Positions in
  /// [paddedSize, storedLength) belong to the last segment.
  int64_t indexOf(int64_t k) const;

private:
  int64_t padded;
  int64_t blockLength;
  std::vector<Segment> tailSegments;
};

} // namespace rotq

#endif // ROTQ_CODEC_BLOCKING_H
