//===- RiceStreamTest.cpp - Lattice points in Rice codes ------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Codec/RiceStream.h"
#include "TestUtils.h"
#include "rotq/Codec/CompressedWeight.h"
#include "rotq/Codec/LatticeCodebook.h"

#include <array>
#include <cmath>
#include <map>

using namespace rotq;
using namespace rotq::test;
using Bytes = std::vector<std::byte>;

/// With `deviation` sixteenths.
static Format makeFormat(unsigned deviation) {
  Format format = preset("hyperquant_rice_3");
  format.codebook = std::make_shared<LatticeCodebook>(deviation);
  return format;
}

static Bytes compressed(const Format &format, std::span<const std::byte> blob,
                        int64_t n, int64_t k, unsigned threads = 1) {
  auto result = compress(format, blob, n, k, threads);
  EXPECT_TRUE(result) << result.error();
  return *result;
}

static Expected<Bytes> decompressed(std::span<const std::byte> codes, int64_t n,
                                    int64_t k, unsigned threads = 1) {
  Format format = makeFormat(57);
  Bytes blob(size_t(WeightLayout(format, n, k).totalBytes), std::byte(0x5a));
  if (Status status = decompress(format, codes, n, k, blob, threads); !status)
    return failure(status.error());
  return blob;
}

static std::string errorOf(std::span<const std::byte> codes, int64_t n,
                           int64_t k) {
  auto result = decompressed(codes, n, k);
  EXPECT_FALSE(result);
  return result ? "" : result.error();
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
      ASSERT_TRUE(stripE8(point, symbols));
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
    ASSERT_TRUE(stripE8(point, back));
    ASSERT_TRUE(std::ranges::equal(symbols, back));
  }
}

TEST(RiceStreamTest, RateAndErrorOnGaussianWeights) {
  // Deviations, in sixteenths, for 2 to 5 bits.
  struct Case {
    unsigned deviation;
    double bits, decibels;
  } cases[] = {{26, 2, 9.66},   {57, 3, 16.45},    {78, 3.5, 19.19},
               {117, 4, 22.71}, {158, 4.5, 25.32}, {235, 5, 28.77}};
  int64_t n = 64, k = 4096;
  std::vector<float> weights = gaussian(n * k, 3, 1);
  for (const Case &c : cases) {
    Format format = makeFormat(c.deviation);
    auto blob = encoded(format, weights, n, k, 0);
    Bytes codes = compressed(format, blob, n, k, 0);
    EXPECT_EQ(blob, *decompressed(codes, n, k, 0));
    EXPECT_NEAR(-10 * std::log10(relativeError(weights,
                                               decoded(format, blob, n, k, 0))),
                c.decibels, 0.1);

    // Of the symbols, each position's alone.
    WeightLayout layout(format, n, k);
    RiceLayout parts(layout);
    std::vector<int8_t> points(size_t(n * k));
    ASSERT_TRUE(decodePoints(format, blob, n, k, points));
    std::array<std::map<int, int>, 8> counts;
    double payload = 0;
    for (size_t i = 0; i < points.size(); i += 8) {
      uint8_t symbols[8];
      ASSERT_TRUE(
          stripE8(std::span<const int8_t, 8>(points.data() + i, 8), symbols));
      auto shift = unsigned(codes[size_t(parts.parameters) + i / 512]);
      for (size_t j = 0; j < 8; ++j) {
        ++counts[j][symbols[j]];
        payload += (symbols[j] >> shift) + 1 + shift;
      }
    }
    payload /= double(n * k);
    double entropy = 0;
    for (const auto &position : counts)
      for (auto [symbol, count] : position) {
        double share = double(count) / double(n * k / 8);
        entropy -= share * std::log2(share) / 8;
      }
    EXPECT_NEAR(payload, c.bits, 0.03);
    EXPECT_LT(payload, entropy + 0.15);
    // Seven bytes a stream and half of its last word, and a step a row.
    EXPECT_NEAR(8.0 * double(codes.size()) / double(n * k) - payload,
                (56 + 15.5) / 512 + 16.0 / double(k), 0.01);
  }
}

TEST(RiceStreamTest, EveryShapeRoundTrips) {
  for (auto [n, k] : {std::pair<int64_t, int64_t>{1, 1},
                      {3, 32},
                      {2, 500},
                      {2, 512},
                      {5, 513},
                      {7, 1536},
                      {1, 1600}})
    for (unsigned deviation : {1, 57, 400}) {
      Format format = makeFormat(deviation);
      std::vector<float> weights = gaussian(n * k, unsigned(k));
      std::fill_n(weights.begin(), k, 0.0f);
      auto blob = encoded(format, weights, n, k);
      Bytes codes = compressed(format, blob, n, k);
      EXPECT_EQ(compressed(format, blob, n, k, 5), codes);
      EXPECT_EQ(*decompressed(codes, n, k), blob);
      EXPECT_EQ(*decompressed(codes, n, k, 4), blob);
      EXPECT_LE(int64_t(codes.size()), *maxCompressedBytes(format, n, k));
    }
}

