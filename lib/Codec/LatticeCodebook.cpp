//===- LatticeCodebook.cpp - Points of E8, as they are --------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Codec/LatticeCodebook.h"
#include "Message.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>

// A product and a sum stay two roundings, whatever the flags.
#pragma STDC FP_CONTRACT OFF

using namespace rotq;

static constexpr int64_t kMaxDeviation = 400;

Status LatticeCodebook::check(int64_t deviation) {
  if (deviation < 1 || deviation > kMaxDeviation)
    return failure(
        message("expected a deviation of 1 to {} sixteenths but got {}",
                kMaxDeviation, deviation));
  return {};
}

LatticeCodebook::LatticeCodebook(unsigned deviation) : sixteenths(deviation) {
  assert(check(deviation) && "expected a deviation that fits");
}

void LatticeCodebook::point(uint64_t code, std::span<int8_t> out) const {
  assert(out.size() == 8 && "expected room for a point");
  std::memcpy(out.data(), &code, 8);
}

// Words of a code are words of four points.
Expr LatticeCodebook::decode(ExprBuilder &, Expr codes) const { return codes; }

void LatticeCodebook::assign(std::span<const float> x, float step, float offset,
                             std::span<uint32_t> codes) const {
  assert(codes.size() * 4 == x.size() && "expected two words for 8 weights");
  float inverse = 1 / step;
  for (size_t i = 0; i < x.size(); i += 8) {
    float target[8];
    int8_t point[8];
    for (size_t j = 0; j < 8; ++j)
      target[j] = (x[i + j] - offset) * inverse;
    nearestE8(target, point);
    std::memcpy(&codes[i / 4], point, 8);
  }
}

/// Two candidates, of even coordinates and of odd ones. Where the sum is no
/// multiple of 4, the coordinate farthest off goes to its other neighbour.
void rotq::nearestE8(std::span<const float, 8> x, std::span<int8_t, 8> point) {
  float least = INFINITY;
  for (int odd : {0, 1}) {
    float rests[8], error = 0;
    int candidate[8], sum = 0;
    size_t at = 0;
    for (size_t i = 0; i < 8; ++i) {
      // One further than this is still an int8.
      float value = std::clamp(x[i], -125.0f, 125.0f);
      int half = int(std::nearbyint((value - float(odd)) * 0.5f));
      candidate[i] = 2 * half + odd;
      sum += candidate[i];
      rests[i] = value - float(candidate[i]);
      if (std::abs(rests[i]) > std::abs(rests[at]))
        at = i;
    }
    // Eight odd numbers have an even sum too.
    if (sum & 3) {
      int step = rests[at] >= 0 ? 2 : -2;
      candidate[at] += step;
      rests[at] -= float(step);
    }
    for (float rest : rests)
      error += rest * rest;
    if (!(error < least))
      continue;
    least = error;
    std::copy_n(candidate, 8, point.begin());
  }
}
