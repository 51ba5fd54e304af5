//===- SharedTable.cpp - A table that lanes gather from -------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Codec/SharedTable.h"

#include <algorithm>

using namespace rotq;

static constexpr int64_t kBanks = 32;

static int64_t copiesOf(size_t words) {
  // Six blocks of a multiprocessor have as much.
  constexpr int64_t most = 32 << 10;
  // With fewer copies almost as many lanes meet as with one.
  constexpr int64_t fewest = 16;
  // In a table of no more words than banks no two lanes want different words of
  // a bank.
  if (int64_t(words) <= kBanks)
    return 1;
  int64_t copies = kBanks;
  while (copies >= fewest && 4 * int64_t(words) * copies > most)
    copies /= 2;
  return copies >= fewest ? copies : 1;
}

SharedTable::SharedTable(std::span<const uint32_t> entries)
    : packed(entries.begin(), entries.end()),
      numCopies(copiesOf(entries.size())) {
  size_t half = packed.size() / 2;
  halves = packed.size() % 2 == 0 && copiesOf(half) > numCopies &&
           std::ranges::all_of(packed, [](uint32_t v) { return v <= 0xffff; });
  if (!halves)
    return;
  for (size_t i = 0; i < half; ++i)
    packed[i] |= packed[half + i] << 16;
  packed.resize(half);
  numCopies = copiesOf(half);
}

double SharedTable::wavefronts() const {
  if (numCopies > 1)
    return double(kBanks) / double(numCopies);
  // Of 32 balls in 32 bins, those in the fullest; no more than a bank has
  // words.
  constexpr double atRandom = 3.5;
  double ofBank = std::max(1.0, double(packed.size()) / double(kBanks));
  return std::min(ofBank, atRandom);
}
