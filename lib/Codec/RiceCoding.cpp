//===- RiceCoding.cpp - Lattice points that archives compress -------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Codec/RiceCoding.h"

#include <cassert>
#include <cstring>

using namespace rotq;

std::span<const unsigned> RiceCoding::runBytes() const {
  static constexpr unsigned bytes[] = {kRowGranule};
  return bytes;
}

void RiceCoding::pack(std::span<const uint32_t> codes,
                      std::span<const std::span<std::byte>> planes) const {
  assert(planes[0].size() == codes.size_bytes() &&
         "expected the bytes of the codes");
  std::memcpy(planes[0].data(), codes.data(), codes.size_bytes());
}

Expr RiceCoding::unpack(ExprBuilder &, std::span<const Expr> planes,
                        int64_t) const {
  return planes[0];
}
