//===- HalfTest.cpp - Conversion between binary16 and binary32 ------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestUtils.h"

#include <bit>
#include <cmath>
#include <limits>

using namespace rotq;

/// The value of finite half bits, from the definition.
static double valueOf(unsigned bits) {
  unsigned exponent = bits >> 10 & 31, mantissa = bits & 1023;
  double magnitude = exponent
                         ? std::ldexp(1024.0 + mantissa, int(exponent) - 25)
                         : std::ldexp(double(mantissa), -24);
  return bits >> 15 ? -magnitude : magnitude;
}

TEST(HalfTest, EveryFiniteValue) {
  for (unsigned bits = 0; bits < 0x10000; ++bits) {
    if ((bits >> 10 & 31) == 31)
      continue;
    float value = fromHalf(uint16_t(bits));
    ASSERT_EQ(double(value), valueOf(bits));
    ASSERT_EQ(toHalf(value), bits);
  }
  EXPECT_TRUE(std::signbit(fromHalf(0x8000)));
}

TEST(HalfTest, RoundsToNearestEven) {
  // Between every pair of neighbours: the middle goes to the even one, and
  // what lies beside the middle goes to its side.
  for (unsigned bits = 0; bits < 0x7bff; ++bits) {
    float middle = float((valueOf(bits) + valueOf(bits + 1)) / 2);
    unsigned even = bits & 1 ? bits + 1 : bits;
    ASSERT_EQ(toHalf(middle), even);
    ASSERT_EQ(toHalf(-middle), even | 0x8000);
    ASSERT_EQ(toHalf(std::nextafter(middle, 0.0f)), bits);
    ASSERT_EQ(toHalf(std::nextafter(middle, 1e6f)), bits + 1);
  }
}

TEST(HalfTest, Specials) {
  float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(toHalf(65519.996f), 0x7bff);
  EXPECT_EQ(toHalf(65520.0f), 0x7c00);
  EXPECT_EQ(toHalf(infinity), 0x7c00);
  EXPECT_EQ(toHalf(-infinity), 0xfc00);
  EXPECT_EQ(toHalf(0x1p-149f), 0);
  EXPECT_EQ(fromHalf(0x7c00), infinity);
  EXPECT_EQ(fromHalf(0xfc00), -infinity);
  EXPECT_TRUE(std::isnan(fromHalf(0x7e00)));
  uint16_t nan = toHalf(std::numeric_limits<float>::quiet_NaN());
  EXPECT_TRUE((nan & 0x7c00) == 0x7c00 && (nan & 0x3ff));
}
