//===- ProductsTest.cpp - Products of matrices against their definitions
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One warp multiplies random matrices, not-a-numbers and infinities among them.
// The exact product is read off the operands by the figures of the PTX ISA.
//
//===----------------------------------------------------------------------===//

#include "FloatDefinitions.h"
#include "InstructionTestUtils.h"

#include <bit>
#include <cmath>

using namespace mlir::rotq;
using namespace mlir::rotq::test;

namespace {
using Decode = std::function<double(uint32_t)>;

/// A product of 16 x K and K x 8 elements of `bits` bits.
struct Product {
  std::string name;
  unsigned k, bits;
  Decode a, b;
  std::string sum; ///< "s32", "s32 saturated", "f32", "f16"
  std::string operandType = "i32";
  uint32_t elementMask = ~0u; ///< of the bits that random elements use
  std::string chip = "sm_120a";
  /// How many scales a row of A has, and what they are.
  unsigned scales = 0;
  Decode scale = nullptr;
  unsigned byteA = 0, threadA = 0, byteB = 0, threadB = 0;

  unsigned wordsA() const { return k * bits / 64; }
  unsigned wordsB() const { return wordsA() / 2; }
  unsigned wordsC() const { return sum == "f16" ? 2 : 4; }
  bool isFloat() const { return sum[0] == 'f'; }
};
} // namespace

/// Element (row, k) of A, from the words of all lanes: the ISA's figures read
/// backwards. Registers hold 32 / bits neighbours along K.
static double elementOfA(const Lanes &lanes, const Product &product,
                         unsigned row, unsigned k) {
  unsigned each = 32 / product.bits, run = k / (4 * each);
  unsigned lane = row % 8 * 4 + k % (4 * each) / each;
  uint32_t word = lanes[lane][2 * run + row / 8];
  return product.a(word >> product.bits * (k % each) &
                   ((1ull << product.bits) - 1));
}

static double elementOfB(const Lanes &lanes, const Product &product, unsigned k,
                         unsigned col) {
  unsigned each = 32 / product.bits, run = k / (4 * each);
  unsigned lane = col * 4 + k % (4 * each) / each;
  uint32_t word = lanes[lane][product.wordsA() + run];
  return product.b(word >> product.bits * (k % each) &
                   ((1ull << product.bits) - 1));
}

/// What scales element (row, k) of A and (k, col) of B.
static double scaleOf(const Lanes &lanes, const Product &product, unsigned row,
                      unsigned k, unsigned col) {
  if (!product.scales)
    return 1;
  unsigned first = product.wordsA() + product.wordsB() + product.wordsC();
  unsigned chunk = k * product.scales / product.k;
  uint32_t a = lanes[row % 8 * 4 + product.threadA * 2 + row / 8][first];
  uint32_t b = lanes[col * 4 + product.threadB][first + 1];
  return product.scale(a >> 8 * (product.byteA + chunk) & 255) *
         product.scale(b >> 8 * (product.byteB + chunk) & 255);
}

static double decodeSum(const Product &product, uint32_t word, unsigned i) {
  if (product.sum == "f32")
    return double(std::bit_cast<float>(word));
  return product.sum == "f16" ? kHalf.decode(word >> 16 * (i % 2) & 0xffff)
                              : double(int32_t(word));
}

static Lanes randomOperands(const Product &product) {
  Lanes operands = randomLanes(product.wordsA() + product.wordsB());
  for (auto [words, others] : llvm::zip(operands, randomLanes(6))) {
    for (uint32_t &word : words)
      word &= product.elementMask;
    for (unsigned i = 0; i < product.wordsC(); ++i)
      words.push_back(product.sum == "f32"   ? std::bit_cast<uint32_t>(float(
                                                   int(others[i] % 1000) - 500))
                      : product.sum == "f16" ? others[i] & 0xbfffbfff
                                             : others[i]);
    for (unsigned i = 4; product.scales && i < 6; ++i)
      words.push_back(0x60606060 + (others[i] & 0x1f1f1f1f));
  }
  // Not a number, in all formats of scales.
  if (product.scales)
    operands[5].back() = ~0u;
  return operands;
}

static Signature signatureOf(const Product &product) {
  Signature signature{product.name, {}, {}};
  std::string sum = product.sum == "f32"   ? "float"
                    : product.sum == "f16" ? "<2 x half>"
                                           : "i32";
  signature.operands.assign(product.wordsA() + product.wordsB(),
                            product.operandType);
  signature.operands.insert(signature.operands.end(), product.wordsC(), sum);
  signature.results.assign(product.wordsC(), sum);
  auto constant = [](unsigned value) { return "i16 " + std::to_string(value); };
  if (product.scales)
    for (const std::string &operand :
         {std::string("i32"), constant(product.byteA),
          constant(product.threadA), std::string("i32"),
          constant(product.byteB), constant(product.threadB)})
      signature.operands.push_back(operand);
  return signature;
}

