//===- TrellisTest.cpp - Weights along a path of states -------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Codec/Kernels.h"
#include "TestUtils.h"
#include "rotq/Codec/GridCodebook.h"
#include "rotq/Codec/TrellisCodebook.h"
#include "rotq/Codec/WindowCoding.h"

#include <cmath>
#include <thread>

using namespace rotq;
using namespace rotq::test;

namespace {

constexpr uint32_t kMultiplier = 0x83dcd12d;

int pointOf(const TrellisCodebook &codebook, uint32_t code) {
  int8_t point;
  codebook.point(code, {&point, 1});
  return point;
}

/// sum (x - step * point)^2.
double squaredError(const TrellisCodebook &codebook, std::span<const float> x,
                    float step, std::span<const uint32_t> codes) {
  double error = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    double e = double(x[i]) - double(step) * pointOf(codebook, codes[i]);
    error += e * e;
  }
  return error;
}

/// The first weight of the circle of weight `i` of `n`, and the weights in it.
std::pair<size_t, size_t> circleOf(size_t i, size_t n) {
  size_t first = i - i % 256;
  return {first, std::min<size_t>(256, n - first)};
}

/// The codes of a string of bits, from the definition.
std::vector<uint32_t> windowsOf(const std::vector<bool> &bits, unsigned rate) {
  std::vector<uint32_t> codes;
  size_t n = bits.size() / rate;
  for (size_t i = 0; i < n; ++i) {
    auto [first, length] = circleOf(i, n);
    uint32_t code = 0;
    for (size_t b = 0; b < 16; ++b) {
      size_t at =
          ((i - first + 1) * rate + length * rate - 16 + b) % (length * rate);
      code |= uint32_t(bits[first * rate + at]) << b;
    }
    codes.push_back(code);
  }
  return codes;
}

void expectCircles(std::span<const uint32_t> codes, unsigned rate) {
  for (size_t i = 0; i < codes.size(); ++i) {
    auto [first, length] = circleOf(i, codes.size());
    size_t next = first + (i - first + 1) % length;
    ASSERT_EQ(codes[i] >> rate, codes[next] & (0xffffu >> rate)) << i;
  }
}

class TrellisTest : public testing::TestWithParam<unsigned> {};

} // namespace

TEST_P(TrellisTest, WindowsUnpackAndPackAgain) {
  unsigned rate = GetParam();
  WindowCoding coding(rate);
  ASSERT_EQ(coding.runBytes()[0], 4 * rate);
  std::mt19937 random(rate);
  for (int64_t n : {32, 64, 96, 256, 480, 544, 768}) {
    std::vector<bool> bits;
    std::vector<uint32_t> words(size_t(n) * rate / 32), before;
    for (uint32_t &word : words) {
      word = uint32_t(random());
      for (unsigned b = 0; b < 32; ++b)
        bits.push_back(word >> b & 1);
    }
    for (int64_t run = 0; run < n / 32; ++run)
      before.push_back(
          words[size_t(runBefore(run, n, coding.circle()) + 1) * rate - 1]);
    EvalBuilder builder;
    Expr planes[] = {builder.input(words), builder.input(before)};
    std::span<const uint32_t> unpacked =
        builder.words(coding.unpack(builder, planes, n));
    std::vector<uint32_t> codes(unpacked.begin(), unpacked.end());
    EXPECT_EQ(codes, windowsOf(bits, rate));
    std::vector<uint32_t> packed(words.size());
    std::span<std::byte> bytes = std::as_writable_bytes(std::span(packed));
    coding.pack(codes, {&bytes, 1});
    EXPECT_EQ(packed, words);
  }
}

TEST_P(TrellisTest, StatesFollowEachOtherInACircle) {
  unsigned rate = GetParam();
  TrellisCodebook codebook(rate, kMultiplier, 0);
  for (int64_t n : {32, 64, 256, 480, 544}) {
    std::vector<float> x = gaussian(n, rate, 1);
    std::vector<uint32_t> codes(x.size());
    codebook.assign(x, codebook.gaussianStep(), 0, codes);
    expectCircles(codes, rate);
  }
}

