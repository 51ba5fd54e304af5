//===- LiftedActivationTest.cpp - Activations for products with bits ------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Codec/LiftedActivation.h"
#include "TestUtils.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace rotq;
using namespace rotq::test;

namespace {

constexpr int64_t kTile = TiledLayout::kColumns;

/// A row of bit planes, read as the comment of LiftedLayout has them.
class LiftedRow {
public:
  LiftedRow(const LiftedLayout &layout, std::span<const std::byte> row)
      : layout(layout), row(row.begin(), row.end()) {}

  /// Code j of the weights from `position` of a row on, and the bits of it are
  /// taken away.
  int64_t take(int64_t segment, int64_t position, int64_t j) {
    int64_t inTile = position % kTile, t = inTile % 128 / 32;
    int64_t bit = layout.firstBit(inTile) + j, word = bit / 32;
    int64_t full = layout.words / 4 * 4, start = word / 4 * 4, width = 4;
    if (word >= full) {
      bool hasTwo = layout.words % 4 >= 2;
      start = hasTwo && word >= full + 2 ? full + 2 : full;
      width = hasTwo && start == full ? 2 : 1;
    }
    EXPECT_LT(word, layout.words);
    EXPECT_EQ(
        std::ranges::count(layout.chunks(), LiftedLayout::Chunk{start, width}),
        1);
    int64_t code = 0;
    for (int64_t part = 0; part < layout.parts; ++part)
      for (int64_t g = 0; g < 8; ++g) {
        int64_t at = segment * layout.segmentBytes() +
                     part * layout.partBytes() + 128 * start +
                     4 * (width * (4 * g + t) + word - start);
        std::byte &byte = row[size_t(at + bit % 32 / 8)];
        auto mask = std::byte(1 << bit % 8);
        bool isTop = part + 1 == layout.parts && g == 7;
        if ((byte & mask) != std::byte(0))
          code += (isTop ? -1 : 1) * (int64_t(1) << (8 * part + g));
        byte &= ~mask;
      }
    return code;
  }

  /// The scale of a segment, and the scale times the sum of its codes.
  float scale(int64_t segment, int64_t which = 0) const {
    float value;
    std::memcpy(&value,
                row.data() + layout.scalesOffset + 8 * segment + 4 * which, 4);
    return value;
  }

  /// Whether no bits but those of scales are left.
  bool isEmpty() const {
    int64_t end = layout.scalesOffset + 8 * layout.segments;
    for (int64_t i = 0; i < layout.rowBytes; ++i)
      if ((i < layout.scalesOffset || i >= end) &&
          row[size_t(i)] != std::byte(0))
        return false;
    return true;
  }

private:
  const LiftedLayout &layout;
  std::vector<std::byte> row;
};

/// [weight / dim * bits + j] of a row.
std::vector<int64_t> takeCodes(LiftedRow &row, const LiftedLayout &layout,
                               int64_t k) {
  Blocking segments(k, kTile);
  std::vector<int64_t> codes;
  for (int64_t s = 0; s < segments.size(); ++s) {
    Segment segment = segments.segment(s);
    for (int64_t i = 0; i < segment.length; i += layout.dim)
      for (int64_t j = 0; j < layout.bits; ++j)
        codes.push_back(row.take(s, segment.offset + i, j));
  }
  return codes;
}

/// Frames whose words of a lane end in every kind of chunk.
std::vector<Format> liftingFormats() {
  std::vector<Format> formats;
  for (const Format &format : presets())
    if (LiftedLayout::frameOf(format))
      formats.push_back(format);
  Format small = formats.front();
  small.name = "small";
  small.codebook = std::make_shared<FrameCodebook>(
      4, std::vector<int8_t>{40, 0, 0, 0, 0, 40, 0,   0,   0,   0,
                             40, 0, 0, 0, 0, 40, -16, -16, -16, 16},
      630);
  small.coding = std::make_shared<FieldCoding>(5, 4);
  formats.push_back(small);
  return formats;
}

/// m_j . x of the weights from `position` on, in f32, as LiftedLayout has it.
float liftedValue(const FrameCodebook &frame, std::span<const float> x,
                  int64_t position, int64_t j) {
  float z = 0;
  for (int64_t i = 0; i < frame.dim(); ++i)
    if (position + i < int64_t(x.size()))
      z = std::fma(float(frame.vectors()[size_t(j * frame.dim() + i)]),
                   x[size_t(position + i)], z);
  return z;
}

} // namespace

