//===- LdmatrixTest.cpp - ldmatrix and stmatrix against their definitions
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One warp moves random matrices between its registers and shared memory; where
// each byte goes is read off the figures of the PTX ISA.
//
//===----------------------------------------------------------------------===//

#include "InstructionTestUtils.h"

#include <cstring>

using namespace mlir::rotq;
using namespace mlir::rotq::test;

/// Loads matrices with rows of 16 bytes of shared memory, where lane l has the
/// address of row 5 l mod 32, and expects byte i of register r of a lane to be
/// what `expected` makes of the rows' bytes.
static void checkLdmatrix(
    const std::string &name, unsigned registers, llvm::StringRef chip,
    std::function<uint32_t(const std::vector<std::array<uint8_t, 16>> &rows,
                           unsigned lane, unsigned r, unsigned i)>
        expected) {
  std::string result = "i32";
  for (unsigned i = 1; i < registers; ++i)
    result += ", i32";
  if (registers > 1)
    result = "{ " + result + " }";
  std::string call = result + " @llvm.nvvm.ldmatrix.sync.aligned." + name +
                     ".p3(ptr addrspace(3)";
  std::string text = R"(
@s = internal addrspace(3) global [512 x i8] undef, align 16
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)
declare )" + call + R"()
define ptx_kernel void @k(ptr addrspace(1) %in, ptr addrspace(1) %out) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %o = mul i32 %t, 16
  %mine = getelementptr i8, ptr addrspace(3) @s, i32 %o
  %src = getelementptr i8, ptr addrspace(1) %in, i32 %o
  %v = load <4 x i32>, ptr addrspace(1) %src, align 16
  store <4 x i32> %v, ptr addrspace(3) %mine, align 16
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %o5 = mul i32 %o, 5
  %other = and i32 %o5, 511
  %row = getelementptr i8, ptr addrspace(3) @s, i32 %other
  %m = call )" + call +
                     R"( %row)
  %dst = getelementptr i8, ptr addrspace(1) %out, i32 %o
  store )" + result + R"( %m, ptr addrspace(1) %dst, align 4
  ret void
}
)";
  std::vector<uint32_t> in(128), out(128);
  for (auto [value, words] : llvm::zip(in, randomLanes(1, in.size())))
    value = words[0];
  EmulatorLaunch launch;
  launch.block[0] = 32;
  launch.seed = 4;
  ASSERT_EQ(
      runKernel(text, {bufferOf(in, "in"), bufferOf(out, "out")}, launch, chip),
      "");
  std::vector<std::array<uint8_t, 16>> rows(32);
  for (size_t lane = 0; lane < 32; ++lane)
    std::memcpy(rows[lane].data(), &in[lane * 5 % 32 * 4], 16);
  for (unsigned lane = 0; lane < 32; ++lane)
    for (unsigned r = 0; r < registers; ++r)
      for (unsigned i = 0; i < 4; ++i)
        EXPECT_EQ(out[lane * 4 + r] >> 8 * i & 255, expected(rows, lane, r, i))
            << name << " lane " << lane << " register " << r << " byte " << i;
}

TEST(Instructions, Ldmatrix) {
  for (unsigned count : {1u, 2u, 4u})
    for (bool isTransposed : {false, true})
      checkLdmatrix("m8n8.x" + std::to_string(count) +
                        (isTransposed ? ".trans" : "") + ".b16",
                    count, "sm_80",
                    [&](auto &rows, unsigned lane, unsigned r, unsigned i) {
                      unsigned row = lane / 4, col = 2 * (lane % 4) + i / 2;
                      if (isTransposed)
                        std::swap(row, col);
                      return uint32_t(rows[r * 8 + row][2 * col + i % 2]);
                    });
}

