//===- CostModelTest.cpp - Predicted times
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Target/CostModel.h"
#include "TargetTestUtils.h"

#include "llvm/ADT/STLExtras.h"
#include "gtest/gtest.h"

#include <cmath>

using namespace mlir::rotq;

static double predict(const MatmulShape &shape, int64_t m,
                      llvm::StringRef text) {
  return predictMicroseconds(testChip(), shape, m, config(text));
}

// It ranks kernels; what the table corrects must not be much.
TEST(CostModel, IsNearWhatWasMeasured) {
  std::vector<double> errors;
  for (const MeasuredRow &row : KernelTable::get("sm_90a").rows)
    for (const MeasuredKernel &kernel : row.kernels) {
      double time =
          predictMicroseconds(testChip(), row.shape, row.m, kernel.config);
      errors.push_back(std::abs(std::log(time / kernel.microseconds)));
    }
  ASSERT_GE(errors.size(), 100u);
  llvm::sort(errors);
  EXPECT_LT(errors[errors.size() / 2], std::log(1.1));
  EXPECT_LT(errors[errors.size() * 9 / 10], std::log(1.35));
}

TEST(CostModel, IsBoundByBytesForOneRow) {
  // 90 MB.
  double time = predict(shapeOf(28672, 8192), 1, "mma_s8_r16c8w4s4b6");
  double bytes = 28672.0 * 8192 * (3 + 16.0 / 256) / 8;
  double floor = bytes / testChip().gigabytesPerSecond * 1e-3;
  EXPECT_GT(time, floor);
  EXPECT_LT(time, 1.5 * floor);
  EXPECT_NEAR(predict(shapeOf(28672, 8192), 8, "mma_s8_r16c8w4s4b6"), time,
              0.05 * time);
}

TEST(CostModel, CountsWholeWaves) {
  // A block each of 128 rows: 132 fill the chip, and one more costs a wave.
  llvm::StringRef kernel = "wgmma_s8_r16c64w8t4b1";
  int64_t full = 128 * testChip().multiprocessors;
  double one = predict(shapeOf(full, 8192), 64, kernel);
  EXPECT_NEAR(predict(shapeOf(full - 128, 8192), 64, kernel), one, 0.02 * one);
  EXPECT_GT(predict(shapeOf(full + 128, 8192), 64, kernel), 1.6 * one);
}

TEST(CostModel, DividesKOfShortWeights) {
  MatmulShape shape = shapeOf(1024, 14336);
  EXPECT_LT(predict(shape, 1, "mma_s8_r16c8w8s8b2"),
            0.5 * predict(shape, 1, "mma_s8_r16c8w8b2"));
}

TEST(CostModel, TakesAPairForAsManyRows) {
  // But that its sums meet, and half as many are stored.
  for (llvm::StringRef kernel : {"mma_s8_r16c8w8s4b2", "wgmma_s8_r16c64w8t4b1"})
    for (int64_t m : {1, 64, 4096}) {
      double one = predict(shapeOf(8192, 8192), m, kernel);
      EXPECT_NEAR(predict(pairOf(4096, 8192), m, kernel), one, 0.05 * one);
    }
}

TEST(CostModel, ChargesWhatFormatsCost) {
  MatmulShape plain = shapeOf(4096, 4096), offset = plain, fine = plain,
              longCodes = plain;
  offset.hasOffset = true;
  fine.group = 128;
  longCodes.slots = 4;
  llvm::StringRef kernel = "wgmma_s8_r16c64w8t4b1";
  double time = predict(plain, 4096, kernel);
  for (const MatmulShape &shape : {offset, fine, longCodes})
    EXPECT_GT(predict(shape, 4096, kernel), time);
}

TEST(CostModel, KnowsTheChip) {
  MatmulShape shape = shapeOf(28672, 8192);
  KernelConfig kernel = config("mma_s8_r16c32w8t2b1");
  Chip chip = testChip();
  double many = predictMicroseconds(chip, shape, 4096, kernel);
  double one = predictMicroseconds(chip, shape, 1, kernel);
  chip.multiprocessors *= 2;
  EXPECT_LT(predictMicroseconds(chip, shape, 4096, kernel), 0.6 * many);
  chip = testChip();
  chip.gigabytesPerSecond /= 4;
  EXPECT_GT(predictMicroseconds(chip, shape, 1, kernel), 2 * one);
}