TEST(LiftedActivationTest, LayoutOfRows) {
  // w20: 8 codes a lane are 160 bits, 5 words: chunks of 4 and 1.
  Format format = preset("liftquant_w20");
  LiftedLayout layout(*LiftedLayout::frameOf(format), 600, 2);
  EXPECT_EQ(layout.words, 5);
  using Chunks = std::vector<LiftedLayout::Chunk>;
  EXPECT_EQ(layout.chunks(), (Chunks{{0, 4}, {4, 1}}));
  EXPECT_EQ(layout.chunks()[1].offset(3), 4 * (32 * 4 + 3));
  EXPECT_EQ(layout.segments, 4); // 256, 256, 64, 32
  EXPECT_EQ(layout.partBytes(), 640);
  EXPECT_EQ(layout.scalesOffset, 4 * 2 * 640);
  EXPECT_EQ(layout.rowBytes, 4 * 2 * 640 + 32);
  EXPECT_EQ(layout.mostCode(), 32767);
  EXPECT_EQ(layout.firstBit(0), 0);
  EXPECT_EQ(layout.firstBit(8), 20);
  EXPECT_EQ(layout.firstBit(32), 0);
  EXPECT_EQ(layout.firstBit(128 + 64 + 24), 7 * 20);
  // w24 of a segment: 6 words, chunks of 4 and 2, and a row is filled up.
  layout = LiftedLayout(*LiftedLayout::frameOf(preset("liftquant_w24")), 32, 1);
  EXPECT_EQ(layout.words, 6);
  EXPECT_EQ(layout.chunks(), (Chunks{{0, 4}, {4, 2}}));
  EXPECT_EQ(layout.mostCode(), 127);
  EXPECT_EQ(layout.rowBytes, 6 * 128 + 16);
  // w18: 4.5 words.
  layout = LiftedLayout(*LiftedLayout::frameOf(preset("liftquant_w18")), 32, 1);
  EXPECT_EQ(layout.words, 5);
}

TEST(LiftedActivationTest, FormatsThatLift) {
  for (const Format &format : presets())
    EXPECT_EQ(LiftedLayout::frameOf(format) != nullptr,
              format.name.starts_with("liftquant_"))
        << format.name;
  Format format = preset("liftquant_w16");
  format.scale.hasOffset = true;
  EXPECT_EQ(LiftedLayout::frameOf(format), nullptr);
}

