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

/// The codes of a string of bits, from the definition.
std::vector<uint32_t> windowsOf(const std::vector<bool> &bits, unsigned rate) {
  std::vector<uint32_t> codes;
  size_t run = 32 * rate;
  for (size_t i = 0; i < bits.size() / rate; ++i) {
    uint32_t code = 0;
    for (size_t b = 0; b < 16; ++b) {
      size_t at = ((i % 32 + 1) * rate + run - 16 + b) % run;
      code |= uint32_t(bits[i / 32 * run + at]) << b;
    }
    codes.push_back(code);
  }
  return codes;
}

/// Rotated by blocks of 256, with a step per row.
Format makeTrellis(unsigned rate) {
  return {.name = "trellis" + std::to_string(rate),
          .rotation = std::make_shared<HadamardRotation>(256),
          .scale = {.group = kWholeRow, .hasOffset = false},
          .codebook = std::make_shared<TrellisCodebook>(rate, kMultiplier, 0),
          .coding = std::make_shared<WindowCoding>(rate)};
}

class TrellisTest : public testing::TestWithParam<unsigned> {};

} // namespace

TEST_P(TrellisTest, WindowsUnpackAndPackAgain) {
  unsigned rate = GetParam();
  WindowCoding coding(rate);
  ASSERT_EQ(coding.runBytes()[0], 4 * rate);
  std::mt19937 random(rate);
  for (int64_t n : {32, 64, 96, 256}) {
    std::vector<bool> bits;
    std::vector<uint32_t> words(size_t(n) * rate / 32);
    for (uint32_t &word : words) {
      word = uint32_t(random());
      for (unsigned b = 0; b < 32; ++b)
        bits.push_back(word >> b & 1);
    }
    EvalBuilder builder;
    Expr plane = builder.input(words);
    std::span<const uint32_t> unpacked =
        builder.words(coding.unpack(builder, {&plane, 1}, n));
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
  std::vector<float> x = gaussian(128, rate, 1);
  std::vector<uint32_t> codes(x.size());
  codebook.assign(x, codebook.gaussianStep(), 0, codes);
  for (size_t i = 0; i < codes.size(); ++i) {
    size_t next = i % 32 == 31 ? i - 31 : i + 1;
    ASSERT_EQ(codes[i] >> rate, codes[next] & (0xffffu >> rate));
  }
}

TEST_P(TrellisTest, WhatTheTrellisReachesIsFoundAgain) {
  // Points of a path themselves: nothing is lost.
  unsigned rate = GetParam();
  TrellisCodebook codebook(rate, kMultiplier, 0);
  std::mt19937 random(rate);
  std::vector<bool> bits(64 * rate);
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
  // No string of bits near that of a circle is more than a little better. (A
  // search that is exact would have none better at all.)
  unsigned rate = GetParam();
  TrellisCodebook codebook(rate, kMultiplier, 0);
  float step = codebook.gaussianStep();
  std::vector<float> x = gaussian(32, 100 + rate, 1);
  std::vector<uint32_t> codes(32);
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
  EXPECT_GE(least, 0.97 * error);
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

TEST(TrellisCodebookTest, ErrorOnGaussianWeights) {
  struct Case {
    unsigned rate;
    double limit;
  } cases[] = {{2, 0.0755}, {3, 0.0193}, {4, 0.0049}};
  for (const Case &c : cases) {
    Format format = makeTrellis(c.rate);
    int64_t n = 4, k = 2048;
    std::vector<float> weights = gaussian(n * k, 42);
    double error = lossOf(format, weights, n, k);
    EXPECT_LT(error, c.limit) << format.name;
    RecordProperty(format.name, std::to_string(error));
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
  std::vector<float> x(32 * 6);
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
  for (size_t i = 0; i < codes.size(); ++i) {
    size_t next = i % 32 == 31 ? i - 31 : i + 1;
    ASSERT_EQ(codes[i] >> 3, codes[next] & 0x1fffu) << i;
  }
  EXPECT_LT(squaredError(codebook, std::span(x).first(32), step,
                         std::span(codes).first(32)),
            32 * 0.02);
}

TEST(TrellisCodebookTest, DeclarationsAreChecked) {
  std::string text = makeTrellis(3).toJson();
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
  EXPECT_EQ(checkParts(grid, WindowCoding(2)).error(),
            "expected a trellis codebook for a window coding but got grid");
  EXPECT_TRUE(checkParts(TrellisCodebook(2, kMultiplier, 0), WindowCoding(2)));
  EXPECT_TRUE(
      checkParts(TrellisCodebook(2, kMultiplier, 0), FieldCoding(16, 1)));
}
