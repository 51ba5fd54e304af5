//===- LaunchBugsTest.cpp - What the emulator refuses to run
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PlantedBugs.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/GPU/GPUToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"

using namespace mlir::rotq;
using namespace mlir::rotq::test;

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
                 "which needs sm_100f"));
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

TEST(PlantedBugs, LocationsOfOps) {
  mlir::DialectRegistry registry;
  registry.insert<mlir::gpu::GPUDialect, mlir::NVVM::NVVMDialect>();
  mlir::registerBuiltinDialectTranslation(registry);
  mlir::registerGPUDialectTranslation(registry);
  mlir::registerLLVMDialectTranslation(registry);
  mlir::registerNVVMDialectTranslation(registry);
  mlir::MLIRContext context(registry, mlir::MLIRContext::Threading::DISABLED);
  auto module = mlir::parseSourceString<mlir::ModuleOp>(R"(
gpu.module @kernels {
  llvm.func @k(%p: !llvm.ptr<1>) attributes {gpu.kernel, nvvm.kernel} {
    %v = llvm.mlir.constant(1 : i32) : i32
    llvm.store %v, %p : i32, !llvm.ptr<1> loc("layer.mlir":12:7)
    llvm.return
  }
}
)",
                                                        &context);
  ASSERT_TRUE(module);
  auto emulator = Emulator::create(
      *module->getOps<mlir::gpu::GPUModuleOp>().begin(), "sm_90a");
  ASSERT_TRUE(bool(emulator)) << toString(emulator.takeError());
  std::vector<int32_t> data(4);
  EXPECT_EQ(toString((*emulator)->launch(
                "k", {}, {bufferOf(data, "codes", /*writable=*/false)})),
            "kernel 'k', block (0,0,0), thread (0,0,0): store of 4 bytes at "
            "offset 0 of a buffer of 16 bytes (codes), which is read-only at "
            "layer.mlir:12:7");
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
  EmulatorLaunch vast;
  vast.grid = {0x7fffffff, 3, 1};
  EXPECT_PRED_FORMAT2(says, launchWith(vast, good),
                      contains("is too large to emulate"));
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
