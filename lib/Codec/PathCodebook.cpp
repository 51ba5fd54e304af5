//===- PathCodebook.cpp - Codes that follow each other --------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What two states in a row share, the overlap, has 16 bits less those of a
// step; the overlap before the first state of a circle, the seam, is also the
// one behind the last. Viterbi's algorithm finds the best path through the
// weights from half a circle on, whatever it begins and ends with, which says
// what the seam is; then the best circle through that seam, which says what the
// overlap half a circle on is; then the best circle through that.
//
// A state is written with its newest bit lowest, so that the successors of an
// overlap are neighbours; `point` takes it the other way round.
//
//===----------------------------------------------------------------------===//

#include "rotq/Codec/PathCodebook.h"
#include "Kernels.h"
#include "rotq/Codec/WindowCoding.h"

#include <algorithm>
#include <cassert>
#include <cmath>

using namespace rotq;

static constexpr unsigned kStates = 1u << PathCodebook::kStateBits;
static_assert(PathCodebook::kCircle == WindowCoding::kCircle);

/// The `width` lowest bits of `value`, the other way round.
static uint32_t mirrored(uint32_t value, unsigned width) {
  return __builtin_bitreverse32(value) >> (32 - width);
}

struct PathCodebook::Tables {
  /// With 8 bits behind the point, in the order of kernels::stateIndex.
  std::vector<int16_t> points;
  Spread spread;
};

PathCodebook::PathCodebook(unsigned rate, int64_t dim)
    : weightBits(rate), codeDim(dim) {}

PathCodebook::~PathCodebook() = default;

const PathCodebook::Tables &PathCodebook::tables() const {
  std::call_once(once, [&] {
    auto result = std::make_unique<Tables>();
    auto dims = size_t(codeDim);
    kernels::Step step = {weightBits * unsigned(dims), unsigned(dims)};
    result->points.resize(kStates * dims);
    int64_t squares = 0;
    int lowest = 0, highest = 0;
    std::vector<int8_t> values(dims);
    unsigned overlapBits = kStateBits - step.bits;
    for (uint32_t state = 0; state < kStates; ++state) {
      point(mirrored(state, kStateBits), values);
      for (size_t i = 0; i < dims; ++i) {
        int value = values[i];
        squares += value * value;
        lowest = std::min(lowest, value);
        highest = std::max(highest, value);
        result->points[kernels::stateIndex(
            step, state & ((1u << overlapBits) - 1), state >> overlapBits,
            unsigned(i))] = int16_t(value * 256);
      }
    }
    result->spread = {std::sqrt(float(squares) / float(result->points.size())),
                      float(std::max(1, std::min(-lowest, highest)))};
    made = std::move(result);
  });
  return *made;
}

Codebook::Spread PathCodebook::spread() const { return tables().spread; }

namespace {

/// Passes over a circle. A fourth one gains 0.02 % of the error.
constexpr int kPasses = 3;
/// What no path costs that begins elsewhere.
constexpr uint16_t kElsewhere = 65535;

/// Finds circles.
class CircleSearch {
public:
  CircleSearch(kernels::Step step, const int16_t *points)
      : step(step), overlapBits(PathCodebook::kStateBits - step.bits),
        overlaps(1u << overlapBits), points(points), costs(scratch()) {
    costs.resize((size_t(PathCodebook::kCircle) / step.dim + 1) * overlaps);
  }

  /// The states of a circle for `x`, in units of 1/256 of a step.
  void run(std::span<const int16_t> x, std::span<uint32_t> states);

private:
  /// Least costs of the paths to every overlap before state `i`.
  uint16_t *costsBefore(size_t i) const { return costs.data() + i * overlaps; }
  /// Fills the costs for `x`; those before its first state are there.
  void advance(std::span<const int16_t> x);
  /// State `i`, for the weights at `x`, on the best path to the overlap behind
  /// it.
  uint32_t stateBefore(size_t i, const int16_t *x, uint32_t overlap) const;
  /// Megabytes, which a thread keeps.
  static std::vector<uint16_t> &scratch() {
    static thread_local std::vector<uint16_t> shared;
    return shared;
  }
  kernels::Step step;
  unsigned overlapBits;
  uint32_t overlaps;
  const int16_t *points;
  std::vector<uint16_t> &costs;
};

} // namespace

