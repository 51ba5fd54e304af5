//===- KernelSelectorTest.cpp - Choosing kernels
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Target/KernelSelector.h"
#include "TargetTestUtils.h"
#include "rotq/Target/CostModel.h"
#include "rotq/Target/KernelSpace.h"

#include "llvm/ADT/STLExtras.h"
#include "gtest/gtest.h"

using namespace mlir;
using namespace mlir::rotq;

/// The test chip with nothing measured but `rows`.
static KernelTable tableOf(std::vector<MeasuredRow> rows) {
  KernelTable table;
  table.chip = testChip();
  table.rows = std::move(rows);
  return table;
}

static MeasuredKernel estimateOf(const KernelSelector &selector, int64_t m,
                                 llvm::StringRef text) {
  auto all = selector.estimate(m);
  auto *found = llvm::find_if(all, [&](const MeasuredKernel &kernel) {
    return kernel.config.str() == text;
  });
  EXPECT_NE(found, all.end()) << text.str();
  return *found;
}

TEST(KernelSelector, CoversEveryMByFewKernels) {
  for (llvm::StringRef chip : {"sm_80", "sm_89", "sm_90a", "sm_120a"})
    for (int64_t n : {8, 1000, 4096, 28672})
      for (int64_t k : {100, 4096, 28672})
        for (const MatmulShape &shape : {shapeOf(n, k), pairOf(n, k)}) {
          bool hasWarpgroups = chip == "sm_90a";
          auto kernels =
              KernelSelector(KernelTable::get(chip), hasWarpgroups, shape)
                  .choose();
          EXPECT_LE(kernels.size(), 11u);
          int64_t next = 1;
          for (const KernelChoice &kernel : kernels) {
            EXPECT_EQ(kernel.mMin, next);
            auto [mMin, mMax] = rowsTaken(kernel.config, hasWarpgroups);
            EXPECT_LE(mMin, kernel.mMin);
            EXPECT_TRUE(mMax == 0 || (kernel.mMax != 0 && kernel.mMax <= mMax));
            next = kernel.mMax + 1;
          }
          EXPECT_EQ(kernels.back().mMax, 0);
        }
}

TEST(KernelSelector, TakesTheModelWithoutATable) {
  MatmulShape shape = shapeOf(4096, 4096);
  KernelTable table = tableOf({});
  KernelSelector selector(table, true, shape);
  for (int64_t m : {1, 64, 4096}) {
    auto estimates = selector.estimate(m);
    for (const MeasuredKernel &kernel : estimates)
      EXPECT_EQ(kernel.microseconds,
                predictMicroseconds(table.chip, shape, m, kernel.config));
    EXPECT_EQ(estimates.front().config,
              selector.candidates(m, 2, {}).front().config);
  }
}

TEST(KernelSelector, TakesWhatWasMeasured) {
  // The model would not: it is told that a kernel it thinks slow is fast.
  MatmulShape shape = shapeOf(4096, 4096);
  KernelTable empty = tableOf({});
  auto byModel = KernelSelector(empty, true, shape).estimate(8);
  KernelConfig slow = byModel.back().config, fast = byModel.front().config;
  double time = byModel.front().microseconds / 2;
  KernelTable table = tableOf({{shape, 8, {{slow, time}, {fast, 2 * time}}}});
  KernelSelector selector(table, true, shape);
  EXPECT_EQ(selector.estimate(8).front().config, slow);
  EXPECT_NEAR(estimateOf(selector, 8, slow.str()).microseconds, time,
              1e-3 * time);
  EXPECT_NEAR(estimateOf(selector, 8, fast.str()).microseconds, 2 * time,
              1e-3 * time);
  for (const KernelChoice &choice : selector.choose())
    if (choice.takes(8))
      EXPECT_EQ(choice.config, slow);
  // What the row does not list is no faster than what it does.
  for (const MeasuredKernel &kernel : selector.estimate(8))
    if (kernel.config != slow && kernel.config != fast)
      EXPECT_GT(kernel.microseconds, 2 * time);
}

