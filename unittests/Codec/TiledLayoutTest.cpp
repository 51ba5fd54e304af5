//===- TiledLayoutTest.cpp - The layout that GPU kernels read -------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestUtils.h"

#include "rotq/Codec/TiledLayout.h"

using namespace rotq;
using namespace rotq::test;

static std::vector<std::byte> randomBlob(int64_t bytes, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::byte> blob(static_cast<size_t>(bytes));
  for (std::byte &byte : blob)
    byte = std::byte(random());
  return blob;
}

/// The code of a weight, found by where the lanes of a warp look for it.
static uint32_t tiledCode(const TiledLayout &layout,
                          std::span<const std::byte> blob, int64_t row,
                          int64_t column) {
  int64_t g = row % 8, half = row / 8 % 2, run = column / 128 % 2,
          t = column / 32 % 4, i = column % 32;
  int64_t tile = row / 16 * layout.tilesPerStrip + column / 256;
  uint32_t code = 0;
  unsigned shift = 0;
  for (const TiledLayout::Plane &plane : layout.planes) {
    int64_t width = plane.runBytes / 4, perWord = 32 / width;
    int64_t word = plane.firstWord + (2 * half + run) * width + i / perWord;
    int64_t at = tile * layout.tileBytes() + 512 * (word / 4) +
                 16 * (4 * g + t) + 4 * (word % 4);
    uint32_t bits;
    std::memcpy(&bits, blob.data() + at, 4);
    int64_t inWord = i % perWord;
    bits >>= 4 * (inWord % 8) + width * (inWord / 8);
    code |= (bits & ((1u << width) - 1)) << shift;
    shift += unsigned(width);
  }
  return code;
}

TEST(TiledLayoutTest, EveryCodeAndScaleFindsItsPlace) {
  for (const Format &format : scalarPresets())
    for (auto [n, k] : {std::pair(1, 1),
                        {16, 256},
                        {17, 257},
                        {33, 1000},
                        {8, 64},
                        {40, 4304}}) {
      WeightLayout canonical(format, n, k);
      TiledLayout tiled(format, n, k);
      std::vector<std::byte> source = randomBlob(canonical.totalBytes, 3);
      std::vector<std::byte> target(size_t(tiled.totalBytes), std::byte(0xff));
      ASSERT_TRUE(repack(format, n, k, source, target));
      for (int64_t row = 0; row < tiled.strips * 16; ++row) {
        for (int64_t i = 0; i < tiled.tilesPerStrip * 256; ++i) {
          bool exists = row < n && i < storedLength(k);
          ASSERT_EQ(tiledCode(tiled, target, row, i),
                    exists ? uint32_t(codeAt(canonical, source, row, i)) : 0u)
              << format.name << " " << n << " x " << k << " at " << row << ", "
              << i;
        }
        for (int64_t i = 0; i < canonical.numbersPerRow; ++i) {
          int64_t numbers = tiled.numbersPerSegment;
          int64_t at = (row / 16 * tiled.segments + i / numbers) * 16 +
                       2 * (row % 8) + row / 8 % 2;
          uint16_t bits;
          std::memcpy(&bits,
                      target.data() + tiled.scalesOffset +
                          2 * (at * numbers + i % numbers),
                      2);
          ASSERT_EQ(bits, row < n ? numberAt(canonical, source, row, i) : 0);
        }
      }
    }
}

TEST(TiledLayoutTest, CostsNothingWhereNothingIsPadded) {
  for (const Format &format : scalarPresets())
    EXPECT_EQ(TiledLayout(format, 64, 1024).totalBytes,
              WeightLayout(format, 64, 1024).totalBytes);
}

TEST(TiledLayoutTest, RefusesOtherSizes) {
  const Format &format = preset("rq3");
  WeightLayout canonical(format, 16, 256);
  TiledLayout tiled(format, 16, 256);
  std::vector<std::byte> source(size_t(canonical.totalBytes));
  std::vector<std::byte> target(size_t(tiled.totalBytes));
  EXPECT_TRUE(repack(format, 16, 256, source, target));
  source.pop_back();
  EXPECT_EQ(repack(format, 16, 256, source, target).error(),
            "expected a blob of 1568 bytes but got 1567");
  source.resize(size_t(canonical.totalBytes));
  target.pop_back();
  EXPECT_EQ(repack(format, 16, 256, source, target).error(),
            "expected a tiled blob of 1568 bytes but got 1567");
}
