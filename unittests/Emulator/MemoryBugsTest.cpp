//===- MemoryBugsTest.cpp - Planted bugs in accesses of memory
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PlantedBugs.h"

using namespace mlir::rotq;
using namespace mlir::rotq::test;

//===----------------------------------------------------------------------===//
// Global memory
//===----------------------------------------------------------------------===//

TEST(PlantedBugs, ReadBehindTheEnd) {
  EXPECT_EQ(messageOf(byThread5(
                "%a = getelementptr i8, ptr addrspace(1) %p, i64 4096\n"
                "%v = load i32, ptr addrspace(1) %a, align 4\n")),
            std::string(kThread5) +
                "load of 4 bytes at offset 4096 of a buffer of 4096 bytes "
                "(codes) at '%v = load i32, ptr addrspace(1) %a, align 4'");
}

TEST(PlantedBugs, LoadsInAssembly) {
  auto load = [](const std::string &pointer) {
    return "%v = call { i32, i32, i32, i32 } asm sideeffect "
           "\"ld.global.L1::no_allocate.v4.b32 {$0, $1, $2, $3}, [$4];\", "
           "\"=r,=r,=r,=r,l\"(" +
           pointer + ")\n";
  };
  EXPECT_PRED_FORMAT2(
      says,
      messageOf(
          byThread5("%a = getelementptr i8, ptr addrspace(1) %p, i64 4088\n" +
                    load("ptr addrspace(1) %a"))),
      startsWith(std::string(kThread5) +
                 "load of 16 bytes at offset 4088 of a buffer of 4096"));
  EXPECT_PRED_FORMAT2(
      says,
      messageOf(
          byThread5("%a = getelementptr i8, ptr addrspace(1) %p, i64 8\n" +
                    load("ptr addrspace(1) %a"))),
      contains("aligned"));
  EXPECT_PRED_FORMAT2(
      says,
      messageOf(withShared("%g = addrspacecast ptr addrspace(3) %own to ptr\n" +
                           load("ptr %g"))),
      contains("ld.global of an address that is not of global memory"));
}

TEST(PlantedBugs, WriteBeforeTheStart) {
  EXPECT_PRED_FORMAT2(
      says,
      messageOf(byThread5("%a = getelementptr i8, ptr addrspace(1) %p, i64 -8\n"
                          "store i64 0, ptr addrspace(1) %a, align 8\n")),
      startsWith(std::string(kThread5) +
                 "store of 8 bytes at offset -8 of a buffer of 4096 "
                 "bytes (codes)"));
}

TEST(PlantedBugs, VectorAcrossTheEnd) {
  EXPECT_PRED_FORMAT2(
      says,
      messageOf(
          byThread5("%a = getelementptr i8, ptr addrspace(1) %p, i64 4088\n"
                    "%v = load <4 x i32>, ptr addrspace(1) %a, align 8\n")),
      startsWith(std::string(kThread5) + "load of 16 bytes at offset "
                                         "4088 of a buffer of 4096"));
}

TEST(PlantedBugs, MisalignedVector) {
  EXPECT_PRED_FORMAT2(
      says,
      messageOf(
          byThread5("%a = getelementptr i8, ptr addrspace(1) %p, i64 8\n"
                    "%v = load <4 x i32>, ptr addrspace(1) %a, align 16\n")),
      startsWith(std::string(kThread5) +
                 "load of 16 bytes at offset 8 of a buffer of 4096 "
                 "bytes (codes) is not aligned to 16 bytes"));
}

TEST(PlantedBugs, NullPointer) {
  EXPECT_PRED_FORMAT2(
      says,
      messageOf(byThread5("%v = load i32, ptr addrspace(1) null, align 4\n")),
      startsWith(std::string(kThread5) +
                 "load of 4 bytes through a null pointer"));
}

TEST(PlantedBugs, WildPointer) {
  EXPECT_PRED_FORMAT2(
      says,
      messageOf(
          byThread5("%a = inttoptr i64 140737488355328 to ptr addrspace(1)\n"
                    "%v = load i32, ptr addrspace(1) %a, align 4\n")),
      startsWith(std::string(kThread5) +
                 "load of 4 bytes at address 0x800000000000, which is "
                 "in no buffer"));
}

