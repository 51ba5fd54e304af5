//===- TrellisCodebook.cpp - Computed points of a path --------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Codec/TrellisCodebook.h"
#include "Message.h"

#include <cassert>

using namespace rotq;

Status TrellisCodebook::check(unsigned rate) {
  if (rate < 1 || rate > kMaxRate)
    return failure(
        message("expected a trellis of 1 to {} bits a weight but got {}",
                kMaxRate, rate));
  return {};
}

TrellisCodebook::TrellisCodebook(unsigned rate, uint32_t multiplier,
                                 uint32_t increment)
    : PathCodebook(rate, /*dim=*/1), factor(multiplier), term(increment) {
  assert(check(rate) && "expected a rate that fits");
}

void TrellisCodebook::point(uint64_t code, std::span<int8_t> out) const {
  assert(out.size() == 1 && "expected room for a point");
  uint32_t hash = uint32_t(code) * factor + term;
  uint32_t sum =
      (hash & 255) + (hash >> 8 & 255) + (hash >> 16 & 255) + (hash >> 24);
  out[0] = int8_t(int(sum >> 2) - 128);
}

// 64 times the sum has its quarter, rounded down, in the second byte, and less
// 128 is a flip of the top bit of that byte. What carries beyond 16 bits stays
// below the second byte of the sum above.
Expr TrellisCodebook::decode(ExprBuilder &builder, Expr codes) const {
  int64_t count = builder.numWords(codes);
  Expr hash = builder.multiply(codes, builder.splat(factor, count));
  if (term)
    hash = builder.add(hash, builder.splat(term, count));
  Expr sums = builder.sumBytes(hash, /*factor=*/64, /*start=*/0x8000);
  std::vector<int64_t> even, odd, bytes;
  for (int64_t i = 0; i < count; i += 2) {
    even.push_back(i);
    odd.push_back(i + 1);
    bytes.push_back(2 * i + 1);
    bytes.push_back(2 * i + 3);
  }
  std::vector<uint32_t> amounts(odd.size(), 16);
  Expr pairs =
      builder.add(builder.shuffle(sums, sums, even),
                  builder.shiftLeft(builder.shuffle(sums, sums, odd), amounts));
  return builder.shuffleBytes(pairs, bytes);
}

// The more bits, the more there is to gain from points farther out. Measured on
// N(0, 1).
float TrellisCodebook::gaussianStep() const {
  return (0.9f + 0.04f * float(rate())) / spread().rms;
}
