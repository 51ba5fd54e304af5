//===- KernelsTest.cpp - Every set of hot loops computes the same bits ----===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Codec/Kernels.h"
#include "TestUtils.h"

#include <cmath>
#include <limits>

using namespace rotq;
using namespace rotq::test;

namespace {

/// Uses one set for as long as it lives.
struct Selected {
  explicit Selected(const kernels::Table *table) { kernels::select(table); }
  ~Selected() { kernels::select(nullptr); }
};

} // namespace

TEST(KernelsTest, TheFastestSetIsActive) {
  EXPECT_EQ(&kernels::active(), kernels::available().back());
  Selected selected(kernels::available().front());
  EXPECT_EQ(&kernels::active(), kernels::available().front());
}

TEST(KernelsTest, EncodedBytesDoNotDependOnTheSet) {
  if (kernels::available().size() == 1)
    GTEST_SKIP() << "this CPU runs one set of loops only";
  for (const Format &format : presets())
    for (int64_t k : {1, 32, 100, 576, 4304}) {
      std::vector<float> weights = gaussian(5 * k, unsigned(k));
      for (size_t i = 0; i < weights.size(); i += 37)
        weights[i] *= 9;
      std::vector<std::byte> first;
      for (const kernels::Table *table : kernels::available()) {
        Selected selected(table);
        std::vector<std::byte> blob = encoded(format, weights, 5, k);
        if (first.empty())
          first = blob;
        ASSERT_TRUE(blob == first) << format.name << " " << table->name;
      }
    }
}

TEST(KernelsTest, SumsRunInTheStatedOrder) {
  for (int64_t n : {32, 64, 4096}) {
    std::vector<float> x = gaussian(n, unsigned(n), 3);
    kernels::Ladder ladder = {3, {}, {-2, -1, 1, 2}};
    std::fill(std::begin(ladder.thresholds), std::end(ladder.thresholds),
              std::numeric_limits<float>::infinity());
    ladder.thresholds[0] = -1.5f;
    ladder.thresholds[1] = 0;
    ladder.thresholds[2] = 1.5f;
    float partial[4][16] = {};
    for (size_t i = 0; i < x.size(); ++i) {
      float q = x[i] > 1.5f ? 2 : x[i] > 0 ? 1 : x[i] > -1.5f ? -1 : -2;
      float terms[4] = {x[i], x[i] * x[i], x[i] * q, q * q};
      for (int s = 0; s < 4; ++s)
        partial[s][i % 16] += terms[s];
    }
    for (float (&sum)[16] : partial)
      for (int width = 8; width; width /= 2)
        for (int i = 0; i < width; ++i)
          sum[i] += sum[i + width];
    for (const kernels::Table *table : kernels::available()) {
      float statistics[3], moments[3];
      table->statistics(x.data(), n, statistics);
      table->moments(x.data(), n, ladder, moments);
      EXPECT_EQ(statistics[0], partial[0][0]);
      EXPECT_EQ(statistics[1], partial[1][0]);
      EXPECT_EQ(moments[0], partial[2][0]);
      EXPECT_EQ(moments[1], partial[3][0]);
      float largest = 0;
      for (float value : x)
        largest = std::max(largest, std::abs(value));
      EXPECT_EQ(statistics[2], largest);
    }
  }
}

TEST(KernelsTest, AllWithinSeesEveryPosition) {
  float limit = kMaxMagnitude;
  for (const kernels::Table *table : kernels::available())
    for (size_t n : {1u, 15u, 16u, 17u, 100u}) {
      std::vector<float> x(n, -limit);
      EXPECT_TRUE(table->allWithin(x.data(), int64_t(n), limit));
      for (float bad : {std::nanf(""), std::nextafter(limit, 1e38f),
                        -std::numeric_limits<float>::infinity()})
        for (size_t i = 0; i < n; ++i) {
          x[i] = bad;
          EXPECT_FALSE(table->allWithin(x.data(), int64_t(n), limit));
          x[i] = 1;
        }
    }
}

TEST(KernelsTest, HadamardOfEverySize) {
  for (int64_t n = 1; n <= 4096; n *= 2) {
    std::vector<float> x = gaussian(n, 3);
    std::vector<float> first;
    for (const kernels::Table *table : kernels::available()) {
      std::vector<float> y = x;
      table->hadamard(y.data(), n, 0.5f);
      if (first.empty())
        first = y;
      EXPECT_EQ(y, first) << n;
    }
  }
}
