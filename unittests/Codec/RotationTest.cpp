//===- RotationTest.cpp - Rotations of a row ------------------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestUtils.h"

#include <bit>
#include <cmath>

using namespace rotq;
using namespace rotq::test;

/// One segment, in the order Format.h states.
static void butterflies(std::span<float> x) {
  for (size_t stride = 1; stride < x.size(); stride *= 2)
    for (size_t i = 0; i < x.size(); ++i)
      if (!(i & stride)) {
        float a = x[i], b = x[i + stride];
        x[i] = a + b;
        x[i + stride] = a - b;
      }
  float factor = float(1 / std::sqrt(double(x.size())));
  for (float &value : x)
    value *= factor;
}

TEST(RotationTest, MatchesTheDefinition) {
  for (int64_t block : {32, 64, 128, 256})
    for (int64_t length : {32, 96, 256, 352, 736}) {
      std::vector<float> row = gaussian(length, unsigned(length + block));
      std::vector<float> rotated = row;
      HadamardRotation(block).forward(rotated);
      Blocking blocking(length, block);
      for (int64_t s = 0; s < blocking.size(); ++s) {
        Segment segment = blocking.segment(s);
        for (int64_t i = 0; i < segment.length; ++i) {
          double sum = 0;
          for (int64_t j = 0; j < segment.length; ++j)
            sum += (std::popcount(uint64_t(i & j)) % 2 ? -1.0 : 1.0) *
                   row[size_t(segment.offset + j)];
          sum /= std::sqrt(double(segment.length));
          ASSERT_NEAR(rotated[size_t(segment.offset + i)], sum, 1e-6);
        }
      }
    }
}

TEST(RotationTest, OrderOfOperationsIsExact) {
  for (int64_t block : {32, 256, 512, 4096})
    for (int64_t length : {32, 64, 4320, 4096, 8160}) {
      std::vector<float> row = gaussian(length, unsigned(length));
      std::vector<float> expected = row;
      HadamardRotation(block).forward(row);
      Blocking blocking(length, block);
      for (int64_t s = 0; s < blocking.size(); ++s) {
        Segment segment = blocking.segment(s);
        butterflies(std::span(expected).subspan(size_t(segment.offset),
                                                size_t(segment.length)));
      }
      ASSERT_EQ(row, expected);
    }
}

TEST(RotationTest, InverseUndoesForward) {
  std::vector<float> row = gaussian(4320, 1), turned = row;
  HadamardRotation rotation(256);
  rotation.forward(turned);
  EXPECT_GT(relativeError(row, turned), 0.5);
  rotation.inverse(turned);
  EXPECT_LT(relativeError(row, turned), 1e-12);
}

TEST(RotationTest, IdentityLeavesTheRowAlone) {
  std::vector<float> row = gaussian(96, 1), same = row;
  IdentityRotation rotation;
  rotation.forward(same);
  rotation.inverse(same);
  EXPECT_EQ(row, same);
  EXPECT_EQ(rotation.block(), 0);
}