/// The most that a caller has to have room for.
TEST(RiceStreamTest, WhateverThePointsAreTheyFit) {
  Format format = makeFormat(57);
  int64_t n = 4, k = 1056;
  WeightLayout layout(format, n, k);
  Bytes blob(size_t(layout.totalBytes));
  std::mt19937 random(9);
  for (int64_t i = 0; i < n * storedLength(k); i += 8) {
    uint8_t symbols[8];
    std::span<int8_t, 8> point(reinterpret_cast<int8_t *>(&blob[size_t(i)]), 8);
    if (i % storedLength(k) < k)
      do
        for (uint8_t &symbol : symbols)
          symbol = uint8_t(random() % 128 + 100);
      while (!unstripE8(symbols, point));
  }
  Bytes codes = compressed(format, blob, n, k);
  EXPECT_GT(double(codes.size()), 8.2 / 8 * double(n * k));
  EXPECT_LE(int64_t(codes.size()), *maxCompressedBytes(format, n, k));
  EXPECT_EQ(*decompressed(codes, n, k), blob);
}

TEST(RiceStreamTest, EveryFlippedBitIsRefused) {
  int64_t n = 3, k = 520;
  Format format = makeFormat(57);
  Bytes codes =
      compressed(format, encoded(format, gaussian(n * k, 4), n, k), n, k);
  for (size_t bit = 0; bit < 8 * codes.size(); ++bit) {
    codes[bit / 8] ^= std::byte(1u << bit % 8);
    EXPECT_FALSE(decompressed(codes, n, k)) << "bit " << bit;
    codes[bit / 8] ^= std::byte(1u << bit % 8);
  }
  EXPECT_TRUE(decompressed(codes, n, k));
}

TEST(RiceStreamTest, EveryOtherLengthIsRefused) {
  int64_t n = 2, k = 1032;
  Format format = makeFormat(26);
  Bytes codes =
      compressed(format, encoded(format, gaussian(n * k, 5), n, k), n, k);
  for (size_t size = 0; size < codes.size(); ++size)
    EXPECT_FALSE(decompressed(std::span(codes).first(size), n, k)) << size;
  for (size_t more : {1u, 4u, 100u}) {
    Bytes longer = codes;
    longer.resize(codes.size() + more);
    EXPECT_FALSE(decompressed(longer, n, k));
  }
}

TEST(RiceStreamTest, DamagedCodesNeverCrash) {
  std::mt19937 random(6);
  int64_t n = 3, k = 1024;
  Format format = makeFormat(57);
  Bytes codes =
      compressed(format, encoded(format, gaussian(n * k, 7), n, k), n, k);
  int accepted = 0;
  for (int trial = 0; trial < 3000; ++trial) {
    Bytes damaged = codes;
    for (unsigned edits = 1 + random() % 8; edits; --edits)
      damaged[random() % damaged.size()] ^= std::byte(1 + random() % 255);
    if (trial % 3 == 0)
      damaged.resize(random() % damaged.size() / 4 * 4);
    accepted += bool(decompressed(damaged, n, k));
  }
  EXPECT_EQ(accepted, 0);
}

TEST(RiceStreamTest, Errors) {
  int64_t n = 2, k = 40;
  Format format = makeFormat(57);
  Bytes blob = encoded(format, gaussian(n * k, 8), n, k);
  EXPECT_EQ(compress(format, blob, 3, k).error(),
            "expected a blob of 198 bytes but got 132");
  EXPECT_EQ(compress(format, blob, n, 0).error(),
            "expected 1 to 2147483647 weights a row but got 0");
  Bytes codes = compressed(format, blob, n, k);
  // No point of the lattice: of two parities, of another sum, out of reach.
  for (auto [at, change] : {std::pair<size_t, int>{64, 1}, {64, 2}}) {
    Bytes wrong = blob;
    wrong[at] = std::byte(int(wrong[at]) + change);
    EXPECT_EQ(compress(format, wrong, n, k).error(),
              "expected points of the lattice 2 E8 within 127 but got others "
              "in row 1");
  }

  EXPECT_EQ(errorOf(codes, 2, 72),
            "expected codes of 2 x 72 weights but got 2 x 40");
  EXPECT_EQ(errorOf(std::span(codes).first(8), n, k),
            "expected whole words, 40 bytes and the codes, but got 8 bytes");
  EXPECT_EQ(errorOf(std::span(codes).first(codes.size() - 4), n, k),
            "expected 12 words of codes but got 11");
  auto damagedAt = [&](size_t at) {
    Bytes damaged = codes;
    damaged[at] ^= std::byte(128);
    return errorOf(damaged, n, k);
  };
  EXPECT_EQ(damagedAt(codes.size() - 1), "stream 0 of row 1 is damaged");
  EXPECT_EQ(damagedAt(17), "stream 0 of row 0 is damaged"); // its step
  EXPECT_EQ(damagedAt(1), "expected a weight in Rice codes");
  EXPECT_EQ(damagedAt(20), "expected stream 0 to start behind the one before "
                           "it but got 128");
  EXPECT_EQ(damagedAt(39),
            "expected zeros behind the scales and ahead of the codes");
}

/// What is not compressed is copied.
TEST(CompressedWeightTest, OtherFormats) {
  Format format = preset("rq3");
  Bytes blob = encoded(format, gaussian(2 * 100, 9), 2, 100);
  EXPECT_EQ(*maxCompressedBytes(format, 2, 100), int64_t(blob.size()));
  EXPECT_EQ(*compress(format, blob, 2, 100), blob);
  Bytes back(blob.size());
  ASSERT_TRUE(decompress(format, blob, 2, 100, back));
  EXPECT_EQ(back, blob);
  EXPECT_EQ(decompress(format, std::span(blob).first(8), 2, 100, back).error(),
            "expected " + std::to_string(blob.size()) + " bytes but got 8");
}
