//===- FloatFormats.cpp - Floats of 16 bits and fewer
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FloatFormats.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"

#include <cmath>
#include <limits>

using namespace mlir::rotq::emulator;
using llvm::APFloat;

static const FloatFormat kFormats[] = {
    {"f16", APFloat::IEEEhalf, 16, 0x7fff, 16},
    {"bf16", APFloat::BFloat, 16, 0x7fff, 16},
    {"e5m2", APFloat::Float8E5M2, 8, 0x7f, 8},
    {"e4m3", APFloat::Float8E4M3FN, 8, 0x7f, 8},
    {"e3m2", APFloat::Float6E3M2FN, 6, 0x1f, 8},
    {"e2m3", APFloat::Float6E2M3FN, 6, 0x1f, 8},
    {"e2m1", APFloat::Float4E2M1FN, 4, 0x7, 4},
    {"ue8m0", APFloat::Float8E8M0FNU, 8, 0xff, 8},
};

const FloatFormat &mlir::rotq::emulator::floatFormat(llvm::StringRef name) {
  return *llvm::find_if(
      kFormats, [&](const FloatFormat &format) { return format.name == name; });
}

double mlir::rotq::emulator::decodeFloat(const FloatFormat &format,
                                         uint32_t bits) {
  uint32_t mask = (uint32_t(1) << format.bits) - 1;
  APFloat number(format.semantics(), llvm::APInt(format.bits, bits & mask));
  // That of ue8m0 has no fraction, with which APFloat makes it an infinity.
  return number.isNaN() ? std::numeric_limits<double>::quiet_NaN()
                        : number.convertToDouble();
}

uint32_t mlir::rotq::emulator::encodeFloat(const FloatFormat &format,
                                           float value,
                                           const Conversion &conversion) {
  if (std::isnan(value))
    return format.nan;
  if (conversion.relu && std::signbit(value))
    return 0;
  APFloat number(value);
  bool losesInfo = false;
  if (conversion.satfinite) {
    APFloat largest = APFloat::getLargest(format.semantics());
    largest.convert(APFloat::IEEEsingle(), APFloat::rmTowardZero, &losesInfo);
    if (std::abs(value) > largest.convertToFloat())
      number = APFloat(std::copysign(largest.convertToFloat(), value));
  }
  number.convert(format.semantics(), conversion.rounding, &losesInfo);
  return uint32_t(number.bitcastToAPInt().getZExtValue());
}

uint32_t mlir::rotq::emulator::encodeScale(float value,
                                           const Conversion &conversion) {
  constexpr int kBias = 127, kLargest = 254;
  if (std::isnan(value) || (std::isinf(value) && !conversion.satfinite))
    return floatFormat("ue8m0").nan;
  if (std::isinf(value))
    return kLargest;
  if (value == 0)
    return 0;
  int exponent = 0;
  float fraction = std::frexp(std::abs(value), &exponent);
  bool isUp = conversion.rounding == llvm::RoundingMode::TowardPositive;
  if (fraction == 0.5f || !isUp)
    --exponent;
  int bits = std::max(exponent + kBias, 0);
  if (bits > kLargest)
    return conversion.satfinite ? kLargest : floatFormat("ue8m0").nan;
  return uint32_t(bits);
}

const ElementFormat &mlir::rotq::emulator::elementFormat(llvm::StringRef name) {
  static const llvm::StringMap<ElementFormat> formats = [] {
    llvm::StringMap<ElementFormat> result;
    auto add = [&](llvm::StringRef key, unsigned bits, auto decode) {
      ElementFormat format{key.str(), bits, {}};
      for (uint32_t i = 0; i < uint32_t(1) << bits; ++i)
        format.values.push_back(decode(i));
      result[key] = std::move(format);
    };
    add("s8", 8, [](uint32_t bits) { return int8_t(bits); });
    add("u8", 8, [](uint32_t bits) { return uint8_t(bits); });
    // Unsigned: the sign does not count.
    add("ue4m3", 8, [](uint32_t bits) {
      return decodeFloat(floatFormat("e4m3"), bits & 0x7f);
    });
    for (const FloatFormat &format : kFormats)
      add(format.name, format.bits,
          [&](uint32_t bits) { return decodeFloat(format, bits); });
    for (llvm::StringRef narrow : {"e3m2", "e2m3", "e2m1"}) {
      const FloatFormat &format = floatFormat(narrow);
      unsigned shift = format.bits == 4 ? 2 : 0;
      add((narrow + ".b8").str(), 8,
          [&](uint32_t bits) { return decodeFloat(format, bits >> shift); });
    }
    return result;
  }();
  return formats.find(name)->second;
}
