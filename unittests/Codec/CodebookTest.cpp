//===- CodebookTest.cpp - Code to value and back --------------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestUtils.h"

#include <cmath>

using namespace rotq;
using namespace rotq::test;

namespace {

/// A table without TableCodebook's own moments: Codebook's default.
class PlainCodebook final : public Codebook {
public:
  explicit PlainCodebook(const TableCodebook &table) : table(table) {}
  std::string_view kind() const override { return "plain"; }
  unsigned bits() const override { return table.bits(); }
  unsigned unpackedBits() const override { return table.unpackedBits(); }
  void assign(std::span<const float> x, float step, float offset,
              std::span<uint32_t> codes) const override {
    std::vector<float> scaled;
    for (float value : x)
      scaled.push_back((value - offset) / step);
    table.assign(scaled, 1, 0, codes);
  }
  void point(uint64_t code, std::span<int8_t> out) const override {
    table.point(code, out);
  }
  Expr decode(ExprBuilder &builder, Expr codes) const override {
    return table.decode(builder, codes);
  }

private:
  const TableCodebook &table;
};

std::vector<TableCodebook> tables() {
  return {TableCodebook({-1, 1}, 1),
          TableCodebook({-1, 0, 1}, 3),
          TableCodebook({-1, 0, 1}, 2),
          TableCodebook({-128, 127}, 2),
          TableCodebook({-120, -36, 36, 120}, 2),
          TableCodebook({-114, -71, -40, -13, 13, 40, 71, 114}, 3),
          TableCodebook({-5, -3, 0, 1, 2, 9, 11, 40, 41}, 4),
          TableCodebook(
              {-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7}, 4)};
}

} // namespace

TEST(CodebookTest, NearestIsNearestAndTiesGoDown) {
  for (const TableCodebook &table : tables()) {
    std::vector<float> x = gaussian(1000, 7, 60);
    // Ties, levels, and numbers beside ties.
    for (size_t i = 0; i + 1 < table.levels().size(); ++i) {
      float tie = float(table.levels()[i] + table.levels()[i + 1]) / 2;
      x.insert(x.end(),
               {tie, tie + 1e-5f, tie - 1e-5f, float(table.levels()[i])});
    }
    std::vector<uint32_t> codes(x.size());
    table.assign(x, 1, 0, codes);
    for (size_t i = 0; i < x.size(); ++i) {
      size_t best = 0;
      for (size_t c = 1; c < table.levels().size(); ++c)
        if (std::abs(double(x[i]) - table.levels()[c]) <
            std::abs(double(x[i]) - table.levels()[best]))
          best = c;
      ASSERT_EQ(codes[i], best) << x[i];
    }
  }
}

TEST(CodebookTest, DecodeGivesThePointOfEveryCodeEverywhere) {
  for (const TableCodebook &table : tables()) {
    unsigned count = 1u << table.bits();
    // Every code at every position of a word, beside every other code.
    for (unsigned shift = 0; shift < 16; ++shift) {
      std::vector<uint32_t> words(32);
      auto code = [&](size_t i) {
        return unsigned(i * 7 + i / 8 + shift) % count;
      };
      for (size_t i = 0; i < 256; ++i)
        words[i / 8] |= code(i) << (4 * (i % 8));
      EvalBuilder builder;
      std::span<const uint32_t> result =
          builder.words(table.decode(builder, builder.input(words)));
      ASSERT_EQ(result.size(), 64u);
      for (size_t i = 0; i < 256; ++i) {
        int8_t point;
        table.point(code(i), {&point, 1});
        ASSERT_EQ(int8_t(result[i / 4] >> (8 * (i % 4))), point);
        ASSERT_EQ(point, table.levels()[std::min<size_t>(
                             code(i), table.levels().size() - 1)]);
      }
    }
  }
}

TEST(CodebookTest, UnusedCodesDecodeToTheLastLevel) {
  TableCodebook ternary({-1, 0, 1}, 3);
  std::vector<int> points;
  for (uint32_t code = 0; code < 8; ++code) {
    int8_t point;
    ternary.point(code, {&point, 1});
    points.push_back(point);
  }
  EXPECT_EQ(points, (std::vector<int>{-1, 0, 1, 1, 1, 1, 1, 1}));
}

TEST(CodebookTest, AssignIsNearestInUnitsOfTheStep) {
  for (const TableCodebook &table : tables())
    // Powers of two: dividing by them and scaling thresholds are both exact.
    for (float step : {1.0f, 0.25f, 0x1p-20f}) {
      std::vector<float> x = gaussian(515, 3, 60 * step);
      std::vector<uint32_t> fast(x.size()), plain(x.size());
      table.assign(x, step, 0, fast);
      PlainCodebook(table).assign(x, step, 0, plain);
      EXPECT_EQ(fast, plain);
    }
}

TEST(CodebookTest, MomentsBelongToTheAssignedPoints) {
  for (const TableCodebook &table : tables()) {
    float step = 0.013f, offset = 0.1f;
    std::vector<float> x = gaussian(320, 5, 50 * step);
    std::vector<uint32_t> codes(x.size());
    table.assign(x, step, offset, codes);
    double xq = 0, qq = 0, q = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      int8_t point;
      table.point(codes[i], {&point, 1});
      xq += double(x[i]) * point;
      qq += double(point) * point;
      q += point;
    }
    Codebook::Moments fast = table.moments(x, step, offset);
    EXPECT_NEAR(fast.xq, xq, 1e-4 * std::abs(xq) + 1e-4);
    EXPECT_NEAR(fast.qq, qq, 1e-6 * qq);
    EXPECT_NEAR(fast.q, q, 1e-6 * std::abs(q));
    Codebook::Moments plain = PlainCodebook(table).moments(x, step, offset);
    EXPECT_NEAR(plain.xq, xq, 1e-3 * std::abs(xq) + 1e-2);
    EXPECT_NEAR(plain.qq, qq, 1e-3 * qq);
  }
}

TEST(CodebookTest, AnyCodebookEncodes) {
  // The encoder asks nothing of a codebook but its interface.
  Format fast = preset("rq3"), plain = fast;
  auto &table = static_cast<const TableCodebook &>(*fast.codebook);
  plain.codebook = std::make_shared<PlainCodebook>(table);
  std::vector<float> weights = gaussian(4 * 640, 11);
  auto blob = encoded(plain, weights, 4, 640);
  EXPECT_LT(relativeError(weights, decoded(plain, blob, 4, 640)), 0.035);
  EXPECT_LT(relativeError(decoded(fast, encoded(fast, weights, 4, 640), 4, 640),
                          decoded(plain, blob, 4, 640)),
            0.01);
}
