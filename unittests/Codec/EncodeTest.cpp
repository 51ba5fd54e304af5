//===- EncodeTest.cpp - From weights to a blob ----------------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestUtils.h"

#include <cmath>
#include <limits>
#include <map>

using namespace rotq;
using namespace rotq::test;

TEST(EncodeTest, ErrorOnGaussianWeights) {
  const std::map<std::string, double> limits = {{"rq2", 0.1175},
                                                {"rq3", 0.0345},
                                                {"rq4", 0.0095},
                                                {"itq3_s", 0.19},
                                                {"int4_g128", 0.0115},
                                                {"nf4", 0.0095},
                                                {"rq3v", 0.0192},
                                                {"qam_w7", 0.0158},
                                                {"qam_w8", 0.0080},
                                                {"qam_w9", 0.0041},
                                                {"qam_w10", 0.0021},
                                                {"qam_w11", 0.0011},
                                                {"qam_w12", 0.00058},
                                                {"hyperquant_3", 0.0172},
                                                {"hyperquant_rice_3", 0.0229},
                                                {"hyperquant_rice_4", 0.0055},
                                                {"hyperquant_rice_5", 0.00135},
                                                {"hyperquant_4", 0.0045},
                                                {"liftquant_w12", 0.181},
                                                {"liftquant_w16", 0.0915},
                                                {"liftquant_w18", 0.0663},
                                                {"liftquant_w20", 0.0475},
                                                {"liftquant_w24", 0.0244},
                                                {"trellis2", 0.0690},
                                                {"trellis3", 0.0177},
                                                {"trellis4", 0.0046},
                                                {"trellis2v", 0.0705},
                                                {"trellis3v", 0.0193}};
  for (const Format &format : presets()) {
    auto limit = limits.find(format.name);
    ASSERT_NE(limit, limits.end()) << "no limit for " << format.name;
    bool isScalar = format.coding->unpackedBits() == 4;
    int64_t n = isScalar ? 128 : 16, k = 2048;
    std::vector<float> weights = gaussian(n * k, 42);
    double error = lossOf(format, weights, n, k);
    EXPECT_LT(error, limit->second) << format.name;
    RecordProperty(format.name, std::to_string(error));
  }
}

TEST(EncodeTest, ErrorIsTheSameOnBothSidesOfTheRotation) {
  for (const Format &format : presets())
    for (int64_t k : {256, 576, 4320}) {
      int64_t n = 8;
      std::vector<float> weights = gaussian(n * k, unsigned(k));
      auto blob = encoded(format, weights, n, k);
      std::vector<float> rotated(weights.size()), turned = weights;
      ASSERT_TRUE(decodeRotated(format, blob, n, k, rotated));
      for (int64_t r = 0; r < n; ++r)
        format.rotation->forward(
            std::span(turned).subspan(size_t(r * k), size_t(k)));
      double outside = relativeError(weights, decoded(format, blob, n, k));
      double inside = relativeError(turned, rotated);
      EXPECT_NEAR(outside / inside, 1, 1e-5) << format.name << " " << k;
    }
}

TEST(EncodeTest, RotationTamesOutliers) {
  int64_t n = 16, k = 1024;
  std::vector<float> weights = gaussian(n * k, 3);
  for (size_t i = 0; i < weights.size(); i += 199)
    weights[i] *= 20;
  Format rotated = preset("rq3"), plain = rotated;
  plain.rotation = std::make_shared<IdentityRotation>();
  double with = relativeError(
      weights, decoded(rotated, encoded(rotated, weights, n, k), n, k));
  double without = relativeError(
      weights, decoded(plain, encoded(plain, weights, n, k), n, k));
  EXPECT_LT(with, 0.035);
  EXPECT_GT(without, 3 * with);
}

/// The presets of a value for each weight and without an offset, their rotation
/// taken away.
static std::vector<Format> steppedFormats() {
  std::vector<Format> formats;
  for (Format format : presets()) {
    if (format.scale.hasOffset || format.codebook->dim() != 1 ||
        format.codebook->gaussianStep() > 0)
      continue;
    format.rotation = std::make_shared<IdentityRotation>();
    formats.push_back(std::move(format));
  }
  return formats;
}

