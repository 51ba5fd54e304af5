//===- InlineAssemblyTest.cpp - PTX in kernels
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The texts are those that nvvm.inline_ptx becomes.
//
//===----------------------------------------------------------------------===//

#include "InstructionTestUtils.h"

using namespace mlir::rotq;
using namespace mlir::rotq::test;

/// Runs assembly on four words of each of 32 threads; its results.
static std::vector<uint32_t> runAssembly(const std::string &assembly,
                                         const Lanes &operands,
                                         std::string &message) {
  std::vector<uint32_t> in, out(32);
  for (const Words &words : operands)
    in.insert(in.end(), words.begin(), words.end());
  EmulatorLaunch launch;
  launch.block[0] = 32;
  message = runKernel(R"(
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
define ptx_kernel void @k(ptr addrspace(1) %in, ptr addrspace(1) %out) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %o = mul i32 %t, 16
  %p = getelementptr i8, ptr addrspace(1) %in, i32 %o
  %v = load <4 x i32>, ptr addrspace(1) %p, align 16
  %a = extractelement <4 x i32> %v, i32 0
  %b = extractelement <4 x i32> %v, i32 1
  %c = extractelement <4 x i32> %v, i32 2
  %d = extractelement <4 x i32> %v, i32 3
  %r = call i32 asm sideeffect )" +
                          assembly + R"(
  %q = getelementptr i32, ptr addrspace(1) %out, i32 %t
  store i32 %r, ptr addrspace(1) %q, align 4
  ret void
}
)",
                      {bufferOf(in, "in"), bufferOf(out, "out")}, launch);
  return out;
}

static void expectAssembly(const std::string &assembly,
                           std::function<uint32_t(const Words &)> expected) {
  Lanes operands = randomLanes(4);
  std::string message;
  std::vector<uint32_t> results = runAssembly(assembly, operands, message);
  ASSERT_EQ(message, "") << assembly;
  for (size_t lane = 0; lane < 32; ++lane)
    EXPECT_EQ(results[lane], expected(operands[lane]))
        << assembly << " in lane " << lane;
}

TEST(InlineAssembly, Lop3) {
  // The table of a function is the function of these three.
  constexpr uint32_t kA = 0xf0, kB = 0xcc, kC = 0xaa;
  auto check = [](uint32_t table, auto function) {
    expectAssembly("\"lop3.b32 $0, $1, $2, $3, " + std::to_string(table) +
                       ";\", \"=r,r,r,r\"(i32 %a, i32 %b, i32 %c)",
                   [&](const Words &words) {
                     return function(words[0], words[1], words[2]);
                   });
  };
  check((kA & kB) | kC,
        [](uint32_t a, uint32_t b, uint32_t c) { return (a & b) | c; });
  check((kA & kB) ^ kC,
        [](uint32_t a, uint32_t b, uint32_t c) { return (a & b) ^ c; });
  check(~kA & (kB | kC) & 0xff,
        [](uint32_t a, uint32_t b, uint32_t c) { return ~a & (b | c); });
  expectAssembly(
      "\"lop3.b32 $0, $1, $2, $3, 0xEA;\", "
      "\"=r,r,r,r\"(i32 %a, i32 %b, i32 %c)",
      [](const Words &words) { return (words[0] & words[1]) | words[2]; });
}

TEST(InlineAssembly, Prmt) {
  expectAssembly("\"prmt.b32 $0, $1, $2, $3;\", \"=r,r,r,n\"(i32 %a, i32 %b, "
                 "i32 21520)",
                 [](const Words &words) {
                   // 0x5410
                   return (words[0] & 0xffff) | words[1] << 16;
                 });
  expectAssembly(
      "\"prmt.b32.rc8 $0, $1, $2, $3;\", \"=r,r,r,n\"(i32 %a, i32 "
      "%b, i32 2)",
      [](const Words &words) { return (words[0] >> 16 & 255) * 0x01010101u; });
}

TEST(InlineAssembly, SeveralStatements) {
  // Registers of its own, braces, a predicate that is not taken.
  expectAssembly(
      "\"{\\0A\\09.reg .b32 x, y;\\0A\\09mov.b32 x, $1;\\0A"
      "\\09lop3.b32 y, x, $2, 0, 0x3c;\\0A\\09lop3.b32 $0, y, x, $3, 150;\\0A"
      "}\\0A\", \"=r,r,r,r\"(i32 %a, i32 %b, i32 %c)",
      [](const Words &words) { return words[1] ^ words[2]; });
  // What is read and written.
  expectAssembly(
      "\"lop3.b32 $0, $0, $1, 0, 0x3c;\", \"=r,r,0\"(i32 %a, i32 %b)",
      [](const Words &words) { return words[0] ^ words[1]; });
}

static uint32_t inputWord(size_t i) { return uint32_t(i + 100); }

