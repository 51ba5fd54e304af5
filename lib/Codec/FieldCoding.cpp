//===- FieldCoding.cpp - Codes one behind the other -----------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BitString.h"
#include "Message.h"
#include "rotq/Codec/Format.h"

#include <algorithm>
#include <cassert>

using namespace rotq;

Status FieldCoding::check(unsigned bits, int64_t dim) {
  if (bits < 1 || bits > 64)
    return failure(message("expected codes of 1 to 64 bits but got {}", bits));
  if (dim != 1 && dim != 2 && dim != 4 && dim != 8)
    return failure(
        message("expected codes of 1, 2, 4 or 8 weights but got {}", dim));
  if (kRowGranule / dim * bits % 8 != 0)
    return failure(message("expected codes that fill bytes but got {} of {} "
                           "bits in 32 weights",
                           kRowGranule / dim, bits));
  return {};
}

FieldCoding::FieldCoding(unsigned bits, int64_t dim)
    : codeBits(bits), codeDim(dim), widths({std::min(bits, 32u)}) {
  assert(check(bits, dim) && "expected codes that fit");
  if (bits > 32)
    widths.push_back(bits - 32);
  for (unsigned width : widths)
    bytes.push_back(unsigned(kRowGranule / dim) * width / 8);
}

void FieldCoding::pack(std::span<const uint32_t> codes,
                       std::span<const std::span<std::byte>> planes) const {
  for (size_t p = 0; p < widths.size(); ++p) {
    assert(planes[p].size() * 8 * widths.size() == codes.size() * widths[p] &&
           "expected the bytes of the codes");
    BitString plane(planes[p]);
    for (size_t i = p; i < codes.size(); i += widths.size())
      plane.append(codes[i], widths[p]);
    assert(plane.isComplete() && "expected whole runs");
  }
}

Expr FieldCoding::unpack(ExprBuilder &builder, std::span<const Expr> planes,
                         int64_t n) const {
  int64_t count = n / codeDim;
  std::vector<Expr> fields;
  for (size_t p = 0; p < widths.size(); ++p) {
    std::vector<uint32_t> offsets;
    for (int64_t i = 0; i < count; ++i)
      offsets.push_back(uint32_t(i) * widths[p]);
    fields.push_back(builder.bitField(planes[p], offsets, widths[p]));
  }
  if (fields.size() == 1)
    return fields[0];
  std::vector<int64_t> indices;
  for (int64_t i = 0; i < count; ++i)
    indices.insert(indices.end(), {i, count + i});
  return builder.shuffle(fields[0], fields[1], indices);
}
