//===- DecodeCostTest.cpp - What decoding takes ---------------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Codec/DecodeCost.h"
#include "TestUtils.h"

using namespace rotq;
using namespace rotq::test;

TEST(DecodeCostTest, CountsWords) {
  struct Case {
    const char *name;
    int64_t operations;
    double gathers; ///< of more entries than there are copies for
  } cases[] = {
      // Four words of codes become eight of levels, with two permutations and a
      // choice each.
      {"rq4", 8 * 3, 0},
      // Two words become four, of which two are shifted and all are masked, and
      // then eight of levels.
      {"rq2", 2 + 4 + 8, 0},
      // Four codes. Two are shifted and all are masked; then for each
      // byte 0: mask, double, add 1; byte 1: shift, double, add 512 and 513 and
      // to the sums; the 128s: two words.
      {"liftquant_w16", 2 + 4 + 4 * (3 + 6 + 2), 4 * 2 * 2},
      // Three bytes, and codes that start at bits 0, 24, 48 and 72, two of
      // which cross words and are shifted both ways; all are masked.
      {"liftquant_w24", 3 + 2 + 4 + 4 + 4 * (3 + 7 + 6 + 2), 4 * 2 * 3}};
  for (const Case &c : cases) {
    Format format = preset(c.name);
    DecodeCost cost = DecodeCost::of(*format.codebook, *format.coding);
    EXPECT_EQ(cost.operations, c.operations) << c.name;
    constexpr double atRandom = 3.5;
    EXPECT_EQ(cost.wavefronts, atRandom * c.gathers) << c.name;
  }
}

TEST(DecodeCostTest, EveryFormatTakesSomeUnlessCodesArePoints) {
  for (const Format &format : presets()) {
    DecodeCost cost = DecodeCost::of(*format.codebook, *format.coding);
    if (format.coding->kind() == "rice")
      EXPECT_EQ(cost.operations, 0) << format.name;
    else
      EXPECT_GE(cost.operations, 8) << format.name;
    // A table in memory, or none.
    EXPECT_EQ(cost.wavefronts > 0, !format.codebook->gathered().empty())
        << format.name;
  }
}
