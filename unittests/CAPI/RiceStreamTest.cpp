//===- RiceStreamTest.cpp - C functions of Rice codes ---------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq-c/RiceStream.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

static std::vector<float> waves(int64_t count, float size) {
  std::vector<float> values;
  for (int64_t i = 0; i < count; ++i)
    values.push_back(size * std::sin(float(i * i)));
  return values;
}

TEST(RiceStreamCAPITest, RoundTrip) {
  int64_t n = 3, k = 520, size = 0;
  std::vector<float> weights = waves(n * k, 3);
  ASSERT_EQ(
      rotqRiceEncode(weights.data(), n * k, n, k, 0.5f, nullptr, 0, &size, 1),
      0)
      << rotqLastError();
  std::vector<unsigned char> blob(size_t(size), 0xaa);
  // One byte short of room: nothing is written.
  EXPECT_EQ(rotqRiceEncode(weights.data(), n * k, n, k, 0.5f, blob.data(),
                           size - 1, &size, 1),
            0);
  EXPECT_EQ(blob, std::vector<unsigned char>(size_t(size), 0xaa));
  ASSERT_EQ(rotqRiceEncode(weights.data(), n * k, n, k, 0.5f, blob.data(), size,
                           &size, 2),
            0);
  std::vector<int8_t> points(size_t(n * k));
  float step = 0;
  ASSERT_EQ(
      rotqRiceDecode(blob.data(), size, n, k, points.data(), n * k, &step, 2),
      0)
      << rotqLastError();
  EXPECT_EQ(step, 0.5f);
  for (size_t i = 0; i < points.size(); ++i)
    EXPECT_NEAR(weights[i], 0.5f * float(points[i]), 1.01f);

  blob[blob.size() / 2] ^= 1;
  EXPECT_NE(
      rotqRiceDecode(blob.data(), size, n, k, points.data(), n * k, &step, 2),
      0);
  EXPECT_NE(std::string(rotqLastError()).find("damaged"), std::string::npos)
      << rotqLastError();
}

/// What a caller may allocate, by weights that take as many bits as there are.
TEST(RiceStreamCAPITest, NoBlobIsLongerThanDocumented) {
  for (int64_t n : {1, 300})
    for (int64_t k : {8, 512, 4096}) {
      std::vector<float> weights = waves(n * k, 127);
      int64_t size = 0;
      ASSERT_EQ(
          rotqRiceEncode(weights.data(), n * k, n, k, 1, nullptr, 0, &size, 0),
          0);
      EXPECT_LE(size, 2 * n * k + 16 * n + 64);
    }
}

TEST(RiceStreamCAPITest, BadArguments) {
  float step = 0;
  EXPECT_NE(rotqRiceStep(1, &step), 0);
  EXPECT_NE(rotqRiceStep(NAN, &step), 0);
  EXPECT_NE(rotqRiceStep(3, nullptr), 0);
  EXPECT_EQ(rotqRiceStep(3, &step), 0);
  EXPECT_NEAR(step, 1 / 3.589, 1e-3);
  std::vector<float> weights = waves(16, 1);
  int64_t size = 0;
  EXPECT_NE(rotqRiceEncode(nullptr, 16, 2, 8, 1, nullptr, 0, &size, 1), 0);
  EXPECT_NE(rotqRiceEncode(weights.data(), 16, 2, 8, 1, nullptr, 8, &size, 1),
            0);
  EXPECT_NE(rotqRiceEncode(weights.data(), 16, 2, 8, 1, nullptr, 0, nullptr, 1),
            0);
  EXPECT_NE(rotqRiceEncode(weights.data(), 16, 1, 8, 1, nullptr, 0, &size, 1),
            0);
  EXPECT_NE(rotqRiceDecode(nullptr, 0, 2, 8, nullptr, 0, &step, 1), 0);
  int8_t points[16];
  EXPECT_NE(rotqRiceDecode(nullptr, 0, 2, 8, points, 16, &step, 1), 0);
  EXPECT_NE(rotqRiceDecode(points, 16, 2, 8, points, 16, nullptr, 1), 0);
}
