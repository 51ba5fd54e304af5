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

#include <cstdint>
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

struct Table {
  const char *name;
  /// Whether every |x[i]| <= limit; false for NaN. Any `n`.
  bool (*allWithin)(const float *x, int64_t n, float limit);
  /// {sum x, sum x^2, max |x|}.
  void (*statistics)(const float *x, int64_t n, float *out);
  /// out[i] = x[i] - value.
  void (*subtract)(const float *x, int64_t n, float value, float *out);
  /// {sum x q, sum q^2, sum q}.
  void (*moments)(const float *x, int64_t n, const Ladder &ladder, float *out);
  /// codes[i] = #{j : x[i] > thresholds[j]}. Any `n`.
  void (*assign)(const float *x, int64_t n, const Ladder &ladder,
                 uint32_t *codes);
  /// The Walsh-Hadamard butterflies (stride 1 upward) on `n` values, a power
  /// of two, then the product with `factor`.
  void (*hadamard)(float *x, int64_t n, float factor);
};

/// The sets this CPU can run, the fastest last.
std::span<const Table *const> available();

/// The set in use.
const Table &active();

/// Makes `active` return `table`, or the fastest set if null. For tests.
void select(const Table *table);

} // namespace rotq::kernels

#endif // ROTQ_LIB_CODEC_KERNELS_H
