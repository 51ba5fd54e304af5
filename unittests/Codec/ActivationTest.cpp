//===- ActivationTest.cpp - Activations in int8 ---------------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestUtils.h"

#include <cmath>
#include <limits>
#include <random>

using namespace rotq;
using namespace rotq::test;

TEST(ActivationTest, FollowsTheFormula) {
  for (int64_t k : {1, 32, 100, 640, 4304})
    for (int64_t group : {32, 256}) {
      int64_t m = 3;
      std::vector<float> x = gaussian(m * k, unsigned(k), 2);
      QuantizedActivation q = quantizeActivation(x, m, k, group);
      Blocking blocking(k, group);
      ASSERT_EQ(int64_t(q.codes.size()), m * storedLength(k));
      ASSERT_EQ(int64_t(q.scales.size()), m * blocking.size());
      ASSERT_EQ(q.sums.size(), q.scales.size());
      for (int64_t row = 0; row < m; ++row) {
        std::vector<int32_t> sums(size_t(blocking.size()));
        std::vector<float> largest(size_t(blocking.size()));
        for (int64_t i = 0; i < k; ++i) {
          float &top = largest[size_t(blocking.indexOf(i))];
          top = std::max(top, std::abs(x[size_t(row * k + i)]));
        }
        for (int64_t i = 0; i < storedLength(k); ++i) {
          int code = q.codes[size_t(row * storedLength(k) + i)];
          if (i >= k) {
            ASSERT_EQ(code, 0);
            continue;
          }
          size_t s = size_t(blocking.indexOf(i));
          float inverse = 127.0f / largest[s];
          ASSERT_EQ(code, int(std::rint(x[size_t(row * k + i)] * inverse)));
          sums[s] += code;
        }
        for (size_t s = 0; s < sums.size(); ++s) {
          size_t at = size_t(row * blocking.size()) + s;
          ASSERT_EQ(q.sums[at], sums[s]);
          ASSERT_EQ(q.scales[at], largest[s] / 127.0f);
        }
      }
    }
}

TEST(ActivationTest, TiesGoToEven) {
  // The largest is 127, so values are codes.
  std::vector<float> x = {127, 0.5f, 1.5f, -0.5f, -2.5f, 3.49f};
  QuantizedActivation q = quantizeActivation(x, 1, 6, 32);
  std::vector<int> codes(q.codes.begin(), q.codes.begin() + 6);
  EXPECT_EQ(codes, (std::vector<int>{127, 0, 2, 0, -2, 3}));
  EXPECT_EQ(q.scales[0], 1.0f);
  EXPECT_EQ(q.sums[0], 130);
}

TEST(ActivationTest, Extremes) {
  float infinity = std::numeric_limits<float>::infinity();
  std::vector<float> x(96);
  x[32] = 0x1p-149f; // 127 / x overflows
  x[64] = std::nanf("");
  x[65] = infinity;
  x[66] = 1;
  QuantizedActivation q = quantizeActivation(x, 1, 96, 32);
  EXPECT_EQ(q.scales[0], 0);
  EXPECT_EQ(q.codes[0], 0);
  EXPECT_EQ(q.codes[32], 127);
  EXPECT_EQ(q.codes[33], 0);
  EXPECT_EQ(q.codes[64], 0);
  EXPECT_EQ(q.codes[66], 0);
  EXPECT_EQ(q.scales[2], infinity);
}

TEST(ActivationTest, RestsAreWhatCodesLeave) {
  constexpr int64_t m = 3, k = 96, group = 64, stored = 128;
  std::vector<float> x(m * k);
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  for (float &value : x)
    value = normal(random);
  QuantizedActivation plain = quantizeActivation(x, m, k, group);
  QuantizedActivation q = quantizeActivation(x, m, k, group, /*hasRests=*/true);
  Blocking blocking(k, group);
  for (int64_t row = 0; row < m; ++row) {
    std::vector<int32_t> sums(size_t(blocking.size()));
    for (int64_t i = 0; i < k; ++i) {
      auto segment = size_t(blocking.indexOf(i));
      size_t code = size_t(2 * row * stored + i), rest = code + stored;
      size_t scale = size_t(2 * row * blocking.size()) + segment;
      EXPECT_EQ(q.codes[code], plain.codes[size_t(row * stored + i)]);
      EXPECT_EQ(q.scales[scale],
                plain.scales[size_t(row * blocking.size()) + segment]);
      size_t ofRests = scale + size_t(blocking.size());
      EXPECT_EQ(q.scales[ofRests], q.scales[scale] / 254);
      sums[segment] += q.codes[rest];
      float value = float(q.codes[code]) * q.scales[scale] +
                    float(q.codes[rest]) * q.scales[ofRests];
      // Half a part of a step, and what floats round.
      EXPECT_NEAR(value, x[size_t(row * k + i)], q.scales[ofRests] * 0.51);
    }
    for (size_t i = 0; i < sums.size(); ++i)
      EXPECT_EQ(q.sums[size_t((2 * row + 1) * blocking.size()) + i], sums[i]);
  }
  for (size_t i = 96; i < 128; ++i)
    EXPECT_EQ(q.codes[i] | q.codes[stored + i], 0);
}
