//===- FeedbackTest.cpp - Errors that later columns make good -------------===//
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

/// V of an inverse covariance V^T V: column i tells the next one of `decay` of
/// its error, and the one 40 further on of a quarter of that.
static std::vector<float> factorOf(int64_t k, float decay) {
  size_t length = size_t(paddedLength(k));
  std::vector<float> factor(length * length, 0);
  for (size_t i = 0; i < length; ++i) {
    factor[i * length + i] = 1;
    if (i + 1 < length)
      factor[i * length + i + 1] = -decay;
    if (i + 40 < length)
      factor[i * length + i + 40] = -decay / 4;
  }
  return factor;
}

/// tr(E H E^T) = |E V^-1|^2 of the errors E of what was encoded.
static double lossWith(const Format &format, std::span<const float> factor,
                       std::span<const float> weights,
                       std::span<const std::byte> blob, int64_t n, int64_t k) {
  size_t length = size_t(paddedLength(k));
  std::vector<float> rotated(size_t(n) * length);
  EXPECT_TRUE(decodeRotated(format, blob, n, k, rotated));
  double loss = 0;
  for (size_t r = 0; r < size_t(n); ++r) {
    std::vector<float> row(weights.begin() + ptrdiff_t(r) * k,
                           weights.begin() + ptrdiff_t(r + 1) * k);
    row.resize(length);
    format.rotation->forward(row);
    std::vector<double> error(length);
    for (size_t i = 0; i < length; ++i)
      error[i] = double(row[i]) - rotated[r * length + i];
    for (size_t i = 0; i < length; ++i) {
      loss += error[i] * error[i];
      for (size_t j = i + 1; j < length; ++j)
        error[j] -= error[i] * factor[i * length + j];
    }
  }
  return loss;
}

static std::vector<std::byte> encodedWith(const Format &format,
                                          std::span<const float> factor,
                                          std::span<const float> weights,
                                          int64_t n, int64_t k,
                                          unsigned threads = 1) {
  std::vector<std::byte> blob(size_t(WeightLayout(format, n, k).totalBytes));
  Status status =
      encode(format, weights, n, k, blob, {threads, nullptr, factor});
  EXPECT_TRUE(status.has_value()) << (status ? "" : status.error());
  return blob;
}

TEST(FeedbackTest, NothingIsFedWhereNothingIsCorrelated) {
  for (const Format &format : presets())
    for (int64_t k : {1, 100, 576}) {
      int64_t n = 3;
      std::vector<float> weights = gaussian(n * k, unsigned(k));
      std::fill_n(weights.begin(), k, 0.0f);
      // What is below the diagonal is not read.
      std::vector<float> factor = factorOf(k, 0);
      size_t length = size_t(paddedLength(k));
      for (size_t i = 0; i < length; ++i)
        for (size_t j = 0; j <= i; ++j)
          factor[i * length + j] = std::nanf("");
      EXPECT_TRUE(encodedWith(format, factor, weights, n, k) ==
                  encoded(format, weights, n, k))
          << format.name << " " << k;
    }
}

TEST(FeedbackTest, APathIsEncodedByCirclesWhateverTheCoding) {
  for (const char *name : {"trellis3", "trellis3v"}) {
    Format format = preset(name);
    format.coding = std::make_shared<FieldCoding>(16, format.codebook->dim());
    int64_t n = 2, k = 288;
    std::vector<float> weights = gaussian(n * k, 5);
    EXPECT_EQ(encodedWith(format, factorOf(k, 0), weights, n, k),
              encodedWith(format, {}, weights, n, k));
  }
}

TEST(FeedbackTest, OutputsErrLess) {
  // What is told within a group comes too late: the longer groups are, the less
  // there is to gain.
  for (const Format &format : presets()) {
    int64_t n = 8, k = 576;
    std::vector<float> weights = gaussian(n * k, 11);
    std::vector<float> factor = factorOf(k, 0.7f);
    double plain =
        lossWith(format, factor, weights, encoded(format, weights, n, k), n, k);
    double fed = lossWith(format, factor, weights,
                          encodedWith(format, factor, weights, n, k), n, k);
    RecordProperty(format.name, std::to_string(fed / plain));
    int64_t dim = format.codebook->dim();
    double limit = dim == 1 ? 0.55 : dim < 8 ? 0.7 : 0.8;
    EXPECT_LT(fed, (format.coding->circle() ? 0.95 : limit) * plain)
        << format.name;
  }
}

