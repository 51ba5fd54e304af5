//===- ConversionInstructions.cpp - Conversions between floats
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FloatFormats.h"
#include "InstructionTable.h"

#include <bit>

using namespace mlir::rotq::emulator;
using llvm::RoundingMode;

static float asFloat(uint32_t bits) { return std::bit_cast<float>(bits); }

/// A pair, the first one in the high half.
template <typename Encode>
static uint32_t pack(const FloatFormat &to, Encode encode, float high,
                     float low) {
  return encode(high) << to.stride | encode(low);
}

/// The halves of a packed pair, the high one first.
static std::pair<float, float> unpack(const FloatFormat &from, uint32_t pair) {
  return {float(decodeFloat(from, pair >> from.stride)),
          float(decodeFloat(from, pair))};
}

/// Two f32 to a pair.
static DeviceInstruction packFloats(std::string name, const FloatFormat &to,
                                    Conversion conversion,
                                    llvm::ArrayRef<Chip> chips) {
  auto encode = [=, &to](float value) {
    return encodeFloat(to, value, conversion);
  };
  return pure(
      std::move(name),
      [=, &to](uint32_t *words) {
        words[0] = pack(to, encode, asFloat(words[0]), asFloat(words[1]));
      },
      chips);
}

/// A pair to a pair.
static DeviceInstruction convertPair(std::string name, const FloatFormat &from,
                                     const FloatFormat &to,
                                     Conversion conversion,
                                     llvm::ArrayRef<Chip> chips) {
  auto encode = [=, &to](float value) {
    return encodeFloat(to, value, conversion);
  };
  return pure(
      std::move(name),
      [=, &from, &to](uint32_t *words) {
        auto [high, low] = unpack(from, words[0]);
        words[0] = pack(to, encode, high, low);
      },
      chips);
}

/// To and from formats of 8, 6 and 4 bits. What overflows becomes the largest
/// number; only formats that have an infinity or a not-a-number could do
/// without, and PTX does not offer it.
static void addNarrow(Instructions &table) {
  const FloatFormat &half = floatFormat("f16");
  for (llvm::StringRef name : {"e4m3", "e5m2", "e3m2", "e2m3", "e2m1"}) {
    const FloatFormat &format = floatFormat(name);
    bool isByte = format.bits == 8;
    llvm::ArrayRef<Chip> chips = kNarrowFloats;
    if (isByte)
      chips = kSm89;
    std::string type = (name + "x2").str();
    for (bool relu : {false, true}) {
      Conversion conversion{.relu = relu, .satfinite = true};
      std::string suffix = relu ? ".rn.relu" : ".rn";
      table.push_back(packFloats("llvm.nvvm.ff.to." + type + suffix +
                                     (isByte ? "" : ".satfinite"),
                                 format, conversion, chips));
      table.push_back(convertPair("llvm.nvvm." + type + ".to.f16x2" + suffix,
                                  format, half, {.relu = relu}, chips));
      if (isByte)
        table.push_back(convertPair("llvm.nvvm.f16x2.to." + type + suffix, half,
                                    format, conversion, chips));
    }
  }
}

/// Scales: powers of two.
static void addScales(Instructions &table) {
  const FloatFormat &scale = floatFormat("ue8m0"),
                    &bfloat = floatFormat("bf16");
  for (bool isUp : {false, true})
    for (bool satfinite : {false, true}) {
      Conversion conversion{isUp ? RoundingMode::TowardPositive
                                 : RoundingMode::TowardZero,
                            false, satfinite};
      std::string suffix =
          std::string(isUp ? ".rp" : ".rz") + (satfinite ? ".satfinite" : "");
      auto encode = [=](float value) { return encodeScale(value, conversion); };
      table.push_back(pure(
          "llvm.nvvm.ff.to.ue8m0x2" + suffix,
          [=, &scale](uint32_t *words) {
            words[0] =
                pack(scale, encode, asFloat(words[0]), asFloat(words[1]));
          },
          kNarrowFloats));
      table.push_back(pure(
          "llvm.nvvm.bf16x2.to.ue8m0x2" + suffix,
          [=, &scale, &bfloat](uint32_t *words) {
            auto [high, low] = unpack(bfloat, words[0]);
            words[0] = pack(scale, encode, high, low);
          },
          kNarrowFloats));
    }
  table.push_back(convertPair("llvm.nvvm.ue8m0x2.to.bf16x2", scale, bfloat, {},
                              kNarrowFloats));
}

/// From f32 to f16 and bf16, one or a pair.
static void addHalves(Instructions &table) {
  for (llvm::StringRef name : {"f16", "bf16"})
    for (bool isNearest : {true, false})
      for (bool relu : {false, true})
        for (bool satfinite : {false, true}) {
          const FloatFormat &format = floatFormat(name);
          Conversion conversion{isNearest ? RoundingMode::NearestTiesToEven
                                          : RoundingMode::TowardZero,
                                relu, satfinite};
          std::string suffix = std::string(isNearest ? ".rn" : ".rz") +
                               (relu ? ".relu" : "") +
                               (satfinite ? ".satfinite" : "");
          table.push_back(
              packFloats(("llvm.nvvm.ff2" + name + "x2").str() + suffix, format,
                         conversion, kSm80));
          table.push_back(pure(("llvm.nvvm.f2" + name).str() + suffix,
                               [=, &format](uint32_t *words) {
                                 words[0] = encodeFloat(
                                     format, asFloat(words[0]), conversion);
                               },
                               kSm80));
        }
}

void mlir::rotq::emulator::addConversions(Instructions &table) {
  addNarrow(table);
  addScales(table);
  addHalves(table);
}