TEST(PlantedBugs, WriteToReadOnlyParameter) {
  EXPECT_PRED_FORMAT2(
      says,
      messageOf(byThread5("store i32 1, ptr addrspace(1) %p, align 4\n"), 32, 0,
                /*writable=*/false),
      startsWith(std::string(kThread5) +
                 "store of 4 bytes at offset 0 of a buffer of 4096 "
                 "bytes (codes), which is read-only"));
}

TEST(PlantedBugs, InvariantLoadOfWhatIsWritten) {
  std::string text = byThread5("%v = load i32, ptr addrspace(1) %p, align 4, "
                               "!invariant.load !0\n"
                               "store i32 1, ptr addrspace(1) %p, align 4\n") +
                     "!0 = !{}\n";
  EXPECT_PRED_FORMAT2(says, messageOf(text),
                      contains("which the launch reads as invariant"));
  text = byThread5("store i32 1, ptr addrspace(1) %p, align 4\n"
                   "%v = load i32, ptr addrspace(1) %p, align 4, "
                   "!invariant.load !0\n") +
         "!0 = !{}\n";
  EXPECT_PRED_FORMAT2(says, messageOf(text),
                      contains("as invariant, which the launch "
                               "writes"));
}

TEST(PlantedBugs, ResultReadBeforeItIsWritten) {
  auto messageOfScratch = [](const std::string &body) {
    std::vector<int32_t> data(4);
    EmulatorBuffer buffer = bufferOf(data, "y");
    buffer.initialized = false;
    EmulatorLaunch launch;
    launch.block[0] = 32;
    return runKernel(byThread5(body), {buffer, int32_t(7)}, launch);
  };
  std::string store = "store i32 1, ptr addrspace(1) %p, align 4\n";
  EXPECT_PRED_FORMAT2(
      says,
      messageOfScratch(store + "%v = load i64, ptr addrspace(1) %p, align 8\n"),
      startsWith(std::string(kThread5) +
                 "load of 8 bytes at offset 0 of a buffer of 16 bytes (y), "
                 "which was never written at '%v = load i64"));
  EXPECT_PRED_FORMAT2(
      says,
      messageOfScratch("%v = atomicrmw add ptr addrspace(1) %p, i32 1 "
                       "monotonic, align 4\n"),
      contains("which was never written"));
  EXPECT_EQ(
      messageOfScratch(store + "%v = load i32, ptr addrspace(1) %p, align 4\n"),
      "");
  EXPECT_EQ(messageOfScratch("store atomic i32 1, ptr addrspace(1) %p "
                             "monotonic, align 4\n"),
            "");
}

//===----------------------------------------------------------------------===//
// Local and shared memory
//===----------------------------------------------------------------------===//

TEST(PlantedBugs, LocalArrayOverrun) {
  EXPECT_PRED_FORMAT2(
      says,
      messageOf(byThread5("%l = alloca [4 x i32], align 4\n"
                          "%a = getelementptr i32, ptr %l, i32 %i\n"
                          "store i32 1, ptr %a, align 4\n")),
      startsWith(std::string(kThread5) +
                 "store of 4 bytes at offset 20 of local memory"));
}

TEST(PlantedBugs, LocalArrayNeverWritten) {
  EXPECT_PRED_FORMAT2(
      says,
      messageOf(byThread5("%l = alloca [4 x i32], align 4\n"
                          "store i32 1, ptr %l, align 4\n"
                          "%v = load i64, ptr %l, align 4\n")),
      startsWith(std::string(kThread5) +
                 "load of 8 bytes at offset 0 of local memory, which was never "
                 "written at '%v = load i64"));
}

TEST(PlantedBugs, MisalignedLocalAndSharedMemory) {
  EXPECT_PRED_FORMAT2(
      says,
      messageOf(byThread5("%l = alloca [4 x i32], align 16\n"
                          "%a = getelementptr i8, ptr %l, i32 4\n"
                          "store i64 1, ptr %a, align 8\n")),
      startsWith(std::string(kThread5) +
                 "store of 8 bytes at offset 4 of local memory is not aligned "
                 "to 8 bytes"));
  EXPECT_PRED_FORMAT2(
      says,
      messageOf(withShared("%a = getelementptr i8, ptr addrspace(3) @s, i32 2\n"
                           "store i32 1, ptr addrspace(3) %a, align 4\n")),
      contains("store of 4 bytes at offset 2 of shared memory is not aligned "
               "to 4 bytes"));
}

