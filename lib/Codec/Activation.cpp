//===- Activation.cpp - Activations in int8 -------------------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Codec/PackedWeight.h"

#include <algorithm>
#include <cassert>
#include <cmath>

using namespace rotq;

/// x * inverse within [-127, 127]; NaN is 0.
static float inSteps(float x, float inverse) {
  float scaled = x * inverse;
  return std::isnan(scaled) ? 0 : std::clamp(scaled, -127.0f, 127.0f);
}

QuantizedActivation rotq::quantizeActivation(std::span<const float> x,
                                             int64_t m, int64_t k,
                                             int64_t group, bool hasRests) {
  assert(int64_t(x.size()) == m * k && "expected M x K values");
  Blocking blocking(k, group);
  int64_t segments = blocking.size(), stored = storedLength(k);
  int64_t perRow = hasRests ? 2 : 1;
  QuantizedActivation result;
  result.codes.assign(size_t(perRow * m * stored), 0);
  result.scales.assign(size_t(perRow * m * segments), 0);
  result.sums.assign(size_t(perRow * m * segments), 0);
  for (int64_t row = 0; row < m; ++row) {
    int64_t first = perRow * row; // of the row's
    for (int64_t s = 0; s < segments; ++s) {
      Segment segment = blocking.segment(s);
      // Less than the segment where zeros pad it, or nothing.
      int64_t end = std::min(segment.offset + segment.length, k);
      float largest = 0;
      for (int64_t i = segment.offset; i < end; ++i) {
        float magnitude = std::abs(x[size_t(row * k + i)]);
        largest = magnitude > largest ? magnitude : largest;
      }
      float inverse = largest > 0 ? 127.0f / largest : 0.0f;
      float scale = largest / 127.0f;
      auto store = [&](int64_t part, auto codeOf) {
        int32_t sum = 0;
        for (int64_t i = segment.offset; i < end; ++i) {
          auto code = int8_t(codeOf(inSteps(x[size_t(row * k + i)], inverse)));
          result.codes[size_t((first + part) * stored + i)] = code;
          sum += code;
        }
        auto place = size_t((first + part) * segments + s);
        result.scales[place] = part == 0 ? scale : scale / kRests;
        result.sums[place] = sum;
      };
      store(0, [](float steps) { return std::nearbyint(steps); });
      if (hasRests)
        store(1, [](float steps) {
          return std::nearbyint((steps - std::nearbyint(steps)) * kRests);
        });
    }
  }
  return result;
}
