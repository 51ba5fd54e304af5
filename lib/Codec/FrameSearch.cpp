//===- FrameSearch.cpp - Nearest sums of signed vectors -------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FrameSearch.h"
#include "Kernels.h"

#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <utility>

namespace rotq {

/// Coordinates are in 1/32.
static constexpr int kUnit = 32;
/// Of those of weights. With 127 more the squares of 8 add up to less than
/// 2^31.
static constexpr int kBound = 384;
/// Of the columns behind axes so many are tried at once.
static constexpr unsigned kMaxLowBits = 8;
/// Points that a kernel takes at once.
static constexpr size_t kGroup = size_t(kernels::kLanes);

/// All sums of signed columns, in 1/32: [sum][8].
static std::vector<int16_t> sumsOf(int64_t dim, unsigned bits,
                                   std::span<const int8_t> columns) {
  std::vector<int16_t> sums;
  for (size_t code = 0; code < size_t(1) << bits; ++code)
    for (int64_t i = 0; i < FrameSearch::kMaxDim; ++i) {
      int sum = 0;
      for (unsigned bit = 0; i < dim && bit < bits; ++bit) {
        int value = columns[size_t(bit * dim + i)];
        sum += code >> bit & 1 ? value : -value;
      }
      sums.push_back(int16_t(sum * kUnit));
    }
  return sums;
}

static bool isSet(int8_t value) { return value != 0; }

unsigned FrameSearch::countAxes(int64_t dim, std::span<const int8_t> columns) {
  std::array<bool, kMaxDim> isTaken = {};
  unsigned count = 0;
  for (size_t width = size_t(dim); columns.size() >= width;
       columns = columns.subspan(width), ++count) {
    std::span<const int8_t> column = columns.first(width);
    auto found = std::ranges::find_if(column, isSet);
    if (std::ranges::count_if(column, isSet) != 1 ||
        std::exchange(isTaken[size_t(found - column.begin())], true))
      break;
  }
  return count;
}

FrameSearch::FrameSearch(int64_t dim, unsigned bits,
                         std::span<const int8_t> columns)
    : dim(dim), numAxes(countAxes(dim, columns)) {
  assert(dim > 0 && dim <= kMaxDim && bits <= kMaxBits &&
         columns.size() == bits * size_t(dim) && "not a frame");
  for (unsigned axis = 0; axis < numAxes; ++axis) {
    std::span<const int8_t> column =
        columns.subspan(axis * size_t(dim), size_t(dim));
    auto found = std::ranges::find_if(column, isSet);
    size_t coordinate = size_t(found - column.begin());
    axes[coordinate] = int16_t(std::abs(*found) * kUnit);
    axisCoordinates[axis] = uint8_t(coordinate);
    isNegative[axis] = *found < 0;
  }
  lowBits = std::min(bits - numAxes, kMaxLowBits);
  std::span<const int8_t> rest = columns.subspan(numAxes * size_t(dim));
  low = sumsOf(dim, lowBits, rest.first(lowBits * size_t(dim)));
  high = sumsOf(dim, bits - numAxes - lowBits,
                rest.subspan(lowBits * size_t(dim)));
  // A kernel sees whole groups, filled with copies of the last sum.
  size_t count = size_t(1) << lowBits;
  grouped.resize(std::max(count, kGroup) * kMaxDim);
  for (size_t i = 0; i < grouped.size() / kMaxDim; ++i)
    for (size_t j = 0; j < size_t(kMaxDim); ++j)
      grouped[kernels::frameIndex(i, j)] =
          low[std::min(i, count - 1) * kMaxDim + j];
}

static std::array<int16_t, FrameSearch::kMaxDim>
minus(const std::array<int16_t, FrameSearch::kMaxDim> &x,
      const int16_t *point) {
  std::array<int16_t, FrameSearch::kMaxDim> result;
  for (size_t i = 0; i < result.size(); ++i)
    result[i] = int16_t(x[i] - point[i]);
  return result;
}

/// The sum over coordinates of (|rest| - axis)^2.
static uint32_t
distanceOf(const std::array<int16_t, FrameSearch::kMaxDim> &rest,
           const std::array<int16_t, FrameSearch::kMaxDim> &axes) {
  int32_t sum = 0;
  for (size_t i = 0; i < rest.size(); ++i) {
    int32_t left = std::abs(rest[i]) - axes[i];
    sum += left * left;
  }
  return uint32_t(sum);
}

/// The first of the lower sums that is so far from `x`.
size_t FrameSearch::find(const Vector &x, uint32_t distance) const {
  auto *leastOf = kernels::active().frameLeast;
  size_t first = 0;
  for (size_t half = grouped.size() / kMaxDim / 2; half >= kGroup; half /= 2)
    if (leastOf(&grouped[first * kMaxDim], int64_t(half), x.data(),
                axes.data()) != distance)
      first += half;
  while (distanceOf(minus(x, &low[first * kMaxDim]), axes) != distance)
    ++first;
  return first;
}

uint64_t FrameSearch::nearest(const float *x) const {
  Vector target = {};
  for (size_t i = 0; i < size_t(dim); ++i) {
    float value = x[i] > -kBound ? x[i] : -kBound;
    value = value < kBound ? value : kBound;
    // The product is exact, and above 0 truncation is floor.
    constexpr int bias = kBound * kUnit;
    target[i] = int16_t(int(double(value) * kUnit + (bias + 0.5)) - bias);
  }

  auto *leastOf = kernels::active().frameLeast;
  uint32_t least = UINT32_MAX;
  size_t best = 0;
  for (size_t prefix = 0; prefix < high.size() / kMaxDim; ++prefix) {
    Vector rest = minus(target, &high[prefix * kMaxDim]);
    uint32_t distance =
        leastOf(grouped.data(), int64_t(grouped.size() / kMaxDim), rest.data(),
                axes.data());
    if (distance < least) {
      least = distance;
      best = prefix;
    }
  }

  target = minus(target, &high[best * kMaxDim]);
  size_t lower = find(target, least);
  target = minus(target, &low[lower * kMaxDim]);
  uint64_t code = (uint64_t(best) << lowBits | lower) << numAxes;
  for (unsigned axis = 0; axis < numAxes; ++axis) {
    int rest = target[axisCoordinates[axis]];
    code |= uint64_t(isNegative[axis] ? rest < 0 : rest > 0) << axis;
  }
  return code;
}

} // namespace rotq
