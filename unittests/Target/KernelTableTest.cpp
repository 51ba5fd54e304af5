//===- KernelTableTest.cpp - Reading tables
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Target/KernelTable.h"
#include "TargetTestUtils.h"
#include "rotq/Target/KernelSpace.h"

#include "gtest/gtest.h"

using namespace mlir::rotq;
using llvm::StringRef;

static const std::string kHead = R"(chip: sm_1
device: Test
date: 2026-01-01
multiprocessors: 10
gigahertz: 1.5
gigabytes-per-second: 1000
l2-megabytes: 10
warps: 64
shared-kilobytes: 99
mma-products: 1024
wgmma-products: 0
measured:
)";
static const std::string kRow =
    "- {format: rq3, group: 256, n: 64, k: 512, m: 8, "
    "us: {mma_s8_r16c8w4: 2.5, mma_s8_r16c8w8: 1.5}}\n";

static std::string messageOf(const std::string &text) {
  llvm::Expected<KernelTable> table = KernelTable::parse(text, "t.yaml");
  return table ? "" : llvm::toString(table.takeError());
}

static std::string replaced(std::string text, StringRef from, StringRef to) {
  size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos);
  return text.replace(at, from.size(), to);
}

TEST(KernelTable, IsRead) {
  llvm::Expected<KernelTable> table =
      KernelTable::parse(kHead + kRow, "t.yaml");
  ASSERT_TRUE(bool(table)) << llvm::toString(table.takeError());
  EXPECT_EQ(table->chip.name, "sm_1");
  EXPECT_EQ(table->chip.multiprocessors, 10);
  EXPECT_EQ(table->chip.gigahertz, 1.5);
  EXPECT_EQ(table->device, "Test");
  ASSERT_EQ(table->rows.size(), 1u);
  const MeasuredRow &row = table->rows[0];
  EXPECT_EQ(row.shape, shapeOf(64, 512));
  EXPECT_EQ(row.m, 8);
  // The fastest first.
  ASSERT_EQ(row.kernels.size(), 2u);
  EXPECT_EQ(row.kernels[0].config.str(), "mma_s8_r16c8w8");
  EXPECT_EQ(row.kernels[0].microseconds, 1.5);
}

TEST(KernelTable, FormatsSayWhatDecodingTakes) {
  llvm::Expected<KernelTable> table =
      KernelTable::parse(kHead + replaced(kRow, "rq3", "trellis3") +
                             replaced(kRow, "rq3", "liftquant_w20"),
                         "t.yaml");
  ASSERT_TRUE(bool(table)) << llvm::toString(table.takeError());
  ASSERT_EQ(table->rows.size(), 2u);
  EXPECT_GT(table->rows[0].shape.decodeOperations, 100);
  EXPECT_EQ(table->rows[0].shape.liftedWords, 0);
  EXPECT_GT(table->rows[1].shape.liftedWords, 0);
}

TEST(KernelTable, ErrorsNameFileAndLine) {
  struct Case {
    StringRef from, to, message;
  };
  for (const Case &wrong : {
           Case{"warps: 64\n", "", "missing required key 'warps'"},
           Case{"warps: 64", "warps: 64\nwarp: 32",
                "t.yaml:9: unknown key 'warp'"},
           Case{"gigahertz: 1.5", "gigahertz: fast", "t.yaml:5: invalid"},
           Case{"gigahertz: 1.5", "gigahertz: -1", "above 0"},
           Case{"multiprocessors: 10", "multiprocessors: 0", "above 0"},
           Case{"date: 2026-01-01", "date: ''", "expected a date"},
           Case{"n: 64", "n: 0", "t.yaml:13: expected sizes above 0"},
           Case{"mma_s8_r16c8w4", "mma_s8_r16", "t.yaml:13: expected a kernel"},
           Case{"2.5", "0", "t.yaml:13: expected a time above 0"},
           Case{"2.5", "quick", "t.yaml:13: invalid floating point number"},
           Case{"mma_s8_r16c8w4:", "mma_s8_r16c8w8:", "t.yaml:13: duplicated"},
           Case{"us: {mma_s8_r16c8w4: 2.5, mma_s8_r16c8w8: 1.5}", "us: {}",
                "t.yaml:13: expected a kernel at least"},
           Case{"group: 256, ", "", "t.yaml:13: missing required key 'group'"},
           Case{"rq3", "rq9", "t.yaml: expected a format among rq3, "},
           Case{"}}\n", "}\n", "t.yaml:13: Unexpected token"},
       }) {
    std::string message =
        messageOf(replaced(kHead + kRow, wrong.from, wrong.to));
    EXPECT_NE(message.find(wrong.message), std::string::npos)
        << wrong.from.str() << ": " << message;
  }
  EXPECT_NE(messageOf(kHead + kRow + kRow).find("M = 8 occurs twice"),
            std::string::npos);
  EXPECT_NE(messageOf(""), "");
}

TEST(KernelTable, ThoseOfTheCompilerAreRight) {
  ASSERT_EQ(embeddedKernelTables().size(), 4u);
  for (auto [name, text] : embeddedKernelTables()) {
    llvm::Expected<KernelTable> table =
        KernelTable::parse(text, name.str() + ".yaml");
    ASSERT_TRUE(bool(table)) << llvm::toString(table.takeError());
    EXPECT_EQ(table->chip.name, name);
    bool hasWarpgroups = table->chip.wgmmaProducts != 0;
    for (const MeasuredRow &row : table->rows)
      for (const MeasuredKernel &kernel : row.kernels) {
        auto [mMin, mMax] = rowsTaken(kernel.config, hasWarpgroups);
        EXPECT_LE(mMin, row.m) << kernel.config.str();
        EXPECT_TRUE(mMax == 0 || row.m <= mMax) << kernel.config.str();
      }
  }
}

TEST(KernelTable, ThereIsOneForEveryGPU) {
  for (StringRef chip : {"sm_80", "sm_89", "sm_90a", "sm_120a"})
    EXPECT_EQ(KernelTable::get(chip).chip.name, chip);
  EXPECT_EQ(KernelTable::get("sm_86").chip.name, "sm_89");
  EXPECT_EQ(KernelTable::get("sm_90").chip.name, "sm_90a");
}
