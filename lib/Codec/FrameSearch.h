//===- FrameSearch.h - Nearest sums of signed vectors -----------*- C++ -*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A frame is a list of integer vectors, its columns. Bit j of a code is the
// sign of column j (1 is plus) and the point of a code is the sum of the signed
// columns.
//
// Leading columns with one coordinate that is not 0, no two with the same one,
// are axes. Given the signs of all other columns the best signs of axes are
// those of what is left, coordinate by coordinate, so only the signs of the
// others are tried out.
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_CODEC_FRAMESEARCH_H
#define ROTQ_LIB_CODEC_FRAMESEARCH_H

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace rotq {

class FrameSearch {
public:
  static constexpr int64_t kMaxDim = 8;
  static constexpr unsigned kMaxBits = 24;

  /// Of the columns that are no axes, so many take a tenth of a millisecond.
  static constexpr unsigned kMaxTried = 16;

  /// How many columns are axes.
  static unsigned countAxes(int64_t dim, std::span<const int8_t> columns);

  /// `columns`: [bits][dim]. In no coordinate may magnitudes add up to more
  /// than 127.
  FrameSearch(int64_t dim, unsigned bits, std::span<const int8_t> columns);

  /// The code of the point nearest to `x`, which has `dim` coordinates. These
  /// are rounded to 1/32 within +-384 (NaN is -384), what follows is integer
  /// arithmetic, and ties go to the lowest code.
  uint64_t nearest(const float *x) const;

private:
  /// In 1/32.
  using Vector = std::array<int16_t, kMaxDim>;

  size_t find(const Vector &x, uint32_t distance) const;

  int64_t dim;
  unsigned numAxes, lowBits;
  /// Magnitudes by coordinate; 0 where there is none.
  Vector axes = {};
  /// The coordinate of an axis and whether it is negative.
  std::array<uint8_t, kMaxDim> axisCoordinates = {};
  std::array<bool, kMaxDim> isNegative = {};
  /// Sums of the columns behind the axes: of `lowBits`, then of the rest.
  std::vector<int16_t> low, high;
  /// `low` for kernels, which do most of the work.
  std::vector<int16_t> grouped;
};

} // namespace rotq

#endif // ROTQ_LIB_CODEC_FRAMESEARCH_H
