//===- Kernels.h - Hot loops of the encoder, one set per CPU level *- C++
//-*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Internal to lib/Codec. Every set computes the same bits: sums run in 16
// partial sums (partial sum j over the elements i = j mod 16, in rising i) that
// are then added pairwise (j and j + 8, j + 4, j + 2, j + 1).
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_CODEC_KERNELS_H
#define ROTQ_LIB_CODEC_KERNELS_H

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>

namespace rotq::kernels {

/// Partial sums, and the unit of every length given to `Table` unless said
/// otherwise.
inline constexpr int64_t kLanes = 16;

/// A scalar codebook scaled for one segment: value q of x is
/// `levels[#{i : x > thresholds[i]}]`. Unused thresholds are +infinity.
struct Ladder {
  unsigned count; ///< thresholds in use: 1, 3, 7 or 15
  float thresholds[15];
  float levels[16];
};

/// Classes that a step takes at once.
inline constexpr unsigned kTrellisLanes = 32;

/// From one state of a trellis to the next: how many new bits, 1 to 8 for one
/// weight, and 2, 4, 6 or 8 for two.
struct Step {
  unsigned bits, dim;
};

/// Where coordinate `i` of the point of state r * C + o is, C = 2^(16 - bits).
inline unsigned stateIndex(Step step, unsigned o, unsigned r, unsigned i) {
  unsigned block = o / kTrellisLanes << step.bits | r;
  return (block * step.dim + i) * kTrellisLanes + o % kTrellisLanes;
}

/// Four times the square of the difference of two numbers with 8 bits behind
/// the point, rounded down; at most 65534.
inline uint32_t trellisDistance(int16_t point, int16_t x) {
  int difference = std::clamp(point - x, -32768, 32767);
  uint32_t twice = std::min(2 * uint32_t(std::abs(difference)), 65535u);
  return twice * twice >> 16;
}

/// The sum of those of all coordinates of a state, at most 65535.
inline uint32_t trellisDistance(Step step, const int16_t *points, unsigned o,
                                unsigned r, const int16_t *x) {
  uint32_t sum = 0;
  for (unsigned i = 0; i < step.dim; ++i)
    sum += trellisDistance(points[stateIndex(step, o, r, i)], x[i]);
  return std::min(sum, 65535u);
}

/// Where a coordinate of a point is: sixteen points have their coordinates 0
/// and 1 first, then 2 and 3, and so on.
inline size_t frameIndex(size_t point, size_t coordinate) {
  return point / 16 * 128 + coordinate / 2 * 32 + point % 16 * 2 +
         coordinate % 2;
}

struct Table {
  const char *name;
  /// Whether every |x[i]| <= limit; false for NaN. Any `n`.
  bool (*allWithin)(const float *x, int64_t n, float limit);
  /// {sum x, sum x^2, max |x|}.
  void (*statistics)(const float *x, int64_t n, float *out);
  /// out[i] = x[i] - value.
  void (*subtract)(const float *x, int64_t n, float value, float *out);
  /// Subtracts from x[j] the products errors[i] * factor[i * stride + j], one
  /// after the other in rising i < n. Any `length`.
  void (*feed)(const float *errors, int64_t n, const float *factor,
               int64_t stride, float *x, int64_t length);
  /// {sum x q, sum q^2, sum q}.
  void (*moments)(const float *x, int64_t n, const Ladder &ladder, float *out);
  /// codes[i] = #{j : x[i] > thresholds[j]}. Any `n`.
  void (*assign)(const float *x, int64_t n, const Ladder &ladder,
                 uint32_t *codes);
  /// The Walsh-Hadamard butterflies (stride 1 upward) on `n` values, a power
  /// of two, then the product with `factor`.
  void (*hadamard)(float *x, int64_t n, float factor);
  /// A step of Viterbi's algorithm on a bit-shift trellis of 16-bit states, on
  /// classes of states that have their 16 - step.bits lowest bits in common (C
  /// of them). `points` are in the order of stateIndex:
  ///
  ///   out[o] = min over r of costs[(r * C + o) >> step.bits] +
  ///            trellisDistance(step, points, o, r, x), less `least`
  ///
  /// where sums stop at 65535. Returns the least of `out`.
  uint16_t (*trellisStep)(Step step, const int16_t *points, const int16_t *x,
                          const uint16_t *costs, uint16_t least, uint16_t *out);
  /// The least, over `n` points of 8 coordinates (16 points or more, at
  /// frameIndex), of the sum of (|x - point| - axis)^2, which is below 2^31,
  /// as is |x| + |point| + axis below 2^15.
  uint32_t (*frameLeast)(const int16_t *points, int64_t n, const int16_t *x,
                         const int16_t *axes);
};

/// The sets this CPU can run, the fastest last.
std::span<const Table *const> available();

/// The set in use.
const Table &active();

/// Makes `active` return `table`, or the fastest set if null. For tests.
void select(const Table *table);

} // namespace rotq::kernels

#endif // ROTQ_LIB_CODEC_KERNELS_H
