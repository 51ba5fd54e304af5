//===- TrellisTest.cpp - Weights along a path of states -------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Codec/Kernels.h"
#include "TestUtils.h"
#include "rotq/Codec/GridCodebook.h"
#include "rotq/Codec/PairTrellisCodebook.h"
#include "rotq/Codec/TrellisCodebook.h"
#include "rotq/Codec/WindowCoding.h"

#include <cmath>
#include <thread>

using namespace rotq;
using namespace rotq::test;

namespace {

constexpr uint32_t kMultiplier = 0x83dcd12d;

/// A trellis: `rate` bits a weight, and a state for `dim` of them.
struct Trellis {
  unsigned rate;
  int64_t dim;
  /// New bits of a state.
  unsigned bits() const { return rate * unsigned(dim); }
};

std::vector<int8_t> pairPoints() {
  std::vector<int8_t> points;
  for (float value : gaussian(1024, 7, 37))
    points.push_back(int8_t(std::clamp(value, -127.0f, 127.0f)));
  return points;
}

std::shared_ptr<const PathCodebook> codebookOf(Trellis trellis) {
  if (trellis.dim == 1)
    return std::make_shared<TrellisCodebook>(trellis.rate, kMultiplier, 0);
  return std::make_shared<PairTrellisCodebook>(trellis.rate, 23507, 37 * 16,
                                               pairPoints());
}

/// sum (x - step * point - offset)^2.
double squaredError(const PathCodebook &codebook, std::span<const float> x,
                    float step, std::span<const uint32_t> codes,
                    float offset = 0) {
  double error = 0;
  auto dim = size_t(codebook.dim());
  std::vector<int8_t> point(dim);
  for (size_t i = 0; i < codes.size(); ++i) {
    codebook.point(codes[i], point);
    for (size_t j = 0; j < dim; ++j) {
      double e = double(x[i * dim + j]) - double(step) * point[j] - offset;
      error += e * e;
    }
  }
  return error;
}

/// The first code of the circle of code `i` of `n`, and the codes in it.
std::pair<size_t, size_t> circleOf(size_t i, size_t n, int64_t dim) {
  size_t circle = 256 / size_t(dim), first = i - i % circle;
  return {first, std::min(circle, n - first)};
}

/// The codes of a string of bits, from the definition.
std::vector<uint32_t> windowsOf(const std::vector<bool> &bits,
                                Trellis trellis) {
  std::vector<uint32_t> codes;
  size_t step = trellis.bits(), n = bits.size() / step;
  for (size_t i = 0; i < n; ++i) {
    auto [first, length] = circleOf(i, n, trellis.dim);
    uint32_t code = 0;
    for (size_t b = 0; b < 16; ++b) {
      size_t at =
          ((i - first + 1) * step + length * step - 16 + b) % (length * step);
      code |= uint32_t(bits[first * step + at]) << b;
    }
    codes.push_back(code);
  }
  return codes;
}

void expectCircles(std::span<const uint32_t> codes, Trellis trellis) {
  for (size_t i = 0; i < codes.size(); ++i) {
    auto [first, length] = circleOf(i, codes.size(), trellis.dim);
    size_t next = first + (i - first + 1) % length;
    ASSERT_EQ(codes[i] >> trellis.bits(),
              codes[next] & (0xffffu >> trellis.bits()))
        << i;
  }
}

/// Of a declaration with `to` in place of `from`; empty where there is none.
std::string errorOfEdit(std::string text, std::string_view from,
                        std::string_view to) {
  text.replace(text.find(from), from.size(), to);
  Expected<Format> format = Format::fromJson(text);
  return format ? "" : format.error();
}

class TrellisTest : public testing::TestWithParam<Trellis> {};

} // namespace

TEST_P(TrellisTest, WindowsUnpackAndPackAgain) {
  unsigned rate = GetParam().rate;
  WindowCoding coding(rate, GetParam().dim);
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
    EXPECT_EQ(codes, windowsOf(bits, GetParam()));
    std::vector<uint32_t> packed(words.size());
    std::span<std::byte> bytes = std::as_writable_bytes(std::span(packed));
    coding.pack(codes, {&bytes, 1});
    EXPECT_EQ(packed, words);
  }
}

