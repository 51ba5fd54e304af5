//===- InstructionsTest.cpp - Instructions against their definitions
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One warp executes one intrinsic on random operands; what it gives is compared
// with the words of the PTX ISA, written anew.
//
//===----------------------------------------------------------------------===//

#include "EmulatorTestUtils.h"

#include "rotq/Codec/PackedWeight.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <random>

using namespace mlir::rotq;
using namespace mlir::rotq::test;

namespace {
using Words = std::vector<uint32_t>;
/// Operands or results of all lanes.
using Lanes = std::array<Words, 32>;

/// An intrinsic and the types of its operands and results; each takes a word.
struct Signature {
  std::string name;
  std::vector<std::string> results, operands;
};
} // namespace

static std::string resultType(const Signature &signature) {
  if (signature.results.size() == 1)
    return signature.results[0];
  std::string text = "{ ";
  for (const std::string &type : signature.results)
    text += (text.size() > 2 ? ", " : "") + type;
  return text + " }";
}

/// A kernel that executes the intrinsic in every lane.
static std::string kernelText(const Signature &signature) {
  std::string types, operands, body;
  auto line = [&](const std::string &text) { body += "  " + text + "\n"; };
  auto number = [](size_t i) { return std::to_string(i); };
  for (auto [i, type] : llvm::enumerate(signature.operands)) {
    std::string n = number(i);
    types += (i ? ", " : "") + type;
    operands += (i ? ", " : "") + type + " %x" + n;
    line("%ia" + n + " = mul i32 %t, " + number(signature.operands.size()));
    line("%ib" + n + " = add i32 %ia" + n + ", " + n);
    line("%ip" + n + " = getelementptr i32, ptr addrspace(1) %in, i32 %ib" + n);
    line("%iw" + n + " = load i32, ptr addrspace(1) %ip" + n + ", align 4");
    line("%x" + n + " = " +
         (type == "i1" ? "trunc i32 %iw" + n + " to i1"
                       : "bitcast i32 %iw" + n + " to " + type));
  }
  line("%r = call " + resultType(signature) + " @" + signature.name + "(" +
       operands + ")");
  size_t count = signature.results.size();
  for (auto [i, type] : llvm::enumerate(signature.results)) {
    std::string n = number(i);
    std::string value = "%r";
    if (count > 1) {
      line("%e" + n + " = extractvalue " + resultType(signature) + " %r, " + n);
      value = "%e" + n;
    }
    line("%v" + n + " = " + (type == "i1" ? "zext" : "bitcast") + " " + type +
         " " + value + " to i32");
    line("%oa" + n + " = mul i32 %t, " + number(count));
    line("%ob" + n + " = add i32 %oa" + n + ", " + n);
    line("%op" + n + " = getelementptr i32, ptr addrspace(1) %out, i32 %ob" +
         n);
    line("store i32 %v" + n + ", ptr addrspace(1) %op" + n + ", align 4");
  }
  return "declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()\ndeclare " +
         resultType(signature) + " @" + signature.name + "(" + types +
         ")\ndefine ptx_kernel void @k(ptr addrspace(1) %in, ptr addrspace(1) "
         "%out) {\n  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()\n" +
         body + "  ret void\n}\n";
}

static Lanes execute(const Signature &signature, const Lanes &operands,
                     uint64_t seed = 1) {
  Words in, out(32 * signature.results.size());
  for (const Words &words : operands)
    in.insert(in.end(), words.begin(), words.end());
  EmulatorLaunch launch;
  launch.block[0] = 32;
  launch.seed = seed;
  EXPECT_EQ(runKernel(kernelText(signature),
                      {bufferOf(in, "in", false), bufferOf(out, "out")},
                      launch),
            "");
  Lanes results;
  for (size_t lane = 0; lane < 32; ++lane)
    results[lane].assign(
        out.begin() + std::ptrdiff_t(lane * signature.results.size()),
        out.begin() + std::ptrdiff_t((lane + 1) * signature.results.size()));
  return results;
}

static std::mt19937 random32(11);

static Lanes randomLanes(size_t count) {
  Lanes lanes;
  for (Words &words : lanes)
    for (size_t i = 0; i < count; ++i)
      words.push_back(uint32_t(random32()));
  return lanes;
}

