//===- Codebook.cpp - Assignment for any codebook -------------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Codec/Format.h"

#include <cassert>

using namespace rotq;

void Codebook::assign(std::span<const float> x, float step, float offset,
                      std::span<uint8_t> codes) const {
  std::vector<float> scaled(x.size());
  for (size_t i = 0; i < x.size(); ++i)
    scaled[i] = (x[i] - offset) / step;
  nearest(scaled, codes);
}

Codebook::Moments Codebook::moments(std::span<const float> x, float step,
                                    float offset) const {
  size_t width = size_t(dim());
  std::vector<int8_t> points(width << bits());
  for (size_t code = 0; code < size_t(1) << bits(); ++code)
    point(uint8_t(code), std::span(points).subspan(code * width, width));
  std::vector<uint8_t> codes(x.size() / width);
  assign(x, step, offset, codes);
  Moments sums = {0, 0, 0};
  for (size_t i = 0; i < x.size(); ++i) {
    float q = points[codes[i / width] * width + i % width];
    sums.xq += x[i] * q;
    sums.qq += q * q;
    sums.q += q;
  }
  return sums;
}
