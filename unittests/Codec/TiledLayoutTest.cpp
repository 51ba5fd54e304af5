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

/// Byte `i` of a run in a plane, found by where the lanes of a warp look for
/// it.
static std::byte tiledByte(const TiledLayout &layout,
                           const TiledLayout::Plane &plane,
                           std::span<const std::byte> blob, int64_t row,
                           int64_t column, int64_t i) {
  int64_t g = row % 8, half = row / 8 % 2, run = column / 128 % 2,
          t = column / 32 % 4;
  int64_t tile = row / 16 * layout.tilesPerStrip + column / 256;
  int64_t inLane = 4 * plane.firstWord + (2 * half + run) * plane.runBytes + i;
  int64_t slot = inLane / 16;
  return blob[size_t(tile * layout.tileBytes() + 512 * slot +
                     layout.slotBytes(slot) * (4 * g + t) + inLane % 16)];
}

TEST(TiledLayoutTest, EveryCodeAndScaleFindsItsPlace) {
  for (const Format &format : presets())
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
        for (int64_t at = 0; at < tiled.tilesPerStrip * 256; at += 32) {
          // The end of a circle is also before its first run.
          bool isLast = at + 32 == tiled.tilesPerStrip * 256;
          int64_t stored =
              isLast && format.coding->circle() ? paddedLength(k) - 32 : at;
          for (size_t p = 0; p < tiled.planes.size(); ++p) {
            const WeightLayout::Plane &plane = canonical.planes[p];
            bool exists = row < n && stored < storedLength(k);
            for (int64_t i = 0; i < plane.runBytes; ++i) {
              int64_t from = plane.offset + row * plane.rowBytes +
                             stored / 32 * plane.runBytes + i;
              ASSERT_EQ(tiledByte(tiled, tiled.planes[p], target, row, at, i),
                        exists ? source[size_t(from)] : std::byte(0))
                  << format.name << " " << n << " x " << k << " at " << row
                  << ", " << at;
            }
          }
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
  for (const Format &format : presets())
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
