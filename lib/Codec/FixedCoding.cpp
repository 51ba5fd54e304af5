//===- FixedCoding.cpp - Codes of a fixed width in planes -----------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Codec/Format.h"

#include <bit>
#include <cassert>
#include <cstring>

using namespace rotq;

static_assert(std::endian::native == std::endian::little,
              "packed words are little-endian");

FixedCoding::FixedCoding(unsigned bits) : codeBits(bits) {
  assert(bits >= 1 && bits <= 4 && "expected codes of 1 to 4 bits");
  switch (bits) {
  case 3:
    planeWidths = {2, 1};
    break;
  default:
    planeWidths = {bits};
  }
}

/// Eight codes below 16 -> one word, code i in nibble i.
static uint32_t packNibbles(const uint8_t *codes) {
  uint64_t v;
  std::memcpy(&v, codes, 8);
  v &= 0x0f0f0f0f0f0f0f0full;
  v = (v | v >> 4) & 0x00ff00ff00ff00ffull;
  v = (v | v >> 8) & 0x0000ffff0000ffffull;
  return uint32_t(v | v >> 16);
}

static uint32_t nibbleMask(unsigned width) {
  return ((1u << width) - 1) * 0x11111111u;
}

void FixedCoding::pack(std::span<const uint8_t> codes,
                       std::span<const std::span<uint32_t>> planes) const {
  assert(planes.size() == planeWidths.size() && "expected one span per plane");
  assert(codes.size() % kRowGranule == 0 && "expected whole words");
  unsigned low = 0;
  for (size_t p = 0; p < planeWidths.size(); ++p) {
    unsigned width = planeWidths[p], groups = 4 / width;
    uint32_t mask = nibbleMask(width);
    const uint8_t *source = codes.data();
    assert(planes[p].size() == codes.size() * width / 32 &&
           "expected the row's words of the plane");
    for (uint32_t &word : planes[p]) {
      uint32_t packed = 0;
      for (unsigned g = 0; g < groups; ++g, source += 8)
        packed |= (packNibbles(source) >> low & mask) << (g * width);
      word = packed;
    }
    low += width;
  }
}

Expr FixedCoding::unpack(ExprBuilder &builder,
                         std::span<const Expr> planes) const {
  assert(planes.size() == planeWidths.size() && "expected one value per plane");
  Expr codes = {};
  unsigned low = 0;
  for (size_t p = 0; p < planeWidths.size(); ++p) {
    unsigned width = planeWidths[p], groups = 4 / width;
    Expr plane = planes[p];
    int64_t words = builder.numWords(plane) * groups;
    if (groups > 1) {
      // Word i of the result is group i mod `groups` of word i / `groups`.
      std::vector<int64_t> indices(static_cast<size_t>(words));
      std::vector<uint32_t> amounts(static_cast<size_t>(words));
      for (int64_t i = 0; i < words; ++i) {
        indices[size_t(i)] = i / groups;
        amounts[size_t(i)] = uint32_t(i % groups) * width;
      }
      plane = builder.shuffle(plane, plane, indices);
      plane = builder.shiftRight(plane, amounts);
      plane = builder.bitAnd(plane, nibbleMask(width));
    }
    if (low) {
      std::vector<uint32_t> amounts(static_cast<size_t>(words), low);
      plane = builder.shiftLeft(plane, amounts);
    }
    codes = p ? builder.bitOr(codes, plane) : plane;
    low += width;
  }
  return codes;
}
