//===- FieldCoding.cpp - Codes one behind the other -----------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Codec/Format.h"

#include <algorithm>
#include <cassert>

using namespace rotq;

FieldCoding::FieldCoding(unsigned bits, int64_t dim)
    : codeBits(bits), codeDim(dim),
      bytes(unsigned(kRowGranule / dim) * bits / 8) {
  assert(bits >= 1 && bits <= 32 && "expected codes of 1 to 32 bits");
  assert((dim == 1 || dim == 2 || dim == 4 || dim == 8) &&
         "expected codes of 1, 2, 4 or 8 weights");
  assert(kRowGranule / dim * bits % 8 == 0 && "expected runs of whole bytes");
}

void FieldCoding::pack(std::span<const uint32_t> codes,
                       std::span<const std::span<std::byte>> planes) const {
  std::span<std::byte> plane = planes[0];
  assert(plane.size() * 8 == codes.size() * codeBits &&
         "expected the bytes of the codes");
  // The bits that do not fill a byte yet.
  uint64_t pending = 0;
  unsigned count = 0;
  size_t at = 0;
  for (uint32_t code : codes) {
    pending |= uint64_t(code) << count;
    for (count += codeBits; count >= 8; count -= 8, pending >>= 8)
      plane[at++] = std::byte(pending & 255);
  }
  assert(count == 0 && "expected whole runs");
}

Expr FieldCoding::unpack(ExprBuilder &builder, std::span<const Expr> planes,
                         int64_t n) const {
  std::vector<uint32_t> offsets;
  for (int64_t i = 0; i < n / codeDim; ++i)
    offsets.push_back(uint32_t(i) * codeBits);
  return builder.bitField(planes[0], offsets, codeBits);
}
