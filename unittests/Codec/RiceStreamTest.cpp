//===- RiceStreamTest.cpp - Lattice points as an entropy code -------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Codec/RiceStream.h"
#include "TestUtils.h"

#include <array>
#include <cmath>
#include <map>

using namespace rotq;
using namespace rotq::test;

namespace {
struct Decoded {
  std::vector<int8_t> points;
  float step = 0;
};
} // namespace

static Expected<Decoded> decodeAll(std::span<const std::byte> blob, int64_t n,
                                   int64_t k, unsigned threads = 1) {
  Decoded result;
  result.points.resize(size_t(n * k));
  if (Status status =
          decodeRice(blob, n, k, result.points, result.step, threads);
      !status)
    return failure(status.error());
  return result;
}

static std::vector<std::byte> encodedRice(std::span<const float> weights,
                                          int64_t n, int64_t k, float step,
                                          RiceRate *rate = nullptr,
                                          unsigned threads = 1) {
  auto blob = encodeRice(weights, n, k, step, rate, threads);
  EXPECT_TRUE(blob) << blob.error();
  return *blob;
}

TEST(RiceStreamTest, NearestPointsAreOfTheLatticeAndNearest) {
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

TEST(RiceStreamTest, PointsFarOutStayWithinABytes) {
  for (float size : {120.0f, 126.0f, 127.0f, 1000.0f, 1e30f})
    for (unsigned signs = 0; signs < 256; ++signs) {
      float x[8];
      int8_t point[8], back[8];
      uint8_t symbols[8];
      for (unsigned i = 0; i < 8; ++i)
        x[i] = signs >> i & 1 ? size - float(i) / 4 : float(i) / 4 - size;
      nearestE8(x, point);
      for (int8_t value : point)
        ASSERT_GE(value, -127);
      stripE8(point, symbols);
      ASSERT_TRUE(unstripE8(symbols, back));
      ASSERT_TRUE(std::ranges::equal(point, back));
    }
}

TEST(RiceStreamTest, SymbolsAreABijection) {
  std::mt19937 random(2);
  for (int i = 0; i < 100000; ++i) {
    uint8_t symbols[8], back[8];
    int8_t point[8];
    unsigned limit = i % 2 ? 8 : 256;
    for (uint8_t &symbol : symbols)
      symbol = uint8_t(random() % limit);
    if (!unstripE8(symbols, point)) {
      ASSERT_EQ(limit, 256u);
      continue;
    }
    int sum = 0;
    for (int8_t value : point)
      sum += value;
    ASSERT_EQ(sum % 4, 0);
    stripE8(point, back);
    ASSERT_TRUE(std::ranges::equal(symbols, back));
  }
}

TEST(RiceStreamTest, RateAndErrorOnGaussianWeights) {
  struct Case {
    float bits;
    double decibels;
  } cases[] = {{2, 9.68},  {2.5f, 12.80}, {3, 16.50}, {3.5f, 19.20},
               {4, 22.70}, {4.5f, 25.31}, {5, 28.75}};
  int64_t n = 64, k = 4096;
  std::vector<float> weights = gaussian(n * k, 3, 1);
  for (const Case &c : cases) {
    float step = riceStep(c.bits);
    RiceRate rate;
    auto blob = encodedRice(weights, n, k, step, &rate, 0);
    auto decoded = decodeAll(blob, n, k, 0);
    ASSERT_TRUE(decoded) << decoded.error();
    EXPECT_EQ(decoded->step, step);
    std::vector<float> rebuilt;
    // Of the symbols, each position's alone.
    std::array<std::map<int, int>, 8> counts;
    for (size_t i = 0; i < decoded->points.size(); ++i)
      rebuilt.push_back(step * decoded->points[i]);
    for (size_t i = 0; i < decoded->points.size(); i += 8) {
      uint8_t symbols[8];
      stripE8(std::span<const int8_t, 8>(decoded->points.data() + i, 8),
              symbols);
      for (size_t j = 0; j < 8; ++j)
        ++counts[j][symbols[j]];
    }
    double entropy = 0;
    for (const auto &position : counts)
      for (auto [symbol, count] : position) {
        double share = double(count) / double(n * k / 8);
        entropy -= share * std::log2(share) / 8;
      }
    EXPECT_NEAR(-10 * std::log10(relativeError(weights, rebuilt)), c.decibels,
                0.1)
        << c.bits;
    EXPECT_NEAR(rate.payload, c.bits, 0.03);
    EXPECT_LT(rate.payload, entropy + 0.15);
    EXPECT_EQ(rate.total, 8.0 * double(blob.size()) / double(n * k));
    // Seven bytes a stream and half of its last word.
    EXPECT_NEAR(rate.total - rate.payload, (56 + 15.5) / 512, 0.01);
    RecordProperty(std::to_string(c.bits), std::to_string(rate.total));
  }
}

TEST(RiceStreamTest, EveryShapeRoundTrips) {
  for (auto [n, k] : {std::pair<int64_t, int64_t>{1, 8},
                      {3, 16},
                      {2, 504},
                      {2, 512},
                      {5, 520},
                      {7, 1536}})
    for (float deviation : {0.0f, 0.01f, 1.0f, 20.0f, 1e6f}) {
      std::vector<float> weights = gaussian(n * k, unsigned(k), deviation);
      auto blob = encodedRice(weights, n, k, 0.5f);
      EXPECT_EQ(encodedRice(weights, n, k, 0.5f, nullptr, 5), blob);
      auto decoded = decodeAll(blob, n, k), again = decodeAll(blob, n, k, 4);
      ASSERT_TRUE(decoded) << decoded.error();
      ASSERT_TRUE(again);
      EXPECT_EQ(decoded->points, again->points);
      for (size_t i = 0; i < weights.size(); i += 8) {
        float x[8];
        int8_t point[8];
        for (size_t j = 0; j < 8; ++j)
          x[j] = weights[i + j] / 0.5f;
        nearestE8(x, point);
        ASSERT_TRUE(
            std::equal(point, point + 8, decoded->points.begin() + int64_t(i)));
      }
    }
}

TEST(RiceStreamTest, EveryFlippedBitIsRefused) {
  int64_t n = 2, k = 520;
  auto blob = encodedRice(gaussian(n * k, 4, 1), n, k, riceStep(3));
  for (size_t bit = 0; bit < 8 * blob.size(); ++bit) {
    blob[bit / 8] ^= std::byte(1u << bit % 8);
    EXPECT_FALSE(decodeAll(blob, n, k)) << "bit " << bit;
    blob[bit / 8] ^= std::byte(1u << bit % 8);
  }
  EXPECT_TRUE(decodeAll(blob, n, k));
}

TEST(RiceStreamTest, EveryOtherLengthIsRefused) {
  int64_t n = 2, k = 1032;
  auto blob = encodedRice(gaussian(n * k, 5, 1), n, k, riceStep(2));
  for (size_t size = 0; size < blob.size(); ++size)
    EXPECT_FALSE(decodeAll(std::span(blob).first(size), n, k)) << size;
  for (size_t more : {1u, 4u, 100u}) {
    auto longer = blob;
    longer.resize(blob.size() + more);
    EXPECT_FALSE(decodeAll(longer, n, k));
  }
}

TEST(RiceStreamTest, DamagedBlobsNeverCrash) {
  std::mt19937 random(6);
  int64_t n = 3, k = 1024;
  auto blob = encodedRice(gaussian(n * k, 7, 1), n, k, riceStep(3));
  int accepted = 0;
  for (int trial = 0; trial < 3000; ++trial) {
    auto damaged = blob;
    for (unsigned edits = 1 + random() % 8; edits; --edits)
      damaged[random() % damaged.size()] ^= std::byte(1 + random() % 255);
    if (trial % 3 == 0)
      damaged.resize(random() % damaged.size() / 4 * 4);
    accepted += bool(decodeAll(damaged, n, k));
  }
  EXPECT_EQ(accepted, 0);
}

TEST(RiceStreamTest, Errors) {
  std::vector<float> weights = gaussian(2 * 16, 8, 1);
  EXPECT_EQ(encodeRice(weights, 2, 12, 1).error(),
            "expected a multiple of 8 weights a row but got 12");
  EXPECT_EQ(encodeRice(weights, 0, 8, 1).error(),
            "expected 1 to 2147483647 rows but got 0");
  EXPECT_EQ(encodeRice(weights, 3, 16, 1).error(),
            "expected 3 x 16 weights but got 32");
  EXPECT_EQ(encodeRice(weights, 2, 16, 0).error(),
            "expected a step above 0 but got 0");
  EXPECT_FALSE(encodeRice(weights, 2, 16, INFINITY));
  weights[20] = NAN;
  EXPECT_EQ(encodeRice(weights, 2, 16, 1).error(),
            "weight is not finite in row 1");
  weights[20] = 0;

  auto blob = encodedRice(weights, 2, 16, 1);
  EXPECT_EQ(decodeAll(blob, 2, 8).error(),
            "expected codes of 2 x 8 points but got 2 x 16");
  EXPECT_EQ(decodeAll(std::span(blob).first(8), 2, 16).error(),
            "expected whole words, 40 bytes and the codes, but got 8 bytes");
  auto damaged = blob;
  damaged.back() ^= std::byte(128);
  EXPECT_EQ(decodeAll(damaged, 2, 16).error(), "stream 0 of row 1 is damaged");
  damaged = blob;
  damaged[13] ^= std::byte(1);
  EXPECT_EQ(decodeAll(damaged, 2, 16).error(),
            "expected the header of a matrix in Rice codes");
  damaged = blob;
  damaged[20] = std::byte(1);
  EXPECT_EQ(decodeAll(damaged, 2, 16).error(),
            "expected stream 0 to start behind the one before it but got 1");
  std::vector<int8_t> points(16);
  float step;
  EXPECT_EQ(decodeRice(blob, 2, 16, points, step).error(),
            "expected room for 2 x 16 points but got 16");
}