/// Squared error of `x` with a step, every weight at its nearest point.
static double errorWith(const Format &format, std::span<const float> x,
                        float step) {
  std::vector<uint32_t> codes(x.size());
  format.codebook->assign(x, step, 0, codes);
  double error = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    int8_t point;
    format.codebook->point(codes[i], {&point, 1});
    double e = double(x[i]) - double(step) * point;
    error += e * e;
  }
  return error;
}

TEST(EncodeTest, StepsAreNearlyTheBestThereAre) {
  // Against a search of 2000 steps, on Gaussian and on heavy-tailed rows.
  for (const Format &format : steppedFormats()) {
    int64_t n = 40, k = format.scale.group;
    float reach = format.codebook->spread().reach;
    std::vector<float> weights = gaussian(n * k, 8);
    for (size_t i = 0; i < weights.size() / 2; ++i)
      weights[i] *= std::abs(weights[i]) * 50;
    auto blob = encoded(format, weights, n, k);
    std::vector<float> rebuilt = decoded(format, blob, n, k);
    double ours = 0, best = 0;
    for (int64_t r = 0; r < n; ++r) {
      auto x = std::span(weights).subspan(size_t(r * k), size_t(k));
      float largest = 0;
      double least = std::numeric_limits<double>::max(), got = 0;
      for (size_t i = 0; i < x.size(); ++i) {
        largest = std::max(largest, std::abs(x[i]));
        double e = double(x[i]) - rebuilt[size_t(r * k) + i];
        got += e * e;
      }
      for (int i = 1; i <= 2000; ++i)
        least = std::min(
            least,
            errorWith(format, x, 1.2f * largest * float(i) / 2000 / reach));
      ours += got;
      best += least;
      // Seventeen steps may miss a narrow valley of a row of 64 weights.
      EXPECT_LT(got, 1.15 * least) << format.name << " row " << r;
    }
    EXPECT_LT(ours, 1.01 * best) << format.name;
  }
}

TEST(EncodeTest, CodesAreNearestForTheStoredStep) {
  for (const Format &format : presets()) {
    const Codebook &codebook = *format.codebook;
    // Where a code takes in others it may not be the nearest by itself.
    if (codebook.bits() > 13 || codebook.gaussianStep() > 0)
      continue;
    size_t dim = size_t(codebook.dim());
    std::vector<int8_t> all(dim << codebook.bits());
    for (uint32_t code = 0; code < 1u << codebook.bits(); ++code)
      codebook.point(code, std::span(all).subspan(code * dim, dim));
    // Grids round their input to 1/64 of a step.
    double rounding = dim > 1 ? 1.0 / 64 : 0;
    for (int64_t k : {100, 576}) {
      int64_t n = dim > 1 ? 2 : 6;
      std::vector<float> weights = gaussian(n * k, unsigned(k));
      auto blob = encoded(format, weights, n, k);
      WeightLayout layout(format, n, k);
      for (int64_t r = 0; r < n; ++r) {
        std::vector<float> row(size_t(paddedLength(k)));
        std::copy_n(weights.begin() + r * k, k, row.begin());
        format.rotation->forward(row);
        std::vector<int8_t> points = pointsOf(format, layout, blob, r);
        for (size_t i = 0; i < row.size(); i += dim) {
          int64_t at =
              layout.scaleBlocking.indexOf(int64_t(i)) * format.scale.numbers();
          double step = fromHalf(numberAt(layout, blob, r, at));
          double offset = format.scale.hasOffset
                              ? fromHalf(numberAt(layout, blob, r, at + 1))
                              : 0;
          auto distance = [&](const int8_t *point) {
            double sum = 0;
            for (size_t j = 0; j < dim; ++j) {
              double e = row[i + j] - (step * point[j] + offset);
              sum += e * e;
            }
            return std::sqrt(sum);
          };
          double least = 1e9;
          for (size_t c = 0; c < all.size(); c += dim)
            least = std::min(least, distance(&all[c]));
          ASSERT_LE(distance(&points[i]), least + 1e-9 + 2 * rounding * step)
              << format.name;
        }
      }
    }
  }
}