TEST_P(TrellisTest, StatesFollowEachOtherInACircle) {
  auto codebook = codebookOf(GetParam());
  for (int64_t n : {32, 64, 256, 480, 544}) {
    std::vector<float> x = gaussian(n, GetParam().rate, 1);
    std::vector<uint32_t> codes(size_t(n / GetParam().dim));
    codebook->assign(x, codebook->gaussianStep(), 0, codes);
    expectCircles(codes, GetParam());
  }
}

TEST_P(TrellisTest, WhatTheTrellisReachesIsFoundAgain) {
  // Points of a path themselves: nothing is lost.
  Trellis trellis = GetParam();
  auto codebook = codebookOf(trellis);
  std::mt19937 random(trellis.rate);
  std::vector<bool> bits((256 + 96) * trellis.rate);
  for (size_t i = 0; i < bits.size(); ++i)
    bits[i] = random() >> 7 & 1;
  std::vector<float> x;
  std::vector<int8_t> point(size_t(trellis.dim));
  for (uint32_t code : windowsOf(bits, trellis)) {
    codebook->point(code, point);
    for (int8_t value : point)
      x.push_back(0.5f * float(value) - 3);
  }
  std::vector<uint32_t> codes(x.size() / point.size());
  codebook->assign(x, 0.5f, -3, codes);
  EXPECT_LE(squaredError(*codebook, x, 0.5f, codes, -3), 0);
}

TEST_P(TrellisTest, NoChangeOfAFewBitsHelpsMuch) {
  // No string of bits near that of a circle is more than a little better. (With
  // the best seam none would be better at all.)
  Trellis trellis = GetParam();
  auto codebook = codebookOf(trellis);
  float step = codebook->gaussianStep();
  std::vector<float> x = gaussian(64, 100 + trellis.rate, 1);
  std::vector<uint32_t> codes(x.size() / size_t(trellis.dim));
  codebook->assign(x, step, 0, codes);
  double error = squaredError(*codebook, x, step, codes), least = error;
  std::vector<bool> bits;
  for (uint32_t code : codes)
    for (unsigned b = 0; b < trellis.bits(); ++b)
      bits.push_back(code >> (16 - trellis.bits() + b) & 1);
  ASSERT_EQ(windowsOf(bits, trellis), codes);
  for (size_t start = 0; start < bits.size(); ++start)
    for (unsigned change = 1; change < 128; change += 2) {
      std::vector<bool> other = bits;
      for (unsigned b = 0; b < 7; ++b) {
        size_t at = (start + b) % bits.size();
        other[at] = other[at] != bool(change >> b & 1);
      }
      least = std::min(
          least, squaredError(*codebook, x, step, windowsOf(other, trellis)));
    }
  EXPECT_GE(least, 0.99 * error);
}

TEST_P(TrellisTest, AStepFollowsItsDefinition) {
  // A step of kernels::trellisStep against its definition, at every level.
  kernels::Step step = {GetParam().bits(), unsigned(GetParam().dim)};
  unsigned classes = 65536u >> step.bits;
  std::mt19937 random(step.bits);
  std::vector<int16_t> points(65536 * step.dim);
  for (int16_t &point : points)
    point = int16_t(random());
  std::vector<uint16_t> costs(classes);
  for (uint16_t &cost : costs)
    cost =
        uint16_t(random() % 4 ? 1000 + random() % 500 : 65000 + random() % 536);
  int16_t x[] = {int16_t(random()), int16_t(random())};
  std::vector<uint16_t> expected(classes, 65535), out(classes);
  for (unsigned o = 0; o < classes; ++o)
    for (unsigned r = 0; r < 1u << step.bits; ++r) {
      uint32_t cost = costs[(r * classes + o) >> step.bits];
      for (unsigned i = 0; i < step.dim; ++i)
        cost += kernels::trellisDistance(
            points[kernels::stateIndex(step, o, r, i)], x[i]);
      expected[o] = uint16_t(std::min<uint32_t>({cost, 65535, expected[o]}));
    }
  for (uint16_t &cost : expected)
    cost = uint16_t(cost - 999);
  for (const kernels::Table *table : kernels::available()) {
    EXPECT_EQ(table->trellisStep(step, points.data(), x, costs.data(), 999,
                                 out.data()),
              *std::ranges::min_element(expected));
    EXPECT_EQ(out, expected) << table->name;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Rates, TrellisTest,
    testing::Values(Trellis{1, 1}, Trellis{2, 1}, Trellis{3, 1}, Trellis{4, 1},
                    Trellis{5, 1}, Trellis{6, 1}, Trellis{7, 1}, Trellis{8, 1},
                    Trellis{1, 2}, Trellis{2, 2}, Trellis{3, 2}, Trellis{4, 2}),
    [](const auto &info) {
      return "Rate" + std::to_string(info.param.rate) + "Dim" +
             std::to_string(info.param.dim);
    });

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
      int8_t point;
      codebook.point(i, {&point, 1});
      ASSERT_EQ(point, int(sum / 4) - 128);
      ASSERT_EQ(int8_t(words[i / 4] >> (8 * (i % 4))), int(sum / 4) - 128);
    }
  }
}

