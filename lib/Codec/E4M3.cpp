//===- E4M3.cpp - Floats of 8 bits ----------------------------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Codec/E4M3.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

using namespace rotq;

static constexpr uint32_t kNan = 0x7f, kLargest = 0x7e;

uint8_t rotq::toE4M3(float value) {
  if (std::isnan(value))
    return kNan;
  auto sign = uint8_t(std::signbit(value) ? 0x80 : 0);
  float magnitude = std::abs(value);
  // Below the normal numbers the code counts parts.
  if (magnitude < 0x1p-6f)
    return uint8_t(std::nearbyint(magnitude * kE4M3Parts)) | sign;
  // The fraction loses 20 bits, and what it carries is the exponent's.
  auto bits = std::bit_cast<uint32_t>(magnitude);
  bits += 0x7ffff + (bits >> 20 & 1);
  constexpr uint32_t kBias = (127 - 7) << 3;
  return uint8_t(std::min((bits >> 20) - kBias, kLargest)) | sign;
}

float rotq::fromE4M3(uint8_t bits) {
  uint32_t magnitude = bits & 0x7f, exponent = magnitude >> 3;
  uint32_t fraction = magnitude & 7;
  float value = magnitude == kNan ? std::numeric_limits<float>::quiet_NaN()
                : exponent == 0
                    ? float(fraction) / kE4M3Parts
                    : std::ldexp(float(8 + fraction), int(exponent) - 10);
  return bits & 0x80 ? -value : value;
}
