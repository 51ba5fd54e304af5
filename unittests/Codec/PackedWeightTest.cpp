//===- PackedWeightTest.cpp - Layout and decoding of a weight -------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestUtils.h"

#include <cmath>

using namespace rotq;
using namespace rotq::test;

TEST(PackedWeightTest, LayoutOfOneBlock) {
  WeightLayout layout(preset("itq3_s"), 1, 256);
  ASSERT_EQ(layout.planes.size(), 2u);
  EXPECT_EQ(layout.planes[0].runBytes, 8);
  EXPECT_EQ(layout.planes[0].offset, 0);
  EXPECT_EQ(layout.planes[0].rowBytes, 64);
  EXPECT_EQ(layout.planes[1].runBytes, 4);
  EXPECT_EQ(layout.planes[1].offset, 64);
  EXPECT_EQ(layout.planes[1].rowBytes, 32);
  EXPECT_EQ(layout.scalesOffset, 96);
  EXPECT_EQ(layout.numbersPerRow, 2);
  EXPECT_EQ(layout.totalBytes, 100);
  EXPECT_EQ(layout.bitsPerWeight(), 3.125);
  EXPECT_EQ(WeightLayout(preset("rq3"), 512, 4096).bitsPerWeight(), 3.0625);
}

TEST(PackedWeightTest, PartsStartAtMultiplesOf16) {
  for (const Format &format : presets())
    for (int64_t n : {1, 3, 8})
      for (int64_t k : {1, 64, 100, 576, 4304}) {
        WeightLayout layout(format, n, k);
        int64_t end = 0;
        for (const WeightLayout::Plane &plane : layout.planes) {
          EXPECT_EQ(plane.offset, roundUp(end, 16));
          EXPECT_EQ(plane.rowBytes * 32, storedLength(k) * plane.runBytes);
          end = plane.offset + n * plane.rowBytes;
        }
        EXPECT_EQ(layout.scalesOffset, roundUp(end, 16));
        EXPECT_EQ(layout.totalBytes,
                  layout.scalesOffset + 2 * n * layout.numbersPerRow);
      }
}

TEST(PackedWeightTest, RandomShapesDecodeExactly) {
  // Random bytes: every code, every finite scale, at every position. The
  // decoders go through unpack and decode; here are the definitions.
  std::mt19937 random(5);
  for (const Format &format : presets())
    for (int trial = 0; trial < 25; ++trial) {
      int64_t n = 1 + random() % (trial < 20 ? 20 : 300);
      int64_t k = 1 + random() % (trial < 20 ? 4352 : 600);
      WeightLayout layout(format, n, k);
      std::vector<std::byte> blob(size_t(layout.totalBytes));
      for (std::byte &byte : blob)
        byte = std::byte(random());
      for (size_t at = size_t(layout.scalesOffset) + 1; at < blob.size();
           at += 2)
        blob[at] &= std::byte(0xbf);

      int64_t stored = storedLength(k), padded = paddedLength(k);
      std::vector<int8_t> points(size_t(n * stored));
      std::vector<float> rotated(size_t(n * padded));
      ASSERT_TRUE(decodePoints(format, blob, n, k, points));
      ASSERT_TRUE(decodeRotated(format, blob, n, k, rotated));
      std::vector<float> weights = decoded(format, blob, n, k, 2);
      std::vector<float> row(static_cast<size_t>(padded));
      for (int64_t r = 0; r < n; ++r) {
        for (int64_t i = 0; i < stored; ++i) {
          int8_t point = pointAt(format, layout, blob, r, i);
          ASSERT_EQ(points[size_t(r * stored + i)], point);
          if (i >= padded)
            continue;
          int64_t at = layout.scaleBlocking.indexOf(i) * format.scale.numbers();
          float value = fromHalf(numberAt(layout, blob, r, at)) * float(point);
          if (format.scale.hasOffset)
            value = value + fromHalf(numberAt(layout, blob, r, at + 1));
          row[size_t(i)] = value;
          ASSERT_EQ(rotated[size_t(r * padded + i)], value);
        }
        format.rotation->inverse(row);
        for (int64_t i = 0; i < k; ++i)
          ASSERT_EQ(weights[size_t(r * k + i)], row[size_t(i)]);
      }

      std::vector<int64_t> rows = {n - 1, 0, n / 2, 0};
      std::vector<float> some(rows.size() * size_t(k));
      ASSERT_TRUE(decodeRows(format, blob, n, k, rows, some));
      for (size_t i = 0; i < rows.size(); ++i)
        for (int64_t c = 0; c < k; ++c)
          ASSERT_EQ(some[i * size_t(k) + size_t(c)],
                    weights[size_t(rows[i] * k + c)]);
    }
}

