//===- NearestPoint.h - Exact nearest search among int8 points --*- C++ -*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A box is cut into equal cells; a cell lists exactly the points that are
// nearest to some place in it. Inputs are rounded to 1/64 first and what comes
// after that is integer arithmetic, so the answer does not depend on compiler
// or machine, and ties go to the lowest code.
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_CODEC_NEARESTPOINT_H
#define ROTQ_LIB_CODEC_NEARESTPOINT_H

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace rotq {

template <int Dim> class NearestPoint {
public:
  /// In 1/64.
  using Fixed = std::array<int32_t, Dim>;

  /// `points`: [code][Dim]. The cells cover [low, low + 2^(sizeLog2 + levels))
  /// in every dimension; inputs outside are compared with every point.
  NearestPoint(std::span<const int8_t> points, int low, int sizeLog2,
               int levels)
      : low(low * 64), shift(sizeLog2 + 6), levels(levels) {
    assert(!points.empty() && points.size() <= 65536 * size_t(Dim) &&
           "expected codes of 16 bits");
    for (size_t code = 0; code < points.size() / Dim; ++code)
      all.push_back(makeEntry(points, code));
    first.assign((size_t(1) << (Dim * levels)) + 1, 0);
    Fixed corner;
    corner.fill(this->low);
    // The order of subdivision is not that of cells.
    std::vector<std::vector<Entry>> lists(first.size() - 1);
    subdivide(all, corner, levels, lists);
    for (size_t cell = 0; cell < lists.size(); ++cell) {
      while (lists[cell].size() % kBlock != 0)
        lists[cell].push_back(lists[cell].back());
      entries.insert(entries.end(), lists[cell].begin(), lists[cell].end());
      first[cell + 1] = uint32_t(entries.size());
    }
  }

  /// To 1/64, half upwards, within +-2^20; NaN is the lower bound. The product
  /// is exact.
  static int32_t toFixed(float x) {
    x = x > -0x1p20f ? x : -0x1p20f;
    x = x < 0x1p20f ? x : 0x1p20f;
    constexpr int32_t bias = 1 << 27; // above it, truncation is floor
    return int32_t(double(x) * 64 + (bias + 0.5)) - bias;
  }

  /// The code of the point nearest to `x`.
  uint32_t nearest(const float *x) const {
    Fixed v;
    for (int d = 0; d < Dim; ++d)
      v[d] = toFixed(x[d]);
    uint32_t cell = 0, outside = 0;
    for (int d = 0; d < Dim; ++d) {
      uint32_t c = uint32_t(v[d] - low) >> shift;
      outside |= c >> levels;
      cell = cell << levels | c;
    }
    if (outside)
      return linear(v);
    // Lists are whole blocks, filled with copies of their last entry. A key is
    // a score, then a code.
    int64_t best = INT64_MAX;
    for (size_t i = first[cell]; i < first[cell + 1]; i += kBlock)
      for (size_t j = 0; j < kBlock; ++j)
        best = std::min(best, key(entries[i + j], v));
    return uint32_t(best & 0xffff);
  }

  /// The same, by every point.
  uint32_t linear(const Fixed &v) const {
    int64_t best = INT64_MAX;
    for (const Entry &entry : all) {
      int64_t score = entry.halfNorm;
      for (int d = 0; d < Dim; ++d)
        score -= int64_t(v[d]) * entry.point[d];
      best = std::min(best, score << 16 | entry.code);
    }
    return uint32_t(best & 0xffff);
  }

private:
  struct Entry {
    int32_t halfNorm; ///< 32 |point|^2
    uint16_t code;
    std::array<int16_t, Dim> point;
  };

  static Entry makeEntry(std::span<const int8_t> points, size_t code) {
    Entry entry{0, uint16_t(code), {}};
    for (int d = 0; d < Dim; ++d) {
      entry.point[d] = points[code * Dim + size_t(d)];
      entry.halfNorm += 32 * entry.point[d] * entry.point[d];
    }
    return entry;
  }

  /// (|v - 64 point|^2 - |v|^2) / 128: orders points as the distance does.
  static int32_t score(const Entry &entry, const Fixed &v) {
    int32_t sum = entry.halfNorm;
    for (int d = 0; d < Dim; ++d)
      sum -= v[d] * entry.point[d];
    return sum;
  }

  static int64_t key(const Entry &entry, const Fixed &v) {
    return int64_t(score(entry, v)) << 16 | entry.code;
  }

  /// Whether `a` is nearer than `b` all over a box.
  static bool beats(const Entry &a, const Entry &b, const Fixed &corner,
                    int64_t side) {
    int64_t worst = int64_t(a.halfNorm) - b.halfNorm;
    for (int d = 0; d < Dim; ++d) {
      int64_t slope = b.point[d] - a.point[d];
      worst += slope * (slope > 0 ? corner[d] + side - 1 : corner[d]);
    }
    return worst < 0;
  }

  void subdivide(const std::vector<Entry> &candidates, const Fixed &corner,
                 int level, std::vector<std::vector<Entry>> &lists) {
    int64_t side = int64_t(1) << (shift + level);
    // The point nearest to the middle does most of the pruning.
    Fixed middle;
    for (int d = 0; d < Dim; ++d)
      middle[d] = corner[d] + int32_t(side / 2);
    const Entry *center = &candidates.front();
    for (const Entry &entry : candidates)
      if (score(entry, middle) < score(*center, middle))
        center = &entry;
    std::vector<Entry> kept, left;
    for (const Entry &entry : candidates)
      if (!beats(*center, entry, corner, side))
        kept.push_back(entry);
    constexpr size_t kFew = 256; // pairs are compared
    for (const Entry &entry : kept) {
      bool isBeaten = false;
      if (kept.size() <= kFew)
        for (const Entry &other : kept)
          isBeaten |= beats(other, entry, corner, side);
      if (!isBeaten)
        left.push_back(entry);
    }
    if (level == 0) {
      size_t cell = 0;
      for (int d = 0; d < Dim; ++d)
        cell = cell << levels | uint32_t(corner[d] - low) >> shift;
      lists[cell] = std::move(left);
      return;
    }
    for (unsigned child = 0; child < 1u << Dim; ++child) {
      Fixed part = corner;
      for (int d = 0; d < Dim; ++d)
        if (child >> d & 1)
          part[d] += int32_t(side / 2);
      subdivide(left, part, level - 1, lists);
    }
  }

  static constexpr size_t kBlock = 4;

  std::vector<Entry> all, entries; ///< by code; by cell
  std::vector<uint32_t> first;     ///< entry of a cell
  int32_t low;
  int shift, levels;
};

} // namespace rotq

#endif // ROTQ_LIB_CODEC_NEARESTPOINT_H
