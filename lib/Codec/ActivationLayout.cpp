//===- ActivationLayout.cpp - How GPU kernels have quantized activations
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Codec/ActivationLayout.h"
#include "rotq/Codec/TiledLayout.h"

#include <algorithm>

using namespace rotq;

static constexpr int64_t kColumns = TiledLayout::kColumns;
static constexpr int64_t kRun = TiledLayout::kRun;

int64_t rotq::codePlace(ActivationLayout layout, int64_t row, int64_t position,
                        int64_t stored) {
  int64_t tile = position / kColumns * kColumns;
  if (layout != ActivationLayout::Interleaved || tile + kColumns > stored)
    return row * stored + position;
  int64_t run = position % kColumns / (kColumns / 2), t = position / kRun % 4;
  int64_t word = position % kRun / 4;
  return row * stored + tile + run * kColumns / 2 + (word * 4 + t) * 4 +
         position % 4;
}

int64_t rotq::scalePlace(ActivationLayout layout, int64_t row, int64_t rows,
                         int64_t segment, int64_t segments) {
  return layout == ActivationLayout::Interleaved ? segment * rows + row
                                                 : row * segments + segment;
}

std::optional<ActivationLayout> rotq::activationLayout(std::string_view name) {
  const auto *found = std::ranges::find(kActivationLayouts, name);
  if (found == kActivationLayouts.end())
    return std::nullopt;
  return ActivationLayout(found - kActivationLayouts.begin());
}

/// `source` after `copy` of every element, given where that is row by row and
/// in the layout.
template <typename CopyFn>
static QuantizedActivation moved(const QuantizedActivation &source,
                                 int64_t rows, ActivationLayout layout,
                                 CopyFn copy) {
  QuantizedActivation result = source;
  auto move = [&](auto part, int64_t inRows, int64_t place) {
    copy(source.*part, result.*part, size_t(inRows), size_t(place));
  };
  int64_t stored = int64_t(source.codes.size()) / rows;
  int64_t segments = int64_t(source.scales.size()) / rows;
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t i = 0; i < stored; ++i)
      move(&QuantizedActivation::codes, row * stored + i,
           codePlace(layout, row, i, stored));
    for (int64_t i = 0; i < segments; ++i) {
      int64_t place = scalePlace(layout, row, rows, i, segments);
      move(&QuantizedActivation::scales, row * segments + i, place);
      move(&QuantizedActivation::sums, row * segments + i, place);
    }
  }
  return result;
}

QuantizedActivation rotq::laidOut(const QuantizedActivation &byRows,
                                  int64_t rows, ActivationLayout layout) {
  return moved(byRows, rows, layout,
               [](const auto &from, auto &to, size_t inRows, size_t place) {
                 to[place] = from[inRows];
               });
}

QuantizedActivation rotq::byRows(const QuantizedActivation &laidOut,
                                 int64_t rows, ActivationLayout layout) {
  return moved(laidOut, rows, layout,
               [](const auto &from, auto &to, size_t inRows, size_t place) {
                 to[inRows] = from[place];
               });
}