TEST(PairTrellisCodebookTest, DecodeGivesThePointOfEveryState) {
  std::vector<int8_t> points = pairPoints();
  for (uint16_t multiplier : {uint16_t(23507), uint16_t(65535)}) {
    PairTrellisCodebook codebook(3, multiplier, 592, points);
    std::vector<uint32_t> states(65536);
    for (uint32_t i = 0; i < states.size(); ++i)
      states[i] = i;
    EvalBuilder builder;
    std::span<const uint32_t> words =
        builder.words(codebook.decode(builder, builder.input(states)));
    ASSERT_EQ(words.size(), states.size() / 2);
    for (uint32_t i = 0; i < states.size(); ++i) {
      uint32_t hash = i * multiplier % 65536;
      size_t index = hash / 128 % 256 + 256 * (hash / 2 % 2);
      int8_t point[2];
      codebook.point(i, point);
      for (unsigned j = 0; j < 2; ++j) {
        ASSERT_EQ(point[j], points[2 * index + j]);
        ASSERT_EQ(int8_t(words[i / 2] >> (8 * (2 * (i % 2) + j))), point[j]);
      }
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
  expectCircles(codes, {3, 1});
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
    return errorOfEdit(text, from, to);
  };
  EXPECT_EQ(errorOf("\"rate\":3}}", "\"rate\":2}}"),
            "expected a window coding of 3 bits a weight, as the trellis has, "
            "but got 2");
  EXPECT_EQ(errorOf("\"rate\":3}}", "\"rate\":9}}"),
            "expected an integer from 1 to 8 as format.coding.rate but got 9");
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

TEST(PairTrellisCodebookTest, DeclarationsAreChecked) {
  std::string text = preset("trellis3v").toJson();
  EXPECT_TRUE(text.ends_with(
      R"("coding":{"kind":"window","bits":16,"rate":3,"dim":2}})"));
  auto errorOf = [&](std::string_view from, std::string_view to) {
    return errorOfEdit(text, from, to);
  };
  EXPECT_EQ(errorOf(",\"dim\":2", ""),
            "expected a coding of 2 weights a code, as the codebook has, but "
            "got 1");
  EXPECT_EQ(errorOf("\"dim\":2", "\"dim\":3"),
            "expected an integer from 1 to 2 as format.coding.dim but got 3");
  EXPECT_EQ(
      errorOf("\"rate\":3,\"m", "\"rate\":5,\"m"),
      "expected an integer from 1 to 4 as format.codebook.rate but got 5");
  EXPECT_EQ(errorOf("\"rate\":3,\"dim", "\"rate\":5,\"dim"),
            "expected windows of 1 to 4 bits a weight but got 5");
  EXPECT_EQ(errorOf("\"multiplier\":23507", "\"multiplier\":65536"),
            "expected an integer from 0 to 65535 as "
            "format.codebook.multiplier but got 65536");
  std::string lost = text;
  size_t points = lost.find("\"points\":\"") + 10;
  lost.erase(points, 2);
  EXPECT_FALSE(Format::fromJson(lost));
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