/// Every lane alone.
static void expectPure(const Signature &signature, const Lanes &operands,
                       std::function<uint32_t(const Words &)> expected) {
  Lanes results = execute(signature, operands);
  for (size_t lane = 0; lane < 32; ++lane)
    EXPECT_EQ(results[lane][0], expected(operands[lane]))
        << signature.name << " in lane " << lane;
}

//===----------------------------------------------------------------------===//
// Words
//===----------------------------------------------------------------------===//

TEST(Instructions, Prmt) {
  auto bytesOf = [](const Words &words) {
    std::array<uint8_t, 8> bytes;
    std::memcpy(bytes.data(), words.data(), 8);
    return bytes;
  };
  expectPure({"llvm.nvvm.prmt", {"i32"}, {"i32", "i32", "i32"}}, randomLanes(3),
             [&](const Words &words) {
               auto bytes = bytesOf(words);
               uint8_t result[4];
               for (int i = 0; i < 4; ++i) {
                 int nibble = int(words[2] >> 4 * i) & 15;
                 result[i] = bytes[size_t(nibble % 8)];
                 if (nibble >= 8)
                   result[i] = uint8_t(int8_t(result[i]) >> 7);
               }
               return std::bit_cast<uint32_t>(result);
             });
  // The rows of the ISA's tables, bytes 3 to 0, by the low bits of the control.
  struct Mode {
    const char *name;
    bool hasTwoSources;
    uint32_t rows[4];
  };
  for (const Mode &mode : {
           Mode{"f4e", true, {0x3210, 0x4321, 0x5432, 0x6543}},
           Mode{"b4e", true, {0x5670, 0x6701, 0x7012, 0x0123}},
           Mode{"rc8", false, {0x0000, 0x1111, 0x2222, 0x3333}},
           Mode{"ecl", false, {0x3210, 0x3211, 0x3222, 0x3333}},
           Mode{"ecr", false, {0x0000, 0x1110, 0x2210, 0x3210}},
           Mode{"rc16", false, {0x1010, 0x3232, 0x1010, 0x3232}},
       }) {
    Signature signature{
        std::string("llvm.nvvm.prmt.") + mode.name, {"i32"}, {"i32", "i32"}};
    if (mode.hasTwoSources)
      signature.operands.emplace_back("i32");
    expectPure(signature, randomLanes(signature.operands.size()),
               [&](const Words &words) {
                 auto bytes = bytesOf(words);
                 uint32_t row = mode.rows[words.back() % 4], result = 0;
                 for (unsigned i = 0; i < 4; ++i)
                   result |= uint32_t(bytes[row >> 4 * i & 15]) << 8 * i;
                 return result;
               });
  }
}

TEST(Instructions, DotProducts) {
  auto extend = [](uint32_t value, unsigned bits, bool isSigned) {
    auto wide = int64_t(value & ((1u << bits) - 1));
    return isSigned && wide >> (bits - 1) ? wide - (int64_t(1) << bits) : wide;
  };
  for (bool isSignedA : {false, true})
    for (bool isSignedB : {false, true}) {
      std::string types =
          std::string(isSignedA ? "s" : "u") + "." + (isSignedB ? "s" : "u");
      expectPure({"llvm.nvvm.idp4a." + types, {"i32"}, {"i32", "i32", "i32"}},
                 randomLanes(3), [&](const Words &words) {
                   int64_t sum = words[2];
                   for (unsigned i = 0; i < 4; ++i)
                     sum += extend(words[0] >> 8 * i, 8, isSignedA) *
                            extend(words[1] >> 8 * i, 8, isSignedB);
                   return uint32_t(sum);
                 });
    }
}

TEST(Instructions, FunnelShifts) {
  Lanes operands = randomLanes(3);
  for (size_t lane = 0; lane < 32; ++lane)
    operands[lane][2] = lane < 30 ? uint32_t(lane) : 31 + uint32_t(lane - 29);
  auto bitOf = [](const Words &words, uint32_t i) {
    return words[i < 32 ? 1 : 0] >> i % 32 & 1;
  };
  for (bool isLeft : {true, false})
    expectPure({std::string("llvm.nvvm.fsh") + (isLeft ? "l" : "r") + ".clamp",
                {"i32"},
                {"i32", "i32", "i32"}},
               operands, [&](const Words &words) {
                 uint32_t amount = std::min(words[2], 32u), result = 0;
                 uint32_t first = isLeft ? 32 - amount : amount;
                 for (uint32_t i = 0; i < 32; ++i)
                   result |= bitOf(words, first + i) << i;
                 return result;
               });
}

