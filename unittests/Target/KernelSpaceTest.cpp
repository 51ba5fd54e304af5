//===- KernelSpaceTest.cpp - What can be chosen
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Target/KernelSpace.h"
#include "TargetTestUtils.h"

#include "mlir/IR/MLIRContext.h"
#include "llvm/ADT/STLExtras.h"
#include "gtest/gtest.h"

#include <set>

using namespace mlir;
using namespace mlir::rotq;

/// Those of the presets, groups and pairs.
static std::vector<MatmulShape> shapes() {
  std::vector<MatmulShape> shapes;
  for (int64_t slots : {2, 3, 4})
    for (bool hasOffset : {false, true})
      for (int64_t group : {32, 128, 256})
        for (auto [members, sums] : {std::pair(1, 1), {3, 1}, {2, 2}})
          for (int64_t k : {100, 4096})
            shapes.push_back({4096, k, members, slots, hasOffset, group, sums});
  return shapes;
}

TEST(KernelSpace, HoldsValidKernelsOnce) {
  MLIRContext context;
  context.loadDialect<RotQDialect>();
  auto error = [&] { return emitError(UnknownLoc::get(&context)); };
  for (StringRef name : {"sm_80", "sm_89", "sm_90a", "sm_120a"})
    for (const MatmulShape &shape : shapes()) {
      const Chip &chip = KernelTable::get(name).chip;
      bool hasWarpgroups = name == "sm_90a";
      std::set<KernelConfig> seen;
      for (const KernelConfig &of : kernelSpace(chip, hasWarpgroups, shape)) {
        EXPECT_TRUE(seen.insert(of).second) << of.str();
        auto [mMin, mMax] = rowsTaken(of, hasWarpgroups);
        EXPECT_TRUE(succeeded(KernelAttr::verify(
            error, of.kind, mMin, mMax, of.rows, of.cols, of.warps, of.split,
            of.depth, of.stages, of.blocks)))
            << of.str();
        EXPECT_TRUE(hasWarpgroups || of.kind == KernelKind::MmaS8);
        EXPECT_EQ(of.warps % (warpsAtOnce(of.kind) * of.split * shape.sums), 0)
            << of.str();
      }
    }
}

TEST(KernelSpace, TakesEveryM) {
  for (bool hasWarpgroups : {false, true})
    for (Operand operand : {Operand::Int8, Operand::E4M3})
      for (MatmulShape shape : shapes())
        for (int64_t m : {1, 32, 33, 4096}) {
          shape.operand = operand;
          auto space = kernelSpace(testChip(), hasWarpgroups, shape);
          EXPECT_TRUE(llvm::any_of(space, [&](const KernelConfig &of) {
            auto [mMin, mMax] = rowsTaken(of, hasWarpgroups);
            return mMin <= m && (mMax == 0 || m <= mMax);
          })) << m;
        }
}

static bool holds(const MatmulShape &shape, StringRef text) {
  return llvm::is_contained(kernelSpace(testChip(), true, shape), config(text));
}

TEST(KernelSpace, LeavesOutWhatSpills) {
  MatmulShape plain = shapeOf(4096, 4096), offset = plain, group = plain;
  offset.hasOffset = true;
  group.members = 2;
  // 255 registers do for one weight without offsets alone.
  EXPECT_TRUE(holds(plain, "mma_s8_r32c32w8s8b1"));
  EXPECT_FALSE(holds(offset, "mma_s8_r32c32w8s8b1"));
  EXPECT_FALSE(holds(group, "mma_s8_r32c32w8s8b1"));
  // The tail of K takes some too.
  EXPECT_FALSE(holds(shapeOf(4096, 4000), "mma_s8_r32c32w8s8b1"));
  MatmulShape tail = shapeOf(4096, 4000);
  EXPECT_TRUE(holds(tail, "mma_s8_r16c64w8t3b1"));
  tail.hasEpilogue = true;
  EXPECT_FALSE(holds(tail, "mma_s8_r16c64w8t3b1"));
  EXPECT_TRUE(holds(tail, "mma_s8_r16c40w8t3b1"));
  // Two blocks of 256 threads leave 128.
  EXPECT_TRUE(holds(plain, "mma_s8_r16c16w8s8b2"));
  EXPECT_FALSE(holds(plain, "mma_s8_r32c16w8s8b2"));
}

