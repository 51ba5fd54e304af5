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

/// Codes of 16 bits of which every one shares all but `rate` bits with the one
/// before. The n weights of a circle, 256 or what is left of a row, are a
/// circular string of n * rate bits, lowest bit of a byte first; the code of
/// weight i is the 16 bits that end before bit (i + 1) * rate of it, the lowest
/// first.
class WindowCoding final : public Coding {
public:
  static constexpr unsigned kWidth = 16;
  static constexpr int64_t kCircle = 256;

  /// `rate`: 1 to 6.
  explicit WindowCoding(unsigned rate);
  std::string_view kind() const override { return "window"; }
  unsigned bits() const override { return kWidth; }
  std::span<const unsigned> runBytes() const override { return {&bytes, 1}; }
  unsigned unpackedBits() const override { return 32; }
  int64_t circle() const override { return kCircle; }
  /// Keeps the `rate` highest bits of every code.
  void pack(std::span<const uint32_t> codes,
            std::span<const std::span<std::byte>> planes) const override;
  Expr unpack(ExprBuilder &builder, std::span<const Expr> planes,
              int64_t n) const override;

  /// Bits of a weight.
  unsigned rate() const { return newBits; }

private:
  unsigned newBits;
  unsigned bytes;
};

} // namespace rotq

#endif // ROTQ_CODEC_WINDOWCODING_H
