//===- FragmentsTest.cpp - Fragments against the PTX ISA
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The formulas of the PTX ISA, "Matrix multiply-accumulate operation using mma
// instruction", section by section, written out as they stand there.
//
//===----------------------------------------------------------------------===//

#include "Fragments.h"

#include "gtest/gtest.h"

#include <functional>
#include <set>

using namespace mlir::rotq::emulator;

namespace {
using Formula = std::function<int(int group, int thread, int i)>;
} // namespace

static void expectLayout(const Fragment &fragment, size_t count, Formula row,
                         Formula col) {
  std::set<std::pair<int, int>> seen;
  for (int lane = 0; lane < 32; ++lane) {
    ASSERT_EQ(fragment[size_t(lane)].size(), count);
    for (int i = 0; i < int(count); ++i) {
      Position position = fragment[size_t(lane)][size_t(i)];
      EXPECT_EQ(int(position.row), row(lane >> 2, lane % 4, i))
          << "lane " << lane << " element " << i;
      EXPECT_EQ(int(position.col), col(lane >> 2, lane % 4, i))
          << "lane " << lane << " element " << i;
      seen.insert({position.row, position.col});
    }
  }
  // Every element has one home.
  EXPECT_EQ(seen.size(), 32 * count);
}

TEST(Fragments, M16N8K8Half) {
  expectLayout(
      fragmentA(8, 16), 4, [](int g, int, int i) { return i < 2 ? g : g + 8; },
      [](int, int t, int i) { return t * 2 + (i & 1); });
  expectLayout(
      fragmentB(8, 16), 2, [](int, int t, int i) { return t * 2 + i; },
      [](int g, int, int) { return g; });
}

TEST(Fragments, M16N8K16Half) {
  expectLayout(
      fragmentA(16, 16), 8,
      [](int g, int, int i) {
        return (0 <= i && i < 2) || (4 <= i && i < 6) ? g : g + 8;
      },
      [](int, int t, int i) {
        return i < 4 ? t * 2 + (i & 1) : t * 2 + (i & 1) + 8;
      });
  expectLayout(
      fragmentB(16, 16), 4,
      [](int, int t, int i) {
        return i < 2 ? t * 2 + (i & 1) : t * 2 + (i & 1) + 8;
      },
      [](int g, int, int) { return g; });
}

TEST(Fragments, M16N8K16Bytes) {
  expectLayout(
      fragmentA(16, 8), 8, [](int g, int, int i) { return i < 4 ? g : g + 8; },
      [](int, int t, int i) { return t * 4 + (i & 3); });
  expectLayout(
      fragmentB(16, 8), 4, [](int, int t, int i) { return t * 4 + i; },
      [](int g, int, int) { return g; });
}

TEST(Fragments, M16N8K32Bytes) {
  expectLayout(
      fragmentA(32, 8), 16,
      [](int g, int, int i) {
        return (0 <= i && i < 4) || (8 <= i && i < 12) ? g : g + 8;
      },
      [](int, int t, int i) {
        return i < 8 ? t * 4 + (i & 3) : t * 4 + (i & 3) + 16;
      });
  expectLayout(
      fragmentB(32, 8), 8,
      [](int, int t, int i) {
        return i < 4 ? t * 4 + (i & 3) : t * 4 + (i & 3) + 16;
      },
      [](int g, int, int) { return g; });
}

TEST(Fragments, M16N8K64Nibbles) {
  expectLayout(
      fragmentA(64, 4), 32,
      [](int g, int, int i) {
        return (0 <= i && i < 8) || (16 <= i && i < 24) ? g : g + 8;
      },
      [](int, int t, int i) {
        return i < 16 ? t * 8 + (i & 7) : t * 8 + (i & 7) + 32;
      });
  expectLayout(
      fragmentB(64, 4), 16,
      [](int, int t, int i) {
        return i < 8 ? t * 8 + (i & 7) : t * 8 + (i & 7) + 32;
      },
      [](int g, int, int) { return g; });
}

TEST(Fragments, Accumulator) {
  expectLayout(
      fragmentC(8), 4, [](int g, int, int i) { return i < 2 ? g : g + 8; },
      [](int, int t, int i) { return t * 2 + (i & 1); });
}

TEST(Fragments, WarpgroupAccumulator) {
  // "d[i]: row groupID where i is even in pairs, groupID + 8 else; column
  // (i / 4) * 8 + threadID_in_group * 2 + (i & 1)", rows of the warp.
  for (int cols = 8; cols <= 256; cols += 8)
    expectLayout(
        fragmentC(unsigned(cols)), size_t(cols) / 2,
        [](int g, int, int i) { return i % 4 < 2 ? g : g + 8; },
        [](int, int t, int i) { return (i / 4) * 8 + t * 2 + (i & 1); });
}

TEST(Fragments, Scales) {
  // "Thread pairs" of a quad hold those of A, its lower half row groupID and
  // its upper one row groupID + 8; one thread of a quad holds those of B.
  for (unsigned thread = 0; thread < 2; ++thread)
    for (unsigned lane = 0; lane < 32; ++lane)
      if (lane % 4 / 2 == thread)
        EXPECT_EQ(laneOfScaleA(lane / 4 + lane % 2 * 8, thread), lane);
  for (unsigned lane = 0; lane < 32; ++lane)
    EXPECT_EQ(laneOfScaleB(lane / 4, lane % 4), lane);
}

TEST(Fragments, Ldmatrix) {
  // "Each thread receives the fragment of a row": lane l holds elements 2 (l
  // mod 4) and the next of row l / 4.
  expectLayout(
      fragmentOfM8N8(false), 2, [](int g, int, int) { return g; },
      [](int, int t, int i) { return 2 * t + i; });
  expectLayout(
      fragmentOfM8N8(true), 2, [](int, int t, int i) { return 2 * t + i; },
      [](int g, int, int) { return g; });
  // Elements of 8 bits: four of a row, and four of a column of 16.
  expectLayout(
      fragmentOfM8N16(), 4, [](int g, int, int) { return g; },
      [](int, int t, int i) { return 4 * t + i; });
  expectLayout(
      fragmentOfM16N16(), 8, [](int, int t, int i) { return 4 * t + (i & 3); },
      [](int g, int, int i) { return i < 4 ? g : g + 8; });
}