TEST(Instructions, MinimumAndMaximum) {
  float values[] = {0.0f, -0.0f, 1.0f, NAN, -INFINITY, 3.5f};
  for (bool isMax : {true, false}) {
    Lanes operands;
    for (size_t lane = 0; lane < 32; ++lane)
      operands[lane] = {std::bit_cast<uint32_t>(values[lane % 6]),
                        std::bit_cast<uint32_t>(values[lane / 6])};
    Lanes results = execute({isMax ? "llvm.maxnum.f32" : "llvm.minnum.f32",
                             {"float"},
                             {"float", "float"}},
                            operands);
    for (size_t lane = 0; lane < 32; ++lane) {
      auto a = std::bit_cast<float>(operands[lane][0]);
      auto b = std::bit_cast<float>(operands[lane][1]);
      auto result = std::bit_cast<float>(results[lane][0]);
      if (std::isnan(a) && std::isnan(b)) {
        EXPECT_TRUE(std::isnan(result));
        continue;
      }
      // -0 comes before +0, and a number before a not-a-number.
      auto isLess = [](float p, float q) {
        return p < q || (p == q && std::signbit(p) && !std::signbit(q));
      };
      float expected = std::isnan(a)   ? b
                       : std::isnan(b) ? a
                       : isMax         ? (isLess(a, b) ? b : a)
                                       : (isLess(b, a) ? b : a);
      EXPECT_EQ(std::bit_cast<uint32_t>(result),
                std::bit_cast<uint32_t>(expected))
          << a << " and " << b;
    }
  }
}

//===----------------------------------------------------------------------===//
// Lanes
//===----------------------------------------------------------------------===//

TEST(Instructions, Shuffles) {
  for (std::string mode : {"up", "down", "bfly", "idx"})
    for (uint32_t width : {8u, 16u, 32u}) {
      Lanes operands = randomLanes(4);
      for (Words &words : operands) {
        words[0] = ~0u;
        words[2] = words[2] % (mode == "idx" ? 32 : width);
        words[3] = (32 - width) << 8 | (mode == "up" ? 0 : 31);
      }
      Lanes results = execute({"llvm.nvvm.shfl.sync." + mode + ".i32p",
                               {"i32", "i1"},
                               {"i32", "i32", "i32", "i32"}},
                              operands, width);
      for (int lane = 0; lane < 32; ++lane) {
        // Segments of `width` lanes; a source outside gives the own value.
        int start = lane / int(width) * int(width), end = start + int(width);
        int by = int(operands[size_t(lane)][2]);
        int source = mode == "up"     ? lane - by
                     : mode == "down" ? lane + by
                     : mode == "bfly" ? lane ^ by
                                      : start + by % int(width);
        bool isValid = source >= start && source < end;
        if (!isValid)
          source = lane;
        EXPECT_EQ(results[size_t(lane)][0], operands[size_t(source)][1])
            << mode << " " << width << " lane " << lane;
        EXPECT_EQ(results[size_t(lane)][1], uint32_t(isValid));
      }
    }
}

TEST(Instructions, VotesAndMatches) {
  Lanes operands = randomLanes(2);
  uint32_t ballot = 0;
  for (size_t lane = 0; lane < 32; ++lane) {
    operands[lane][0] = ~0u;
    operands[lane][1] %= 2;
    ballot |= operands[lane][1] << lane;
  }
  auto results =
      execute({"llvm.nvvm.vote.ballot.sync", {"i32"}, {"i32", "i1"}}, operands);
  auto all =
      execute({"llvm.nvvm.vote.all.sync", {"i1"}, {"i32", "i1"}}, operands);
  auto any =
      execute({"llvm.nvvm.vote.any.sync", {"i1"}, {"i32", "i1"}}, operands);
  auto match = execute(
      {"llvm.nvvm.match.any.sync.i32", {"i32"}, {"i32", "i32"}}, operands);
  for (size_t lane = 0; lane < 32; ++lane) {
    EXPECT_EQ(results[lane][0], ballot);
    EXPECT_EQ(all[lane][0], uint32_t(ballot == ~0u));
    EXPECT_EQ(any[lane][0], uint32_t(ballot != 0));
    EXPECT_EQ(match[lane][0], operands[lane][1] ? ballot : ~ballot);
  }
}

