//===- LatticeCodebookTest.cpp - Points of E8, as they are ----------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Codec/LatticeCodebook.h"
#include "TestUtils.h"
#include "rotq/Codec/CompressedWeight.h"

#include <cmath>

using namespace rotq;
using namespace rotq::test;

TEST(LatticeCodebookTest, NearestPointsAreOfTheLatticeAndNearest) {
  std::vector<float> x = gaussian(8 * 5000, 1, 10);
  double error = 0;
  for (size_t at = 0; at < x.size(); at += 8) {
    int8_t point[8];
    std::span<const float, 8> target(x.data() + at, 8);
    nearestE8(target, point);
    int sum = 0;
    double own = 0;
    for (size_t i = 0; i < 8; ++i) {
      ASSERT_EQ((point[i] - point[0]) % 2, 0);
      sum += point[i];
      own += std::pow(double(target[i]) - point[i], 2);
    }
    ASSERT_EQ(sum % 4, 0);
    error += own;
    // Its neighbours: (+-2, +-2, 0, ...) and (+-1, ..., +-1), evenly many minus
    // signs.
    for (unsigned i = 0; i < 8; ++i)
      for (unsigned j = 0; j < i; ++j)
        for (int signs = 0; signs < 4; ++signs) {
          double a = double(target[i]) - point[i],
                 b = double(target[j]) - point[j];
          int u = signs & 1 ? 2 : -2, v = signs & 2 ? 2 : -2;
          ASSERT_GE(own - a * a - b * b + (a - u) * (a - u) + (b - v) * (b - v),
                    own - 1e-4);
        }
    for (unsigned signs = 0; signs < 256; ++signs) {
      if (__builtin_popcount(signs) % 2)
        continue;
      double other = 0;
      for (unsigned i = 0; i < 8; ++i)
        other += std::pow(
            double(target[i]) - point[i] - (signs >> i & 1 ? 1 : -1), 2);
      ASSERT_GE(other, own - 1e-4);
    }
  }
  // The second moment of the cell: 8 * 0.0716821 * 256^(1/4) for eight.
  EXPECT_NEAR(error / 5000, 2.294, 0.03);
}

TEST(LatticeCodebookTest, CodesArePoints) {
  LatticeCodebook codebook(64);
  std::mt19937_64 random(3);
  for (int i = 0; i < 1000; ++i) {
    uint64_t code = random();
    int8_t point[8];
    codebook.point(code, point);
    EvalBuilder builder;
    uint32_t words[] = {uint32_t(code), uint32_t(code >> 32)};
    auto decoded =
        builder.words(codebook.decode(builder, builder.input(words)));
    ASSERT_EQ(std::memcmp(decoded.data(), point, 8), 0);
  }
}

TEST(LatticeCodebookTest, TheDeviationIsThatOfWeightsInSteps) {
  // Weights of deviation 3, of which points are to have 64 sixteenths.
  Format format = preset("hyperquant_rice_3");
  format.codebook = std::make_shared<LatticeCodebook>(64);
  auto blob = encoded(format, gaussian(1024, 4, 3), 1, 1024);
  uint16_t step = numberAt(WeightLayout(format, 1, 1024), blob, 0, 0);
  EXPECT_NEAR(fromHalf(step), 3.0f / 4, 0.05f);
  // Encoders alone care.
  EXPECT_TRUE(format.equals(preset("hyperquant_rice_3")));
}

TEST(LatticeCodebookTest, DeviationsThatDoNotFit) {
  EXPECT_TRUE(LatticeCodebook::check(1));
  EXPECT_TRUE(LatticeCodebook::check(400));
  for (int64_t deviation : {0, -1, 401})
    EXPECT_FALSE(LatticeCodebook::check(deviation)) << deviation;
}
