//===- RaceBugsTest.cpp - Races on global memory, and what orders it
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PlantedBugs.h"

using namespace mlir::rotq;
using namespace mlir::rotq::test;

/// The message for `body` in every thread of a grid: %i numbers the threads of
/// a block, %b the blocks; %own is the word of a thread in %p, %data the first
/// word of a block's part; %flag is the first word of another buffer.
static std::string messageOfGrid(const std::string &body, uint32_t blocks,
                                 uint32_t threads, uint64_t seed = 0) {
  std::vector<int32_t> data(1024), flags(16);
  EmulatorLaunch launch;
  launch.grid[0] = blocks;
  launch.block[0] = threads;
  launch.seed = seed;
  launch.maxIterations = uint64_t(1) << 20;
  return runKernel(R"(
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)
declare void @llvm.nvvm.membar.gl()
define ptx_kernel void @k(ptr addrspace(1) %p, ptr addrspace(1) %flag) {
entry:
  %i = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %b = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %first = mul i32 %b, 64
  %data = getelementptr i32, ptr addrspace(1) %p, i32 %first
  %own = getelementptr i32, ptr addrspace(1) %data, i32 %i
)" + body + R"(
  ret void
}
)",
                   {bufferOf(data, "y"), bufferOf(flags, "flags")}, launch);
}

static constexpr const char *kStoreOwn =
    "store i32 %i, ptr addrspace(1) %own, align 4\n";
static constexpr const char *kBarrier =
    "call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)\n";
static constexpr const char *kLoadNext =
    "%j = xor i32 %i, 1\n"
    "%next = getelementptr i32, ptr addrspace(1) %data, i32 %j\n"
    "%v = load i32, ptr addrspace(1) %next, align 4\n";

TEST(PlantedRaces, RacesInABlock) {
  EXPECT_PRED_FORMAT2(
      says, messageOfGrid("store i32 1, ptr addrspace(1) %p, align 4\n", 1, 32),
      startsWith("kernel 'k', block (0,0,0), thread (1,0,0): store of 4 bytes "
                 "at offset 0 of a buffer of 4096 bytes (y) races with the "
                 "write by thread (0,0,0) at 'store i32 1"));
  for (uint64_t seed = 0; seed < 8; ++seed)
    EXPECT_PRED_FORMAT2(
        says, messageOfGrid(std::string(kStoreOwn) + kLoadNext, 1, 32, seed),
        contains(" races with the "));
  EXPECT_EQ(messageOfGrid(std::string(kStoreOwn) + kBarrier + kLoadNext +
                              kBarrier + kStoreOwn,
                          4, 64, 1),
            "");
}

TEST(PlantedRaces, RacesBetweenBlocks) {
  // A barrier orders the threads of a block alone.
  std::string store = "%is = icmp eq i32 %i, 0\n"
                      "br i1 %is, label %then, label %end\n"
                      "then:\n"
                      "store i32 1, ptr addrspace(1) %p, align 4\n"
                      "br label %end\n"
                      "end:\n";
  EXPECT_EQ(messageOfGrid(store, 1, 32), "");
  EXPECT_PRED_FORMAT2(says, messageOfGrid(kBarrier + store + kBarrier, 2, 32),
                      contains("races with the write by block ("));
}

TEST(PlantedRaces, ReadersOfSeveralBlocksRaceWithAWriter) {
  // All read one word; the last thread of the last block writes it.
  std::string text = "%v = load i32, ptr addrspace(1) %p, align 4\n"
                     "%ib = add i32 %i, %b\n"
                     "%is = icmp eq i32 %ib, 66\n"
                     "br i1 %is, label %then, label %end\n"
                     "then:\n"
                     "store i32 1, ptr addrspace(1) %p, align 4\n"
                     "br label %end\n"
                     "end:\n";
  EXPECT_EQ(messageOfGrid(text, 3, 32), "");
  for (uint64_t seed = 0; seed < 8; ++seed)
    EXPECT_PRED_FORMAT2(says, messageOfGrid(text, 4, 64, seed),
                        contains(" races with the "));
}

TEST(PlantedRaces, NeighboringBytesDoNotRace) {
  EXPECT_EQ(
      messageOfGrid("%c = getelementptr i8, ptr addrspace(1) %data, i32 %i\n"
                    "store i8 1, ptr addrspace(1) %c, align 1\n",
                    4, 64, 1),
      "");
}

TEST(PlantedRaces, AtomicsRaceWithPlainAccesses) {
  std::string add =
      "%n = atomicrmw add ptr addrspace(1) %p, i32 1 monotonic, align 4\n";
  EXPECT_EQ(messageOfGrid(add, 4, 64, 1), "");
  EXPECT_PRED_FORMAT2(
      says,
      messageOfGrid(add + "%v = load i32, ptr addrspace(1) %p, align 4\n", 2,
                    32),
      // Whichever of the two comes first.
      contains(" races with the "));
}

/// Every block writes its part; the last one to count itself reads all.
static std::string lastBlockReads(const std::string &before,
                                  const std::string &count,
                                  const std::string &after) {
  return kStoreOwn + before + R"(
  %leads = icmp eq i32 %i, 0
  br i1 %leads, label %leader, label %end
leader:
)" + count +
         R"(
  %isLast = icmp eq i32 %n, 3
  br i1 %isLast, label %last, label %end
last:
)" + after +
         R"(
  br label %loop
