//===- GridCodebook.h - Points for several weights at once ------*- C++ -*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_CODEC_GRIDCODEBOOK_H
#define ROTQ_CODEC_GRIDCODEBOOK_H

#include "rotq/Codec/Format.h"

#include <mutex>

namespace rotq {

/// A table of points in 1, 2 or 4 dimensions: vector quantization (Lloyd-Max in
/// several dimensions; Linde, Buzo and Gray, 1980). With signs the table holds
/// magnitudes, and the top `dim` bits of a code say which coordinates are
/// negative, the first one in the lowest bit.
class GridCodebook final : public Codebook {
public:
  /// `points`: [2^bits][dim], or [2^(bits - dim)][dim] with signs.
  GridCodebook(unsigned bits, int64_t dim, bool hasSigns,
               std::vector<int8_t> points);
  /// Whether the constructor takes these: sizes fit, and magnitudes are 1 to
  /// 127.
  static Status check(unsigned bits, int64_t dim, bool hasSigns,
                      std::span<const int8_t> points);

  std::string_view kind() const override { return "grid"; }
  unsigned bits() const override { return codeBits; }
  int64_t dim() const override { return codeDim; }
  void point(uint64_t code, std::span<int8_t> out) const override;
  Expr decode(ExprBuilder &builder, Expr codes) const override;
  std::span<const uint32_t> gathered() const override { return words; }
  bool gathersPoints() const override { return wordBits() == codeBits; }
  void assign(std::span<const float> x, float step, float offset,
              std::span<uint32_t> codes) const override;

  bool hasSigns() const { return signs; }
  const std::vector<int8_t> &points() const { return table; }

private:
  class Search;

  const Search &search() const;
  unsigned indexBits() const {
    return signs ? codeBits - unsigned(codeDim) : codeBits;
  }

  /// Bits of what is gathered: signs too, where a table of points has room in
  /// shared memory for a copy for every other lane (SharedTable).
  unsigned wordBits() const {
    constexpr unsigned kMost = 9;
    return codeBits <= kMost ? codeBits : indexBits();
  }

  unsigned codeBits;
  int64_t codeDim;
  bool signs;
  std::vector<int8_t> table;
  std::vector<uint32_t> words; ///< a point's bytes, the first one lowest
  mutable std::once_flag hasFound;
  mutable const Search *found = nullptr;
};

} // namespace rotq

#endif // ROTQ_CODEC_GRIDCODEBOOK_H