TEST(KernelSelector, CorrectsTheModelNearby) {
  // A kernel that took half of what was predicted takes half nearby too.
  MatmulShape shape = shapeOf(4096, 4096), nearby = shapeOf(5120, 4096);
  KernelConfig kernel = config("mma_s8_r16c8w8s8b2");
  double time = predictMicroseconds(testChip(), shape, 8, kernel);
  KernelTable table = tableOf({{shape, 8, {{kernel, time / 2}}}});
  KernelSelector selector(table, true, nearby);
  EXPECT_NEAR(estimateOf(selector, 8, kernel.str()).microseconds,
              predictMicroseconds(testChip(), nearby, 8, kernel) / 2, 0.1);
}

TEST(KernelSelector, TakesAPairForAMatmul) {
  // Of as many rows.
  MatmulShape shape = shapeOf(8192, 4096), pair = pairOf(4096, 4096);
  KernelConfig kernel = config("mma_s8_r16c8w8s4b2");
  double time = predictMicroseconds(testChip(), shape, 8, kernel);
  KernelTable table = tableOf({{shape, 8, {{kernel, time / 2}}}});
  KernelSelector selector(table, true, pair);
  EXPECT_NEAR(estimateOf(selector, 8, kernel.str()).microseconds, time / 2,
              0.1 * time);
  EXPECT_EQ(selector.estimate(8).front().config, kernel);
}

TEST(KernelSelector, PrefersTheNearerRow) {
  KernelConfig kernel = config("mma_s8_r16c8w8s8b2");
  MatmulShape near = shapeOf(4096, 4096), far = shapeOf(32768, 4096);
  double nearTime = predictMicroseconds(testChip(), near, 8, kernel);
  double farTime = predictMicroseconds(testChip(), far, 8, kernel);
  KernelTable table = tableOf(
      {{near, 8, {{kernel, nearTime}}}, {far, 8, {{kernel, 4 * farTime}}}});
  MatmulShape shape = shapeOf(5120, 4096);
  double time = predictMicroseconds(testChip(), shape, 8, kernel);
  KernelSelector selector(table, true, shape);
  EXPECT_NEAR(estimateOf(selector, 8, kernel.str()).microseconds, time,
              0.1 * time);
}

TEST(KernelSelector, ListsCandidatesWithinTheSlack) {
  KernelSelector selector(KernelTable::get("sm_90a"), true,
                          shapeOf(4096, 4096));
  KernelConfig slow = selector.candidates(64, 1000, {}).back().config;
  auto few = selector.candidates(64, 1.1, slow);
  auto many = selector.candidates(64, 1.3, slow);
  ASSERT_GE(few.size(), 2u);
  EXPECT_LT(few.size(), many.size());
  EXPECT_LT(many.size(), selector.predict(64).size());
  for (const MeasuredKernel &kernel : ArrayRef(few).drop_back())
    EXPECT_LE(kernel.microseconds, 1.1 * few.front().microseconds);
  EXPECT_EQ(few.back().config, slow);
}

// What is cut at 32 on chips with warpgroups is where the order of codes
// changes.
TEST(KernelSelector, CutsWhereTheOrderOfCodesChanges) {
  auto kernels =
      KernelSelector(KernelTable::get("sm_90a"), true, shapeOf(4096, 4096))
          .choose();
  EXPECT_TRUE(llvm::any_of(
      kernels, [](const KernelChoice &kernel) { return kernel.mMax == 32; }));
}

TEST(KernelSelector, EndsAKernelWithTheRowsThatHaveRests) {
  for (llvm::StringRef chip : {"sm_80", "sm_90a"})
    for (int64_t n : {64, 14336}) {
      auto kernels = KernelSelector(KernelTable::get(chip), chip == "sm_90a",
                                    shapeOf(n, 4096), /*hasRests=*/true)
                         .choose();
      int64_t next = 1;
      for (const KernelChoice &kernel : kernels) {
        EXPECT_EQ(kernel.mMin, next);
        next = kernel.mMax + 1;
        if (kernel.mMin > 4)
          continue;
        EXPECT_LE(kernel.mMax, 4);
        EXPECT_EQ(kernel.config.cols, 8);
        EXPECT_FALSE(kernel.config.isStaged());
      }
      EXPECT_EQ(kernels.back().mMax, 0);
    }
}
