//===- WindowCoding.h - Codes that overlap ----------------------*- C++ -*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_CODEC_WINDOWCODING_H
#define ROTQ_CODEC_WINDOWCODING_H

#include "rotq/Codec/Format.h"

namespace rotq {

/// Codes of 16 bits, for `dim` weights each, of which every one shares all but
/// dim * rate bits with the one before. The n weights of a circle, 256 or what
/// is left of a row, are a circular string of n * rate bits, lowest bit of a
/// byte first; code i is the 16 bits that end before bit (i + 1) * dim * rate
/// of it, the lowest first.
class WindowCoding final : public Coding {
public:
  static constexpr unsigned kWidth = 16;
  static constexpr int64_t kCircle = 256;

  explicit WindowCoding(unsigned rate, int64_t dim = 1);
  /// Whether the constructor takes these: `dim` is 1 or 2, and a code has
  /// 1 to 8 new bits, `rate` of them a weight.
  static Status check(unsigned rate, int64_t dim);
  std::string_view kind() const override { return "window"; }
  unsigned bits() const override { return kWidth; }
  int64_t dim() const override { return codeDim; }
  std::span<const unsigned> runBytes() const override { return {&bytes, 1}; }
  unsigned unpackedBits() const override { return 32; }
  int64_t circle() const override { return kCircle; }
  /// Codes that overlap take a path through a trellis.
  Status accept(const Codebook &codebook) const override;
  /// Keeps the new bits of every code, the highest.
  void pack(std::span<const uint32_t> codes,
            std::span<const std::span<std::byte>> planes) const override;
  Expr unpack(ExprBuilder &builder, std::span<const Expr> planes,
              int64_t n) const override;

  /// Bits of a weight.
  unsigned rate() const { return weightBits; }

private:
  /// New bits of a code.
  unsigned step() const { return weightBits * unsigned(codeDim); }

  unsigned weightBits;
  int64_t codeDim;
  unsigned bytes;
};

} // namespace rotq

#endif // ROTQ_CODEC_WINDOWCODING_H
