//===- Codebook.cpp - Assignment for any codebook -------------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Codec/Format.h"

#include <algorithm>
#include <cmath>

using namespace rotq;

Codebook::Moments Codebook::moments(std::span<const float> x, float step,
                                    float offset) const {
  size_t width = size_t(dim());
  std::vector<int8_t> values(width);
  size_t words = size_t(codeWords());
  std::vector<uint32_t> codes(x.size() / width * words);
  assign(x, step, offset, codes);
  Moments sums = {0, 0, 0};
  for (size_t i = 0; i < x.size() / width; ++i) {
    uint64_t code = codes[i * words];
    if (words > 1)
      code |= uint64_t(codes[i * words + 1]) << 32;
    point(code, values);
    for (size_t j = 0; j < width; ++j) {
      float v = x[i * width + j], q = values[j];
      sums.xq += v * q;
      sums.qq += q * q;
      sums.q += q;
    }
  }
  return sums;
}

Codebook::Spread Codebook::spread() const {
  std::vector<int8_t> values(static_cast<size_t>(dim())), last;
  float squares = 0, count = 0, lowest = 0, highest = 0;
  for (uint32_t code = 0; code < 1u << bits(); ++code) {
    point(code, values);
    if (values == last) // an unused code
      continue;
    last = values;
    for (int8_t value : values) {
      float v = value;
      squares += v * v;
      count += 1;
      lowest = std::min(lowest, v);
      highest = std::max(highest, v);
    }
  }
  return {std::sqrt(squares / count), lowest < 0 && highest > 0
                                          ? std::min(-lowest, highest)
                                          : std::max(-lowest, highest)};
}
