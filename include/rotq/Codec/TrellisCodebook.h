//===- TrellisCodebook.h - Computed points of a path ------------*- C++ -*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_CODEC_TRELLISCODEBOOK_H
#define ROTQ_CODEC_TRELLISCODEBOOK_H

#include "rotq/Codec/PathCodebook.h"

namespace rotq {

/// A trellis with a state for every weight, whose points are computed. With
/// h = state * multiplier + increment (mod 2^32), the point is the sum of the
/// bytes of h, divided by 4 and rounded down, less 128.
class TrellisCodebook final : public PathCodebook {
public:
  /// From 7 on the points, integers, are what limits the error.
  static constexpr unsigned kMaxRate = 8;

  /// `rate`: 1 to kMaxRate.
  TrellisCodebook(unsigned rate, uint32_t multiplier, uint32_t increment);
  /// Whether the constructor takes these.
  static Status check(unsigned rate);

  std::string_view kind() const override { return "trellis"; }
  void point(uint64_t code, std::span<int8_t> out) const override;
  Expr decode(ExprBuilder &builder, Expr codes) const override;
  float gaussianStep() const override;

  uint32_t multiplier() const { return factor; }
  uint32_t increment() const { return term; }

private:
  uint32_t factor, term;
};

} // namespace rotq

#endif // ROTQ_CODEC_TRELLISCODEBOOK_H
