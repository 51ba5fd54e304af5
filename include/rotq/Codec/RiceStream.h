//===- RiceStream.h - Lattice points in Rice codes --------------*- C++ -*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A weight of lattice points in an entropy code, for storage and transport.
// Rows are cut into streams that decode alone, and damage to any of them is
// found.
//
// The lattice is 2 E8: eight integers y of one parity c whose sum is a multiple
// of 4. With s_i = (y_i - c) / 2, p the parity of s_1 + ... + s_7 and t =
// (s_8 - p) / 2, eight symbols stand for them: zigzag(s_1), ..., zigzag(s_7)
// and 2 zigzag(t) + c, where zigzag(v) is 2 v for v >= 0 and -2 v - 1 below.
// The Rice code of a symbol z is z >> k zeros, a one, and the low k bits of z.
//
// docs/formats/hyperquant_rice.md has the bytes.
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_CODEC_RICESTREAM_H
#define ROTQ_CODEC_RICESTREAM_H

#include "rotq/Codec/PackedWeight.h"

namespace rotq {

inline constexpr int64_t kStreamSymbols = 512;
inline constexpr unsigned kMaxRice = 7;
/// Words of a stream: a symbol has at most 9 bits with the largest k, and k is
/// chosen so that they are fewest.
inline constexpr int64_t kMaxStreamWords = kStreamSymbols * 9 / 32;
/// The first word of a weight in Rice codes.
inline constexpr uint32_t kRiceMagic = 0x32527152;
/// Of a check: a reflected CRC of 16 bits (CRC-16/MCRF4XX).
inline constexpr uint16_t kCheckPolynomial = 0x8408, kCheckStart = 0xffff;

/// Eight symbols for a point of 2 E8 within [-127, 127], and back. False for
/// what is no such point, and for symbols that stand for none.
bool stripE8(std::span<const int8_t, 8> point, std::span<uint8_t, 8> symbols);
bool unstripE8(std::span<const uint8_t, 8> symbols, std::span<int8_t, 8> point);

/// Where the parts of an N x K weight in Rice codes start, in bytes. They
/// follow each other without gaps, but for zeros ahead of the words.
struct RiceLayout {
  explicit RiceLayout(const WeightLayout &weight);

  int64_t columns;    ///< points of a row: K filled up to 32
  int64_t scaleBytes; ///< of a row
  int64_t perRow;     ///< streams of a row
  int64_t streams;    ///< of all rows, one behind the other

  int64_t scales;     ///< as in the blob
  int64_t starts;     ///< u32 [streams + 1]: words ahead of a stream
  int64_t checks;     ///< u16 [streams]
  int64_t parameters; ///< u8 [streams]: k
  int64_t words;      ///< u32: the streams
  int64_t maxBytes;   ///< of everything, whatever the points are
};

/// `blob`, whose plane has points a byte a weight, in Rice codes. `threads` as
/// in EncodeOptions. Error: a row that has other points than those of 2 E8
/// within [-127, 127].
Expected<std::vector<std::byte>> encodeRice(const WeightLayout &weight,
                                            std::span<const std::byte> blob,
                                            unsigned threads = 0);

/// The way back. Error: anything that `encodeRice` does not write.
Status decodeRice(const WeightLayout &weight, std::span<const std::byte> codes,
                  std::span<std::byte> blob, unsigned threads = 0);

} // namespace rotq

#endif // ROTQ_CODEC_RICESTREAM_H
