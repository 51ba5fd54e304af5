//===- RiceStream.h - Lattice points as an entropy code ---------*- C++ -*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A matrix as nearest points of E8, at one step, in Rice codes: for storage and
// transport. Rows are cut into streams that decode alone, and damage to any of
// them is found.
//
// The lattice is 2 E8: eight integers y of one parity c whose sum is a multiple
// of 4. With s_i = (y_i - c) / 2, p the parity of s_1 + ... + s_7 and t =
// (s_8 - p) / 2, eight symbols stand for them: zigzag(s_1), ..., zigzag(s_7)
// and 2 zigzag(t) + c, where zigzag(v) is 2 v for v >= 0 and -2 v - 1 below.
// The Rice code of a symbol z is z >> k zeros, a one, and the low k bits of z.
//
// The blob, little-endian: a header of five words (a magic number, N, K, the
// step as f32, the CRC-32 of these four), then for S streams of at most
// kStreamSymbols symbols
//
//   u32 starts[S + 1]   words from the first stream to this one, and to the end
//   u16 checks[S]       CRC-16 of k and the words of the stream
//   u8  k[S]            0 to kMaxRice
//
// filled up with zeros to a multiple of 4 bytes, then the words of the streams,
// whose bits count from the top. The rest of the last word of a stream is zero.
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_CODEC_RICESTREAM_H
#define ROTQ_CODEC_RICESTREAM_H

#include "rotq/Support/Error.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace rotq {

inline constexpr int64_t kStreamSymbols = 512;
inline constexpr unsigned kMaxRice = 7;

/// The nearest point of 2 E8 to `x`, within [-127, 127].
void nearestE8(std::span<const float, 8> x, std::span<int8_t, 8> point);

/// Eight symbols for a point of 2 E8, and back. Symbols that stand for no point
/// within [-127, 127] give false.
void stripE8(std::span<const int8_t, 8> point, std::span<uint8_t, 8> symbols);
bool unstripE8(std::span<const uint8_t, 8> symbols, std::span<int8_t, 8> point);

/// The step for weights of unit variance at which codes take about `bits` a
/// weight, from 2 to 5; all else stored, see RiceRate, comes on top.
float riceStep(float bits);

/// Bits a weight.
struct RiceRate {
  double payload; ///< of the codes
  double total;   ///< of the blob
};

/// Encodes N x K weights, K a multiple of 8. `threads` as in EncodeOptions.
/// Errors: sizes that do not match, a step that is not finite and above 0,
/// weights that are not finite.
Expected<std::vector<std::byte>> encodeRice(std::span<const float> weights,
                                            int64_t n, int64_t k, float step,
                                            RiceRate *rate = nullptr,
                                            unsigned threads = 0);

/// Decodes a blob into N x K points and the step. Error: anything that
/// `encodeRice` does not write.
Status decodeRice(std::span<const std::byte> blob, int64_t n, int64_t k,
                  std::span<int8_t> points, float &step, unsigned threads = 0);

} // namespace rotq

#endif // ROTQ_CODEC_RICESTREAM_H
