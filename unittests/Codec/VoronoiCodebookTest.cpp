//===- VoronoiCodebookTest.cpp - Lattice points for eight weights ---------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Codec/VoronoiCodebook.h"
#include "TestUtils.h"

#include <algorithm>
#include <cmath>

using namespace rotq;
using namespace rotq::test;
using Vector = VoronoiCodebook::Vector;

static std::vector<VoronoiCodebook> codebooks() {
  return {VoronoiCodebook(8, {4, 5, 6, 8}), VoronoiCodebook(16, {3, 4, 5, 7}),
          VoronoiCodebook(8, {1, 2, 3, 31}),
          VoronoiCodebook(16, {1, 5, 9, 11})};
}

static uint64_t randomCode(const VoronoiCodebook &codebook,
                           std::mt19937_64 &random) {
  return random() >> (64 - codebook.bits());
}

static Vector fieldsOf(uint64_t code, unsigned bits) {
  Vector fields;
  for (unsigned i = 0; i < 8; ++i)
    fields[i] =
        int32_t(code >> (2 * (i % 4) + i / 4) * bits & ((1u << bits) - 1));
  return fields;
}

static int64_t squares(const Vector &vector) {
  int64_t sum = 0;
  for (int32_t v : vector)
    sum += v * v;
  return sum;
}

TEST(VoronoiCodebookTest, VectorsAreOfTheLatticeAndOfTheirClass) {
  std::mt19937_64 random(1);
  for (const VoronoiCodebook &codebook : codebooks())
    for (int i = 0; i < 20000; ++i) {
      unsigned bits = codebook.q() == 8 ? 3 : 4;
      Vector fields = fieldsOf(randomCode(codebook, random), bits);
      Vector vector = codebook.vectorOf(fields);
      int32_t sum = 0;
      for (int32_t v : vector) {
        sum += v;
        ASSERT_EQ((v - vector[0]) % 2, 0);
      }
      ASSERT_EQ(sum % 4, 0);
      // One vector a class, one class a code.
      ASSERT_EQ(codebook.fieldsOf(vector), fields);
      // No longer than the corner of a cell.
      ASSERT_LE(squares(vector), 4 * codebook.q() * codebook.q());
    }
}

TEST(VoronoiCodebookTest, VectorsAreTheShortestOfTheirClassOrNearly) {
  // Against the class less the shortest vectors of q L: (+-2 q, +-2 q, 0, ...)
  // and (+-q, ..., +-q) with an even number of minus signs.
  std::mt19937_64 random(2);
  for (unsigned q : {8u, 16u}) {
    VoronoiCodebook codebook(q, {1, 2, 3, 4});
    int32_t size = int32_t(q);
    int exact = 0, trials = 3000;
    for (int trial = 0; trial < trials; ++trial) {
      Vector vector = codebook.vectorOf(
          fieldsOf(randomCode(codebook, random), q == 8 ? 3 : 4));
      int64_t least = squares(vector);
      auto consider = [&](const Vector &difference) {
        Vector other = vector;
        for (size_t i = 0; i < 8; ++i)
          other[i] += difference[i];
        least = std::min(least, squares(other));
      };
      for (size_t i = 0; i < 8; ++i)
        for (size_t j = 0; j < i; ++j)
          for (int signs = 0; signs < 4; ++signs) {
            Vector difference = {};
            difference[i] = signs & 1 ? 2 * size : -2 * size;
            difference[j] = signs & 2 ? 2 * size : -2 * size;
            consider(difference);
          }
      for (unsigned signs = 0; signs < 256; ++signs) {
        if (std::popcount(signs) % 2)
          continue;
        Vector difference;
        for (unsigned i = 0; i < 8; ++i)
          difference[i] = signs >> i & 1 ? size : -size;
        consider(difference);
      }
      exact += least == squares(vector);
    }
    EXPECT_GT(exact, trials * 9 / 10) << q;
  }
}

TEST(VoronoiCodebookTest, DecodeGivesThePointOfEveryCode) {
  std::mt19937_64 random(3);
  for (const VoronoiCodebook &codebook : codebooks()) {
    std::vector<uint64_t> codes(4000);
    std::vector<uint32_t> words;
    for (uint64_t &code : codes) {
      code = randomCode(codebook, random);
      words.push_back(uint32_t(code));
      if (codebook.codeWords() > 1)
        words.push_back(uint32_t(code >> 32));
    }
    EvalBuilder builder;
    std::span<const uint32_t> result =
        builder.words(codebook.decode(builder, builder.input(words)));
    ASSERT_EQ(result.size(), 2 * codes.size());
    for (size_t i = 0; i < codes.size(); ++i) {
      int8_t point[8];
      codebook.point(codes[i], point);
      for (size_t j = 0; j < 8; ++j)
        ASSERT_EQ(int8_t(result[2 * i + j / 4] >> (8 * (j % 4)) & 255),
                  point[j])
            << codebook.q() << " code " << codes[i] << " at " << j;
    }
  }
}

