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
  for (unsigned width : planeWidths)
    bytes.push_back(4 * width);
}

/// Eight codes below 16 -> one word, code i in nibble i.
static uint32_t packNibbles(const uint32_t *codes) {
  uint32_t word = 0;
  for (unsigned i = 0; i < 8; ++i)
    word |= (codes[i] & 15) << (4 * i);
  return word;
}

static uint32_t nibbleMask(unsigned width) {
  return ((1u << width) - 1) * 0x11111111u;
}

void FixedCoding::pack(std::span<const uint32_t> codes,
                       std::span<const std::span<std::byte>> planes) const {
  assert(planes.size() == planeWidths.size() && "expected one span per plane");
  assert(codes.size() % kRowGranule == 0 && "expected whole words");
  unsigned low = 0;
  for (size_t p = 0; p < planeWidths.size(); ++p) {
    unsigned width = planeWidths[p], groups = 4 / width;
    uint32_t mask = nibbleMask(width);
    const uint32_t *source = codes.data();
    assert(planes[p].size() == codes.size() * width / 8 &&
           "expected the bytes of the codes in the plane");
    for (size_t at = 0; at < planes[p].size(); at += 4) {
      uint32_t packed = 0;
      for (unsigned g = 0; g < groups; ++g, source += 8)
        packed |= (packNibbles(source) >> low & mask) << (g * width);
      std::memcpy(planes[p].data() + at, &packed, 4);
    }
    low += width;
  }
}

Expr FixedCoding::unpack(ExprBuilder &builder, std::span<const Expr> planes,
                         int64_t n) const {
  assert(planes.size() == planeWidths.size() && "expected one value per plane");
  Expr codes = {};
  unsigned low = 0;
  for (size_t p = 0; p < planeWidths.size(); ++p) {
    unsigned width = planeWidths[p], groups = 4 / width;
    Expr plane = planes[p];
    int64_t words = n / 8;
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
