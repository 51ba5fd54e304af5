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

#include "Instructions.h"
#include "InstructionTestUtils.h"

#include <bit>
#include <cfenv>
#include <cmath>
#include <cstring>
#include <random>

using namespace mlir::rotq;
using namespace mlir::rotq::test;

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

TEST(Instructions, DotProductsOfHalves) {
  for (bool isSignedA : {false, true})
    for (bool isSignedB : {false, true})
      for (bool isHigh : {false, true})
        expectPure(
            {std::string("llvm.nvvm.idp2a.") + (isSignedA ? "s" : "u") + "." +
                 (isSignedB ? "s" : "u"),
             {"i32"},
             {"i32", "i32", isHigh ? "i1 true" : "i1 false", "i32"}},
            randomLanes(3), [&](const Words &words) {
              int64_t sum = words[2];
              for (unsigned i = 0; i < 2; ++i) {
                uint32_t a = words[0] >> 16 * i;
                uint32_t b = words[1] >> 8 * (isHigh ? i + 2 : i);
                sum +=
                    (isSignedA ? int64_t(int16_t(a)) : int64_t(uint16_t(a))) *
                    (isSignedB ? int64_t(int8_t(b)) : int64_t(uint8_t(b)));
              }
              return uint32_t(sum);
            });
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

/// Calls the C library, which rounds as it is told to.
[[gnu::noinline]] static float fusedTowardsZero(float a, float b, float c) {
  std::fesetround(FE_TOWARDZERO);
  volatile float result = std::fma(a, b, c);
  std::fesetround(FE_TONEAREST);
  return result;
}

TEST(Instructions, FusedMultiplyAddTowardsZero) {
  // Sums that cancel, that lose bits of either operand, and that overflow.
  std::mt19937_64 random(seed);
  Lanes operands;
  for (int i = 0; i < 1024; ++i) {
    Words words;
    for (int j = 0; j < 3; ++j) {
      auto value = float(int32_t(random()) >> (random() % 31));
      value = std::ldexp(value, i % 64 == 0 ? 90 : int(random() % 60) - 30);
      words.push_back(llvm::bit_cast<uint32_t>(value));
    }
    operands.push_back(words);
  }
  expectPure({"llvm.nvvm.fma.rz.f", {"float"}, {"float", "float", "float"}},
             operands, [](const Words &words) {
               return llvm::bit_cast<uint32_t>(
                   fusedTowardsZero(llvm::bit_cast<float>(words[0]),
                                    llvm::bit_cast<float>(words[1]),
                                    llvm::bit_cast<float>(words[2])));
             });
}

TEST(Instructions, MinimumAndMaximum) {
  float values[] = {0.0f, -0.0f, 1.0f, NAN, -INFINITY, 3.5f};
  for (bool isMax : {true, false}) {
    Lanes operands(32);
    for (size_t lane = 0; lane < 32; ++lane)
      operands[lane] = {std::bit_cast<uint32_t>(values[lane % 6]),
                        std::bit_cast<uint32_t>(values[lane / 6])};
    // Equal, but for the payloads of not-a-numbers.
    Lanes results =
        execute({isMax ? "llvm.maxnum.f32" : "llvm.minnum.f32",
                 {"float"},
                 {"float", "float"}},
                operands, /*seed=*/1, "sm_90a", {std::vector<double>(32)});
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

TEST(Instructions, MatchAllAndElect) {
  Lanes operands(32, Words{~0u, 7});
  Signature matchAll{
      "llvm.nvvm.match.all.sync.i32p", {"i32", "i1"}, {"i32", "i32"}};
  for (const Words &words : execute(matchAll, operands, 3))
    EXPECT_EQ(words, (Words{~0u, 1}));
  operands[17][1] = 8;
  for (const Words &words : execute(matchAll, operands, 3))
    EXPECT_EQ(words, (Words{0, 0}));
  Lanes results = execute({"llvm.nvvm.elect.sync", {"i32", "i1"}, {"i32"}},
                          Lanes(32, Words{~0u}), 3);
  // One lane, whichever, and all know it.
  uint32_t leader = results[0][0];
  EXPECT_LT(leader, 32u);
  for (uint32_t lane = 0; lane < 32; ++lane)
    EXPECT_EQ(results[lane], (Words{leader, uint32_t(lane == leader)}));
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
// Chips, barriers, special registers
//===----------------------------------------------------------------------===//

TEST(Instructions, Chips) {
  auto runs = [](const char *chip, const char *required) {
    return emulator::Chip::parse(chip).supports(
        emulator::Chip::parse(required));
  };
  EXPECT_TRUE(runs("sm_90", "sm_80"));
  EXPECT_FALSE(runs("sm_80", "sm_90"));
  EXPECT_TRUE(runs("sm_90a", "sm_90a"));
  EXPECT_FALSE(runs("sm_90", "sm_90a"));
  EXPECT_FALSE(runs("sm_120a", "sm_90a"));
  EXPECT_TRUE(runs("sm_120a", "sm_120f"));
  EXPECT_TRUE(runs("sm_121a", "sm_120f"));
  EXPECT_FALSE(runs("sm_121", "sm_120f"));
  EXPECT_FALSE(runs("sm_120a", "sm_121f"));
  EXPECT_FALSE(runs("sm_120a", "sm_100f"));
}

TEST(PlantedBugs, InstructionOfOtherFamilies) {
  EXPECT_NE(runKernel(R"(
declare i16 @llvm.nvvm.ff.to.e2m1x2.rn.satfinite(float, float)
define ptx_kernel void @k() {
  %r = call i16 @llvm.nvvm.ff.to.e2m1x2.rn.satfinite(float 1.0, float 2.0)
  ret void
}
)",
                      {}, {}, "sm_90a")
                .find("chip sm_90a has no ff.to.e2m1x2.rn.satfinite, which "
                      "needs sm_100f or sm_110f or sm_120f"),
            std::string::npos);
}

TEST(Instructions, SpecialRegisters) {
  std::string text = "define ptx_kernel void @k(ptr addrspace(1) %out) {\n";
  std::string declarations;
  // A GPU may number warps as it likes: %warpid is not among them.
  const char *names[] = {"tid.x",   "tid.y",  "tid.z",    "ctaid.x", "ctaid.y",
                         "ctaid.z", "ntid.y", "nctaid.z", "laneid"};
  for (size_t i = 0; i < 9; ++i) {
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
  %o = mul i32 %n, 9
)";
  for (size_t i = 0; i < 9; ++i) {
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
  std::vector<uint32_t> out(24 * 70 * 9, ~0u);
  ASSERT_EQ(runKernel(text, {bufferOf(out, "out")}, launch), "");
  size_t at = 0;
  for (uint32_t block = 0; block < 24; ++block)
    for (uint32_t thread = 0; thread < 70; ++thread) {
      uint32_t expected[] = {
          thread % 5,    thread / 5 % 7, thread / 35, block % 3,
          block / 3 % 2, block / 6,      7,           4,
          thread % 32};
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
