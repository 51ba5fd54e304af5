//===- BlockingTest.cpp - How a row of weights is cut ---------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Codec/Blocking.h"

#include <gtest/gtest.h>

using namespace rotq;

static std::vector<int64_t> lengths(int64_t k, int64_t block) {
  Blocking blocking(k, block);
  std::vector<int64_t> result;
  for (int64_t i = 0; i < blocking.size(); ++i)
    result.push_back(blocking.segment(i).length);
  return result;
}

TEST(BlockingTest, KnownCuts) {
  using Lengths = std::vector<int64_t>;
  EXPECT_EQ(lengths(1, 256), (Lengths{32}));
  EXPECT_EQ(lengths(256, 256), (Lengths{256}));
  EXPECT_EQ(lengths(576, 256), (Lengths{256, 256, 64}));
  EXPECT_EQ(lengths(640, 256), (Lengths{256, 256, 128}));
  EXPECT_EQ(lengths(100, 4096), (Lengths{128}));
  EXPECT_EQ(lengths(96, 32), (Lengths{32, 32, 32}));
  Lengths gemma(16, 256);
  gemma.insert(gemma.end(), {128, 64, 32});
  EXPECT_EQ(lengths(4304, 256), gemma);
  EXPECT_EQ(paddedLength(4304), 4320);
  EXPECT_EQ(storedLength(4304), 4352);
}

TEST(BlockingTest, Invariants) {
  for (int64_t block : {32, 64, 128, 256, 1024, 4096})
    for (int64_t k = 1; k <= 4352; ++k) {
      Blocking blocking(k, block);
      ASSERT_EQ(blocking.paddedSize(), (k + 31) / 32 * 32);
      int64_t end = 0;
      for (int64_t i = 0; i < blocking.size(); ++i) {
        Segment segment = blocking.segment(i);
        ASSERT_EQ(segment.offset, end);
        ASSERT_EQ(segment.offset % segment.length, 0);
        ASSERT_GE(segment.length, 32);
        if (i < blocking.fullBlocks())
          ASSERT_EQ(segment.length, block);
        else if (i > 0)
          ASSERT_LT(segment.length, blocking.segment(i - 1).length);
        ASSERT_EQ(blocking.indexOf(segment.offset), i);
        ASSERT_EQ(blocking.indexOf(segment.offset + segment.length - 1), i);
        end += segment.length;
      }
      ASSERT_EQ(end, blocking.paddedSize());
      ASSERT_EQ(blocking.indexOf(storedLength(k) - 1), blocking.size() - 1);
    }
}

TEST(BlockingTest, RunsInCircles) {
  auto before = [](int64_t k) {
    std::vector<int64_t> runs;
    for (int64_t run = 0; run < storedLength(k) / kRowGranule; ++run)
      runs.push_back(runBefore(run, k, 256));
    return runs;
  };
  using Runs = std::vector<int64_t>;
  EXPECT_EQ(before(256), (Runs{7, 0, 1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(before(350), (Runs{7, 0, 1, 2, 3, 4, 5, 6, 10, 8, 9, 10}));
  // Alone, with a run behind the padded row.
  EXPECT_EQ(before(32), (Runs{0, 0}));
  EXPECT_EQ(before(257), (Runs{7, 0, 1, 2, 3, 4, 5, 6, 8, 8}));
}

TEST(BlockingTest, IndexOfEveryPosition) {
  Blocking blocking(4304, 256);
  for (int64_t i = 0; i < blocking.size(); ++i) {
    Segment segment = blocking.segment(i);
    for (int64_t k = 0; k < segment.length; ++k)
      EXPECT_EQ(blocking.indexOf(segment.offset + k), i);
  }
}
