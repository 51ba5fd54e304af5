//===- Activation.cpp - Activations in 8 bits -----------------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Codec/E4M3.h"
#include "rotq/Codec/PackedWeight.h"

#include <algorithm>
#include <cassert>
#include <cmath>

using namespace rotq;

namespace {
/// A segment of a row that is quantized: x * inverse are its steps.
struct SegmentOfRow {
  std::span<const float> x; ///< without what pads it
  size_t place, offset;     ///< among the segments, and in the row
  float inverse, scale;

  /// Within [-most, most]; NaN is 0.
  float inSteps(size_t i, float most) const {
    float scaled = x[i] * inverse;
    return std::isnan(scaled) ? 0 : std::clamp(scaled, -most, most);
  }
};
} // namespace

/// Calls `quantize` with a row's number and every segment of it; the largest
/// value of a segment is `most` steps.
template <typename Fn>
static void forSegments(std::span<const float> x, int64_t m, int64_t k,
                        const Blocking &blocking, float most, Fn quantize) {
  assert(int64_t(x.size()) == m * k && "expected M x K values");
  for (int64_t row = 0; row < m; ++row)
    for (int64_t s = 0; s < blocking.size(); ++s) {
      Segment segment = blocking.segment(s);
      // Less than the segment where zeros pad it, or nothing.
      int64_t first = std::min(segment.offset, k);
      int64_t end = std::min(segment.offset + segment.length, k);
      auto values = x.subspan(size_t(row * k + first), size_t(end - first));
      float largest = 0;
      for (float value : values) {
        float magnitude = std::abs(value);
        largest = magnitude > largest ? magnitude : largest;
      }
      quantize(row, SegmentOfRow{values, size_t(s), size_t(segment.offset),
                                 largest > 0 ? most / largest : 0.0f,
                                 largest / most});
    }
}

/// Of so many rows, all zero.
static QuantizedActivation zeros(int64_t rows, int64_t k,
                                 const Blocking &blocking) {
  auto segments = size_t(rows * blocking.size());
  return {std::vector<int8_t>(size_t(rows * storedLength(k))),
          std::vector<float>(segments), std::vector<int32_t>(segments)};
}

QuantizedActivation rotq::quantizeActivation(std::span<const float> x,
                                             int64_t m, int64_t k,
                                             int64_t group, bool hasRests) {
  constexpr float kMost = 127;
  Blocking blocking(k, group);
  auto segments = size_t(blocking.size()), stored = size_t(storedLength(k));
  int64_t perRow = hasRests ? 2 : 1;
  QuantizedActivation result = zeros(perRow * m, k, blocking);
  auto quantize = [&](int64_t row, const SegmentOfRow &segment) {
    auto store = [&](size_t part, auto codeOf) {
      size_t target = size_t(perRow * row) + part;
      int32_t sum = 0;
      for (size_t i = 0; i < segment.x.size(); ++i) {
        auto code = int8_t(codeOf(segment.inSteps(i, kMost)));
        result.codes[target * stored + segment.offset + i] = code;
        sum += code;
      }
      size_t place = target * segments + segment.place;
      result.scales[place] = part == 0 ? segment.scale : segment.scale / kRests;
      result.sums[place] = sum;
    };
    store(0, [](float steps) { return std::nearbyint(steps); });
    if (hasRests)
      store(1, [](float steps) {
        return std::nearbyint((steps - std::nearbyint(steps)) * kRests);
      });
  };
  forSegments(x, m, k, blocking, kMost, quantize);
  return result;
}

QuantizedActivation rotq::quantizeActivationE4M3(std::span<const float> x,
                                                 int64_t m, int64_t k,
                                                 int64_t group) {
  Blocking blocking(k, group);
  auto segments = size_t(blocking.size()), stored = size_t(storedLength(k));
  QuantizedActivation result = zeros(m, k, blocking);
  auto quantize = [&](int64_t row, const SegmentOfRow &segment) {
    size_t place = size_t(row) * segments + segment.place;
    int8_t *codes = &result.codes[size_t(row) * stored + segment.offset];
    result.scales[place] = segment.scale;
    for (size_t i = 0; i < segment.x.size(); ++i) {
      uint8_t code = toE4M3(segment.inSteps(i, kLargestE4M3));
      codes[i] = int8_t(code);
      result.sums[place] += int32_t(fromE4M3(code) * kE4M3Parts);
    }
  };
  forSegments(x, m, k, blocking, kLargestE4M3, quantize);
  return result;
}
