//===- PairTrellisCodebook.h - Pairs of weights along a path ----*- C++ -*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_CODEC_PAIRTRELLISCODEBOOK_H
#define ROTQ_CODEC_PAIRTRELLISCODEBOOK_H

#include "rotq/Codec/PathCodebook.h"

namespace rotq {

/// A trellis with a state for every two weights, whose points are in a table of
/// 512. With h = state * multiplier (mod 2^16), a state has the point whose
/// index has bits 7 to 14 of h, and bit 1 above them. (These are where they are
/// so that h, masked, is an address: a word of two points has 128 bytes in
/// shared memory, one of 4 for every lane, and a point 2 of them.)
class PairTrellisCodebook final : public PathCodebook {
public:
  static constexpr unsigned kMaxRate = 4;
  static constexpr size_t kPoints = 512;

  /// `points`: [512][2]. `deviation`, in sixteenths: that of weights that lose
  /// least at a step of 1.
  PairTrellisCodebook(unsigned rate, uint16_t multiplier, unsigned deviation,
                      std::vector<int8_t> points);
  /// Whether the constructor takes these.
  static Status check(unsigned rate, int64_t deviation,
                      std::span<const int8_t> points);

  std::string_view kind() const override { return "pair_trellis"; }
  void point(uint64_t code, std::span<int8_t> out) const override;
  Expr decode(ExprBuilder &builder, Expr codes) const override;
  std::span<const uint32_t> gathered() const override { return words; }
  bool gathersPoints() const override { return true; }
  float gaussianStep() const override { return 16 / float(sixteenths); }

  uint16_t multiplier() const { return factor; }
  unsigned deviation() const { return sixteenths; }
  const std::vector<int8_t> &points() const { return table; }

private:
  uint16_t factor;
  unsigned sixteenths;
  std::vector<int8_t> table;
  std::vector<uint32_t> words; ///< a point each, the first weight lowest
};

} // namespace rotq

#endif // ROTQ_CODEC_PAIRTRELLISCODEBOOK_H