TEST(Instructions, Redux) {
  Lanes operands = randomLanes(2);
  uint32_t sum = 0, bits = 0;
  int32_t least = INT32_MAX;
  uint32_t greatest = 0;
  for (Words &words : operands) {
    words[1] = ~0u;
    sum += words[0];
    bits ^= words[0];
    least = std::min(least, int32_t(words[0]));
    greatest = std::max(greatest, words[0]);
  }
  auto check = [&](const char *name, uint32_t expected) {
    Lanes results = execute(
        {std::string("llvm.nvvm.redux.sync.") + name, {"i32"}, {"i32", "i32"}},
        operands);
    for (const Words &words : results)
      EXPECT_EQ(words[0], expected) << name;
  };
  check("add", sum);
  check("xor", bits);
  check("min", uint32_t(least));
  check("umax", greatest);
}

//===----------------------------------------------------------------------===//
// Matrix products
//===----------------------------------------------------------------------===//

namespace {
/// A product of 16 x K and K x 8 elements of `bits` bits.
struct Product {
  std::string name, operandType, accumulatorType;
  unsigned k, bits;
  std::function<double(uint32_t)> decode;
  uint32_t elementMask; ///< of the bits that random elements use
};
} // namespace

/// Element (row, k) of A, from the words of all lanes: the ISA's figures read
/// backwards. Registers hold 32 / bits neighbours along K.
static uint32_t elementOfA(const Lanes &lanes, const Product &product,
                           unsigned row, unsigned k) {
  unsigned each = 32 / product.bits, run = k / (4 * each);
  unsigned lane = row % 8 * 4 + k % (4 * each) / each;
  uint32_t word = lanes[lane][2 * run + row / 8];
  return word >> product.bits * (k % each) & ((1ull << product.bits) - 1);
}

static uint32_t elementOfB(const Lanes &lanes, const Product &product,
                           unsigned k, unsigned col) {
  unsigned each = 32 / product.bits, run = k / (4 * each);
  unsigned lane = col * 4 + k % (4 * each) / each;
  uint32_t word = lanes[lane][product.k * product.bits / 64 + run];
  return word >> product.bits * (k % each) & ((1ull << product.bits) - 1);
}

static void checkProduct(const Product &product) {
  unsigned wordsA = product.k * product.bits / 64, wordsB = wordsA / 2;
  Signature signature{product.name, {}, {}};
  for (unsigned i = 0; i < 4; ++i)
    signature.results.push_back(product.accumulatorType);
  for (unsigned i = 0; i < wordsA + wordsB; ++i)
    signature.operands.push_back(product.operandType);
  for (unsigned i = 0; i < 4; ++i)
    signature.operands.push_back(product.accumulatorType);
  bool isFloat = product.accumulatorType == "float";
  Lanes operands = randomLanes(wordsA + wordsB);
  for (Words &words : operands) {
    for (uint32_t &word : words)
      word &= product.elementMask;
    for (unsigned i = 0; i < 4; ++i)
      words.push_back(
          isFloat ? std::bit_cast<uint32_t>(float(int(random32() % 1000) - 500))
                  : uint32_t(random32()));
  }
  Lanes results = execute(signature, operands);
  for (unsigned row = 0; row < 16; ++row)
    for (unsigned col = 0; col < 8; ++col) {
      unsigned lane = row % 8 * 4 + col / 2, i = row / 8 * 2 + col % 2;
      uint32_t c = operands[lane][wordsA + wordsB + i];
      double start =
          isFloat ? double(std::bit_cast<float>(c)) : double(int32_t(c));
      double sum = start, magnitude = std::abs(start);
      for (unsigned k = 0; k < product.k; ++k) {
        double term = product.decode(elementOfA(operands, product, row, k)) *
                      product.decode(elementOfB(operands, product, k, col));
        sum += term;
        magnitude += std::abs(term);
      }
      if (!isFloat) {
        EXPECT_EQ(results[lane][i], uint32_t(int64_t(sum)))
            << product.name << " " << row << ", " << col;
        continue;
      }
      EXPECT_NEAR(double(std::bit_cast<float>(results[lane][i])), sum,
                  (product.k + 1) * 0x1p-24 * magnitude)
          << product.name << " " << row << ", " << col;
    }
}

