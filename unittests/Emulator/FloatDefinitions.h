//===- FloatDefinitions.h - Floats of 16 bits and fewer, by definition
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A conversion is looked up among all numbers of the format, which are written
// out as IEEE 754, the PTX ISA and the OCP formats define them.
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_UNITTESTS_EMULATOR_FLOATDEFINITIONS_H
#define ROTQ_UNITTESTS_EMULATOR_FLOATDEFINITIONS_H

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

namespace mlir::rotq::test {

/// A format of floats with a sign.
struct Format {
  std::string name;
  int exponentBits, fractionBits;
  uint32_t largest;  ///< the bits of the largest number
  uint32_t infinity; ///< 0: none
  uint32_t nan;      ///< what not-a-numbers become
  unsigned stride;   ///< of a pair

  unsigned bits() const { return unsigned(1 + exponentBits + fractionBits); }
  uint32_t sign() const { return 1u << (bits() - 1); }

  double decode(uint32_t word) const {
    uint32_t magnitude = word & (sign() - 1);
    if (magnitude > largest)
      return infinity && magnitude == infinity
                 ? (word & sign() ? -1 : 1) *
                       std::numeric_limits<double>::infinity()
                 : std::numeric_limits<double>::quiet_NaN();
    int bias = (1 << (exponentBits - 1)) - 1;
    auto exponent = int(magnitude >> fractionBits);
    double fraction = double(magnitude & ((1u << fractionBits) - 1)) /
                      double(1u << fractionBits);
    double value = exponent ? (1 + fraction) * std::pow(2.0, exponent - bias)
                            : fraction * std::pow(2.0, 1 - bias);
    return word & sign() ? -value : value;
  }

  /// The nearest number, the even one of two; or the next one towards zero.
  uint32_t encode(double value, bool isNearest, bool relu,
                  bool satfinite) const {
    if (std::isnan(value))
      return nan;
    if (relu && std::signbit(value))
      return 0;
    uint32_t negative = std::signbit(value) ? sign() : 0;
    value = std::abs(value);
    uint32_t below = 0, above = largest;
    if (value >= decode(largest)) {
      // What would round to the next number, were there one, overflows.
      double next = 2 * decode(largest) - decode(largest - 1),
             half = decode(largest);
      half += (next - half) / 2;
      bool overflows = std::isinf(value) || (isNearest && value >= half);
      return negative | (overflows && !satfinite ? infinity : largest);
    }
    while (above - below > 1) {
      uint32_t middle = (above + below) / 2;
      (decode(middle) <= value ? below : above) = middle;
    }
    if (isNearest) {
      double down = value - decode(below), up = decode(above) - value;
      if (up < down || (up == down && below % 2 == 1))
        below = above;
    }
    return negative | below;
  }
};

inline const Format kE5M2{"e5m2", 5, 2, 0x7b, 0x7c, 0x7f, 8},
    kE4M3{"e4m3", 4, 3, 0x7e, 0, 0x7f, 8},
    kE3M2{"e3m2", 3, 2, 0x1f, 0, 0x1f, 8},
    kE2M3{"e2m3", 2, 3, 0x1f, 0, 0x1f, 8}, kE2M1{"e2m1", 2, 1, 7, 0, 7, 4},
    kHalf{"f16", 5, 10, 0x7bff, 0x7c00, 0x7fff, 16},
    kBFloat{"bf16", 8, 7, 0x7f7f, 0x7f80, 0x7fff, 16};

/// 2^(bits - 127); 255 is not a number.
inline double decodeScale(uint32_t bits) {
  return bits == 255 ? std::numeric_limits<double>::quiet_NaN()
                     : std::pow(2.0, int(bits) - 127);
}

} // namespace mlir::rotq::test

#endif // ROTQ_UNITTESTS_EMULATOR_FLOATDEFINITIONS_H
