//===- VoronoiCodebook.h - Lattice points for eight weights -----*- C++ -*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_CODEC_VORONOICODEBOOK_H
#define ROTQ_CODEC_VORONOICODEBOOK_H

#include "rotq/Codec/Format.h"

#include <array>

namespace rotq {

/// A Voronoi code of the lattice E8 (Conway and Sloane, "A fast encoding method
/// for lattice codes and quantizers", 1983) in four sizes. The lattice is
/// L = 2 E8: eight integers of one parity, whose sum is a multiple of 4. A code
/// names a class of L modulo q L by eight fields, and stands for a short vector
/// of that class times one of four multipliers: the size that suits its eight
/// weights.
///
/// Field i has log2 q bits, from bit (2 (i mod 4) + i div 4) log2 q on. Above
/// the fields are two bits that choose the multiplier.
/// docs/formats/hyperquant.md says which vector of a class it is.
class VoronoiCodebook final : public Codebook {
public:
  using Vector = std::array<int32_t, 8>;
  using Multipliers = std::array<int8_t, 4>;

  VoronoiCodebook(unsigned q, Multipliers multipliers);
  /// Whether the constructor takes these: `q` is 8 or 16, and four multipliers
  /// from 1 to 31 rise.
  static Status check(unsigned q, std::span<const int8_t> multipliers);

  std::string_view kind() const override { return "voronoi"; }
  unsigned bits() const override { return 8 * fieldBits + 2; }
  int64_t dim() const override { return 8; }
  unsigned unpackedBits() const override { return bits() > 32 ? 64 : 32; }
  void point(uint64_t code, std::span<int8_t> out) const override;
  Expr decode(ExprBuilder &builder, Expr codes) const override;
  void assign(std::span<const float> x, float step, float offset,
              std::span<uint32_t> codes) const override;
  float gaussianStep() const override;

  unsigned q() const { return 1u << fieldBits; }
  const Multipliers &multipliers() const { return factors; }

  /// The fields of the class that a vector of L belongs to.
  Vector fieldsOf(const Vector &vector) const;
  /// The short vector of a class.
  Vector vectorOf(const Vector &fields) const;

private:
  /// The code for weights in units of 1/64, at most 127 in magnitude.
  uint64_t nearest(const Vector &x) const;

  unsigned fieldBits;
  Multipliers factors;
};

} // namespace rotq

#endif // ROTQ_CODEC_VORONOICODEBOOK_H