TEST(Instructions, MatrixProductsOfIntegers) {
  auto signedByte = [](uint32_t bits) { return double(int8_t(bits)); };
  auto byte = [](uint32_t bits) { return double(bits); };
  for (unsigned k : {16u, 32u}) {
    std::string name = "llvm.nvvm.mma.m16n8k" + std::to_string(k) + ".row.col.";
    checkProduct({name + "s8", "i32", "i32", k, 8, signedByte, ~0u});
    checkProduct({name + "u8", "i32", "i32", k, 8, byte, ~0u});
  }
}

TEST(Instructions, MatrixProductsOfFloats) {
  auto half = [](uint32_t bits) {
    return double(::rotq::fromHalf(uint16_t(bits)));
  };
  auto bfloat = [](uint32_t bits) {
    return double(std::bit_cast<float>(bits << 16));
  };
  // Without the top bit of the exponent: nothing overflows.
  for (unsigned k : {8u, 16u})
    checkProduct(
        {"llvm.nvvm.mma.m16n8k" + std::to_string(k) + ".row.col.f32.f32",
         "<2 x half>", "float", k, 16, half, 0xbfffbfff});
  for (unsigned k : {8u, 16u})
    checkProduct({"llvm.nvvm.mma.m16n8k" + std::to_string(k) + ".row.col.bf16",
                  "i32", "float", k, 16, bfloat, 0xbfffbfff});
  auto e4m3 = [](uint32_t bits) {
    int exponent = int(bits >> 3 & 15);
    double fraction = double(bits & 7) / 8;
    double value = exponent ? (1 + fraction) * std::pow(2.0, exponent - 7)
                            : fraction * std::pow(2.0, -6);
    return bits & 0x80 ? -value : value;
  };
  checkProduct({"llvm.nvvm.mma.m16n8k32.row.col.f32.e4m3.e4m3.f32", "i32",
                "float", 32, 8, e4m3, 0xbfbfbfbf});
}

//===----------------------------------------------------------------------===//
// Memory, barriers, special registers
//===----------------------------------------------------------------------===//

TEST(Instructions, Ldmatrix) {
  // Lane l writes row l: halves 8 l to 8 l + 7.
  for (bool isTransposed : {false, true}) {
    std::string name = "llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.";
    name += isTransposed ? "trans.b16.p3" : "b16.p3";
    std::string text = R"(
@s = internal addrspace(3) global [256 x i16] undef, align 16
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)
declare { i32, i32, i32, i32 } @)" +
                       name + R"((ptr addrspace(3))
define ptx_kernel void @k(ptr addrspace(1) %in, ptr addrspace(1) %out) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %o = mul i32 %t, 16
  %row = getelementptr i8, ptr addrspace(3) @s, i32 %o
  %src = getelementptr i8, ptr addrspace(1) %in, i32 %o
  %v = load <4 x i32>, ptr addrspace(1) %src, align 16
  store <4 x i32> %v, ptr addrspace(3) %row, align 16
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %m = call { i32, i32, i32, i32 } @)" +
                       name + R"((ptr addrspace(3) %row)
  %dst = getelementptr i8, ptr addrspace(1) %out, i32 %o
  store { i32, i32, i32, i32 } %m, ptr addrspace(1) %dst, align 16
  ret void
}
)";
    std::vector<uint16_t> in(256), out(256);
    for (uint16_t &value : in)
      value = uint16_t(random32());
    EmulatorLaunch launch;
    launch.block[0] = 32;
    launch.seed = 4;
    ASSERT_EQ(
        runKernel(text, {bufferOf(in, "in"), bufferOf(out, "out")}, launch),
        "");
    for (size_t lane = 0; lane < 32; ++lane)
      for (size_t matrix = 0; matrix < 4; ++matrix)
        for (size_t i = 0; i < 2; ++i) {
          size_t row = lane / 4, col = 2 * (lane % 4) + i;
          if (isTransposed)
            std::swap(row, col);
          EXPECT_EQ(out[lane * 8 + matrix * 2 + i],
                    in[matrix * 64 + row * 8 + col]);
        }
  }
}