TEST(KernelSpace, KnowsWhatFloatsTake) {
  MatmulShape plain = shapeOf(4096, 4096), floats = plain;
  floats.operand = Operand::E4M3;
  // Pairs of f16 for mma.sync.
  for (StringRef large : {"mma_s8_r32c32w8s8b1", "mma_s8_r16c16w8s8b2"}) {
    EXPECT_TRUE(holds(plain, large));
    EXPECT_FALSE(holds(floats, large));
  }
  EXPECT_TRUE(holds(floats, "mma_s8_r16c16w8s8b1"));
  EXPECT_TRUE(holds(floats, "wgmma_s8_r16c256w8t2b1"));
  // Several scales of a large tile.
  plain.group = floats.group = 128;
  EXPECT_TRUE(holds(plain, "wgmma_s8_r32c64w8t3b1"));
  EXPECT_FALSE(holds(floats, "wgmma_s8_r32c64w8t3b1"));
  EXPECT_TRUE(holds(floats, "wgmma_s8_r16c32w8t3b1"));
}

TEST(KernelSpace, KnowsWhatDecodingTakes) {
  MatmulShape plain = shapeOf(4096, 4096);
  plain.slots = 4;
  MatmulShape gathers = plain, wide = plain, fine = plain;
  gathers.tableBytes = 1024;
  wide.slots = 6;
  fine.group = 64;
  for (const MatmulShape &shape : {plain, wide, gathers})
    EXPECT_TRUE(holds(shape, "wgmma_s8_r16c256w8t2b1"));
  // Codes that wait, and what is gathered, count for every tile ahead.
  EXPECT_TRUE(holds(plain, "mma_s8_r16c8w4s4d2b4"));
  EXPECT_FALSE(holds(wide, "mma_s8_r16c8w4s4d2b4"));
  EXPECT_FALSE(holds(gathers, "mma_s8_r16c8w4s4d2b4"));
  EXPECT_TRUE(holds(gathers, "mma_s8_r16c16w8s8b2"));
  EXPECT_TRUE(holds(wide, "mma_s8_r16c8w4s4d2b3"));
  // Points that are computed take registers of an epilogue's.
  MatmulShape computed = plain;
  computed.slots = 3;
  computed.decodeOperations = 200;
  EXPECT_TRUE(holds(computed, "mma_s8_r32c8w4s4b4"));
  computed.hasEpilogue = true;
  EXPECT_FALSE(holds(computed, "mma_s8_r32c8w4s4b4"));
  EXPECT_TRUE(holds(computed, "mma_s8_r16c8w8s4"));
  computed.members = computed.sums = 2;
  EXPECT_FALSE(holds(computed, "mma_s8_r16c8w8s4"));
  // Groups of 64 share runs.
  EXPECT_TRUE(holds(plain, "mma_s8_r16c64w8t2b1"));
  EXPECT_FALSE(holds(fine, "mma_s8_r16c64w8t2b1"));
  EXPECT_TRUE(holds(fine, "mma_s8_r16c40w8t2b1"));
}

TEST(KernelSpace, SharesWarpsOutToSums) {
  MatmulShape plain = shapeOf(8192, 4096), pair = pairOf(4096, 4096);
  for (StringRef both :
       {"mma_s8_r16c8w8s4b2", "mma_s8_r32c32w4t4b2", "wgmma_s8_r16c16w16s2t2b1",
        "wgmma_s8_r16c192w8t3b1", "wgmma_s8_r16c256w8t2b1"}) {
    EXPECT_TRUE(holds(plain, both)) << both.str();
    EXPECT_TRUE(holds(pair, both)) << both.str();
  }
  for (StringRef one : {"mma_s8_r16c8w8s8b2", "wgmma_s8_r16c64w4t4b2",
                        "wgmma_s8_r16c64w8s2t2b1"}) {
    EXPECT_TRUE(holds(plain, one)) << one.str();
    EXPECT_FALSE(holds(pair, one)) << one.str();
  }
  // What they bring together takes shared memory.
  EXPECT_EQ(sharedMemoryOf(config("mma_s8_r16c8w8"), plain), 0);
  EXPECT_EQ(sharedMemoryOf(config("mma_s8_r16c8w8"), pair), 8 * 16 * 8 * 4);
}

TEST(KernelSpace, BoundsRegisters) {
  MatmulShape shape = shapeOf(4096, 4096);
  EXPECT_EQ(registersOf(config("mma_s8_r16c8w4b6"), shape), 80);
  EXPECT_EQ(registersOf(config("mma_s8_r32c32w8b2"), shape), 128);
  EXPECT_EQ(registersOf(config("mma_s8_r64c64w8b1"), shape), 255);
}
