//===- FrameCodebook.h - Signed sums of vectors -----------------*- C++ -*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_CODEC_FRAMECODEBOOK_H
#define ROTQ_CODEC_FRAMECODEBOOK_H

#include "rotq/Codec/Format.h"

#include <mutex>

namespace rotq {

class FrameSearch;

/// A lattice of one bit a dimension, projected to fewer dimensions (LiftQuant,
/// arXiv 2606.04050): bit j of a code chooses the sign of vector m_j, and the
/// point is the sum
///
///   p = sum_j (2 b_j - 1) m_j
///
/// of all of them, 0 to 127 in magnitude whatever the bits. With more vectors
/// than dimensions they are a frame. A product with x is one with bits,
/// p . x = sum_j (2 b_j - 1) z_j, of the lifted activation z_j = m_j . x.
class FrameCodebook final : public Codebook {
public:
  /// `vectors`: [bits][dim]. `deviation` is that of the weights where a frame
  /// loses least, in 1/16 of the unit of points.
  FrameCodebook(int64_t dim, std::vector<int8_t> vectors, unsigned deviation);
  /// Whether the constructor takes these: of 4 or 8 dimensions and 1 to 24
  /// vectors, whose coordinates add up to 127 at most, and of which all but 16
  /// are ahead of the others and have one coordinate each that is not 0, so
  /// that the nearest point is found; a deviation of 1 to 2032.
  static Status check(int64_t dim, std::span<const int8_t> vectors,
                      int64_t deviation);

  std::string_view kind() const override { return "frame"; }
  unsigned bits() const override { return unsigned(columns.size() / dim()); }
  int64_t dim() const override { return codeDim; }
  void point(uint64_t code, std::span<int8_t> out) const override;
  Expr decode(ExprBuilder &builder, Expr codes) const override;
  std::span<const uint32_t> gathered() const override { return sums; }
  void assign(std::span<const float> x, float step, float offset,
              std::span<uint32_t> codes) const override;
  float gaussianStep() const override { return 16 / float(stepsOfDeviation); }
  Spread spread() const override;

  const std::vector<int8_t> &vectors() const { return columns; }
  unsigned deviation() const { return stepsOfDeviation; }

private:
  const FrameSearch &search() const;

  int64_t codeDim;
  std::vector<int8_t> columns;
  unsigned stepsOfDeviation;
  /// Of every byte of a code, and every value of it, the sum of its vectors:
  /// [byte][value][dim / 4], four coordinates v_i a word as
  /// sum_i v_i 256^i, those of byte 0 with 128 added to each.
  std::vector<uint32_t> sums;
  mutable std::once_flag hasFound;
  mutable std::shared_ptr<const FrameSearch> found;
};

} // namespace rotq

#endif // ROTQ_CODEC_FRAMECODEBOOK_H
