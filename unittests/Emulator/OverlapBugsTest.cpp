//===- OverlapBugsTest.cpp - Launches that overlap
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PlantedBugs.h"

#include "llvm/AsmParser/Parser.h"
#include "llvm/Support/SourceMgr.h"

using namespace mlir::rotq;
using namespace mlir::rotq::test;

static constexpr const char *kWait =
    "call void @llvm.nvvm.griddepcontrol.wait()\n";
static const std::string kTrigger =
    "call void @llvm.nvvm.griddepcontrol.launch.dependents()\n";
static constexpr const char *kStore =
    "store i32 %i, ptr addrspace(1) %own, align 4\n";
static constexpr const char *kLoad =
    "%v = load i32, ptr addrspace(1) %own, align 4\n";

/// A kernel of two blocks of 64 threads; %own is a word of %p for each.
static std::string kernel(const std::string &name, const std::string &body) {
  return "define ptx_kernel void @" + name + R"((ptr addrspace(1) %p) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %b = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %first = mul i32 %b, 64
  %i = add i32 %first, %t
  %own = getelementptr i32, ptr addrspace(1) %p, i32 %i
)" + body +
         "ret void\n}\n";
}

static std::unique_ptr<Emulator> emulateKernels(const std::string &kernels) {
  std::string text = R"(
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
declare void @llvm.nvvm.griddepcontrol.wait()
declare void @llvm.nvvm.griddepcontrol.launch.dependents()
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)
)" + kernels;
  auto context = std::make_unique<llvm::LLVMContext>();
  llvm::SMDiagnostic diagnostic;
  auto module = llvm::parseAssemblyString(text, diagnostic, *context);
  if (!module) {
    ADD_FAILURE() << diagnostic.getMessage().str();
    return nullptr;
  }
  auto emulator =
      Emulator::create(std::move(context), std::move(module), "sm_90a");
  if (!emulator)
    ADD_FAILURE() << toString(emulator.takeError());
  return emulator ? std::move(*emulator) : nullptr;
}

namespace {
/// Launches that share a buffer.
class PlantedOverlaps : public testing::Test {
protected:
  /// The message of a launch of `name`.
  std::string launch(Emulator &emulator, const std::string &name,
                     bool isDependent = true) {
    EmulatorLaunch launch;
    launch.grid[0] = 2;
    launch.block[0] = 64;
    launch.threads = 1; // the first to fail is the first block
    launch.stream = &stream;
    launch.programmaticDependent = isDependent;
    llvm::Error error = emulator.launch(name, launch, {bufferOf(data, "y")});
    return toString(std::move(error));
  }

  /// The message of the last of these launches, of kernels "a", "b" and so on
  /// with the bodies given; the others succeed.
  std::string launchAll(const std::vector<std::string> &bodies) {
    std::string kernels;
    for (size_t i = 0; i < bodies.size(); ++i)
      kernels += kernel({char('a' + i)}, bodies[i]);
    auto emulator = emulateKernels(kernels);
    std::string message;
    for (size_t i = 0; emulator && i < bodies.size(); ++i) {
      EXPECT_EQ(message, "");
      message = launch(*emulator, {char('a' + i)}, /*isDependent=*/i != 0);
    }
    return message;
  }

  std::vector<int32_t> data = std::vector<int32_t>(256);
  EmulatorStream stream;
};
} // namespace

TEST_F(PlantedOverlaps, HasToWaitBeforeItReads) {
  EXPECT_EQ(launchAll({kTrigger + kStore, kWait + std::string(kLoad)}), "");
  EXPECT_EQ(launchAll({kTrigger + kStore, kLoad}),
            "kernel 'b', block (0,0,0), thread (0,0,0): load of 4 bytes at "
            "offset 0 of a buffer of 1024 bytes (y), which kernel 'a' may "
            "still write: griddepcontrol.wait has to come first at "
            "'%v = load i32, ptr addrspace(1) %own, align 4'");
  EXPECT_NE(launchAll({kTrigger + kStore, kLoad + std::string(kWait)}), "");
}