TEST(PackedWeightTest, ThreadsDoNotMatter) {
  Format format = preset("rq3");
  std::vector<float> weights = gaussian(300 * 500, 2);
  auto blob = encoded(format, weights, 300, 500);
  EXPECT_EQ(decoded(format, blob, 300, 500, 1),
            decoded(format, blob, 300, 500, 7));
}

TEST(PackedWeightTest, SizesThatDoNotMatch) {
  Format format = preset("rq3");
  WeightLayout layout(format, 2, 100);
  std::vector<std::byte> blob(size_t(layout.totalBytes));
  std::vector<float> weights(200), rotated(256), rows(100);
  std::vector<int8_t> points(256);
  std::span<const std::byte> all(blob);
  std::span<const std::byte> cut = all.first(blob.size() - 1);
  int64_t good[] = {1}, low[] = {-1}, high[] = {2};

  EXPECT_TRUE(decode(format, all, 2, 100, weights));
  EXPECT_TRUE(decodePoints(format, all, 2, 100, points));
  EXPECT_TRUE(decodeRotated(format, all, 2, 100, rotated));
  EXPECT_TRUE(decodeRows(format, all, 2, 100, good, rows));
  EXPECT_TRUE(decodeRows(format, all, 2, 100, {}, {}));

  EXPECT_FALSE(decode(format, cut, 2, 100, weights));
  EXPECT_FALSE(decodePoints(format, cut, 2, 100, points));
  EXPECT_FALSE(decodeRotated(format, cut, 2, 100, rotated));
  EXPECT_FALSE(decodeRows(format, cut, 2, 100, good, rows));
  EXPECT_FALSE(decode(format, all, 2, 100, rotated));
  EXPECT_FALSE(decodePoints(format, all, 2, 100, std::span(points).first(200)));
  EXPECT_FALSE(decodeRotated(format, all, 2, 100, weights));
  EXPECT_FALSE(decodeRows(format, all, 2, 100, good, weights));
  EXPECT_FALSE(decode(format, all, 0, 100, {}));
  EXPECT_FALSE(decode(format, all, 2, -1, {}));
  EXPECT_FALSE(decode(format, all, kMaxExtent, kMaxExtent, weights));
  EXPECT_FALSE(decode(format, all, INT64_MAX, INT64_MAX, weights));

  Status status = decodeRows(format, all, 2, 100, high, rows);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error(), "expected a row in [0, 2) but got 2");
  EXPECT_FALSE(decodeRows(format, all, 2, 100, low, rows));
  status = decode(format, cut, 2, 100, weights);
  EXPECT_EQ(status.error(), "expected a blob of 100 bytes but got 99");
}

TEST(PackedWeightTest, FormatsWithPartsThatDoNotFit) {
  Format format = preset("rq3");
  format.coding = std::make_shared<FixedCoding>(4);
  Status status = checkShape(format, 1, 1);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error(),
            "expected a coding of 3 bits, as the codebook has, but got 4");
  EXPECT_FALSE(checkShape(Format(), 1, 1));
  for (int64_t group : {0, 16, 100, 8192, -256}) {
    format = preset("rq3");
    EXPECT_TRUE(checkShape(format, 1, 1));
    format.scale.group = group;
    EXPECT_FALSE(checkShape(format, 1, 1)) << group;
  }
  format = preset("rq3");
  format.rotation = std::make_shared<HadamardRotation>(48);
  EXPECT_FALSE(checkShape(format, 1, 1));
}
