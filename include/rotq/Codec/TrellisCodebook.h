//===- TrellisCodebook.h - Weights along a path of states -------*- C++ -*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_CODEC_TRELLISCODEBOOK_H
#define ROTQ_CODEC_TRELLISCODEBOOK_H

#include "rotq/Codec/Format.h"

#include <mutex>

namespace rotq {

/// Trellis-coded quantization (Marcellin and Fischer, 1990) on a bit-shift
/// trellis with computed points. A code is a state of 16 bits; the state of the
/// next weight drops the `rate` lowest bits and takes as many new ones on top.
/// Every 256 weights, and what is left of a row, are a circle: the first weight
/// follows the last. With
/// h = state * multiplier + increment (mod 2^32), the point is the sum of the
/// bytes of h, divided by 4 and rounded down, less 128.
class TrellisCodebook final : public Codebook {
public:
  static constexpr unsigned kStateBits = 16;
  /// Beyond it the points, integers, are what limits the error.
  static constexpr unsigned kMaxRate = 6;

  /// `rate`: 1 to kMaxRate.
  TrellisCodebook(unsigned rate, uint32_t multiplier, uint32_t increment);
  ~TrellisCodebook() override;
  /// Whether the constructor takes these.
  static Status check(unsigned rate);

  std::string_view kind() const override { return "trellis"; }
  unsigned bits() const override { return kStateBits; }
  void point(uint64_t code, std::span<int8_t> out) const override;
  Expr decode(ExprBuilder &builder, Expr codes) const override;
  /// Of every circle the path of least squared error through a seam that the
  /// weights around it chose. `x` starts with a circle and has whole runs of 32
  /// weights. Ties do not go to any particular code.
  void assign(std::span<const float> x, float step, float offset,
              std::span<uint32_t> codes) const override;
  float gaussianStep() const override;
  Spread spread() const override;

  /// New bits of a state: bits of a weight.
  unsigned rate() const { return newBits; }
  uint32_t multiplier() const { return factor; }
  uint32_t increment() const { return term; }

private:
  struct Tables;
  const Tables &tables() const;
  int8_t pointOf(uint32_t state) const;

  unsigned newBits;
  uint32_t factor, term;
  /// Only encoders need them.
  mutable std::once_flag once;
  mutable std::unique_ptr<const Tables> made;
};

} // namespace rotq

#endif // ROTQ_CODEC_TRELLISCODEBOOK_H
