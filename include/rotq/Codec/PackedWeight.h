//===- PackedWeight.h - Encoding and decoding of a weight -------*- C++ -*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_CODEC_PACKEDWEIGHT_H
#define ROTQ_CODEC_PACKEDWEIGHT_H

#include "rotq/Codec/Format.h"

#include <functional>

namespace rotq {

/// Where the parts of a packed N x K weight lie in its one blob of bytes
/// (little-endian): every plane of codes in order, then the scales. A part
/// starts at a multiple of 16 bytes; the gaps and the codes beyond the padded
/// length are zero.
///
///   plane p: [N][storedLength(K) / 32][runBytes_p] bytes
///   scales:  [N][segments][numbers] f16, step before offset
struct WeightLayout {
  WeightLayout(const Format &format, int64_t n, int64_t k);

  struct Plane {
    int64_t runBytes; ///< of 32 weights
    int64_t offset;   ///< bytes from the start of the blob
    int64_t rowBytes;
  };

  int64_t n, k;
  Blocking scaleBlocking;
  std::vector<Plane> planes;
  int64_t scalesOffset;  ///< bytes
  int64_t numbersPerRow; ///< f16 numbers a row: segments * numbers
  int64_t totalBytes;

  /// 8 * totalBytes / (n * k): everything stored counts.
  double bitsPerWeight() const {
    return 8.0 * double(totalBytes) / double(n * k);
  }
};

/// What Coding::unpack takes to unpack row `row` of a blob.
std::vector<std::vector<uint32_t>> wordsOfRow(const Format &format,
                                              const WeightLayout &layout,
                                              std::span<const std::byte> blob,
                                              int64_t row);

struct EncodeOptions {
  /// 0: one for every core. The bytes do not depend on it.
  unsigned threads = 0;
  /// Called from any thread with the number of rows finished since the last
  /// call; calls do not overlap. Must not throw.
  std::function<void(int64_t rows)> progress;
  /// For weights whose inputs are correlated: the error of a column is made
  /// good by those behind it. With C the covariance of the inputs and R the
  /// rotation, V of (R C R^T)^-1 = V^T D V, unit upper triangular and
  /// paddedLength(K) squared; what is below the diagonal is not read. Empty:
  /// every weight becomes what is nearest to it.
  std::span<const float> feedback = {};
};

/// Largest N and K: kernels index with 32-bit integers.
inline constexpr int64_t kMaxExtent = (int64_t(1) << 31) - 1;

/// Weights must not exceed this magnitude, so that no rotation overflows.
inline constexpr float kMaxMagnitude = 0x1p64f;

/// Encodes the row-major N x K matrix `weights` into `blob`
/// (`WeightLayout::totalBytes`). The step (and offset) of a segment minimises
/// its squared error. Errors: NaN, infinity or a magnitude above kMaxMagnitude
/// (names the first such row and column), sizes that do not match, N or K
/// outside [1, kMaxExtent], feedback that is not finite or takes weights beyond
/// kMaxMagnitude. After an error `blob` holds no particular bytes.
Status encode(const Format &format, std::span<const float> weights, int64_t n,
              int64_t k, std::span<std::byte> blob,
              const EncodeOptions &options = {});

/// Whether `format` has all its parts, they fit each other and N and K are in
/// range: what WeightLayout asks of its arguments.
Status checkShape(const Format &format, int64_t n, int64_t k);

/// Full reconstruction, N x K: scales applied, rotation undone.
Status decode(const Format &format, std::span<const std::byte> blob, int64_t n,
              int64_t k, std::span<float> weights, unsigned threads = 0);

/// Integer codebook points as kernels see them: N x storedLength(K) int8.
Status decodePoints(const Format &format, std::span<const std::byte> blob,
                    int64_t n, int64_t k, std::span<int8_t> points);

/// In the rotated basis, scales applied: N x paddedLength(K).
Status decodeRotated(const Format &format, std::span<const std::byte> blob,
                     int64_t n, int64_t k, std::span<float> weights);

/// Reconstructs rows `rows` only: rows.size() x K. Error on an index outside
/// [0, N).
Status decodeRows(const Format &format, std::span<const std::byte> blob,
                  int64_t n, int64_t k, std::span<const int64_t> rows,
                  std::span<float> out);

/// An activation in int8: codes are M x storedLength(K), zero beyond K;
/// scales and sums (of the codes of a segment) are M x segments of
/// Blocking(K, group). For a segment with a = max |x|, in f32 and exactly:
///
///   scale = a / 127
///   inverse = a > 0 ? 127 / a : 0
///   code = x * inverse, rounded to the nearest even integer
///
/// clamped to [-127, 127]. NaN counts as 0.
///
/// With rests, every row has one more behind it, of what is left: 15 bits in
/// all. The scale of a segment is then scale / 254 there, and
///
///   rest = (x * inverse - code) * 254, rounded to the nearest even integer
struct QuantizedActivation {
  std::vector<int8_t> codes;
  std::vector<float> scales;
  std::vector<int32_t> sums;
};
/// `x` is M x K; `group` is a power of two, at least kRowGranule. With rests
/// the result has 2M rows.
QuantizedActivation quantizeActivation(std::span<const float> x, int64_t m,
                                       int64_t k, int64_t group,
                                       bool hasRests = false);
/// The same in e4m3: a segment with a = max |x| has the scale a / 448, and
///
///   code = x * inverse, rounded to e4m3, with inverse = a > 0 ? 448 / a : 0
///
/// clamped to [-448, 448]. NaN counts as 0. `codes` are the bits of these
/// floats; `sums`, of their values, are in units of 1 / kE4M3Parts, and exact:
/// those of 4096 codes stay below 2^30.
QuantizedActivation quantizeActivationE4M3(std::span<const float> x, int64_t m,
                                           int64_t k, int64_t group);

/// Rests are in these parts of a scale.
inline constexpr float kRests = 254;

/// IEEE binary16 <-> binary32, round to nearest even.
uint16_t toHalf(float value);
float fromHalf(uint16_t bits);

} // namespace rotq

#endif // ROTQ_CODEC_PACKEDWEIGHT_H