/// What 32 threads make of four words each.
static void expectWords(const std::string &text,
                        std::function<uint32_t(size_t)> expected) {
  std::vector<uint32_t> in(128), out(128);
  for (size_t i = 0; i < in.size(); ++i)
    in[i] = inputWord(i);
  EmulatorLaunch launch;
  launch.block[0] = 32;
  ASSERT_EQ(runKernel(text, {bufferOf(in, "in", false), bufferOf(out, "out")},
                      launch),
            "")
      << text;
  for (size_t i = 0; i < out.size(); ++i)
    EXPECT_EQ(out[i], expected(i)) << text;
}

TEST(InlineAssembly, Copies) {
  // A predicate lets odd lanes copy; addresses of 32 and of 64 bits.
  for (std::string pointer : {"i32 %s32", "ptr addrspace(3) %s"}) {
    std::string text = R"(
@s = internal addrspace(3) global [128 x i32] undef, align 16
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
define ptx_kernel void @k(ptr addrspace(1) %in, ptr addrspace(1) %out) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %o = mul i32 %t, 16
  %p = getelementptr i8, ptr addrspace(1) %in, i32 %o
  %s = getelementptr i8, ptr addrspace(3) @s, i32 %o
  %s32 = ptrtoint ptr addrspace(3) %s to i32
  %odd = trunc i32 %t to i1
  store <4 x i32> <i32 7, i32 7, i32 7, i32 7>, ptr addrspace(3) %s, align 16
  call void asm sideeffect "@$3 cp.async.cg.shared.global [$0], [$1], 16, $2;", "r,l,r,b"()" +
                       pointer +
                       R"(, ptr addrspace(1) %p, i32 12, i1 %odd)
  call void asm sideeffect "cp.async.commit_group;", ""()
  call void asm sideeffect "cp.async.wait_group 0;", ""()
  %v = load <4 x i32>, ptr addrspace(3) %s, align 16
  %q = getelementptr i8, ptr addrspace(1) %out, i32 %o
  store <4 x i32> %v, ptr addrspace(1) %q, align 16
  ret void
}
)";
    expectWords(text, [](size_t i) {
      return i / 4 % 2 == 0 ? 7 : i % 4 == 3 ? 0 : inputWord(i);
    });
  }
}

TEST(InlineAssembly, Loads) {
  // Each thread its own four words, by every path and width.
  for (std::string path : {"", ".nc"})
    for (std::string line : {"", ".L2::128B", ".L2::256B"}) {
      std::string name = "ld.global" + path + ".L1::no_allocate" + line;
      std::string text =
          R"(
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
define ptx_kernel void @k(ptr addrspace(1) %in, ptr addrspace(1) %out) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %o = mul i32 %t, 16
  %p = getelementptr i8, ptr addrspace(1) %in, i32 %o
  %v = call { i32, i32, i32, i32 } asm sideeffect ")" +
          name +
          R"(.v4.b32 {$0, $1, $2, $3}, [$4];", "=r,=r,=r,=r,l"(ptr addrspace(1) %p)
  %w = call { i32, i32 } asm sideeffect ")" +
          name +
          R"(.v2.b32 {$0, $1}, [$2];", "=r,=r,l"(ptr addrspace(1) %p)
  %x = call i32 asm sideeffect ")" +
          name + R"(.b32 $0, [$1];", "=r,l"(ptr addrspace(1) %p)
  %d = extractvalue { i32, i32, i32, i32 } %v, 3
  %c = extractvalue { i32, i32, i32, i32 } %v, 2
  %b = extractvalue { i32, i32 } %w, 1
  %q = getelementptr i8, ptr addrspace(1) %out, i32 %o
  %s0 = insertelement <4 x i32> undef, i32 %d, i32 0
  %s1 = insertelement <4 x i32> %s0, i32 %c, i32 1
  %s2 = insertelement <4 x i32> %s1, i32 %b, i32 2
  %s3 = insertelement <4 x i32> %s2, i32 %x, i32 3
  store <4 x i32> %s3, ptr addrspace(1) %q, align 16
  ret void
}
)";
      expectWords(text,
                  [](size_t i) { return inputWord(i / 4 * 4 + 3 - i % 4); });
    }
}

TEST(PlantedBugs, UnknownAssembly) {
  auto expectRefused = [](const std::string &assembly) {
    std::string message;
    runAssembly(assembly, randomLanes(4), message);
    EXPECT_NE(message.find("inline assembly"), std::string::npos) << message;
  };
  // An unknown instruction, another form of a known one, control flow, and a
  // result that only sometimes comes.
  expectRefused("\"vabsdiff4.u32.u32.u32.add $0, $1, $2, $3;\", "
                "\"=r,r,r,r\"(i32 %a, i32 %b, i32 %c)");
  expectRefused("\"lop3.b32 $0, $1, $2, $3;\", "
                "\"=r,r,r,r\"(i32 %a, i32 %b, i32 %c)");
  expectRefused("\"again: mov.b32 $0, $1; bra again;\", \"=r,r\"(i32 %a)");
  expectRefused("\"@$2 mov.b32 $0, $1;\", \"=r,r,b\"(i32 %a, i1 true)");
}