/// Of a value for each weight and a step for a row, the definition.
TEST(FeedbackTest, ColumnsAreFedInOrder) {
  Format format = preset("rq3");
  format.rotation = std::make_shared<IdentityRotation>();
  format.scale.group = kWholeRow;
  int64_t n = 2, k = 640;
  std::vector<float> weights = gaussian(n * k, 5);
  std::vector<float> factor = factorOf(k, 0.5f);
  auto blob = encodedWith(format, factor, weights, n, k);
  auto plain = encoded(format, weights, n, k);
  WeightLayout layout(format, n, k);
  for (int64_t r = 0; r < n; ++r) {
    // The step is that of the row as it was.
    ASSERT_EQ(numberAt(layout, blob, r, 0), numberAt(layout, plain, r, 0));
    float step = fromHalf(numberAt(layout, blob, r, 0));
    std::vector<float> row(weights.begin() + r * k,
                           weights.begin() + (r + 1) * k);
    std::vector<uint64_t> codes = codesOf(format, layout, blob, r);
    for (size_t i = 0; i < row.size(); ++i) {
      uint32_t code;
      format.codebook->assign({&row[i], 1}, step, 0, {&code, 1});
      ASSERT_EQ(codes[i], code) << r << " " << i;
      int8_t point;
      format.codebook->point(code, {&point, 1});
      float error = row[i] - step * float(point);
      for (size_t j = i + 1; j < row.size(); ++j)
        row[j] = row[j] - error * factor[i * row.size() + j];
    }
  }
}

TEST(FeedbackTest, BytesDependOnNeitherThreadsNorLoops) {
  for (const char *name : {"rq3", "itq3_s", "nf4", "qam_w7", "hyperquant_3",
                           "liftquant_w16", "trellis2"}) {
    Format format = preset(name);
    int64_t n = 70, k = 608;
    std::vector<float> weights = gaussian(n * k, 7);
    std::vector<float> factor = factorOf(k, 0.6f);
    auto first = encodedWith(format, factor, weights, n, k);
    EXPECT_TRUE(first == encodedWith(format, factor, weights, n, k, 5)) << name;
    // Nor on how many rows there are.
    auto head = std::span(weights).first(size_t(33 * k));
    std::vector<float> some =
        decoded(format, encodedWith(format, factor, head, 33, k), 33, k);
    std::vector<float> all = decoded(format, first, n, k);
    EXPECT_TRUE(std::equal(some.begin(), some.end(), all.begin())) << name;
    for (const kernels::Table *table : kernels::available()) {
      kernels::select(table);
      auto blob = encodedWith(format, factor, weights, n, k);
      kernels::select(nullptr);
      EXPECT_TRUE(first == blob) << name << " " << table->name;
    }
  }
}

/// The message of an encoding that must fail.
static std::string failureOf(std::span<const float> factor, int64_t k,
                             float weight = 1,
                             std::string_view name = "int4_g128") {
  Format format = preset(name);
  std::vector<float> weights(size_t(2 * k), 0);
  std::fill(weights.begin() + k, weights.end(), weight);
  std::vector<std::byte> blob(size_t(WeightLayout(format, 2, k).totalBytes));
  Status status = encode(format, weights, 2, k, blob, {0, nullptr, factor});
  return status ? "" : status.error();
}

TEST(FeedbackTest, WhatIsNoFactorIsRefused) {
  int64_t k = 40, length = 64;
  std::vector<float> factor = factorOf(k, 0.5f);
  EXPECT_EQ(failureOf(factor, k), "");
  EXPECT_EQ(failureOf(std::span(factor).first(40 * 40), k),
            "expected feedback of 64 x 64 numbers but got 1600");
  EXPECT_EQ(failureOf(std::span(factor).first(64 * 64 - 1), k),
            "expected feedback of 64 x 64 numbers but got 4095");
  for (float wrong : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    std::vector<float> bad = factor;
    bad[size_t(2 * length + 63)] = wrong;
    EXPECT_EQ(failureOf(bad, k), "feedback is not finite in row 2");
  }
}

TEST(FeedbackTest, WhatGrowsBeyondMeasureIsRefused) {
  int64_t k = 300;
  std::vector<float> factor(320 * 320, -1e30f);
  for (const Format &format : presets())
    EXPECT_EQ(failureOf(factor, k, 0.3f, format.name),
              "feedback grows beyond 2^64 at row 1")
        << format.name;
}