TEST(LiftedActivationTest, PlanesAreTheRoundedProducts) {
  for (const Format &format : liftingFormats())
    for (int64_t k : {8, 32, 100, 256, 600, 1120})
      for (int64_t parts : {1, 2}) {
        const FrameCodebook &frame = *LiftedLayout::frameOf(format);
        LiftedLayout layout(frame, k, parts);
        int64_t m = 3;
        std::vector<float> x = gaussian(m * k, unsigned(k), 2);
        std::vector<std::byte> rows = liftActivation(frame, x, m, k, parts);
        ASSERT_EQ(int64_t(rows.size()), m * layout.rowBytes);
        Blocking segments(k, kTile);
        for (int64_t r = 0; r < m; ++r) {
          auto values = std::span(x).subspan(size_t(r * k), size_t(k));
          LiftedRow row(layout,
                        std::span(rows).subspan(size_t(r * layout.rowBytes),
                                                size_t(layout.rowBytes)));
          std::vector<int64_t> codes = takeCodes(row, layout, k);
          ASSERT_TRUE(row.isEmpty());
          size_t at = 0;
          for (int64_t s = 0; s < segments.size(); ++s) {
            Segment segment = segments.segment(s);
            std::vector<float> lifted;
            float largest = 0;
            for (int64_t i = 0; i < segment.length; i += frame.dim())
              for (int64_t j = 0; j < frame.bits(); ++j) {
                lifted.push_back(
                    liftedValue(frame, values, segment.offset + i, j));
                largest = std::max(largest, std::abs(lifted.back()));
              }
            auto most = float(layout.mostCode());
            ASSERT_EQ(row.scale(s), largest / most);
            int64_t sum = 0;
            for (float z : lifted) {
              int64_t code = codes[at++];
              sum += code;
              ASSERT_EQ(code, int64_t(std::rint(z * (most / largest))))
                  << format.name << " " << k << " " << parts;
              ASSERT_NEAR(double(code) * row.scale(s), z, 0.51 * row.scale(s));
            }
            ASSERT_EQ(row.scale(s, 1), row.scale(s) * float(sum));
          }
          ASSERT_EQ(at, codes.size());
        }
      }
}

TEST(LiftedActivationTest, ProductsWithBitsAreThoseWithPoints) {
  std::mt19937_64 random(9);
  for (const Format &format : liftingFormats())
    for (int64_t k : {256, 480})
      for (int64_t parts : {1, 2}) {
        const FrameCodebook &frame = *LiftedLayout::frameOf(format);
        LiftedLayout layout(frame, k, parts);
        std::vector<float> x = gaussian(k, 5, 1);
        LiftedRow row(layout, liftActivation(frame, x, 1, k, parts));
        std::vector<int64_t> codes = takeCodes(row, layout, k);
        Blocking segments(k, kTile);
        double product = 0, expected = 0, bound = 0;
        size_t at = 0;
        std::vector<int8_t> point(size_t(frame.dim()));
        for (int64_t s = 0; s < segments.size(); ++s) {
          Segment segment = segments.segment(s);
          int64_t ones = 0;
          for (int64_t i = 0; i < segment.length; i += frame.dim()) {
            uint64_t code = random() >> (64 - frame.bits());
            for (unsigned j = 0; j < frame.bits(); ++j, ++at)
              ones += code >> j & 1 ? codes[at] : 0;
            frame.point(code, point);
            for (size_t d = 0; d < point.size(); ++d)
              expected += double(point[d]) * x[size_t(segment.offset + i) + d];
            bound += 0.51 * row.scale(s) * frame.bits();
          }
          product += 2 * double(row.scale(s)) * double(ones) - row.scale(s, 1);
        }
        EXPECT_NEAR(product, expected, bound) << format.name << " " << parts;
        // Most of what rounding does cancels out.
        EXPECT_NEAR(product, expected, bound / 8)
            << format.name << " " << parts;
      }
}

TEST(LiftedActivationTest, BitsOfALaneAreThoseOfATile) {
  // A lane's words of a row are two runs, one behind the other, as planes have
  // them.
  for (const Format &format : liftingFormats()) {
    const FrameCodebook &frame = *LiftedLayout::frameOf(format);
    int64_t n = 16, k = kTile, bits = frame.bits();
    std::vector<float> weights = gaussian(n * k, 4);
    std::vector<std::byte> blob = encoded(format, weights, n, k);
    WeightLayout weight(format, n, k);
    TiledLayout tiled(format, n, k);
    std::vector<std::byte> tiles(size_t(tiled.totalBytes));
    ASSERT_TRUE(repack(format, n, k, blob, tiles));
    LiftedLayout layout(frame, k, 1);
    for (int64_t r = 0; r < n; ++r)
      for (int64_t i = 0; i < k; i += frame.dim()) {
        uint32_t code = codeAt(format, weight, blob, r, i / frame.dim());
        int64_t lane = 4 * (r % 8) + i % 128 / 32;
        for (int64_t j = 0; j < bits; ++j) {
          // Row g, then row g + 8.
          int64_t bit = layout.firstBit(i) + j +
                        r / 8 * (8 * 2 * tiled.planes[0].runBytes);
          int64_t word = bit / 32, slot = word / 4;
          int64_t at = TiledLayout::kSlot * slot +
                       lane * tiled.slotBytes(slot) + 4 * (word % 4) +
                       bit % 32 / 8;
          ASSERT_EQ(uint32_t(tiles[size_t(at)]) >> bit % 8 & 1, code >> j & 1)
              << format.name << " " << r << " " << i << " " << j;
        }
      }
  }
}