TEST_P(TrellisTest, WhatTheTrellisReachesIsFoundAgain) {
  // Points of a path themselves: nothing is lost.
  unsigned rate = GetParam();
  TrellisCodebook codebook(rate, kMultiplier, 0);
  std::mt19937 random(rate);
  std::vector<bool> bits((256 + 96) * rate);
  for (size_t i = 0; i < bits.size(); ++i)
    bits[i] = random() >> 7 & 1;
  std::vector<float> x;
  for (uint32_t code : windowsOf(bits, rate))
    x.push_back(0.5f * float(pointOf(codebook, code)) - 3);
  std::vector<uint32_t> codes(x.size());
  codebook.assign(x, 0.5f, -3, codes);
  for (float &value : x)
    value += 3;
  EXPECT_LE(squaredError(codebook, x, 0.5f, codes), 0);
}

TEST_P(TrellisTest, NoChangeOfAFewBitsHelpsMuch) {
  // No string of bits near that of a circle is more than a little better. (With
  // the best seam none would be better at all.)
  unsigned rate = GetParam();
  TrellisCodebook codebook(rate, kMultiplier, 0);
  float step = codebook.gaussianStep();
  std::vector<float> x = gaussian(64, 100 + rate, 1);
  std::vector<uint32_t> codes(x.size());
  codebook.assign(x, step, 0, codes);
  double error = squaredError(codebook, x, step, codes), least = error;
  std::vector<bool> bits;
  for (uint32_t code : codes)
    for (unsigned b = 0; b < rate; ++b)
      bits.push_back(code >> (16 - rate + b) & 1);
  ASSERT_EQ(windowsOf(bits, rate), codes);
  for (size_t start = 0; start < bits.size(); ++start)
    for (unsigned change = 1; change < 128; change += 2) {
      std::vector<bool> other = bits;
      for (unsigned b = 0; b < 7; ++b) {
        size_t at = (start + b) % bits.size();
        other[at] = other[at] != bool(change >> b & 1);
      }
      least = std::min(least,
                       squaredError(codebook, x, step, windowsOf(other, rate)));
    }
  EXPECT_GE(least, 0.99 * error);
}

TEST_P(TrellisTest, AStepFollowsItsDefinition) {
  // A step of kernels::trellisStep against its definition, at every level.
  unsigned rate = GetParam(), classes = 65536u >> rate;
  std::mt19937 random(rate);
  std::vector<int16_t> points(65536);
  for (int16_t &point : points)
    point = int16_t(random());
  std::vector<uint16_t> costs(classes);
  for (uint16_t &cost : costs)
    cost =
        uint16_t(random() % 4 ? 1000 + random() % 500 : 65000 + random() % 536);
  int16_t x = int16_t(random());
  std::vector<uint16_t> expected(classes, 65535), out(classes);
  for (unsigned o = 0; o < classes; ++o)
    for (unsigned r = 0; r < 1u << rate; ++r) {
      uint32_t cost =
          costs[(r * classes + o) >> rate] +
          kernels::trellisDistance(points[kernels::stateIndex(rate, o, r)], x);
      expected[o] = uint16_t(std::min<uint32_t>({cost, 65535, expected[o]}));
    }
  for (uint16_t &cost : expected)
    cost = uint16_t(cost - 999);
  for (const kernels::Table *table : kernels::available()) {
    EXPECT_EQ(table->trellisStep(rate, points.data(), x, costs.data(), 999,
                                 out.data()),
              *std::ranges::min_element(expected));
    EXPECT_EQ(out, expected) << table->name;
  }
}

INSTANTIATE_TEST_SUITE_P(Rates, TrellisTest, testing::Values(1, 2, 3, 4, 5, 6));

TEST(TrellisCodebookTest, DecodeGivesThePointOfEveryState) {
  for (uint32_t increment : {0u, 76625530u}) {
    TrellisCodebook codebook(2, kMultiplier, increment);
    std::vector<uint32_t> states(65536);
    for (uint32_t i = 0; i < states.size(); ++i)
      states[i] = i;
    EvalBuilder builder;
    std::span<const uint32_t> words =
        builder.words(codebook.decode(builder, builder.input(states)));
    ASSERT_EQ(words.size(), states.size() / 4);
    for (uint32_t i = 0; i < states.size(); ++i) {
      uint32_t hash = i * kMultiplier + increment, sum = 0;
      for (unsigned b = 0; b < 32; b += 8)
        sum += hash >> b & 255;
      ASSERT_EQ(pointOf(codebook, i), int(sum / 4) - 128);
      ASSERT_EQ(int8_t(words[i / 4] >> (8 * (i % 4))), int(sum / 4) - 128);
    }
  }
}