void CircleSearch::advance(std::span<const int16_t> x) {
  auto advanceOne = kernels::active().trellisStep;
  uint16_t least = 0;
  for (size_t i = 0; i * step.dim < x.size(); ++i)
    least = advanceOne(step, points, &x[i * step.dim], costsBefore(i), least,
                       costsBefore(i + 1));
}

uint32_t CircleSearch::stateBefore(size_t i, const int16_t *x,
                                   uint32_t overlap) const {
  uint32_t best = 0, least = UINT32_MAX;
  for (uint32_t oldest = 0; oldest < 1u << step.bits; ++oldest) {
    uint32_t state = oldest << overlapBits | overlap;
    uint32_t cost = costsBefore(i)[state >> step.bits] +
                    kernels::trellisDistance(step, points, overlap, oldest, x);
    if (cost < least)
      best = state, least = cost;
  }
  return best;
}

void CircleSearch::run(std::span<const int16_t> x, std::span<uint32_t> states) {
  size_t dim = step.dim, n = x.size() / dim, start = 0;
  std::vector<int16_t> turned(x.size());
  uint32_t overlap = 0, half = 0;
  for (int pass = 0; pass < kPasses; ++pass) {
    bool isOpen = pass == 0;
    start = (start + n / 2) % n;
    std::ranges::rotate_copy(x, x.begin() + ptrdiff_t(start * dim),
                             turned.begin());
    std::fill_n(costsBefore(0), overlaps, isOpen ? uint16_t(0) : kElsewhere);
    costsBefore(0)[half] = 0;
    advance(turned);
    const uint16_t *end = costsBefore(n);
    overlap =
        isOpen ? uint32_t(std::min_element(end, end + overlaps) - end) : half;
    for (size_t i = n; i-- > 0;) {
      uint32_t state = stateBefore(i, &turned[i * dim], overlap);
      states[(start + i) % n] = state;
      overlap = state >> step.bits;
      if (i == n / 2)
        half = overlap;
    }
  }
  // Beyond every point all costs are the same, and a path may begin elsewhere.
  // Its new bits are a circle all the same.
  uint32_t state = 0, mask = (1u << step.bits) - 1;
  for (size_t i = 0; i < 2 * n; ++i) {
    state = (state << step.bits | (states[i % n] & mask)) & (kStates - 1);
    if (i >= n)
      states[i - n] = mirrored(state, PathCodebook::kStateBits);
  }
}

void PathCodebook::assign(std::span<const float> x, float step, float offset,
                          std::span<uint32_t> codes) const {
  auto dims = size_t(codeDim);
  assert(codes.size() * dims == x.size() &&
         "expected a code for `dim` weights");
  CircleSearch search({weightBits * unsigned(dims), unsigned(dims)},
                      tables().points.data());
  float inverse = 256 / step;
  std::vector<int16_t> target, last;
  for (size_t at = 0; at < x.size(); at += size_t(kCircle)) {
    size_t length = std::min(size_t(kCircle), x.size() - at);
    target.clear();
    for (float value : x.subspan(at, length))
      target.push_back(int16_t(std::nearbyint(
          std::clamp((value - offset) * inverse, -32767.0f, 32767.0f))));
    // Zeros come many at a time.
    if (target == last) {
      std::copy_n(codes.data() + (at - length) / dims, length / dims,
                  codes.data() + at / dims);
      continue;
    }
    search.run(target, codes.subspan(at / dims, length / dims));
    last = target;
  }
}
