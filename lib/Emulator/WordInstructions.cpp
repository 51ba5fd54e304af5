//===- WordInstructions.cpp - Instructions on words
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "InstructionTable.h"

#include <algorithm>
#include <bit>
#include <cmath>

using namespace mlir::rotq::emulator;

/// Byte 0 to 7 of b:a.
static uint32_t pickByte(const uint32_t *words, unsigned i) {
  return byteOf(words[i / 4 % 2], i % 4);
}

/// prmt in its default mode: bit 3 of a selector replicates the sign.
static void permute(uint32_t *words) {
  uint32_t result = 0;
  for (unsigned i = 0; i < 4; ++i) {
    uint32_t selector = words[2] >> (4 * i);
    uint32_t byte = pickByte(words, selector & 7);
    if (selector & 8)
      byte = byte & 0x80 ? 0xff : 0;
    result |= byte << (8 * i);
  }
  words[0] = result;
}

/// The other modes: byte i of the result is byte `Pick(control, i)` of b:a;
/// those of one source have the control in its second operand.
template <unsigned (*Pick)(unsigned, unsigned), bool HasTwoSources>
static void permuteMode(uint32_t *words) {
  unsigned control = words[HasTwoSources ? 2 : 1] & 3;
  uint32_t result = 0;
  for (unsigned i = 0; i < 4; ++i)
    result |= pickByte(words, Pick(control, i)) << (8 * i);
  words[0] = result;
}

static unsigned forward4(unsigned c, unsigned i) { return c + i; }
static unsigned backward4(unsigned c, unsigned i) { return (c - i) & 7; }
static unsigned replicate8(unsigned c, unsigned) { return c; }
static unsigned replicate16(unsigned c, unsigned i) {
  return (c & 1) * 2 + (i & 1);
}
static unsigned clampLeft(unsigned c, unsigned i) { return std::max(c, i); }
static unsigned clampRight(unsigned c, unsigned i) { return std::min(c, i); }

template <typename A, typename B> static void dot4(uint32_t *words) {
  uint32_t sum = words[2];
  for (unsigned i = 0; i < 4; ++i)
    sum += uint32_t(int32_t(A(byteOf(words[0], i))) *
                    int32_t(B(byteOf(words[1], i))));
  words[0] = sum;
}

template <typename A, typename B> static void dot2(uint32_t *words) {
  unsigned first = words[2] ? 2 : 0;
  uint32_t sum = words[3];
  for (unsigned i = 0; i < 2; ++i)
    sum += uint32_t(int32_t(A(words[0] >> (16 * i))) *
                    int32_t(B(byteOf(words[1], first + i))));
  words[0] = sum;
}

/// Operands: high word, low word, amount.
static void shiftLeftClamped(uint32_t *words) {
  unsigned amount = std::min(words[2], 32u);
  uint64_t both = uint64_t(words[0]) << 32 | words[1];
  words[0] = uint32_t(both << amount >> 32);
  if (amount == 32)
    words[0] = words[1];
}

static void shiftRightClamped(uint32_t *words) {
  uint64_t both = uint64_t(words[0]) << 32 | words[1];
  words[0] = uint32_t(both >> std::min(words[2], 32u));
}

/// lop3: bit i of the table is the result for the bits of i, a's the highest.
static void lookUp(uint32_t *words) {
  uint32_t result = 0;
  for (unsigned bit = 0; bit < 32; ++bit) {
    uint32_t row = (words[0] >> bit & 1) << 2 | (words[1] >> bit & 1) << 1 |
                   (words[2] >> bit & 1);
    result |= (words[3] >> row & 1) << bit;
  }
  words[0] = result;
}

/// fma.rz: in f64 the product is exact, and the sum is rounded towards zero by
/// what it has lost.
static void fusedTowardsZero(uint32_t *words) {
  auto value = [&](int i) { return double(std::bit_cast<float>(words[i])); };
  double product = value(0) * value(1), sum = product + value(2);
  // What the sum has lost, exactly (Knuth).
  double part = sum - product;
  double lost = (product - (sum - part)) + (value(2) - part);
  if (std::isfinite(sum) && lost != 0 && (lost < 0) == (sum > 0))
    sum = std::nextafter(sum, 0);
  auto result = float(sum);
  if (std::abs(double(result)) > std::abs(sum))
    result = std::nextafter(result, 0.0f);
  words[0] = std::bit_cast<uint32_t>(result);
}

static void isDifferent(uint32_t *words) { words[0] = words[0] != words[1]; }

static void move(uint32_t *) {}

//===----------------------------------------------------------------------===//
// The table
//===----------------------------------------------------------------------===//

#define DOT(name, a, b, wideA)                                                 \
  pure("llvm.nvvm.idp4a." name, dot4<a, b>),                                   \
      pure("llvm.nvvm.idp2a." name, dot2<wideA, b>)

void mlir::rotq::emulator::addWordInstructions(Instructions &table) {
  table.append({
      pure("llvm.nvvm.prmt", permute),
      pure("llvm.nvvm.prmt.f4e", permuteMode<forward4, true>),
      pure("llvm.nvvm.prmt.b4e", permuteMode<backward4, true>),
      pure("llvm.nvvm.prmt.rc8", permuteMode<replicate8, false>),
      pure("llvm.nvvm.prmt.rc16", permuteMode<replicate16, false>),
      pure("llvm.nvvm.prmt.ecl", permuteMode<clampLeft, false>),
      pure("llvm.nvvm.prmt.ecr", permuteMode<clampRight, false>),
      DOT("s.s", int8_t, int8_t, int16_t),
      DOT("s.u", int8_t, uint8_t, int16_t),
      DOT("u.s", uint8_t, int8_t, uint16_t),
      DOT("u.u", uint8_t, uint8_t, uint16_t),
      pure("llvm.nvvm.fma.rz.f", fusedTowardsZero),
      pure("llvm.nvvm.fshl.clamp", shiftLeftClamped),
      pure("llvm.nvvm.fshr.clamp", shiftRightClamped),

      pure("lop3.b32 x,x,x,x,x", lookUp),
      pure("prmt.b32 x,x,x,x", permute),
      pure("prmt.b32.f4e x,x,x,x", permuteMode<forward4, true>),
      pure("prmt.b32.b4e x,x,x,x", permuteMode<backward4, true>),
      pure("prmt.b32.rc8 x,x,x,x", permuteMode<replicate8, true>),
      pure("prmt.b32.rc16 x,x,x,x", permuteMode<replicate16, true>),
      pure("prmt.b32.ecl x,x,x,x", permuteMode<clampLeft, true>),
      pure("prmt.b32.ecr x,x,x,x", permuteMode<clampRight, true>),
      pure("setp.ne.b32 x,x,x", isDifferent),
      pure("mov.b32 x,x", move),
      pure("mov.u32 x,x", move),
  });
}