TEST(EncodeTest, OffsetFollowsShiftedWeights) {
  Format format = preset("itq3_s");
  format.rotation = std::make_shared<IdentityRotation>();
  std::vector<float> weights = gaussian(64 * 256, 4);
  for (float &weight : weights)
    weight += 0.05f;
  auto blob = encoded(format, weights, 64, 256);
  std::vector<float> rebuilt = decoded(format, blob, 64, 256);
  double error = 0;
  for (size_t i = 0; i < weights.size(); ++i)
    error += std::pow(weights[i] - rebuilt[i], 2);
  EXPECT_LT(error / double(weights.size()) / (0.02 * 0.02), 0.19);
}

TEST(EncodeTest, BytesDoNotDependOnThreads) {
  for (const Format &format : presets())
    for (auto [n, k] : {std::pair<int64_t, int64_t>{1, 4304}, {300, 640}}) {
      std::vector<float> weights = gaussian(n * k, 6);
      auto first = encoded(format, weights, n, k, 1);
      for (unsigned threads : {0u, 2u, 3u, 16u})
        ASSERT_TRUE(encoded(format, weights, n, k, threads) == first);
    }
}

TEST(EncodeTest, RowsDoNotDependOnOtherRows) {
  Format format = preset("rq3");
  int64_t k = 353;
  std::vector<float> weights = gaussian(3 * k, 6);
  auto all = decoded(format, encoded(format, weights, 3, k), 3, k);
  for (int64_t r = 0; r < 3; ++r) {
    auto row = std::span(weights).subspan(size_t(r * k), size_t(k));
    auto one = decoded(format, encoded(format, row, 1, k), 1, k);
    EXPECT_TRUE(std::equal(one.begin(), one.end(), all.begin() + r * k));
  }
}

TEST(EncodeTest, NamesTheFirstBadWeight) {
  Format format = preset("rq3");
  int64_t n = 2000, k = 100;
  std::vector<std::byte> blob(size_t(WeightLayout(format, n, k).totalBytes));
  struct Case {
    float value;
    const char *error;
  } cases[] = {
      {std::nanf(""), "weight is nan at row 3, column 17"},
      {std::numeric_limits<float>::infinity(),
       "weight is inf at row 3, column 17"},
      {-std::numeric_limits<float>::infinity(),
       "weight is -inf at row 3, column 17"},
      {0x1p65f, "expected weights below 2^64 in magnitude but got "
                "3.689349e+19 at row 3, column 17"},
  };
  for (const Case &c : cases)
    for (unsigned threads : {1u, 4u}) {
      std::vector<float> weights = gaussian(n * k, 1);
      weights[3 * 100 + 17] = c.value;
      weights[3 * 100 + 99] = std::nanf("");
      weights[1999 * 100] = std::nanf("");
      weights[1000 * 100] = std::nanf("");
      Status status = encode(format, weights, n, k, blob, {threads, nullptr});
      ASSERT_FALSE(status);
      EXPECT_EQ(status.error(), c.error);
    }
}

TEST(EncodeTest, ZerosAndConstants) {
  for (const Format &format : presets()) {
    // Row 0 is zero, row 1 constant, row 2 negative zero, row 3 one spike.
    int64_t n = 4, k = 300;
    std::vector<float> weights(size_t(n * k));
    std::fill_n(weights.begin() + k, k, 0.125f);
    std::fill_n(weights.begin() + 2 * k, k, -0.0f);
    weights[size_t(3 * k + 5)] = 1;
    auto blob = encoded(format, weights, n, k);
    WeightLayout layout(format, n, k);
    for (int64_t r : {0, 2})
      for (int64_t i = 0; i < layout.numbersPerRow; ++i)
        EXPECT_EQ(numberAt(layout, blob, r, i), 0);
    std::vector<float> x(static_cast<size_t>(paddedLength(k)));
    size_t words = size_t(format.codebook->codeWords());
    std::vector<uint32_t> zero(x.size() / size_t(format.codebook->dim()) *
                               words);
    format.codebook->assign(x, 1, 0, zero);
    std::vector<uint64_t> codes = codesOf(format, layout, blob, 0);
    for (size_t i = 0; i < zero.size(); ++i)
      EXPECT_EQ(uint32_t(codes[i / words] >> (32 * (i % words))), zero[i])
          << format.name;
    std::vector<float> rebuilt = decoded(format, blob, n, k);
    for (int64_t i = 0; i < k; ++i) {
      EXPECT_EQ(rebuilt[size_t(i)], 0);
      EXPECT_EQ(rebuilt[size_t(2 * k + i)], 0);
    }
    for (float value : rebuilt)
      EXPECT_TRUE(std::isfinite(value));
  }
}