static void checkProduct(const Product &product) {
  Lanes operands = randomOperands(product);
  // Elements as lanes hold them: lane 4 (row mod 8) + col / 2, number
  // 2 (row / 8) + col mod 2.
  bool isHalf = product.sum == "f16";
  std::vector<double> sums(128), losses(128);
  for (unsigned row = 0; row < 16; ++row)
    for (unsigned col = 0; col < 8; ++col) {
      unsigned lane = row % 8 * 4 + col / 2, i = row / 8 * 2 + col % 2;
      double &sum = sums[lane * 4 + i];
      sum = decodeSum(product,
                      operands[lane][product.wordsA() + product.wordsB() +
                                     (isHalf ? i / 2 : i)],
                      i);
      // Denormal numbers lose as much as the smallest normal one.
      double magnitude = std::abs(sum) + 0x1p-126;
      for (unsigned k = 0; k < product.k; ++k) {
        double term = elementOfA(operands, product, row, k) *
                      elementOfB(operands, product, k, col) *
                      scaleOf(operands, product, row, k, col);
        sum += term;
        magnitude += std::abs(term);
      }
      losses[lane * 4 + i] = (product.k + 1) * magnitude;
    }
  // Each is off by its own loss, and by the rounding to f16; the two together
  // by the sum. A GPU may cut off to f16 after every eight products, and so
  // lose twice what rounding does.
  auto boundOf = [&](size_t at, double lossPerAddend) {
    double magnitude = losses[at] / (product.k + 1);
    double rounded = gpuUnderTest ? magnitude * product.k / 4 : sums[at];
    return lossPerAddend * losses[at] +
           (isHalf ? std::abs(rounded) * 0x1p-11 + 0x1p-25 : 0);
  };
  Tolerance tolerance{{}, product.sum == "f16" ? "f16" : "f32"};
  if (product.isFloat())
    for (size_t at = 0; at < 128; ++at)
      tolerance.bounds.push_back(boundOf(at, 0x1p-23) + boundOf(at, 0x1p-24));
  Lanes results =
      execute(signatureOf(product), operands, 1, product.chip, tolerance);
  for (size_t at = 0; at < 128; ++at) {
    unsigned i = at % 4;
    uint32_t word = results[at / 4][isHalf ? i / 2 : i];
    double sum = sums[at], result = decodeSum(product, word, i);
    std::string where = product.name + " lane " + std::to_string(at / 4) +
                        " element " + std::to_string(i);
    if (product.sum == "s32")
      EXPECT_EQ(word, uint32_t(int64_t(sum))) << where;
    else if (product.sum == "s32 saturated")
      EXPECT_EQ(result, std::clamp(sum, -0x1p31, 0x1p31 - 1)) << where;
    else if (std::isnan(sum))
      EXPECT_TRUE(std::isnan(result)) << where;
    else if (std::isinf(sum) || (isHalf && std::abs(sum) >= 65520))
      EXPECT_EQ(result, std::copysign(INFINITY, sum)) << where;
    else
      EXPECT_NEAR(result, sum, boundOf(at, lossPerAddend())) << where;
  }
}

static std::string shapeOf(unsigned k) {
  return "llvm.nvvm.mma.m16n8k" + std::to_string(k) + ".row.col.";
}

TEST(Products, Integers) {
  Decode decode[] = {[](uint32_t bits) { return double(int8_t(bits)); },
                     [](uint32_t bits) { return double(bits); }};
  const std::string names[] = {"s8", "u8"};
  for (unsigned k : {16u, 32u})
    for (size_t a : {0u, 1u})
      for (size_t b : {0u, 1u}) {
        std::string types = names[a] + (a == b ? "" : "." + names[b]);
        checkProduct({shapeOf(k) + types, k, 8, decode[a], decode[b], "s32"});
        checkProduct({shapeOf(k) + "satfinite." + types, k, 8, decode[a],
                      decode[b], "s32 saturated"});
      }
}

TEST(Products, Bits) {
  auto bit = [](uint32_t bits) { return double(bits); };
  for (unsigned k : {128u, 256u})
    checkProduct(
        {"llvm.nvvm.mma.and.popc.m16n8k" + std::to_string(k) + ".row.col.b1", k,
         1, bit, bit, "s32"});
}

TEST(Products, Halves) {
  auto half = [](uint32_t bits) { return kHalf.decode(bits); };
  auto bfloat = [](uint32_t bits) { return kBFloat.decode(bits); };
  // Without the top bit of the exponent: nothing overflows.
  for (unsigned k : {8u, 16u}) {
    for (uint32_t mask : {0xbfffbfff, ~0u})
      for (std::string sum : {"f32", "f16"})
        checkProduct({shapeOf(k) + sum + "." + sum, k, 16, half, half, sum,
                      "<2 x half>", mask, "sm_80"});
    checkProduct({shapeOf(k) + "bf16", k, 16, bfloat, bfloat, "f32", "i32",
                  0xbfffbfff, "sm_80"});
  }
}