TEST(Instructions, SpecialRegisters) {
  std::string text = "define ptx_kernel void @k(ptr addrspace(1) %out) {\n";
  std::string declarations;
  const char *names[] = {"tid.x",   "tid.y",  "tid.z",    "ctaid.x", "ctaid.y",
                         "ctaid.z", "ntid.y", "nctaid.z", "laneid",  "warpid"};
  for (size_t i = 0; i < 10; ++i) {
    std::string call = std::string("i32 @llvm.nvvm.read.ptx.sreg.") + names[i];
    declarations += "declare " + call + "()\n";
    text += "  %r" + std::to_string(i) + " = call " + call + "()\n";
  }
  // The number of the thread in the grid.
  text += R"(
  %b1 = mul i32 %r5, 2
  %b2 = add i32 %b1, %r4
  %b3 = mul i32 %b2, 3
  %b = add i32 %b3, %r3
  %t1 = mul i32 %r2, 7
  %t2 = add i32 %t1, %r1
  %t3 = mul i32 %t2, 5
  %t = add i32 %t3, %r0
  %n1 = mul i32 %b, 70
  %n = add i32 %n1, %t
  %o = mul i32 %n, 10
)";
  for (size_t i = 0; i < 10; ++i) {
    std::string n = std::to_string(i);
    text += "  %o" + n + " = add i32 %o, " + n + "\n  %p" + n +
            " = getelementptr i32, ptr addrspace(1) %out, i32 %o" + n +
            "\n  store i32 %r" + n + ", ptr addrspace(1) %p" + n +
            ", align 4\n";
  }
  text = declarations + text + "  ret void\n}\n";
  EmulatorLaunch launch;
  launch.grid = {3, 2, 4};
  launch.block = {5, 7, 2};
  launch.seed = 9;
  std::vector<uint32_t> out(24 * 70 * 10, ~0u);
  ASSERT_EQ(runKernel(text, {bufferOf(out, "out")}, launch), "");
  size_t at = 0;
  for (uint32_t block = 0; block < 24; ++block)
    for (uint32_t thread = 0; thread < 70; ++thread) {
      uint32_t expected[] = {
          thread % 5,    thread / 5 % 7, thread / 35, block % 3,
          block / 3 % 2, block / 6,      7,           4,
          thread % 32,   thread / 32};
      for (uint32_t value : expected)
        ASSERT_EQ(out[at++], value) << block << " " << thread;
    }
}

TEST(Instructions, NamedBarriersAndAtomics) {
  // Warp 0 fills shared memory and arrives; warp 1 waits and adds it up.
  std::string text = R"(
@s = internal addrspace(3) global [32 x i32] undef, align 16
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare void @llvm.nvvm.barrier.cta.sync.aligned.count(i32, i32)
declare void @llvm.nvvm.barrier.cta.arrive.aligned.count(i32, i32)
define ptx_kernel void @k(ptr addrspace(1) %out) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %lane = and i32 %t, 31
  %p = getelementptr i32, ptr addrspace(3) @s, i32 %lane
  %first = icmp ult i32 %t, 32
  br i1 %first, label %fill, label %use
fill:
  store i32 %lane, ptr addrspace(3) %p, align 4
  call void @llvm.nvvm.barrier.cta.arrive.aligned.count(i32 3, i32 64)
  ret void
use:
  call void @llvm.nvvm.barrier.cta.sync.aligned.count(i32 3, i32 64)
  %other = xor i32 %lane, 31
  %q = getelementptr i32, ptr addrspace(3) @s, i32 %other
  %v = load i32, ptr addrspace(3) %q, align 4
  %old = atomicrmw add ptr addrspace(1) %out, i32 %v monotonic, align 4
  ret void
}
)";
  for (uint64_t seed = 0; seed < 5; ++seed) {
    std::vector<uint32_t> out(4);
    EmulatorLaunch launch;
    launch.grid[0] = 9;
    launch.block[0] = 64;
    launch.seed = seed;
    ASSERT_EQ(runKernel(text, {bufferOf(out, "out")}, launch), "");
    EXPECT_EQ(out[0], 9u * 31 * 32 / 2);
  }
}