TEST(Instructions, LdmatrixOfNarrowElements) {
  // Element `col` of a row of 16 elements that are `bits` wide in memory.
  auto elementOf = [](const std::array<uint8_t, 16> &row, unsigned bits,
                      unsigned col) {
    if (bits == 8)
      return uint32_t(row[col]);
    if (bits == 4)
      return uint32_t(row[col / 2] >> 4 * (col % 2) & 15);
    // Four in three bytes.
    uint32_t three = row[col / 4 * 3] | uint32_t(row[col / 4 * 3 + 1]) << 8 |
                     uint32_t(row[col / 4 * 3 + 2]) << 16;
    return three >> 6 * (col % 4) & 63;
  };
  struct Type {
    std::string name;
    unsigned bits;
  };
  for (const Type &type : {Type{".b8", 8}, Type{".b8x16.b6x16_p32", 6},
                           Type{".b8x16.b4x16_p64", 4}}) {
    for (unsigned count : {1u, 2u})
      checkLdmatrix("m16n16.x" + std::to_string(count) + ".trans" + type.name,
                    2 * count, "sm_120a",
                    [&](auto &rows, unsigned lane, unsigned r, unsigned i) {
                      unsigned row = lane % 4 * 4 + i;
                      return elementOf(rows[r / 2 * 16 + row], type.bits,
                                       lane / 4 + r % 2 * 8);
                    });
    for (unsigned count : {1u, 2u, 4u})
      if (type.bits < 8)
        checkLdmatrix("m8n16.x" + std::to_string(count) + type.name, count,
                      "sm_120a",
                      [&](auto &rows, unsigned lane, unsigned r, unsigned i) {
                        return elementOf(rows[r * 8 + lane / 4], type.bits,
                                         lane % 4 * 4 + i);
                      });
  }
}

TEST(Instructions, Stmatrix) {
  for (unsigned count : {1u, 2u, 4u})
    for (bool isTransposed : {false, true}) {
      std::string name = "void @llvm.nvvm.stmatrix.sync.aligned.m8n8.x" +
                         std::to_string(count) +
                         (isTransposed ? ".trans" : "") +
                         ".b16.p3(ptr addrspace(3)";
      std::string types, values;
      for (unsigned i = 0; i < count; ++i) {
        types += ", i32";
        values += ", i32 %v" + std::to_string(i);
      }
      std::string text = R"(
@s = internal addrspace(3) global [512 x i8] undef, align 16
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)
declare )" + name + types +
                         R"()
define ptx_kernel void @k(ptr addrspace(1) %in, ptr addrspace(1) %out) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %o = mul i32 %t, 16
  %mine = getelementptr i8, ptr addrspace(3) @s, i32 %o
  store <4 x i32> zeroinitializer, ptr addrspace(3) %mine, align 16
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %src = getelementptr i8, ptr addrspace(1) %in, i32 %o
  %v = load <4 x i32>, ptr addrspace(1) %src, align 16
  %v0 = extractelement <4 x i32> %v, i32 0
  %v1 = extractelement <4 x i32> %v, i32 1
  %v2 = extractelement <4 x i32> %v, i32 2
  %v3 = extractelement <4 x i32> %v, i32 3
  %o5 = mul i32 %o, 5
  %other = and i32 %o5, 511
  %row = getelementptr i8, ptr addrspace(3) @s, i32 %other
  call )" + name + " %row" +
                         values + R"()
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %r = load <4 x i32>, ptr addrspace(3) %mine, align 16
  %dst = getelementptr i8, ptr addrspace(1) %out, i32 %o
  store <4 x i32> %r, ptr addrspace(1) %dst, align 16
  ret void
}
)";
      std::vector<uint32_t> in(128);
      for (auto [value, words] : llvm::zip(in, randomLanes(1, in.size())))
        value = words[0];
      std::vector<uint16_t> out(256), expected(256);
      EmulatorLaunch launch;
      launch.block[0] = 32;
      ASSERT_EQ(
          runKernel(text, {bufferOf(in, "in"), bufferOf(out, "out")}, launch),
          "");
      // Lane l has elements 2 (l mod 4) and the next of row l / 4; row r of
      // matrix i goes where lane 8 i + r says.
      for (size_t lane = 0; lane < 32; ++lane)
        for (size_t matrix = 0; matrix < count; ++matrix)
          for (size_t i = 0; i < 2; ++i) {
            size_t row = lane / 4, col = 2 * (lane % 4) + i;
            if (isTransposed)
              std::swap(row, col);
            expected[(matrix * 8 + row) * 5 % 32 * 8 + col] =
                uint16_t(in[lane * 4 + matrix] >> 16 * i);
          }
      EXPECT_EQ(out, expected) << name;
    }
}
