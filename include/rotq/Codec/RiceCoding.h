//===- RiceCoding.h - Lattice points that archives compress -----*- C++ -*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_CODEC_RICECODING_H
#define ROTQ_CODEC_RICECODING_H

#include "rotq/Codec/Format.h"

namespace rotq {

/// Points of a lattice, a byte a weight, in one plane in order: nothing is
/// unpacked. Archives hold them in Rice codes (RiceStream.h).
class RiceCoding final : public Coding {
public:
  std::string_view kind() const override { return "rice"; }
  unsigned bits() const override { return 64; }
  int64_t dim() const override { return 8; }
  std::span<const unsigned> runBytes() const override;
  unsigned unpackedBits() const override { return 64; }
  bool isCompressed() const override { return true; }
  void pack(std::span<const uint32_t> codes,
            std::span<const std::span<std::byte>> planes) const override;
  Expr unpack(ExprBuilder &builder, std::span<const Expr> planes,
              int64_t n) const override;
};

} // namespace rotq

#endif // ROTQ_CODEC_RICECODING_H
