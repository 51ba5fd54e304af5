//===- TableCodebook.cpp - One value per code -----------------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"
#include "rotq/Codec/Format.h"

#include <algorithm>
#include <cassert>
#include <limits>

using namespace rotq;

TableCodebook::TableCodebook(std::vector<int8_t> levels, unsigned bits)
    : table(std::move(levels)), codeBits(bits) {
  assert(bits >= 1 && bits <= 4 && "expected codes of 1 to 4 bits");
  assert(table.size() >= 2 && table.size() <= size_t(1) << bits &&
         "expected 2 to 2^bits levels");
  for (size_t i = 0; i + 1 < table.size(); ++i) {
    assert(table[i] < table[i + 1] && "expected rising levels");
    thresholds.push_back(float(table[i] + table[i + 1]) / 2);
  }
}

/// The ladder of `step * levels + offset`. With an f16 step the products are
/// exact: a threshold has 9 significant bits.
static kernels::Ladder makeLadder(const std::vector<int8_t> &table,
                                  const std::vector<float> &thresholds,
                                  float step, float offset) {
  kernels::Ladder ladder;
  ladder.count = 1;
  while (ladder.count < thresholds.size())
    ladder.count = 2 * ladder.count + 1;
  for (size_t i = 0; i < 15; ++i)
    ladder.thresholds[i] = i < thresholds.size()
                               ? thresholds[i] * step + offset
                               : std::numeric_limits<float>::infinity();
  for (size_t i = 0; i < 16; ++i)
    ladder.levels[i] = table[std::min(i, table.size() - 1)];
  return ladder;
}

void TableCodebook::assign(std::span<const float> x, float step, float offset,
                           std::span<uint32_t> codes) const {
  assert(codes.size() == x.size() && "expected a code per value");
  kernels::Ladder ladder = makeLadder(table, thresholds, step, offset);
  kernels::active().assign(x.data(), int64_t(x.size()), ladder, codes.data());
}

Codebook::Moments TableCodebook::moments(std::span<const float> x, float step,
                                         float offset) const {
  assert(x.size() % kernels::kLanes == 0 && "expected whole vectors");
  kernels::Ladder ladder = makeLadder(table, thresholds, step, offset);
  float sums[3];
  kernels::active().moments(x.data(), int64_t(x.size()), ladder, sums);
  return {sums[0], sums[1], sums[2]};
}

void TableCodebook::point(uint64_t code, std::span<int8_t> out) const {
  assert(out.size() == 1 && "expected room for one value");
  out[0] = table[std::min<size_t>(code, table.size() - 1)];
}

Expr TableCodebook::decode(ExprBuilder &builder, Expr codes) const {
  std::vector<int8_t> full(table);
  full.resize(size_t(1) << codeBits, table.back());
  return builder.lookup(codes, full);
}
