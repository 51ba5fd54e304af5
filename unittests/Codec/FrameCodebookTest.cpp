//===- FrameCodebookTest.cpp - Signed sums of vectors ---------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Codec/FrameCodebook.h"
#include "TestUtils.h"

#include <cmath>
#include <memory>

using namespace rotq;
using namespace rotq::test;

namespace {

using FramePointer = std::shared_ptr<const FrameCodebook>;

/// `axes` axes of magnitude 20, then vectors without order.
FramePointer makeFrame(int64_t dim, unsigned bits, unsigned axes) {
  std::mt19937 random(bits);
  int limit = (127 - 20) / int(bits);
  std::uniform_int_distribution<int> entry(-limit, limit);
  std::vector<int8_t> vectors;
  for (unsigned bit = 0; bit < bits; ++bit)
    for (int64_t i = 0; i < dim; ++i)
      if (bit >= axes)
        vectors.push_back(int8_t(entry(random)));
      else
        vectors.push_back(i == int64_t(bit) ? 20 : 0);
  return std::make_shared<FrameCodebook>(dim, std::move(vectors), 500);
}

std::vector<FramePointer> frames() {
  std::vector<FramePointer> result = {
      makeFrame(4, 1, 0),  makeFrame(4, 5, 4),  makeFrame(4, 8, 0),
      makeFrame(4, 9, 3),  makeFrame(4, 17, 4), makeFrame(8, 4, 0),
      makeFrame(8, 8, 8),  makeFrame(8, 10, 0), makeFrame(8, 16, 1),
      makeFrame(8, 23, 8), makeFrame(8, 24, 8)};
  for (const Format &format : presets())
    if (auto frame =
            std::dynamic_pointer_cast<const FrameCodebook>(format.codebook))
      result.push_back(frame);
  return result;
}

std::vector<int8_t> pointOf(const FrameCodebook &frame, uint64_t code) {
  std::vector<int8_t> point(size_t(frame.dim()));
  frame.point(code, point);
  return point;
}

} // namespace

TEST(FrameCodebookTest, PointsAreSignedSums) {
  std::mt19937_64 random(1);
  for (const FramePointer &frame : frames()) {
    size_t dim = size_t(frame->dim());
    uint64_t all = (uint64_t(1) << frame->bits()) - 1;
    for (int trial = 0; trial < 100; ++trial) {
      uint64_t code = random() & all;
      std::vector<int8_t> point = pointOf(*frame, code),
                          opposite = pointOf(*frame, code ^ all);
      for (unsigned j = 0; j < frame->bits(); ++j) {
        std::vector<int8_t> plus = pointOf(*frame, code | uint64_t(1) << j),
                            minus = pointOf(*frame, code & ~(uint64_t(1) << j));
        for (size_t i = 0; i < dim; ++i)
          ASSERT_EQ(plus[i] - minus[i], 2 * frame->vectors()[j * dim + i]);
      }
      for (size_t i = 0; i < dim; ++i)
        ASSERT_EQ(opposite[i], -point[i]);
    }
  }
}

TEST(FrameCodebookTest, DecodeGivesThePointOfEveryCode) {
  std::mt19937_64 random(2);
  for (const FramePointer &frame : frames()) {
    size_t dim = size_t(frame->dim());
    uint64_t all = (uint64_t(1) << frame->bits()) - 1;
    std::vector<uint32_t> codes = {0, uint32_t(all)};
    for (uint64_t i = 0; i < std::min<uint64_t>(all + 1, 4094); ++i)
      codes.push_back(uint32_t(all < 4094 ? i : random() & all));
    EvalBuilder builder;
    std::span<const uint32_t> result =
        builder.words(frame->decode(builder, builder.input(codes)));
    ASSERT_EQ(result.size(), codes.size() * dim / 4);
    for (size_t at = 0; at < codes.size() * dim; ++at)
      ASSERT_EQ(int8_t(result[at / 4] >> (8 * (at % 4)) & 255),
                pointOf(*frame, codes[at / dim])[at % dim])
          << frame->bits() << " bits, code " << codes[at / dim];
  }
}

TEST(FrameCodebookTest, SumsReachTheBoundsOfABin) {
  // In coordinate 0 to 127, in the next to -127, so that words borrow.
  FrameCodebook frame(4, {100, -100, 0, 127, 27, -27, 127, 0}, 16);
  EXPECT_EQ(pointOf(frame, 3), (std::vector<int8_t>{127, -127, 127, 127}));
  EXPECT_EQ(pointOf(frame, 0), (std::vector<int8_t>{-127, 127, -127, -127}));
  uint32_t codes[] = {0, 1, 2, 3};
  EvalBuilder builder;
  std::span<const uint32_t> result =
      builder.words(frame.decode(builder, builder.input(codes)));
  for (size_t at = 0; at < 16; ++at)
    EXPECT_EQ(int8_t(result[at / 4] >> (8 * (at % 4)) & 255),
              pointOf(frame, codes[at / 4])[at % 4]);
}