TEST(PlantedBugs, SharedMemoryNeverWritten) {
  EXPECT_PRED_FORMAT2(
      says,
      messageOf(withShared("%v = load i32, ptr addrspace(3) %own, align 4\n")),
      startsWith("kernel 'k', block (0,0,0), thread (0,0,0): load of 4 bytes "
                 "at offset 0 of shared memory, which was never written"));
}

TEST(PlantedBugs, SharedMemoryBehindTheEnd) {
  EXPECT_PRED_FORMAT2(
      says,
      messageOf(withShared("store i32 1, ptr addrspace(3) %own, align "
                           "4\n"),
                /*threads=*/65),
      contains("thread (64,0,0): store of 4 bytes at offset 256 of "
               "shared memory of 256 bytes"));
}

static constexpr const char *kStoreOwn =
    "store i32 %i, ptr addrspace(3) %own, align 4\n";
static constexpr const char *kLoadNext =
    "%v = load i32, ptr addrspace(3) %next, align 4\n";

TEST(PlantedBugs, Race) {
  // In one order the read meets memory that nobody has written, in others the
  // race shows; a message comes in every order.
  std::string text = withShared(std::string(kStoreOwn) + kLoadNext);
  bool isFound = false;
  for (uint64_t seed = 0; seed < 16; ++seed) {
    std::string message = messageOf(text, 32, seed);
    EXPECT_NE(message, "");
    isFound |=
        message.find("races with the write by thread") != std::string::npos;
  }
  EXPECT_TRUE(isFound);
  // Two writes to one place.
  EXPECT_PRED_FORMAT2(
      says,
      messageOf(withShared("store i32 %i, ptr addrspace(3) @s, align 4\n")),
      contains("thread (1,0,0): store of 4 bytes at offset 0 of shared memory "
               "races with the write by thread (0,0,0)"));
  // A write after a read of the same phase.
  EXPECT_PRED_FORMAT2(
      says,
      messageOf(withShared(std::string(kStoreOwn) +
                           "call void @llvm.nvvm.barrier.cta.sync."
                           "aligned.all(i32 0)\n"
                           "%odd = trunc i32 %i to i1\n"
                           "br i1 %odd, label %write, label %read\n"
                           "read:\n" +
                           kLoadNext +
                           "ret void\n"
                           "write:\n" +
                           kStoreOwn)),
      contains("thread (1,0,0): store of 4 bytes at offset 4 of "
               "shared memory races with the read by thread (0,0,0)"));
}

TEST(PlantedBugs, BarriersOrder) {
  for (const char *barrier :
       {"call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)\n",
        "call void @llvm.nvvm.bar.warp.sync(i32 -1)\n"})
    for (uint64_t seed = 0; seed < 8; ++seed)
      EXPECT_EQ(messageOf(withShared(std::string(kStoreOwn) + barrier +
                                     kLoadNext + barrier + kStoreOwn),
                          64, seed),
                "");
}

TEST(PlantedBugs, AsynchronousCopyThatNobodyWaitsFor) {
  std::string copy =
      "declare void @llvm.nvvm.cp.async.ca.shared.global.4(ptr addrspace(3), "
      "ptr addrspace(1))\n"
      "declare void @llvm.nvvm.cp.async.wait.all()\n";
  std::string issue = "call void @llvm.nvvm.cp.async.ca.shared.global.4(ptr "
                      "addrspace(3) %own, ptr addrspace(1) %p)\n";
  std::string read = "%v = load i32, ptr addrspace(3) %own, align 4\n";
  EXPECT_PRED_FORMAT2(
      says, messageOf(copy + withShared(issue + read)),
      contains("which an asynchronous copy has not been waited for"));
  EXPECT_EQ(
      messageOf(copy + withShared(issue +
                                  "call void @llvm.nvvm.cp.async.wait.all()\n" +
                                  read)),
      "");
}
