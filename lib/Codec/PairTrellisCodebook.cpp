//===- PairTrellisCodebook.cpp - Pairs of weights along a path ------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Codec/PairTrellisCodebook.h"
#include "Message.h"

#include <cassert>

using namespace rotq;

Status PairTrellisCodebook::check(unsigned rate, int64_t deviation,
                                  std::span<const int8_t> points) {
  if (rate < 1 || rate > kMaxRate)
    return failure(message(
        "expected a trellis of pairs of 1 to {} bits a weight but got {}",
        kMaxRate, rate));
  if (deviation < 1 || deviation > INT16_MAX)
    return failure(
        message("expected a deviation of 1 to {} sixteenths but got {}",
                INT16_MAX, deviation));
  if (points.size() != 2 * kPoints)
    return failure(message("expected {} coordinates of pairs but got {}",
                           2 * kPoints, points.size()));
  return {};
}

PairTrellisCodebook::PairTrellisCodebook(unsigned rate, uint16_t multiplier,
                                         unsigned deviation,
                                         std::vector<int8_t> points)
    : PathCodebook(rate, /*dim=*/2), factor(multiplier), sixteenths(deviation),
      table(std::move(points)) {
  assert(check(rate, deviation, table) && "expected a table that fits");
  for (size_t i = 0; i < table.size(); i += 2)
    words.push_back(uint32_t(uint8_t(table[i])) |
                    uint32_t(uint8_t(table[i + 1])) << 8);
}

void PairTrellisCodebook::point(uint64_t code, std::span<int8_t> out) const {
  assert(out.size() == 2 && "expected room for a point");
  uint32_t hash = uint32_t(code) * factor;
  size_t index = (hash >> 7 & 255) | (hash >> 1 & 1) << 8;
  out[0] = table[2 * index];
  out[1] = table[2 * index + 1];
}

// Of the hash nothing is used but the mask: LLVM would multiply once more by
// what a shift makes of the factor.
Expr PairTrellisCodebook::decode(ExprBuilder &builder, Expr codes) const {
  int64_t count = builder.numWords(codes);
  std::vector<uint32_t> by7(size_t(count), 7);
  Expr hash = builder.multiply(codes, builder.splat(factor, count));
  Expr used = builder.bitAnd(hash, 255 << 7 | 2);
  Expr low = builder.shiftRight(used, by7);
  Expr high = builder.bitAnd(builder.shiftLeft(used, by7), 256);
  Expr pairs = builder.gather(builder.bitOr(low, high), words);
  std::vector<int64_t> bytes;
  for (int64_t i = 0; i < count; ++i) {
    bytes.push_back(4 * i);
    bytes.push_back(4 * i + 1);
  }
  return builder.shuffleBytes(pairs, bytes);
}