TEST(FrameCodebookTest, PointsEncodeToThemselves) {
  // Where two codes have one point, to the lower one.
  std::mt19937_64 random(3);
  for (const FramePointer &frame : frames()) {
    size_t dim = size_t(frame->dim());
    std::vector<uint64_t> codes(40);
    std::vector<float> x;
    // Powers of two: steps and offsets round nothing.
    float step = 0.25f, offset = -3;
    for (uint64_t &code : codes) {
      code = random() >> (64 - frame->bits());
      for (int8_t value : pointOf(*frame, code))
        x.push_back(float(value) * step + offset);
    }
    std::vector<uint32_t> got(codes.size());
    frame->assign(x, step, offset, got);
    for (size_t i = 0; i < codes.size(); ++i) {
      ASSERT_EQ(pointOf(*frame, got[i]), pointOf(*frame, codes[i]))
          << dim << " " << frame->bits();
      ASSERT_LE(got[i], codes[i]);
    }
  }
}

TEST(FrameCodebookTest, StepAndSpread) {
  FrameCodebook frame(4, {3, 0, 0, 4, 0, -12, 3, 0}, 80);
  EXPECT_EQ(frame.gaussianStep(), 0.2f);
  Codebook::Spread spread = frame.spread();
  EXPECT_FLOAT_EQ(spread.rms, std::sqrt((9 + 16 + 144 + 9) / 4.0f));
  EXPECT_EQ(spread.reach, 3);
  // The same by way of all codes.
  float squares = 0;
  for (uint64_t code = 0; code < 4; ++code)
    for (int8_t value : pointOf(frame, code))
      squares += float(value) * float(value);
  EXPECT_FLOAT_EQ(spread.rms, std::sqrt(squares / 16));
}

TEST(FrameCodebookTest, BitsAWeight) {
  for (unsigned bits : {12, 16, 18, 20, 24}) {
    Format format = preset("liftquant_w" + std::to_string(bits));
    EXPECT_EQ(format.codebook->bits(), bits);
    EXPECT_EQ(WeightLayout(format, 4096, 4096).bitsPerWeight(),
              double(bits) / 8 + 16.0 / 4096);
  }
}

TEST(FrameCodebookTest, ChecksWhatItIsGiven) {
  auto zeros = [](size_t count) { return std::vector<int8_t>(count); };
  auto error = [](int64_t dim, const std::vector<int8_t> &vectors,
                  int64_t deviation) {
    Status status = FrameCodebook::check(dim, vectors, deviation);
    return status ? "" : status.error();
  };
  EXPECT_EQ(error(8, zeros(8), 1), "");
  EXPECT_EQ(error(4, zeros(4), 2032), "");
  for (int64_t dim : {0, 1, 2, 3, 5, 16, -8})
    EXPECT_EQ(error(dim, zeros(16), 500),
              "expected vectors of 4 or 8 dimensions but got " +
                  std::to_string(dim));
  for (size_t count : {0, 7, 12, 200})
    EXPECT_EQ(error(8, zeros(count), 500),
              "expected 1 to 24 vectors of 8 coordinates but got " +
                  std::to_string(count) + " coordinates");
  for (int64_t deviation : {-1, 0, 2033})
    EXPECT_EQ(error(8, zeros(64), deviation),
              "expected a deviation of 1 to 2032 sixteenths but got " +
                  std::to_string(deviation));

  std::vector<int8_t> vectors = {100, 0, 0, 0, -27, 0, 0, 0};
  EXPECT_EQ(error(4, vectors, 500), "");
  vectors[4] = -28;
  EXPECT_EQ(error(4, vectors, 500), "expected magnitudes that add up to 127 at "
                                    "most but got 128 in dimension 0");
  vectors = {0, 0, 0, -128};
  EXPECT_EQ(error(4, vectors, 500), "expected magnitudes that add up to 127 at "
                                    "most but got 128 in dimension 3");

  // Sixteen besides the axes.
  EXPECT_EQ(error(8, zeros(8 * 16), 500), "");
  EXPECT_EQ(error(8, zeros(8 * 17), 500),
            "expected at most 16 vectors behind those along an axis but got 17 "
            "behind 0");
  vectors = zeros(8 * 19);
  vectors[0] = vectors[8 + 3] = -5;
  EXPECT_EQ(error(8, vectors, 500),
            "expected at most 16 vectors behind those along an axis but got 17 "
            "behind 2");
  vectors[16 + 1] = 1;
  EXPECT_EQ(error(8, vectors, 500), "");
  // One along an axis that another has is searched as others are.
  std::swap(vectors[16 + 1], vectors[16 + 3]);
  EXPECT_NE(error(8, vectors, 500), "");
}
