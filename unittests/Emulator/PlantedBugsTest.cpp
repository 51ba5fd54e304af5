//===- PlantedBugsTest.cpp - Kernels with bugs, and what is said of them
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "EmulatorTestUtils.h"

using namespace mlir::rotq;
using namespace mlir::rotq::test;

namespace {
/// A part of a message.
struct Part {
  std::string text;
  bool isStart;
};
} // namespace

static Part contains(std::string text) { return {std::move(text), false}; }
static Part startsWith(std::string text) { return {std::move(text), true}; }

/// For EXPECT_PRED_FORMAT2.
static testing::AssertionResult
says(const char *, const char *, const std::string &message, const Part &part) {
  size_t at = message.find(part.text);
  if (part.isStart ? at == 0 : at != std::string::npos)
    return testing::AssertionSuccess();
  return testing::AssertionFailure()
         << "expected a message that "
         << (part.isStart ? "starts with" : "contains") << "\n  " << part.text
         << "\nbut got\n  " << message;
}

/// Thread 5 does `body` in a block of 32 threads; %i is its number.
static std::string byThread5(const std::string &body) {
  return R"(
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
define ptx_kernel void @k(ptr addrspace(1) %p, i32 %n) {
  %i = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %is = icmp eq i32 %i, 5
  br i1 %is, label %bug, label %done
bug:
)" + body +
         R"(
  br label %done
done:
  ret void
}
)";
}

/// The message for a kernel of a pointer to 4096 bytes and a number.
static std::string messageOf(const std::string &assembly, uint32_t threads = 32,
                             uint64_t seed = 0, bool writable = true,
                             llvm::StringRef chip = "sm_90a") {
  std::vector<int32_t> data(1024);
  EmulatorLaunch launch;
  launch.block[0] = threads;
  launch.seed = seed;
  launch.maxIterations = 100000;
  return runKernel(assembly, {bufferOf(data, "codes", writable), int32_t(7)},
                   launch, chip);
}

static constexpr const char *kThread5 =
    "kernel 'k', block (0,0,0), thread (5,0,0): ";

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

/// A kernel of `threads` threads with 256 bytes of shared memory.
static std::string withShared(const std::string &body) {
  return R"(
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)
declare void @llvm.nvvm.bar.warp.sync(i32)
@s = internal addrspace(3) global [64 x i32] undef, align 16
define ptx_kernel void @k(ptr addrspace(1) %p, i32 %n) {
  %i = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %own = getelementptr i32, ptr addrspace(3) @s, i32 %i
  %j = xor i32 %i, 1
  %next = getelementptr i32, ptr addrspace(3) @s, i32 %j
)" + body +
         R"(
  ret void
}
)";
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

//===----------------------------------------------------------------------===//
// What cannot be run
//===----------------------------------------------------------------------===//

TEST(PlantedBugs, UnknownIntrinsic) {
  EXPECT_EQ(messageOf("declare float @llvm.nvvm.sin.approx.f(float)\n" +
                      byThread5("%v = call float @llvm.nvvm.sin.approx.f(float "
                                "1.0)\n")),
            "kernel 'k': intrinsic llvm.nvvm.sin.approx.f is not emulated at "
            "'%v = call float @llvm.nvvm.sin.approx.f(float 1.000000e+00)'");
  EXPECT_PRED_FORMAT2(
      says,
      messageOf("declare float @llvm.exp.f32(float)\n" +
                byThread5("%v = call float @llvm.exp.f32(float 1.0)\n")),
      startsWith("kernel 'k': intrinsic llvm.exp is not emulated"));
}

TEST(PlantedBugs, UnknownFunctionAndAssembly) {
  EXPECT_PRED_FORMAT2(
      says,
      messageOf("declare float @__nv_sinf(float)\n" +
                byThread5("%v = call float @__nv_sinf(float 1.0)\n")),
      startsWith("kernel 'k': function '__nv_sinf' is not emulated"));
  EXPECT_PRED_FORMAT2(
      says,
      messageOf(byThread5("call void asm sideeffect \"bar.sync 0;\", "
                          "\"\"()\n")),
      startsWith("kernel 'k': inline assembly \"bar.sync 0;\" is not "
                 "emulated"));
}

TEST(PlantedBugs, InstructionTheChipLacks) {
  std::string text = "declare i32 @llvm.nvvm.redux.sync.add(i32, i32)\n"
                     "declare void @llvm.nvvm.griddepcontrol.wait()\n" +
                     byThread5("call void @llvm.nvvm.griddepcontrol.wait()\n");
  EXPECT_PRED_FORMAT2(
      says, messageOf(text, 32, 0, true, "sm_89"),
      startsWith("kernel 'k': chip sm_89 has no griddepcontrol.wait, "
                 "which needs sm_90"));
  EXPECT_EQ(messageOf(text, 32, 0, true, "sm_120a"), "");
  EXPECT_PRED_FORMAT2(
      says,
      messageOf("declare float @llvm.nvvm.redux.sync.fmax(float, i32)\n" +
                    byThread5("%v = call float @llvm.nvvm.redux.sync."
                              "fmax(float 1.0, i32 32)\n"),
                32, 0, true, "sm_120a"),
      startsWith("kernel 'k': chip sm_120a has no redux.sync.fmax, "
                 "which needs sm_100a"));
}

TEST(PlantedBugs, DivisionByZeroAndTrap) {
  EXPECT_PRED_FORMAT2(
      says,
      messageOf(byThread5("%z = sub i32 %n, 7\n"
                          "%v = udiv i32 %i, %z\n"
                          "store i32 %v, ptr addrspace(1) %p\n")),
      startsWith(std::string(kThread5) + "integer division by zero"));
  EXPECT_PRED_FORMAT2(says,
                      messageOf("declare void @llvm.trap()\n" +
                                byThread5("call void @llvm.trap()\n")),
                      startsWith(std::string(kThread5) + "trap"));
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

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

TEST(PlantedBugs, Launches) {
  std::string text = byThread5("");
  auto launchWith = [&](EmulatorLaunch launch,
                        std::vector<EmulatorArgument> arguments) {
    return runKernel(text, arguments, launch);
  };
  std::vector<int32_t> data(4);
  std::vector<EmulatorArgument> good = {bufferOf(data, "p"), int32_t(1)};
  EXPECT_EQ(launchWith({}, good), "");
  EXPECT_PRED_FORMAT2(says, launchWith({}, {int32_t(1), int32_t(1)}),
                      contains("expected argument 0 to be a buffer"));
  EXPECT_PRED_FORMAT2(says, launchWith({}, {bufferOf(data, "p")}),
                      contains("expected 2 arguments but got 1"));
  EmulatorLaunch large;
  large.block = {1024, 2, 1};
  EXPECT_PRED_FORMAT2(says, launchWith(large, good),
                      contains("at most 1024 threads"));
  EmulatorLaunch shared;
  shared.sharedBytes = 300000;
  EXPECT_PRED_FORMAT2(
      says, launchWith(shared, good),
      contains("at most 232448 bytes of shared memory on sm_90a"));
  EXPECT_PRED_FORMAT2(says, runKernel(text, good, {}, "sm_1"),
                      contains("unknown target"));
  EmulatorLaunch empty;
  empty.grid[1] = 0;
  EXPECT_PRED_FORMAT2(says, launchWith(empty, good),
                      contains("expected a grid of 1 to"));
}
