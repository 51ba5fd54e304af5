//===- LatticeCodebook.h - Points of E8, as they are ------------*- C++ -*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_CODEC_LATTICECODEBOOK_H
#define ROTQ_CODEC_LATTICECODEBOOK_H

#include "rotq/Codec/Format.h"

namespace rotq {

/// The lattice 2 E8: eight integers of one parity whose sum is a multiple of 4.
/// A code is the point itself, eight int8 numbers, the first one lowest: rates
/// are a matter of the coding. Codes that are no points of the lattice decode
/// like any.
class LatticeCodebook final : public Codebook {
public:
  /// `deviation`: of the weights of a segment, in sixteenths of the step; what
  /// decides how finely the lattice lies.
  explicit LatticeCodebook(unsigned deviation);
  /// Whether the constructor takes it: 1 to 400, beyond which many weights of
  /// N(0, 1) would be clipped.
  static Status check(int64_t deviation);

  std::string_view kind() const override { return "lattice"; }
  unsigned bits() const override { return 64; }
  int64_t dim() const override { return 8; }
  unsigned unpackedBits() const override { return 64; }
  void point(uint64_t code, std::span<int8_t> out) const override;
  Expr decode(ExprBuilder &builder, Expr codes) const override;
  /// Of equally near points any one.
  void assign(std::span<const float> x, float step, float offset,
              std::span<uint32_t> codes) const override;
  float gaussianStep() const override { return 16 / float(sixteenths); }

  unsigned deviation() const { return sixteenths; }

private:
  unsigned sixteenths;
};

/// The nearest point of 2 E8 to `x`, within [-127, 127]. (Conway and Sloane,
/// "Fast quantizing and decoding algorithms for lattice quantizers and codes",
/// 1982.)
void nearestE8(std::span<const float, 8> x, std::span<int8_t, 8> point);

} // namespace rotq

#endif // ROTQ_CODEC_LATTICECODEBOOK_H
