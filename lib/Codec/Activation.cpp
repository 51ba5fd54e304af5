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

/// x * inverse to the nearest even integer, within [-127, 127].
static int8_t quantize(float x, float inverse) {
  float code = std::nearbyint(x * inverse);
  if (std::isnan(code))
    return 0;
  return int8_t(std::clamp(code, -127.0f, 127.0f));
}

QuantizedActivation rotq::quantizeActivation(std::span<const float> x,
                                             int64_t m, int64_t k,
                                             int64_t group) {
  assert(int64_t(x.size()) == m * k && "expected M x K values");
  Blocking blocking(k, group);
  int64_t segments = blocking.size(), stored = storedLength(k);
  QuantizedActivation result;
  result.codes.assign(size_t(m * stored), 0);
  result.scales.assign(size_t(m * segments), 0);
  result.sums.assign(size_t(m * segments), 0);
  for (int64_t row = 0; row < m; ++row) {
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
      int32_t sum = 0;
      for (int64_t i = segment.offset; i < end; ++i) {
        int8_t code = quantize(x[size_t(row * k + i)], inverse);
        result.codes[size_t(row * stored + i)] = code;
        sum += code;
      }
      result.scales[size_t(row * segments + s)] = largest / 127.0f;
      result.sums[size_t(row * segments + s)] = sum;
    }
  }
  return result;
}
