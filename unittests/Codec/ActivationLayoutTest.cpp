//===- ActivationLayoutTest.cpp
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Codec/ActivationLayout.h"

#include "gtest/gtest.h"

#include <numeric>

using namespace rotq;

static constexpr int64_t kStored = 2 * 256 + 128;

TEST(ActivationLayoutTest, InterleavedCodesAreRowsOfCoreMatrices) {
  // Of a whole tile, the 16 bytes `row` have word `row` mod 8 of the runs of
  // the four lanes of a row, which start at 32t in each half.
  auto place = [](int64_t position) {
    return codePlace(ActivationLayout::Interleaved, /*row=*/3, position,
                     kStored);
  };
  constexpr int64_t start = 3 * kStored;
  for (int64_t tile : {0, 256})
    for (int64_t row = 0; row < 16; ++row)
      for (int64_t t = 0; t < 4; ++t)
        for (int64_t i = 0; i < 4; ++i)
          EXPECT_EQ(place(tile + row / 8 * 128 + t * 32 + row % 8 * 4 + i),
                    start + tile + 16 * row + 4 * t + i);
  for (int64_t i = 512; i < kStored; ++i)
    EXPECT_EQ(place(i), start + i);
}

TEST(ActivationLayoutTest, ScalesOfRowsAreTogether) {
  EXPECT_EQ(scalePlace(ActivationLayout::Interleaved, /*row=*/3, /*rows=*/5,
                       /*segment=*/2, /*segments=*/7),
            2 * 5 + 3);
}

TEST(ActivationLayoutTest, RowsComeBack) {
  constexpr int64_t rows = 11, segments = 3;
  QuantizedActivation activation{std::vector<int8_t>(rows * kStored),
                                 std::vector<float>(rows * segments),
                                 std::vector<int32_t>(rows * segments)};
  std::iota(activation.codes.begin(), activation.codes.end(), int8_t(0));
  std::iota(activation.scales.begin(), activation.scales.end(), 1.0f);
  std::iota(activation.sums.begin(), activation.sums.end(), 100);
  QuantizedActivation moved =
      laidOut(activation, rows, ActivationLayout::Interleaved);
  EXPECT_NE(moved.codes, activation.codes);
  EXPECT_NE(moved.scales, activation.scales);
  EXPECT_NE(moved.sums, activation.sums);
  QuantizedActivation back = byRows(moved, rows, ActivationLayout::Interleaved);
  EXPECT_EQ(back.codes, activation.codes);
  EXPECT_EQ(back.scales, activation.scales);
  EXPECT_EQ(back.sums, activation.sums);

  EXPECT_EQ(laidOut(activation, rows, ActivationLayout::Rows).codes,
            activation.codes);
  EXPECT_EQ(byRows(activation, rows, ActivationLayout::Rows).scales,
            activation.scales);
  for (std::string_view name : kActivationLayouts)
    EXPECT_EQ(kActivationLayouts[size_t(activationLayout(name).value())], name);
  EXPECT_EQ(activationLayout("blocks"), std::nullopt);
}
