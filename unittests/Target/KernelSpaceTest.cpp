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

/// Those of the presets, and groups.
static std::vector<MatmulShape> shapes() {
  std::vector<MatmulShape> shapes;
  for (int64_t slots : {2, 3, 4})
    for (bool hasOffset : {false, true})
      for (int64_t group : {32, 128, 256})
        for (int64_t members : {1, 3})
          for (int64_t k : {100, 4096})
            shapes.push_back({4096, k, members, slots, hasOffset, group});
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
        auto [mMin, mMax] = rowsTaken(of.kind, hasWarpgroups);
        EXPECT_TRUE(succeeded(KernelAttr::verify(
            error, of.kind, mMin, mMax, of.rows, of.cols, of.warps, of.split,
            of.depth, of.stages, of.blocks)))
            << of.str();
        EXPECT_TRUE(hasWarpgroups || of.kind == KernelKind::MmaS8);
      }
    }
}

TEST(KernelSpace, TakesEveryM) {
  for (bool hasWarpgroups : {false, true})
    for (const MatmulShape &shape : shapes())
      for (int64_t m : {1, 32, 33, 4096}) {
        auto space = kernelSpace(testChip(), hasWarpgroups, shape);
        EXPECT_TRUE(llvm::any_of(space, [&](const KernelConfig &of) {
          auto [mMin, mMax] = rowsTaken(of.kind, hasWarpgroups);
          return mMin <= m && (mMax == 0 || m <= mMax);
        })) << m;
      }
}

TEST(KernelSpace, LeavesOutWhatSpills) {
  auto holds = [&](const MatmulShape &shape, StringRef text) {
    return llvm::is_contained(kernelSpace(testChip(), true, shape),
                              config(text));
  };
  MatmulShape plain = shapeOf(4096, 4096), offset = plain, pair = plain;
  offset.hasOffset = true;
  pair.members = 2;
  // 255 registers do for one weight without offsets alone.
  EXPECT_TRUE(holds(plain, "mma_s8_r32c32w8s8b1"));
  EXPECT_FALSE(holds(offset, "mma_s8_r32c32w8s8b1"));
  EXPECT_FALSE(holds(pair, "mma_s8_r32c32w8s8b1"));
  // The tail of K takes some too.
  EXPECT_FALSE(holds(shapeOf(4096, 4000), "mma_s8_r32c32w8s8b1"));
  // Two blocks of 256 threads leave 128.
  EXPECT_TRUE(holds(plain, "mma_s8_r16c16w8s8b2"));
  EXPECT_FALSE(holds(plain, "mma_s8_r32c16w8s8b2"));
}

TEST(KernelSpace, BoundsRegisters) {
  MatmulShape shape = shapeOf(4096, 4096);
  EXPECT_EQ(registersOf(config("mma_s8_r16c8w4b6"), shape), 80);
  EXPECT_EQ(registersOf(config("mma_s8_r32c32w8b2"), shape), 128);
  EXPECT_EQ(registersOf(config("mma_s8_r64c64w8b1"), shape), 255);
}