TEST(VoronoiCodebookTest, PointsAreMultiplesOfVectors) {
  std::mt19937_64 random(4);
  for (const VoronoiCodebook &codebook : codebooks())
    for (int trial = 0; trial < 2000; ++trial) {
      uint64_t code = randomCode(codebook, random);
      unsigned bits = codebook.q() == 8 ? 3 : 4;
      Vector vector = codebook.vectorOf(fieldsOf(code, bits));
      int32_t factor = codebook.multipliers()[code >> 8 * bits];
      int8_t point[8];
      codebook.point(code, point);
      bool fits = std::ranges::all_of(
          vector, [&](int32_t v) { return std::abs(v) * factor <= 127; });
      for (size_t i = 0; i < 8 && fits; ++i)
        ASSERT_EQ(point[i], factor * vector[i]);
    }
}

TEST(VoronoiCodebookTest, PointsEncodeToThemselves) {
  // Where a point is in the code at several sizes the code may be another one.
  std::mt19937_64 random(5);
  for (const VoronoiCodebook &codebook : codebooks())
    for (int trial = 0; trial < 2000; ++trial) {
      std::vector<uint32_t> words(size_t(codebook.codeWords()));
      std::vector<float> x(8);
      uint64_t code = randomCode(codebook, random);
      unsigned bits = codebook.q() == 8 ? 3 : 4;
      Vector vector = codebook.vectorOf(fieldsOf(code, bits));
      int32_t factor = codebook.multipliers()[code >> 8 * bits];
      if (std::ranges::any_of(
              vector, [&](int32_t v) { return std::abs(v) * factor > 127; }))
        continue;
      for (size_t i = 0; i < 8; ++i)
        x[i] = float(factor * vector[i]) * 0.25f;
      codebook.assign(x, 0.25f, 0, words);
      uint64_t got = words[0];
      if (words.size() > 1)
        got |= uint64_t(words[1]) << 32;
      int8_t point[8];
      codebook.point(got, point);
      for (size_t i = 0; i < 8; ++i)
        ASSERT_EQ(point[i], factor * vector[i]);
    }
}

TEST(VoronoiCodebookTest, WeightsFarOutsideComeNear) {
  for (const VoronoiCodebook &codebook : codebooks())
    for (float size : {50.0f, 100.0f, 130.0f, 1e3f, 1e9f, 1e30f}) {
      std::vector<float> x = gaussian(8 * 50, 6, size);
      std::vector<uint32_t> codes(50 * size_t(codebook.codeWords()));
      codebook.assign(x, 1, 0, codes);
      Codebook::Moments moments = codebook.moments(x, 1, 0);
      double power = 0;
      for (float v : x)
        power += double(v) * v;
      // The correlation of weights and points.
      EXPECT_GT(moments.xq / std::sqrt(power * double(moments.qq)), 0.75)
          << codebook.q() << " " << size;
      EXPECT_LE(power - 2 * double(moments.xq) + double(moments.qq), power);
    }
}

TEST(VoronoiCodebookTest, ErrorOnGaussianWeights) {
  struct Case {
    const char *name;
    double decibels, bits;
  } cases[] = {{"hyperquant_3", 17.72, 3.25}, {"hyperquant_4", 23.60, 4.25}};
  for (const Case &c : cases) {
    Format format = preset(c.name);
    int64_t n = 16, k = 16384;
    std::vector<float> weights = gaussian(n * k, 9);
    auto blob = encoded(format, weights, n, k, 0);
    double error = relativeError(weights, decoded(format, blob, n, k));
    EXPECT_NEAR(-10 * std::log10(error), c.decibels, 0.05) << c.name;
    EXPECT_EQ(WeightLayout(format, n, k).bitsPerWeight(),
              c.bits + 16.0 / double(k));
    // No code beyond an int8.
    std::vector<int8_t> points(size_t(n * k));
    ASSERT_TRUE(decodePoints(format, blob, n, k, points));
    EXPECT_GE(*std::ranges::min_element(points), -127);
  }
}

TEST(VoronoiCodebookTest, CodesOfTwoWordsPackAndUnpack) {
  FieldCoding coding(34, 8);
  EXPECT_EQ(
      std::vector<unsigned>(coding.runBytes().begin(), coding.runBytes().end()),
      (std::vector<unsigned>{16, 1}));
  EXPECT_EQ(coding.unpackedBits(), 64u);
  std::mt19937 random(7);
  std::vector<uint32_t> codes(2 * 4 * 6), low(4 * 6), high(2);
  for (size_t i = 0; i < codes.size(); ++i)
    codes[i] = i % 2 ? random() >> 30 : uint32_t(random());
  std::span<std::byte> planes[] = {
      std::as_writable_bytes(std::span(low)),
      std::as_writable_bytes(std::span(high)).first(6)};
  coding.pack(codes, planes);
  EvalBuilder builder;
  Expr inputs[] = {builder.input(low), builder.input(high)};
  EXPECT_TRUE(std::ranges::equal(
      builder.words(coding.unpack(builder, inputs, 32 * 6)), codes));
}
