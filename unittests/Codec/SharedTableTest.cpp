//===- SharedTableTest.cpp - A table that lanes gather from ---------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Codec/SharedTable.h"

#include <gtest/gtest.h>

using namespace rotq;

namespace {
std::vector<uint32_t> entriesOf(size_t count, uint32_t scale = 1) {
  std::vector<uint32_t> entries(count);
  for (size_t i = 0; i < count; ++i)
    entries[i] = uint32_t(i) * scale;
  return entries;
}
} // namespace

TEST(SharedTableTest, HasAsManyCopiesAsFit) {
  struct Case {
    size_t entries;
    uint32_t scale;
    int64_t copies, bytes;
    double wavefronts;
  };
  for (const Case &c : std::initializer_list<Case>{
           // A bank has a word.
           {16, 1, 1, 64, 1},
           {32, 1, 1, 128, 1},
           // A lane has a bank.
           {64, 1, 32, 8 << 10, 1},
           {256, 1, 32, 32 << 10, 1},
           // Two lanes have two, or entries lie two in a word.
           {512, 1 << 20, 16, 32 << 10, 2},
           {512, 1, 32, 32 << 10, 1},
           {1024, 1, 16, 32 << 10, 2},
           // One copy, at random.
           {1024, 1 << 20, 1, 4 << 10, 3.5},
           {4096, 1, 1, 16 << 10, 3.5}}) {
    SharedTable table(entriesOf(c.entries, c.scale));
    EXPECT_EQ(table.copies(), c.copies) << c.entries;
    EXPECT_EQ(table.bytes(), c.bytes) << c.entries;
    EXPECT_EQ(table.wavefronts(), c.wavefronts) << c.entries;
  }
}

TEST(SharedTableTest, PairsEntriesOnlyWhereThatMakesRoom) {
  std::vector<uint32_t> entries = entriesOf(512, 3);
  SharedTable halves(entries);
  ASSERT_TRUE(halves.hasHalves());
  ASSERT_EQ(halves.words().size(), 256u);
  for (size_t i = 0; i < 512; ++i)
    EXPECT_EQ(halves.words()[i % 256] >> (i / 256 * 16) & 0xffff, entries[i]);
  EXPECT_FALSE(SharedTable(entriesOf(256)).hasHalves());
  // An entry of 17 bits.
  entries[511] = 65536;
  SharedTable whole(entries);
  EXPECT_FALSE(whole.hasHalves());
  EXPECT_TRUE(std::ranges::equal(whole.words(), entries));
}
