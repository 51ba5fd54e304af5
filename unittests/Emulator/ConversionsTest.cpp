//===- ConversionsTest.cpp - Conversions against their definitions
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every instruction on numbers of its formats, numbers between them, all bits
// of the small ones, and special values.
//
//===----------------------------------------------------------------------===//

#include "FloatDefinitions.h"
#include "InstructionTestUtils.h"

#include <bit>

using namespace mlir::rotq;
using namespace mlir::rotq::test;

static const char *chipOf(const Format &format) {
  return format.bits() < 8 ? "sm_120a" : "sm_90a";
}

/// Floats near the numbers of the format, and half way between two of them;
/// random ones; special ones.
static Lanes floatsFor(const Format &format, size_t count) {
  const float special[] = {0.0f,     -0.0f,     INFINITY,   -INFINITY, NAN,
                           -NAN,     0x1p-149f, -0x1p-149f, 0x1p-126f, 3.4e38f,
                           -3.4e38f, 448.0f,    464.0f,     480.0f,    57344.0f,
                           61440.0f, 65504.0f,  65519.0f,   65520.0f,  65536.0f,
                           6.0f,     7.0f,      7.5f,       28.0f,     30.0f,
                           0x1p-24f, 0x1p-25f,  0x1.8p-25f};
  Lanes lanes = randomLanes(count, 256);
  size_t i = 0;
  for (Words &words : lanes)
    for (uint32_t &word : words) {
      uint32_t random = word;
      if (i < std::size(special)) {
        word = std::bit_cast<uint32_t>(special[i]);
      } else if (random & 3) {
        uint32_t bits = (random >> 4) % (format.largest + 1);
        double low = format.decode(bits);
        double high =
            bits == format.largest ? 2 * low : format.decode(bits + 1);
        auto value = float(low + (high - low) * double(random >> 2 & 3) / 4);
        if (random & 4)
          value = std::nextafter(value, INFINITY);
        word = std::bit_cast<uint32_t>(random >> 31 ? -value : value);
      }
      ++i;
    }
  return lanes;
}

static double floatOf(uint32_t word) {
  return double(std::bit_cast<float>(word));
}

TEST(Conversions, FloatsToNarrow) {
  for (const Format &format : {kE5M2, kE4M3, kE3M2, kE2M3, kE2M1})
    for (bool relu : {false, true}) {
      std::string suffix = std::string(relu ? ".rn.relu" : ".rn") +
                           (format.bits() < 8 ? ".satfinite" : "");
      expectPure(
          {"llvm.nvvm.ff.to." + format.name + "x2" + suffix,
           {"i16"},
           {"float", "float"}},
          floatsFor(format, 2),
          [&](const Words &words) {
            auto encode = [&](uint32_t word) {
              return format.encode(floatOf(word), true, relu, true);
            };
            return encode(words[0]) << format.stride | encode(words[1]);
          },
          chipOf(format));
    }
}

TEST(Conversions, HalvesToNarrow) {
  for (const Format &format : {kE5M2, kE4M3})
    for (bool relu : {false, true})
      for (uint32_t round = 0; round < 8; ++round) {
        // All halves.
        Lanes operands(1024);
        for (uint32_t i = 0; i < 1024; ++i) {
          uint32_t low = (round * 1024 + i) * 8 + i % 8;
          operands[i] = {low | (65535 - low) << 16};
        }
        expectPure(
            {"llvm.nvvm.f16x2.to." + format.name + "x2.rn" +
                 (relu ? ".relu" : ""),
             {"i16"},
             {"<2 x half>"}},
            operands, [&](const Words &words) {
              auto encode = [&](uint32_t half) {
                return format.encode(kHalf.decode(half), true, relu, true);
              };
              return encode(words[0] >> 16) << 8 | encode(words[0] & 0xffff);
            });
      }
}