loop:
  %at = phi i32 [ 0, %last ], [ %more, %loop ]
  %a = getelementptr i32, ptr addrspace(1) %p, i32 %at
  %v = load i32, ptr addrspace(1) %a, align 4
  %more = add i32 %at, 1
  %goes = icmp ult i32 %more, 256
  br i1 %goes, label %loop, label %end
end:
)";
}

static constexpr const char *kFence = "call void @llvm.nvvm.membar.gl()\n";
static constexpr const char *kCount =
    "%n = atomicrmw add ptr addrspace(1) %flag, i32 1 monotonic, align 4\n";
static constexpr const char *kCountInOrder =
    "%n = atomicrmw add ptr addrspace(1) %flag, i32 1 acq_rel, align 4\n";

TEST(PlantedRaces, CounterOfBlocksOrders) {
  for (uint64_t seed = 0; seed < 16; ++seed) {
    EXPECT_EQ(messageOfGrid(lastBlockReads(std::string(kBarrier) + kFence,
                                           kCount, kFence),
                            4, 64, seed),
              "");
    EXPECT_EQ(
        messageOfGrid(lastBlockReads(kBarrier, kCountInOrder, ""), 4, 64, seed),
        "");
    EXPECT_EQ(messageOfGrid(lastBlockReads(kBarrier,
                                           "fence syncscope(\"device\") "
                                           "release\n" +
                                               std::string(kCount),
                                           "fence syncscope(\"device\") "
                                           "acquire\n"),
                            4, 64, seed),
              "");
  }
}

TEST(PlantedRaces, CounterOfBlocksNeedsFencesAndBarriers) {
  for (uint64_t seed = 0; seed < 4; ++seed) {
    for (const std::string &text :
         {lastBlockReads(kBarrier, kCount, kFence),
          lastBlockReads(std::string(kBarrier) + kFence, kCount, ""),
          lastBlockReads(kFence, kCount, kFence),
          lastBlockReads("", kCountInOrder, "")})
      EXPECT_PRED_FORMAT2(says, messageOfGrid(text, 4, 64, seed),
                          contains(" races with the "));
  }
}

/// Thread 0 writes a word and raises a flag, thread 32 waits for it.
static std::string passByFlag(const std::string &before,
                              const std::string &raise, const std::string &test,
                              const std::string &after) {
  return R"(
  switch i32 %i, label %end [ i32 0, label %write
                              i32 32, label %wait ]
write:
  store i32 7, ptr addrspace(1) %p, align 4
)" + before +
         raise + R"(
  br label %end
wait:
)" + test +
         R"(
  %isUp = icmp eq i32 %f, 1
  br i1 %isUp, label %read, label %wait
read:
)" + after +
         R"(
  %v = load i32, ptr addrspace(1) %p, align 4
  br label %end
end:
)";
}

TEST(PlantedRaces, FlagsOrder) {
  static constexpr const char *kRaise =
      "store volatile i32 1, ptr addrspace(1) %flag, align 4\n";
  static constexpr const char *kTest =
      "%f = load volatile i32, ptr addrspace(1) %flag, align 4\n";
  for (uint64_t seed = 0; seed < 8; ++seed) {
    EXPECT_EQ(
        messageOfGrid(passByFlag(kFence, kRaise, kTest, kFence), 1, 64, seed),
        "");
    EXPECT_EQ(
        messageOfGrid(passByFlag("",
                                 "store atomic i32 1, ptr addrspace(1) %flag "
                                 "release, align 4\n",
                                 "%f = load atomic i32, ptr addrspace(1) %flag "
                                 "acquire, align 4\n",
                                 ""),
                      1, 64, seed),
        "");
    EXPECT_PRED_FORMAT2(
        says, messageOfGrid(passByFlag("", kRaise, kTest, ""), 1, 64, seed),
        contains("thread (32,0,0): load of 4 bytes at offset 0 of a buffer of "
                 "4096 bytes (y) races with the write by thread (0,0,0)"));
  }
}

TEST(PlantedRaces, FlagsInSharedMemoryOrder) {
  // A word nobody has written must not be waited for: a barrier comes first.
  std::string text = R"(
@s = internal addrspace(3) global i32 undef, align 4
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)
define ptx_kernel void @k(ptr addrspace(1) %p, i32 %n) {
  %i = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %leads = icmp eq i32 %i, 0
  br i1 %leads, label %clear, label %start
clear:
  store i32 0, ptr addrspace(3) @s, align 4
  br label %start
start:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  switch i32 %i, label %end [ i32 0, label %write
                              i32 32, label %wait ]
write:
  store i32 7, ptr addrspace(1) %p, align 4
  store atomic i32 1, ptr addrspace(3) @s RELEASE, align 4
  br label %end
wait:
  %f = load atomic i32, ptr addrspace(3) @s ACQUIRE, align 4
  %isUp = icmp eq i32 %f, 1
  br i1 %isUp, label %read, label %wait
read:
  %v = load i32, ptr addrspace(1) %p, align 4
  br label %end
end:
  ret void
}
)";
  auto with = [&](llvm::StringRef release, llvm::StringRef acquire) {
    auto [head, rest] = llvm::StringRef(text).split("RELEASE");
    auto [middle, tail] = rest.split("ACQUIRE");
    return (head + release + middle + acquire + tail).str();
  };
  EXPECT_EQ(messageOf(with("release", "acquire"), 64), "");
  EXPECT_PRED_FORMAT2(says, messageOf(with("monotonic", "acquire"), 64),
                      contains("thread (32,0,0): load of 4 bytes at offset 0 "
                               "of a buffer of 4096 bytes (codes) races with "
                               "the write by thread (0,0,0)"));
}