TEST(EncodeTest, EveryMagnitudeGivesFiniteSteps) {
  for (const Format &format : presets())
    for (int exponent = -149; exponent <= 60; ++exponent) {
      int64_t k = 288;
      std::vector<float> weights = gaussian(k, 3, 1);
      for (float &weight : weights)
        weight = std::ldexp(weight, exponent);
      auto blob = encoded(format, weights, 1, k);
      WeightLayout layout(format, 1, k);
      for (int64_t i = 0; i < layout.numbersPerRow; ++i)
        ASSERT_LT(numberAt(layout, blob, 0, i) & 0x7fff, 0x7c00);
      double error = relativeError(weights, decoded(format, blob, 1, k));
      // Never worse than zeros, and good while the step is a normal number.
      ASSERT_LE(error, 1 + 1e-6) << format.name << " 2^" << exponent;
      if (exponent >= -6 && exponent <= 14)
        ASSERT_LT(error, 0.2) << format.name << " 2^" << exponent;
    }
}

TEST(EncodeTest, SubnormalStepsAreChosenWell) {
  // Steps of a few units of 2^-24: the best of all small ones.
  for (const Format &format : steppedFormats()) {
    int64_t k = format.scale.group;
    float top = format.codebook->spread().reach;
    for (float units : {0.3f, 0.7f, 1.5f, 2.5f, 5.4f}) {
      std::vector<float> weights =
          gaussian(k, 3, units * top / 2.2f * 0x1p-24f);
      auto blob = encoded(format, weights, 1, k);
      double got = 0, least = 0;
      std::vector<float> rebuilt = decoded(format, blob, 1, k);
      for (size_t i = 0; i < weights.size(); ++i) {
        got += std::pow(double(weights[i]) - rebuilt[i], 2);
        least += std::pow(double(weights[i]), 2); // step 0
      }
      for (int i = 1; i < 20; ++i)
        least =
            std::min(least, errorWith(format, weights, float(i) * 0x1p-24f));
      EXPECT_LE(got, 1.02 * least) << format.name << " " << units;
    }
  }
}

TEST(EncodeTest, SizesThatDoNotMatch) {
  Format format = preset("rq3");
  std::vector<float> weights(256);
  std::vector<std::byte> blob(98), larger(99);
  EXPECT_TRUE(encode(format, weights, 1, 256, blob));
  Status status = encode(format, weights, 1, 255, blob);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error(), "expected 1 x 255 weights but got 256");
  status = encode(format, weights, 1, 256, larger);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error(), "expected a blob of 98 bytes but got 99");
  status = encode(format, {}, 0, 256, {});
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error(), "expected 1 to 2147483647 rows but got 0");
  EXPECT_FALSE(encode(format, {}, 1, 0, {}));
  EXPECT_FALSE(encode(format, {}, INT64_MIN, INT64_MIN, {}));
}

TEST(EncodeTest, ProgressCountsEveryRow) {
  Format format = preset("rq2");
  int64_t n = 1000, k = 300, rows = 0;
  int calls = 0;
  std::vector<float> weights = gaussian(n * k, 1);
  std::vector<std::byte> blob(size_t(WeightLayout(format, n, k).totalBytes));
  ASSERT_TRUE(encode(format, weights, n, k, blob, {4, [&](int64_t done) {
                                                     EXPECT_GT(done, 0);
                                                     rows += done;
                                                     ++calls;
                                                   }}));
  EXPECT_EQ(rows, n);
  EXPECT_GT(calls, 1);
}

TEST(EncodeTest, GapsAreZero) {
  // One row of 64: a 1-bit plane of 8 bytes leaves a gap of 8.
  Format format = preset("rq3");
  std::vector<float> weights = gaussian(64, 1);
  auto blob = encoded(format, weights, 1, 64);
  WeightLayout layout(format, 1, 64);
  EXPECT_EQ(layout.scalesOffset, 32);
  for (size_t i = 24; i < 32; ++i)
    EXPECT_EQ(blob[i], std::byte(0));
}