TEST(LiftedActivationTest, Extremes) {
  const Format format = preset("liftquant_w20");
  const FrameCodebook &frame = *LiftedLayout::frameOf(format);
  int64_t bits = frame.bits();
  constexpr float infinity = std::numeric_limits<float>::infinity();
  for (int64_t parts : {1, 2}) {
    int64_t k = 1024;
    std::vector<float> x = gaussian(k, 3, 1);
    // Not-a-number among numbers; infinity; one that 1 / x overflows; zeros.
    x[9] = std::nanf("");
    x[256] = infinity;
    std::fill_n(x.begin() + 512, 512, 0.0f);
    x[512] = 0x1p-149f;
    LiftedLayout layout(frame, k, parts);
    LiftedRow row(layout, liftActivation(frame, x, 1, k, parts));
    std::vector<int64_t> codes = takeCodes(row, layout, k);
    EXPECT_TRUE(row.isEmpty());
    auto code = [&](int64_t position, int64_t j) {
      return codes[size_t(position / 8 * bits + j)];
    };
    EXPECT_TRUE(std::isfinite(row.scale(0)));
    EXPECT_TRUE(std::isfinite(row.scale(0, 1)));
    int64_t most = 0;
    for (int64_t j = 0; j < bits; ++j) {
      // Vectors along other axes take 0 times not-a-number as well.
      EXPECT_EQ(code(8, j), 0);
      for (int64_t position = 0; position < 256; position += 8)
        most = std::max(most, std::abs(code(position, j)));
      // A finite value over infinity is 0, and so is infinity over itself.
      for (int64_t position = 256; position < 512; position += 8)
        EXPECT_EQ(code(position, j), 0);
      for (int64_t position = 768; position < 1024; position += 8)
        EXPECT_EQ(code(position, j), 0);
    }
    EXPECT_EQ(most, layout.mostCode());
    EXPECT_EQ(row.scale(1), infinity);
    // 127 over a number this small is infinity: the greatest codes.
    for (int64_t j = 0; j < bits; ++j) {
      int sign = frame.vectors()[size_t(8 * j)];
      int64_t expected = sign > 0   ? layout.mostCode()
                         : sign < 0 ? -layout.mostCode()
                                    : 0;
      EXPECT_EQ(code(512, j), expected) << j;
    }
    EXPECT_EQ(row.scale(3), 0);
    EXPECT_EQ(row.scale(3, 1), 0);
  }
}

TEST(LiftedActivationTest, RowsDoNotDependOnOtherRows) {
  const Format format = preset("liftquant_w18");
  const FrameCodebook &frame = *LiftedLayout::frameOf(format);
  int64_t k = 100, m = 3;
  std::vector<float> x = gaussian(m * k, 6, 1);
  std::vector<std::byte> all = liftActivation(frame, x, m, k, 2);
  for (int64_t r = 0; r < m; ++r) {
    auto one = liftActivation(
        frame, std::span(x).subspan(size_t(r * k), size_t(k)), 1, k, 2);
    EXPECT_TRUE(std::equal(one.begin(), one.end(),
                           all.begin() + r * int64_t(one.size())));
  }
}
