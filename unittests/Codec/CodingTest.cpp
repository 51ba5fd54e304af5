//===- CodingTest.cpp - Codes of a fixed width in planes ------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestUtils.h"

#include <bit>

using namespace rotq;
using namespace rotq::test;

namespace {

class CodingTest : public testing::TestWithParam<unsigned> {
protected:
  /// `count` random codes.
  std::vector<uint32_t> randomCodes(int64_t count) {
    std::vector<uint32_t> codes(static_cast<size_t>(count));
    for (uint32_t &code : codes)
      code = uint32_t(random()) >> 8 & ((1u << GetParam()) - 1);
    return codes;
  }

  std::vector<std::vector<uint32_t>> pack(const FixedCoding &coding,
                                          std::span<const uint32_t> codes) {
    std::vector<std::vector<uint32_t>> words;
    std::vector<std::span<std::byte>> spans;
    for (unsigned width : coding.widths())
      words.emplace_back(codes.size() * width / 32, 0xffffffffu);
    for (std::vector<uint32_t> &plane : words)
      spans.push_back(std::as_writable_bytes(std::span(plane)));
    coding.pack(codes, spans);
    return words;
  }

  std::mt19937 random{GetParam()};
};

} // namespace

TEST_P(CodingTest, BitOfIsABijection) {
  FixedCoding coding(GetParam());
  unsigned total = 0;
  for (unsigned width : coding.widths()) {
    uint32_t seen = 0;
    for (int64_t i = 0; i < 32 / width; ++i) {
      uint32_t bits = ((1u << width) - 1) << FixedCoding::bitOf(i, width);
      EXPECT_EQ(seen & bits, 0u);
      seen |= bits;
      // Weight i lives in nibble i mod 8.
      EXPECT_EQ(FixedCoding::bitOf(i, width) / 4, unsigned(i % 8));
    }
    EXPECT_EQ(seen, 0xffffffffu);
    total += width;
  }
  EXPECT_EQ(total, GetParam());
}

TEST_P(CodingTest, PackFollowsBitOf) {
  FixedCoding coding(GetParam());
  std::vector<uint32_t> codes = randomCodes(64 * 13);
  auto words = pack(coding, codes);
  for (size_t i = 0; i < codes.size(); ++i) {
    unsigned code = 0, low = 0;
    for (size_t p = 0; p < words.size(); ++p) {
      unsigned width = coding.widths()[p];
      uint32_t word = words[p][i * width / 32];
      code |=
          (word >> FixedCoding::bitOf(int64_t(i), width) & ((1u << width) - 1))
          << low;
      low += width;
    }
    ASSERT_EQ(code, codes[i]) << "weight " << i;
  }
}

TEST_P(CodingTest, UnpackUndoesPack) {
  FixedCoding coding(GetParam());
  for (int64_t n : {32, 64, 96, 256, 4352}) {
    std::vector<uint32_t> codes = randomCodes(n);
    auto words = pack(coding, codes);
    EvalBuilder builder;
    std::vector<Expr> planes;
    for (auto &plane : words)
      planes.push_back(builder.input(plane));
    std::span<const uint32_t> nibbles =
        builder.words(coding.unpack(builder, planes, int64_t(codes.size())));
    ASSERT_EQ(int64_t(nibbles.size()), n / 8);
    for (size_t i = 0; i < codes.size(); ++i)
      ASSERT_EQ(nibbles[i / 8] >> (4 * (i % 8)) & 15, codes[i]) << i;
  }
}

TEST_P(CodingTest, CodesOfOneWeightStayApart) {
  // A single code set at every position: nothing leaks into a neighbour.
  FixedCoding coding(GetParam());
  for (size_t i = 0; i < 64; ++i) {
    std::vector<uint32_t> codes(64);
    codes[i] = (1u << GetParam()) - 1;
    auto words = pack(coding, codes);
    EvalBuilder builder;
    std::vector<Expr> planes;
    unsigned set = 0;
    for (auto &plane : words) {
      planes.push_back(builder.input(plane));
      for (uint32_t word : plane)
        set += unsigned(std::popcount(word));
    }
    EXPECT_EQ(set, GetParam());
    std::span<const uint32_t> nibbles =
        builder.words(coding.unpack(builder, planes, int64_t(codes.size())));
    for (size_t j = 0; j < 64; ++j)
      ASSERT_EQ(nibbles[j / 8] >> (4 * (j % 8)) & 15, codes[j]);
  }
}

TEST(FixedCodingTest, Planes) {
  auto planes = [](unsigned bits) {
    FixedCoding coding(bits);
    return std::vector<unsigned>(coding.widths().begin(),
                                 coding.widths().end());
  };
  EXPECT_EQ(planes(1), (std::vector<unsigned>{1}));
  EXPECT_EQ(planes(2), (std::vector<unsigned>{2}));
  EXPECT_EQ(planes(3), (std::vector<unsigned>{2, 1}));
  EXPECT_EQ(planes(4), (std::vector<unsigned>{4}));
}

INSTANTIATE_TEST_SUITE_P(Bits, CodingTest, testing::Values(1, 2, 3, 4));

TEST(FieldCodingTest, CodesAreWhereTheDefinitionSays) {
  struct Case {
    unsigned bits;
    int64_t dim;
  };
  for (const Case &c : {Case{7, 2},
                        {11, 2},
                        {12, 2},
                        {13, 4},
                        {26, 8},
                        {32, 8},
                        {1, 1},
                        {16, 1}}) {
    Format format = preset("rq3");
    format.coding = std::make_shared<FieldCoding>(c.bits, c.dim);
    int64_t k = 192;
    WeightLayout layout(format, 1, k);
    std::mt19937 random(c.bits);
    std::vector<uint32_t> codes(size_t(k / c.dim));
    for (uint32_t &code : codes)
      code = uint32_t(random()) >> (32 - c.bits);
    std::vector<std::byte> plane(size_t(layout.planes[0].rowBytes),
                                 std::byte(0xff));
    std::span<std::byte> span(plane);
    format.coding->pack(codes, {&span, 1});
    EXPECT_EQ(int64_t(8 * plane.size()), k / c.dim * c.bits);
    for (size_t i = 0; i < codes.size(); ++i)
      ASSERT_EQ(codeAt(format, layout, plane, 0, int64_t(i)), codes[i]);
    EXPECT_EQ(codesOf(format, layout, plane, 0),
              std::vector<uint64_t>(codes.begin(), codes.end()));
  }
}

TEST(RiceCodingTest, CodesAreBytesInOrder) {
  Format format = preset("hyperquant_rice_3");
  WeightLayout layout(format, 1, 192);
  ASSERT_EQ(layout.planes.size(), 1u);
  std::mt19937 random(7);
  std::vector<uint32_t> codes(192 / 4);
  for (uint32_t &code : codes)
    code = uint32_t(random());
  std::vector<std::byte> plane(size_t(layout.planes[0].rowBytes),
                               std::byte(0xff));
  std::span<std::byte> span(plane);
  format.coding->pack(codes, {&span, 1});
  ASSERT_EQ(plane.size(), 192u);
  for (size_t i = 0; i < plane.size(); ++i)
    ASSERT_EQ(uint8_t(plane[i]), codes[i / 4] >> (8 * (i % 4)) & 255);
  std::vector<uint64_t> whole;
  for (size_t i = 0; i < codes.size(); i += 2)
    whole.push_back(codes[i] | uint64_t(codes[i + 1]) << 32);
  EXPECT_EQ(codesOf(format, layout, plane, 0), whole);
}