TEST(TrellisCodebookTest, ThreadsDoNotDisturbEachOther) {
  TrellisCodebook first(2, kMultiplier, 0), second(4, kMultiplier, 0);
  std::vector<float> x = gaussian(640, 3, 1);
  auto assigned = [&](const TrellisCodebook &codebook) {
    std::vector<uint32_t> codes(x.size());
    codebook.assign(x, codebook.gaussianStep(), 0, codes);
    return codes;
  };
  std::vector<uint32_t> expected[] = {assigned(first), assigned(second)};
  TrellisCodebook fresh(2, kMultiplier, 0);
  std::vector<uint32_t> got[4];
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < 4; ++i)
      threads.emplace_back(
          [&, i] { got[i] = assigned(i % 2 ? second : fresh); });
  }
  for (size_t i = 0; i < 4; ++i)
    EXPECT_EQ(got[i], expected[i % 2]);
}

TEST(TrellisCodebookTest, OutliersAndEmptyRunsAreEncoded) {
  TrellisCodebook codebook(3, kMultiplier, 0);
  float step = codebook.gaussianStep();
  std::vector<float> x(256 + 192);
  for (size_t i = 32; i < 64; ++i)
    x[i] = 1e30f; // beyond every point
  for (size_t i = 64; i < 96; ++i)
    x[i] = i % 2 ? 3.4f : -3.4f;
  x[100] = 50;
  for (size_t i = 128; i < 160; ++i)
    x[i] = 0.01f * float(i % 5);
  for (size_t i = 160; i < 192; ++i)
    x[i] = i % 8 ? 0 : -100.0f;
  std::vector<uint32_t> codes(x.size());
  codebook.assign(x, step, 0, codes);
  expectCircles(codes, 3);
  EXPECT_LT(squaredError(codebook, std::span(x).last(192), step,
                         std::span(codes).last(192)),
            192 * 0.02);
}

TEST(TrellisCodebookTest, DeclarationsAreChecked) {
  std::string text = preset("trellis3").toJson();
  EXPECT_EQ(text,
            R"({"name":"trellis3","rotation":{"kind":"hadamard","block":256},)"
            R"("scale":{"type":"f16","group":"row","offset":false},)"
            R"("codebook":{"kind":"trellis","bits":16,"rate":3,)"
            R"("multiplier":2212286765,"increment":0},)"
            R"("coding":{"kind":"window","bits":16,"rate":3}})");
  auto errorOf = [&](std::string_view from, std::string_view to) {
    std::string edited = text;
    edited.replace(edited.find(from), from.size(), to);
    Expected<Format> format = Format::fromJson(edited);
    return format ? "" : format.error();
  };
  EXPECT_EQ(errorOf("\"rate\":3}}", "\"rate\":2}}"),
            "expected a window coding of 3 bits a weight, as the trellis has, "
            "but got 2");
  EXPECT_EQ(errorOf("\"rate\":3}}", "\"rate\":9}}"),
            "expected an integer from 1 to 6 as format.coding.rate but got 9");
  EXPECT_EQ(errorOf("\"bits\":16,\"rate\":3,", "\"bits\":15,\"rate\":3,"),
            "expected an integer from 16 to 16 as format.codebook.bits but got "
            "15");
  EXPECT_EQ(errorOf("2212286765", "4294967296"),
            "expected an integer from 0 to 4294967295 as "
            "format.codebook.multiplier but got 4294967296");
  EXPECT_EQ(errorOf("\"window\",\"bits\":16,\"rate\":3",
                    "\"field\",\"bits\":16,\"dim\":1"),
            "");
}

TEST(TrellisCodebookTest, WindowsNeedATrellis) {
  GridCodebook grid(16, 1, false, std::vector<int8_t>(65536));
  TrellisCodebook trellis(2, kMultiplier, 0);
  Scale row{.group = kWholeRow}, groups{.group = 256};
  EXPECT_EQ(checkParts(row, grid, WindowCoding(2)).error(),
            "expected a trellis codebook for a window coding but got grid");
  EXPECT_TRUE(checkParts(row, trellis, WindowCoding(2)));
  EXPECT_TRUE(checkParts(groups, trellis, FieldCoding(16, 1)));
  EXPECT_EQ(checkParts(groups, trellis, WindowCoding(2)).error(),
            "expected a scale for a row, as circles of 256 weights need, but "
            "got groups of 256");
}
