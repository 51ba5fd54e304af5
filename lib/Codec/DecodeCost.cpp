//===- DecodeCost.cpp - What decoding takes -------------------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Codec/DecodeCost.h"
#include "rotq/Codec/SharedTable.h"

#include <algorithm>

using namespace rotq;

namespace {
/// Counts what it is told to build.
class Counter final : public ExprBuilder {
public:
  explicit Counter(DecodeCost &cost) : cost(cost) {}

  Expr make(int64_t words) {
    counts.push_back(words);
    return Expr{unsigned(counts.size() - 1)};
  }
  int64_t numWords(Expr value) const override { return counts[value.id]; }
  Expr splat(uint32_t, int64_t count) override { return make(count); }
  Expr bitAnd(Expr value, uint32_t mask) override {
    return mask == ~0u ? value : operation(value);
  }
  Expr bitAnd(Expr a, Expr) override { return operation(a); }
  Expr bitOr(Expr a, Expr) override { return operation(a); }
  Expr bitXor(Expr a, Expr) override { return operation(a); }
  Expr add(Expr a, Expr) override { return operation(a); }
  Expr subtract(Expr a, Expr) override { return operation(a); }
  Expr multiply(Expr a, Expr) override { return operation(a); }
  Expr maximum(Expr a, Expr) override { return operation(a); }
  Expr shiftLeft(Expr, std::span<const uint32_t> amounts) override {
    return shift(amounts);
  }
  Expr shiftRight(Expr, std::span<const uint32_t> amounts) override {
    return shift(amounts);
  }
  Expr shuffle(Expr, Expr, std::span<const int64_t> indices) override {
    return make(int64_t(indices.size()));
  }
  Expr lookup(Expr codes, std::span<const int8_t> table) override {
    // A permutation of bytes for every eight entries, and a choice.
    int64_t words = 2 * numWords(codes);
    cost.operations += table.size() > 8 ? 3 * words : words;
    return make(words);
  }
  Expr gather(Expr indices, std::span<const uint32_t> table) override {
    SharedTable shared(table);
    cost.wavefronts += double(numWords(indices)) * shared.wavefronts();
    // Which half: a shift and a mask.
    if (shared.hasHalves())
      cost.operations += 2 * numWords(indices);
    return make(numWords(indices));
  }
  Expr sumBytes(Expr value, uint8_t, uint32_t) override {
    return operation(value);
  }
  Expr shuffleBytes(Expr, std::span<const int64_t> indices) override {
    // One permutation takes bytes of two words.
    for (size_t i = 0; i < indices.size(); i += 4) {
      auto isNear = [&](int64_t index) {
        return index / 4 == indices[i] / 4 || index / 4 == indices[i + 3] / 4;
      };
      cost.operations +=
          std::ranges::all_of(indices.subspan(i, 4), isNear) ? 1 : 3;
    }
    return make(int64_t(indices.size() / 4));
  }

private:
  Expr operation(Expr value) {
    cost.operations += numWords(value);
    return make(numWords(value));
  }
  Expr shift(std::span<const uint32_t> amounts) {
    cost.operations +=
        int64_t(amounts.size()) - std::ranges::count(amounts, 0u);
    return make(int64_t(amounts.size()));
  }

  DecodeCost &cost;
  std::vector<int64_t> counts;
};
} // namespace

DecodeCost DecodeCost::of(const Codebook &codebook, const Coding &coding) {
  DecodeCost cost;
  Counter counter(cost);
  std::vector<Expr> planes;
  for (unsigned bytes : coding.runBytes())
    planes.push_back(counter.make((bytes + 3) / 4));
  if (coding.circle()) {
    // Comes from another lane: a choice, and a shuffle at half the rate.
    planes.push_back(counter.make(1));
    cost.operations += 3;
  }
  codebook.decode(counter, coding.unpack(counter, planes, 32));
  return cost;
}
