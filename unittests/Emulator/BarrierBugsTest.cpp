//===- BarrierBugsTest.cpp - Planted bugs in barriers and collectives
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PlantedBugs.h"

using namespace mlir::rotq;
using namespace mlir::rotq::test;

//===----------------------------------------------------------------------===//
// Collectives and barriers
//===----------------------------------------------------------------------===//

static constexpr const char *kShuffle =
    "declare i32 @llvm.nvvm.shfl.sync.bfly.i32(i32, i32, i32, i32)\n";

TEST(PlantedBugs, LaneNotInItsMask) {
  EXPECT_PRED_FORMAT2(
      says,
      messageOf(kShuffle +
                byThread5("%v = call i32 @llvm.nvvm.shfl.sync.bfly.i32(i32 31, "
                          "i32 %i, i32 1, i32 31)\n")),
      startsWith(std::string(kThread5) + "shfl.sync.bfly.i32 for lanes 0x1f, "
                                         "which lane 5 is not one of"));
}

TEST(PlantedBugs, LaneThatHasExited) {
  EXPECT_PRED_FORMAT2(
      says,
      messageOf(kShuffle +
                byThread5("%v = call i32 @llvm.nvvm.shfl.sync.bfly.i32(i32 -1, "
                          "i32 %i, i32 1, i32 31)\n")),
      startsWith(std::string(kThread5) +
                 "waits forever in shfl.sync.bfly.i32 for lanes 0xffffffff"));
}

TEST(PlantedBugs, ShuffleReadsOutsideItsMask) {
  EXPECT_PRED_FORMAT2(
      says,
      messageOf(kShuffle +
                byThread5("%v = call i32 @llvm.nvvm.shfl.sync.bfly.i32(i32 32, "
                          "i32 %i, i32 1, i32 31)\n")),
      startsWith(std::string(kThread5) +
                 "shfl.sync reads lane 4, which is not in its mask"));
}

TEST(PlantedBugs, MaskOfLanesThatDoNotExist) {
  EXPECT_PRED_FORMAT2(
      says,
      messageOf(kShuffle +
                    byThread5("%v = call i32 @llvm.nvvm.shfl.sync.bfly.i32(i32 "
                              "-1, i32 %i, i32 1, i32 31)\n"),
                /*threads=*/8),
      contains("for lanes 0xffffffff of a warp that has lanes 0xff"));
}

static std::string withBarrier(const std::string &body) {
  return "declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)\n"
         "declare void @llvm.nvvm.barrier.cta.sync.aligned.count(i32, i32)\n" +
         byThread5(body);
}

TEST(PlantedBugs, PartialBarrier) {
  EXPECT_EQ(messageOf(withBarrier(
                "call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)\n")),
            std::string(kThread5) +
                "waits forever at barrier 0, where 1 of 32 threads are at "
                "'call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)': "
                "thread (0,0,0) has exited");
}

TEST(PlantedBugs, DivergentBarrier) {
  EXPECT_PRED_FORMAT2(says, messageOf(R"(
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
define ptx_kernel void @k(ptr addrspace(1) %p, i32 %n) {
  %i = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %is = icmp eq i32 %i, 5
  br i1 %is, label %a, label %b
a:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  ret void
b:
  %x = add i32 %i, 1
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  ret void
}
)"),
                      contains("divergent barrier 0: thread (0,0,0)"));
}

TEST(PlantedBugs, BarrierNumberAndCount) {
  EXPECT_PRED_FORMAT2(
      says,
      messageOf(withBarrier("call void @llvm.nvvm.barrier.cta.sync."
                            "aligned.all(i32 16)\n")),
      contains("expected one of 16 barriers but got number 16"));
  EXPECT_PRED_FORMAT2(
      says,
      messageOf(withBarrier("call void @llvm.nvvm.barrier.cta.sync."
                            "aligned.count(i32 1, i32 33)\n")),
      contains("a multiple of 32 threads but got 33"));
}

TEST(PlantedBugs, NamedBarrierOfTooManyThreads) {
  EXPECT_PRED_FORMAT2(
      says,
      messageOf(withBarrier("call void @llvm.nvvm.barrier.cta.sync."
                            "aligned.count(i32 1, i32 64)\n")),
      startsWith(std::string(kThread5) +
                 "barrier for 64 threads in a block of 32"));
}

TEST(PlantedBugs, NamedBarrierOfTwoCounts) {
  // The warps of a block do not agree.
  EXPECT_PRED_FORMAT2(says,
                      messageOf(R"(
declare void @llvm.nvvm.barrier.cta.sync.aligned.count(i32, i32)
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
define ptx_kernel void @k(ptr addrspace(1) %p, i32 %n) {
  %i = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %is = icmp ult i32 %i, 32
  %count = select i1 %is, i32 64, i32 96
  call void @llvm.nvvm.barrier.cta.sync.aligned.count(i32 1, i32 %count)
  ret void
}
)",
                                /*threads=*/96),
                      contains("thread (32,0,0): barrier 1 for 96 threads "
                               "where thread (0,0,0) expects 64"));
}

TEST(PlantedBugs, Deadlock) {
  // Half of the warp at a barrier, half in a shuffle.
  EXPECT_PRED_FORMAT2(
      says, messageOf(std::string(kShuffle) + R"(
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
define ptx_kernel void @k(ptr addrspace(1) %p, i32 %n) {
  %i = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %is = icmp ult i32 %i, 16
  br i1 %is, label %a, label %b
a:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  ret void
b:
  %v = call i32 @llvm.nvvm.shfl.sync.bfly.i32(i32 -1, i32 %i, i32 1, i32 31)
  ret void
}
)"),
      contains("thread (16,0,0): waits forever in shfl.sync.bfly.i32 for "
               "lanes 0xffffffff at '%v = call i32 "
               "@llvm.nvvm.shfl.sync.bfly.i32(i32 -1, i32 %i, i32 1, i32 31)'"
               ": thread (0,0,0) waits at barrier 0"));
}

TEST(PlantedBugs, InfiniteWait) {
  EXPECT_PRED_FORMAT2(says, messageOf(byThread5(R"(
  br label %wait
wait:
  %flag = load volatile i32, ptr addrspace(1) %p, align 4
  %isUnset = icmp eq i32 %flag, 0
  br i1 %isUnset, label %wait, label %end
end:
)")),
                      startsWith(std::string(kThread5) +
                                 "more than 100000 iterations of loops"));
}
