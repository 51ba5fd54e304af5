//===- PlantedBugs.cpp - Kernels with bugs, and what is said of them
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PlantedBugs.h"

using namespace mlir::rotq;
using namespace mlir::rotq::test;

testing::AssertionResult mlir::rotq::test::says(const char *, const char *,
                                                const std::string &message,
                                                const Part &part) {
  size_t at = message.find(part.text);
  if (part.isStart ? at == 0 : at != std::string::npos)
    return testing::AssertionSuccess();
  return testing::AssertionFailure()
         << "expected a message that "
         << (part.isStart ? "starts with" : "contains") << "\n  " << part.text
         << "\nbut got\n  " << message;
}

std::string mlir::rotq::test::byThread5(const std::string &body) {
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

std::string mlir::rotq::test::withShared(const std::string &body) {
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

std::string mlir::rotq::test::messageOf(const std::string &assembly,
                                        uint32_t threads, uint64_t seed,
                                        bool writable, llvm::StringRef chip) {
  std::vector<int32_t> data(1024);
  EmulatorLaunch launch;
  launch.block[0] = threads;
  launch.seed = seed;
  launch.maxIterations = 100000;
  return runKernel(assembly, {bufferOf(data, "codes", writable), int32_t(7)},
                   launch, chip);
}
