//===- E4M3Test.cpp - Floats of 8 bits ------------------------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestUtils.h"

#include "rotq/Codec/E4M3.h"

#include <cmath>
#include <limits>

using namespace rotq;
using namespace rotq::test;

/// The value of bits without sign, from the definition; the last are no number.
static double valueOf(unsigned bits) {
  unsigned exponent = bits >> 3, fraction = bits & 7;
  return exponent ? std::ldexp(8.0 + fraction, int(exponent) - 10)
                  : std::ldexp(double(fraction), -9);
}

TEST(E4M3Test, EveryNumber) {
  for (unsigned bits = 0; bits < 0x7f; ++bits)
    for (unsigned sign : {0, 0x80}) {
      float value = fromE4M3(uint8_t(bits | sign));
      ASSERT_EQ(double(value), sign ? -valueOf(bits) : valueOf(bits));
      ASSERT_EQ(std::signbit(value), sign != 0);
      ASSERT_EQ(toE4M3(value), bits | sign);
      // Whole parts.
      ASSERT_EQ(value * kE4M3Parts, std::rint(value * kE4M3Parts));
    }
  EXPECT_EQ(fromE4M3(0x7e), kLargestE4M3);
  EXPECT_TRUE(std::isnan(fromE4M3(0x7f)));
}

TEST(E4M3Test, RoundsToNearestEven) {
  for (unsigned bits = 0; bits < 0x7e; ++bits) {
    float middle = float((valueOf(bits) + valueOf(bits + 1)) / 2);
    unsigned even = bits & 1 ? bits + 1 : bits;
    ASSERT_EQ(toE4M3(middle), even);
    ASSERT_EQ(toE4M3(-middle), even | 0x80);
    ASSERT_EQ(toE4M3(std::nextafter(middle, 0.0f)), bits);
    ASSERT_EQ(toE4M3(std::nextafter(middle, 1e6f)), bits + 1);
  }
}

TEST(E4M3Test, Specials) {
  float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(toE4M3(449), 0x7e);
  EXPECT_EQ(toE4M3(-1e30f), 0xfe);
  EXPECT_EQ(toE4M3(infinity), 0x7e);
  EXPECT_EQ(toE4M3(std::numeric_limits<float>::quiet_NaN()), 0x7f);
  EXPECT_EQ(toE4M3(-0x1p-149f), 0x80);
}

TEST(E4M3Test, QuantizesActivations) {
  for (int64_t k : {1, 32, 100, 640})
    for (int64_t group : {32, 256}) {
      constexpr int64_t m = 3;
      std::vector<float> x = gaussian(m * k, unsigned(k), 2);
      QuantizedActivation q = quantizeActivationE4M3(x, m, k, group);
      Blocking blocking(k, group);
      ASSERT_EQ(int64_t(q.codes.size()), m * storedLength(k));
      ASSERT_EQ(int64_t(q.scales.size()), m * blocking.size());
      ASSERT_EQ(q.sums.size(), q.scales.size());
      for (int64_t row = 0; row < m; ++row)
        for (int64_t s = 0; s < blocking.size(); ++s) {
          Segment segment = blocking.segment(s);
          float largest = 0;
          for (int64_t i = segment.offset;
               i < std::min(k, segment.offset + segment.length); ++i)
            largest = std::max(largest, std::abs(x[size_t(row * k + i)]));
          double sum = 0;
          for (int64_t i = segment.offset; i < segment.offset + segment.length;
               ++i) {
            auto code = uint8_t(q.codes[size_t(row * storedLength(k) + i)]);
            float steps =
                i < k ? x[size_t(row * k + i)] * (448.0f / largest) : 0;
            ASSERT_EQ(code, toE4M3(steps));
            sum += double(fromE4M3(code));
          }
          size_t at = size_t(row * blocking.size() + s);
          ASSERT_EQ(q.scales[at], largest / 448.0f);
          ASSERT_EQ(double(q.sums[at]), 512 * sum);
        }
    }
}

TEST(E4M3Test, Extremes) {
  std::vector<float> x(96);
  x[32] = 0x1p-149f; // 448 / x overflows
  x[64] = std::nanf("");
  x[65] = std::numeric_limits<float>::infinity();
  x[66] = 1;
  QuantizedActivation q = quantizeActivationE4M3(x, 1, 96, 32);
  EXPECT_EQ(q.scales[0], 0);
  EXPECT_EQ(q.codes[0], 0);
  EXPECT_EQ(q.codes[32], 0x7e);
  EXPECT_EQ(q.sums[1], 448 * 512);
  EXPECT_EQ(q.codes[64], 0);
  EXPECT_EQ(q.codes[66], 0);
}
