//===- WindowCoding.cpp - Codes that overlap ------------------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Codec/WindowCoding.h"
#include "BitString.h"

#include <cassert>

using namespace rotq;

WindowCoding::WindowCoding(unsigned rate)
    : newBits(rate), bytes(unsigned(kRowGranule) * rate / 8) {
  assert(rate >= 1 && rate <= 6 && "expected 1 to 6 bits a weight");
}

void WindowCoding::pack(std::span<const uint32_t> codes,
                        std::span<const std::span<std::byte>> planes) const {
  assert(planes[0].size() * 8 == codes.size() * newBits &&
         "expected the bytes of the codes");
  BitString plane(planes[0]);
  for (uint32_t code : codes)
    plane.append(code >> (kWidth - newBits), newBits);
  assert(plane.isComplete() && "expected whole runs");
}

Expr WindowCoding::unpack(ExprBuilder &builder, std::span<const Expr> planes,
                          int64_t n) const {
  // A run is `newBits` words. Of the one before, the last word is enough.
  int64_t runs = n / kRowGranule, words = newBits;
  std::vector<int64_t> indices;
  std::vector<uint32_t> offsets;
  for (int64_t run = 0; run < runs; ++run) {
    int64_t start = 32 * int64_t(indices.size());
    indices.push_back(run);
    for (int64_t i = 0; i < words; ++i)
      indices.push_back(runs + run * words + i);
    for (int64_t i = 1; i <= kRowGranule; ++i)
      offsets.push_back(uint32_t(start + 32 + i * words - kWidth));
  }
  return builder.bitField(builder.shuffle(planes[1], planes[0], indices),
                          offsets, kWidth);
}