TEST_F(PlantedOverlaps, HasToWaitBeforeItWrites) {
  EXPECT_PRED_FORMAT2(says, launchAll({kTrigger + kLoad, kStore}),
                      contains("store of 4 bytes at offset 0 of a buffer of "
                               "1024 bytes (y), which kernel 'a' may still "
                               "read: griddepcontrol.wait has to come first"));
  EXPECT_PRED_FORMAT2(says, launchAll({kTrigger + kStore, kStore}),
                      contains("which kernel 'a' may still write"));
  EXPECT_EQ(launchAll({kTrigger + kLoad, kWait + std::string(kStore)}), "");
}

TEST_F(PlantedOverlaps, MayDoWhatDoesNotConflict) {
  // Two reads, and words that the launch before does not touch.
  EXPECT_EQ(launchAll({kTrigger + kLoad, kLoad}), "");
  EXPECT_EQ(
      launchAll({kTrigger + kStore,
                 "%other = getelementptr i32, ptr addrspace(1) %own, i32 128\n"
                 "store i32 0, ptr addrspace(1) %other, align 4\n"}),
      "");
}

TEST_F(PlantedOverlaps, OthersComeInOrder) {
  auto emulator =
      emulateKernels(kernel("a", kTrigger + kStore) + kernel("b", kLoad));
  ASSERT_TRUE(emulator);
  EXPECT_EQ(launch(*emulator, "a", /*isDependent=*/false), "");
  EXPECT_EQ(launch(*emulator, "b", /*isDependent=*/false), "");
}

TEST_F(PlantedOverlaps, SharesAStreamWithOtherModules) {
  auto first = emulateKernels(kernel("a", kTrigger + kStore));
  auto second = emulateKernels(kernel("b", kLoad));
  ASSERT_TRUE(first && second);
  EXPECT_EQ(launch(*first, "a"), "");
  EXPECT_PRED_FORMAT2(says, launch(*second, "b"),
                      contains("which kernel 'a' may still write"));
  stream = {};
  EXPECT_EQ(launch(*second, "b"), "");
}

TEST_F(PlantedOverlaps, OneThreadWaitsForThoseItMeets) {
  std::string wait = "%is = icmp eq i32 %t, 5\n"
                     "br i1 %is, label %wait, label %meet\n"
                     "wait:\n" +
                     std::string(kWait) + "br label %meet\nmeet:\n";
  std::string barrier =
      "call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)\n";
  EXPECT_EQ(launchAll({kTrigger + kStore, wait + barrier + kLoad}), "");
  EXPECT_PRED_FORMAT2(says, launchAll({kTrigger + kStore, wait + kLoad}),
                      contains("thread (0,0,0): load of 4 bytes"));
}

TEST_F(PlantedOverlaps, WaitingEndsNoMoreThanOneLaunch) {
  // b ends without having waited for a: that b has ended says nothing of a.
  EXPECT_PRED_FORMAT2(
      says,
      launchAll({kTrigger + kStore, kTrigger, kWait + std::string(kLoad)}),
      contains("which kernel 'a' may still write: the launch "
               "in between does not wait for it"));
  EXPECT_EQ(launchAll({kTrigger + kStore, kWait, kWait + std::string(kLoad)}),
            "");
  EXPECT_EQ(launchAll({kTrigger + kStore, kTrigger + std::string(kWait),
                       kWait + std::string(kLoad)}),
            "");
}

TEST_F(PlantedOverlaps, StartsAfterOneThatDoesNotLetIt) {
  EXPECT_EQ(launchAll({kStore, kLoad}), "");
  // That one has ended before b starts, and so before c does.
  EXPECT_EQ(launchAll({kStore, kTrigger + kWait, kLoad}), "");
}

TEST_F(PlantedOverlaps, StartsOnceTheOneBeforeLetsIt) {
  // b lets c start after it has waited for a, so a has ended; or before.
  EXPECT_EQ(launchAll({kTrigger + kStore, kWait + kTrigger, kLoad}), "");
  EXPECT_EQ(launchAll({kTrigger + kStore, kWait, kLoad}), "");
  EXPECT_PRED_FORMAT2(
      says,
      launchAll({kTrigger + kStore, kTrigger + std::string(kWait), kLoad}),
      contains("which kernel 'a' may still write: "
               "griddepcontrol.wait has to come first"));
}
