//===- FrameSearchTest.cpp - Nearest sums of signed vectors ---------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Codec/FrameSearch.h"
#include "Codec/Frames.h"
#include "Codec/Kernels.h"
#include "TestUtils.h"

#include <array>
#include <cmath>
#include <limits>

using namespace rotq;
using namespace rotq::test;

namespace {

struct Columns {
  int64_t dim;
  unsigned bits;
  std::vector<int8_t> columns;

  FrameSearch search() const { return {dim, bits, columns}; }

  std::array<int, 8> point(uint64_t code) const {
    std::array<int, 8> sum = {};
    for (size_t bit = 0; bit < bits; ++bit)
      for (size_t i = 0; i < size_t(dim); ++i) {
        int value = columns[bit * size_t(dim) + i];
        sum[i] += code >> bit & 1 ? value : -value;
      }
    return sum;
  }

  double distance(const float *x, uint64_t code) const {
    std::array<int, 8> sum = point(code);
    double result = 0;
    for (size_t i = 0; i < size_t(dim); ++i)
      result += (x[i] - sum[i]) * (x[i] - sum[i]);
    return result;
  }

  /// The lowest code of the nearest point, by all of them. Exact for `x` on
  /// the grid of 1/32.
  uint64_t nearest(const float *x) const {
    uint64_t best = 0;
    double least = INFINITY;
    for (uint64_t code = 0; code < uint64_t(1) << bits; ++code)
      if (double d = distance(x, code); d < least) {
        least = d;
        best = code;
      }
    return best;
  }
};

/// A shipped frame, and what it loses at a step.
struct Trained : Columns {
  float step;
  double error;
};

} // namespace

/// `numAxes` axes, of either sign and in falling order, then columns without
/// order.
static Columns randomFrame(int64_t dim, unsigned bits, unsigned numAxes,
                           unsigned seed) {
  std::mt19937 random(seed);
  int limit = 127 / int(bits);
  std::uniform_int_distribution<int> entry(-limit, limit);
  Columns frame{dim, bits, std::vector<int8_t>(bits * size_t(dim))};
  for (size_t bit = 0; bit < bits; ++bit)
    for (size_t i = 0; i < size_t(dim); ++i)
      if (bit >= numAxes)
        frame.columns[bit * size_t(dim) + i] = int8_t(entry(random));
      else if (i + bit + 1 == size_t(dim))
        frame.columns[bit * size_t(dim) + i] =
            int8_t(random() % 2 ? limit : -limit);
  return frame;
}

static const Trained &trained(unsigned bits) {
  auto make = [](unsigned bits, float step, double error) {
    std::span<const int8_t> vectors = frameOf(bits).vectors;
    return Trained{{8, bits, {vectors.begin(), vectors.end()}}, step, error};
  };
  static const Trained two = make(16, 0.02188375f, 0.0900);
  static const Trained three = make(24, 0.03050458f, 0.0238);
  return bits == 16 ? two : three;
}

/// On the grid that coordinates are rounded to, so that there are ties.
static std::vector<float> grid(int64_t count, unsigned seed, float deviation) {
  std::vector<float> x = gaussian(count, seed, deviation);
  for (float &value : x)
    value = std::clamp(std::round(value * 2) / 2, -384.0f, 384.0f);
  return x;
}

TEST(FrameSearchTest, FindsTheLowestCodeOfTheNearestPoint) {
  for (int64_t dim : {1, 3, 8})
    for (unsigned bits : {1u, 2u, 5u, 9u, 12u})
      for (unsigned numAxes = 0; numAxes <= std::min<unsigned>(bits, dim);
           numAxes += 1 + numAxes % 2) {
        Columns frame = randomFrame(dim, bits, numAxes, bits + numAxes);
        FrameSearch search = frame.search();
        for (float deviation : {4.0f, 40.0f, 300.0f}) {
          std::vector<float> x = grid(8 * dim, bits, deviation);
          for (size_t at = 0; at < x.size(); at += size_t(dim))
            ASSERT_EQ(search.nearest(&x[at]), frame.nearest(&x[at]))
                << dim << " " << bits << " " << numAxes << " " << deviation;
        }
      }
}

TEST(FrameSearchTest, PointsEncodeToThemselves) {
  std::mt19937 random(3);
  for (unsigned bits : {16u, 24u}) {
    const Trained &frame = trained(bits);
    FrameSearch search = frame.search();
    for (int i = 0; i < 400; ++i) {
      uint64_t code = random() >> (32 - bits);
      std::array<int, 8> point = frame.point(code);
      for (int value : point)
        ASSERT_LE(std::abs(value), 127);
      std::array<float, 8> x;
      std::ranges::copy(point, x.begin());
      ASSERT_EQ(frame.point(search.nearest(x.data())), point);
    }
  }
}

TEST(FrameSearchTest, ExtremesComeToTheBounds) {
  constexpr float inf = std::numeric_limits<float>::infinity();
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  for (unsigned bits : {16u, 24u}) {
    FrameSearch search = trained(bits).search();
    for (unsigned signs = 0; signs < 256; signs += 15)
      for (float size : {384.0f, 385.0f, 1e30f, inf}) {
        std::array<float, 8> x, bound;
        for (size_t i = 0; i < 8; ++i) {
          x[i] = signs >> i & 1 ? size : -size;
          bound[i] = std::clamp(x[i], -384.0f, 384.0f);
        }
        EXPECT_EQ(search.nearest(x.data()), search.nearest(bound.data()));
      }
    std::array<float, 8> x, bound;
    x.fill(nan);
    bound.fill(-384);
    EXPECT_EQ(search.nearest(x.data()), search.nearest(bound.data()));
  }
}

TEST(FrameSearchTest, CodesDoNotDependOnTheSetOfKernels) {
  for (unsigned bits : {16u, 24u}) {
    const Trained &frame = trained(bits);
    FrameSearch search = frame.search();
    // Of integers only, as distributions differ between libraries.
    std::mt19937 random(4);
    std::vector<float> x(size_t(8) * 300);
    for (float &value : x)
      value = float(int(random() % 4096) + int(random() % 4096) - 4096) / 50;
    std::vector<uint64_t> first;
    for (const kernels::Table *table : kernels::available()) {
      kernels::select(table);
      std::vector<uint64_t> codes;
      for (size_t at = 0; at < x.size(); at += 8)
        codes.push_back(search.nearest(&x[at]));
      kernels::select(nullptr);
      if (first.empty())
        first = codes;
      EXPECT_EQ(codes, first) << table->name;
    }
    // For any machine.
    uint64_t hash = 0;
    for (uint64_t code : first)
      hash = (hash ^ code) * 0x9e3779b97f4a7c15;
    EXPECT_EQ(hash, bits == 16 ? 3137396854488305110u : 5870783465325253957u);
  }
}

TEST(FrameSearchTest, ErrorOnGaussianWeights) {
  for (unsigned bits : {16u, 24u}) {
    const Trained &frame = trained(bits);
    FrameSearch search = frame.search();
    int64_t count = bits == 16 ? 40000 : 10000;
    std::vector<float> x = gaussian(8 * count, 5, 1 / frame.step);
    double error = 0;
    for (size_t at = 0; at < x.size(); at += 8)
      error += frame.distance(&x[at], search.nearest(&x[at]));
    error *= double(frame.step) * double(frame.step) / double(x.size());
    EXPECT_NEAR(error, frame.error, 0.015 * frame.error) << bits;
  }
}