TEST(Conversions, NarrowToHalves) {
  for (const Format &format : {kE5M2, kE4M3, kE3M2, kE2M3, kE2M1})
    for (bool relu : {false, true}) {
      // All bits, those above the format too.
      Lanes operands(256);
      for (uint32_t i = 0; i < 256; ++i)
        operands[i] = {format.stride == 8 ? i | (255 - i) << 8 : i};
      expectPure(
          {"llvm.nvvm." + format.name + "x2.to.f16x2.rn" +
               (relu ? ".relu" : ""),
           {"<2 x half>"},
           {"i16"}},
          operands,
          [&](const Words &words) {
            auto convert = [&](uint32_t word) {
              uint32_t bits = word & (2 * format.sign() - 1);
              double value = format.decode(bits);
              if (std::isinf(value) && !(relu && value < 0))
                return bits & format.sign() ? 0xfc00u : 0x7c00u;
              return kHalf.encode(value, true, relu, true);
            };
            return convert(words[0] >> format.stride) << 16 | convert(words[0]);
          },
          chipOf(format));
    }
}

TEST(Conversions, FloatsToHalves) {
  for (const Format &format : {kHalf, kBFloat})
    for (bool isNearest : {false, true})
      for (bool relu : {false, true})
        for (bool satfinite : {false, true}) {
          std::string suffix = std::string(isNearest ? ".rn" : ".rz") +
                               (relu ? ".relu" : "") +
                               (satfinite ? ".satfinite" : "");
          std::string type = format.name == "f16" ? "half" : "bfloat";
          auto encode = [&](uint32_t word) {
            return format.encode(floatOf(word), isNearest, relu, satfinite);
          };
          expectPure({"llvm.nvvm.ff2" + format.name + "x2" + suffix,
                      {"<2 x " + type + ">"},
                      {"float", "float"}},
                     floatsFor(format, 2), [&](const Words &words) {
                       return encode(words[0]) << 16 | encode(words[1]);
                     });
          expectPure({"llvm.nvvm.f2" + format.name + suffix, {type}, {"float"}},
                     floatsFor(format, 1),
                     [&](const Words &words) { return encode(words[0]); });
        }
}

/// ue8m0: 2^(bits - 127), 255 is not a number.
static uint32_t scaleOf(double value, bool isUp, bool satfinite) {
  if (std::isnan(value))
    return 255;
  value = std::abs(value);
  for (uint32_t bits = 0; bits < 255; ++bits) {
    double power = std::pow(2.0, int(bits) - 127);
    if (power == value || (isUp && power > value))
      return bits;
    if (!isUp && 2 * power > value)
      return bits == 254 && std::isinf(value) ? 255 : bits;
  }
  return satfinite ? 254 : 255;
}

TEST(Conversions, Scales) {
  for (bool isUp : {false, true})
    for (bool satfinite : {false, true}) {
      std::string suffix =
          std::string(isUp ? ".rp" : ".rz") + (satfinite ? ".satfinite" : "");
      Lanes operands = floatsFor(kBFloat, 2);
      operands[40] = {std::bit_cast<uint32_t>(0x1p127f),
                      std::bit_cast<uint32_t>(0x1.000002p127f)};
      operands[41] = {std::bit_cast<uint32_t>(0x1p-127f),
                      std::bit_cast<uint32_t>(-0x1p-128f)};
      expectPure(
          {"llvm.nvvm.ff.to.ue8m0x2" + suffix, {"i16"}, {"float", "float"}},
          operands,
          [&](const Words &words) {
            return scaleOf(floatOf(words[0]), isUp, satfinite) << 8 |
                   scaleOf(floatOf(words[1]), isUp, satfinite);
          },
          "sm_120a");
      expectPure(
          {"llvm.nvvm.bf16x2.to.ue8m0x2" + suffix, {"i16"}, {"<2 x bfloat>"}},
          randomLanes(1, 256),
          [&](const Words &words) {
            return scaleOf(floatOf(words[0] & 0xffff0000), isUp, satfinite)
                       << 8 |
                   scaleOf(floatOf(words[0] << 16), isUp, satfinite);
          },
          "sm_120a");
    }
  Lanes operands(256);
  for (uint32_t i = 0; i < 256; ++i)
    operands[i] = {i | (255 - i) << 8};
  expectPure(
      {"llvm.nvvm.ue8m0x2.to.bf16x2", {"<2 x bfloat>"}, {"i16"}}, operands,
      [](const Words &words) {
        auto convert = [](uint32_t bits) -> uint32_t {
          return bits == 255 ? 0x7fff : bits ? bits << 7 : 0x40;
        };
        return convert(words[0] >> 8) << 16 | convert(words[0] & 255);
      },
      "sm_120a");
}