/// A format of 4 or 6 bits in a byte: 4 bits are its middle.
static Decode inByte(const Format &format) {
  return [&](uint32_t byte) {
    if (format.bits() == 4)
      byte >>= 2;
    return format.decode(byte & (2 * format.sign() - 1));
  };
}

static const Format *const kNarrow[] = {&kE4M3, &kE5M2, &kE3M2, &kE2M3, &kE2M1};

TEST(Products, NarrowFloats) {
  for (const Format *a : kNarrow)
    for (const Format *b : kNarrow)
      for (std::string sum : {"f32", "f16"}) {
        std::string types = sum + "." + a->name + "." + b->name + "." + sum;
        // Sums in f16 may overflow on the way.
        for (uint32_t mask : {0xbfbfbfbf, sum == "f16" ? 0xbfbfbfbf : ~0u}) {
          checkProduct({shapeOf(32) + "kind.f8f6f4." + types, 32, 8, inByte(*a),
                        inByte(*b), sum, "i32", mask});
          if (a->bits() == 8 && b->bits() == 8)
            for (unsigned k : {16u, 32u})
              checkProduct({shapeOf(k) + types, k, 8, inByte(*a), inByte(*b),
                            sum, "i32", mask, "sm_89"});
        }
      }
}

TEST(Products, ScaledFloats) {
  for (const Format *a : kNarrow)
    for (const Format *b : kNarrow)
      for (std::string size : {"", "scale.1x."})
        checkProduct({"llvm.nvvm.mma.block.scale.m16n8k32.row.col.mxf8f6f4." +
                          size + "f32." + a->name + "." + b->name +
                          ".f32.ue8m0",
                      32, 8, inByte(*a), inByte(*b), "f32", "i32", 0xbfbfbfbf,
                      "sm_120a", 1, decodeScale});
  // Every choice of scales.
  for (unsigned i = 0; i < 32; ++i)
    checkProduct({"llvm.nvvm.mma.block.scale.m16n8k32.row.col.mxf8f6f4.scale."
                  "1x.f32.e4m3.e2m1.f32.ue8m0",
                  32, 8, inByte(kE4M3), inByte(kE2M1), "f32", "i32", 0xbfbfbfbf,
                  "sm_120a", 1, decodeScale, i % 4, i / 4 % 2, 3 - i % 4,
                  i / 8});
}

TEST(Products, ScaledNibbles) {
  auto nibble = [](uint32_t bits) { return kE2M1.decode(bits); };
  auto byte = [](uint32_t bits) { return kE4M3.decode(bits & 0x7f); };
  std::string shape = "llvm.nvvm.mma.block.scale.m16n8k64.row.col.";
  for (unsigned i = 0; i < 8; ++i) {
    for (std::string kind : {"mxf4.", "mxf4.scale.2x.", "mxf4nvf4.scale.2x."})
      checkProduct({shape + kind + "f32.e2m1.e2m1.f32.ue8m0", 64, 4, nibble,
                    nibble, "f32", "i32", ~0u, "sm_120a", 2, decodeScale,
                    i % 2 * 2, i / 2 % 2, 2 - i % 2 * 2, i / 2});
    checkProduct({shape + "mxf4nvf4.scale.4x.f32.e2m1.e2m1.f32.ue4m3", 64, 4,
                  nibble, nibble, "f32", "i32", ~0u, "sm_120a", 4, byte, 0,
                  i % 2, 0, i / 2});
  }
}

TEST(PlantedBugs, WrongScales) {
  auto message = [](const std::string &byte, const std::string &thread) {
    std::string operands = "i32 0, i32 0, i32 0, i32 0, i32 0, i32 0, float "
                           "0.0, float 0.0, float 0.0, float 0.0, i32 0, i16 " +
                           byte + ", i16 " + thread + ", i32 0, i16 0, i16 0";
    std::string name = "@llvm.nvvm.mma.block.scale.m16n8k64.row.col.mxf4.f32."
                       "e2m1.e2m1.f32.ue8m0";
    std::string text =
        "declare {float, float, float, float} " + name +
        "(i32, i32, i32, i32, i32, i32, float, float, float, "
        "float, i32, i16, i16, i32, i16, i16)\ndefine ptx_kernel "
        "void @k() {\n  %r = call {float, float, float, float} " +
        name + "(" + operands + ")\n  ret void\n}\n";
    EmulatorLaunch launch;
    launch.block[0] = 32;
    return runKernel(text, {}, launch, "sm_120a");
  };
  EXPECT_EQ(message("2", "1"), "");
  EXPECT_NE(message("1", "0").find("byte 1 is none at which 2 scales start"),
            std::string::npos);
  EXPECT_NE(message("0", "2").find("expected one of 2 choices of threads"),
            std::string::npos);
}
