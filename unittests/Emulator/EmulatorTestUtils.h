//===- EmulatorTestUtils.h - Kernels to run on the device under test
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every launch runs on the emulator. With --device=cuda it then runs on a GPU
// too, from the same inputs: what the two write is compared, and buffers are
// left with what the GPU wrote, for the test to compare with its reference.
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_UNITTESTS_EMULATOR_EMULATORTESTUTILS_H
#define ROTQ_UNITTESTS_EMULATOR_EMULATORTESTUTILS_H

#include "rotq/Emulator/GPU.h"

#include "gtest/gtest.h"

#include <optional>

namespace mlir::rotq::test {

/// The GPU under test; none: the emulator alone is.
extern std::optional<::rotq::DeviceInfo> gpuUnderTest;

/// What random cases are drawn from: --seed.
extern uint64_t seed;

/// Prints what was compared with the GPU.
void reportComparisons();

/// What a tensor core loses with each addend of a float product, relative to
/// the largest: the emulator rounds, a GPU cuts off (docs/emulator.md).
double lossPerAddend();

/// How far the GPU may be from the emulator: not at all, or for the floats that
/// the last arguments hold by a bound for each. Not-a-numbers are then alike.
struct Tolerance {
  std::vector<double> bounds; ///< empty: bit for bit
  std::string type = "f32";   ///< or "f16", or "bf16"
};

/// Element `i` of numbers of `type`, as above.
double floatAt(llvm::ArrayRef<std::byte> bytes, llvm::StringRef type, size_t i);

/// The kernels of LLVM assembly on the emulator alone.
llvm::Expected<std::unique_ptr<Emulator>> emulate(const std::string &assembly,
                                                  llvm::StringRef chip);

/// The kernels of a module.
class KernelsUnderTest {
public:
  static llvm::Expected<KernelsUnderTest> create(gpu::GPUModuleOp module,
                                                 llvm::StringRef chip);
  static llvm::Expected<KernelsUnderTest> create(const std::string &assembly,
                                                 llvm::StringRef chip);

  /// The error of the emulator, or of the GPU, or where they differ.
  llvm::Error launch(llvm::StringRef kernel, const EmulatorLaunch &launch,
                     llvm::ArrayRef<EmulatorArgument> arguments,
                     const Tolerance &tolerance = {});

private:
  std::unique_ptr<Emulator> emulator;
  std::unique_ptr<GPU> gpu; ///< null where there is none to compare with
};

/// Whether the device under test runs code for `chip`; else the test counts as
/// skipped, and its launches run on the emulator alone.
bool hasChip(llvm::StringRef chip);

/// Runs @k of `assembly`; the message of its error, "" for success.
std::string runKernel(const std::string &assembly,
                      llvm::ArrayRef<EmulatorArgument> arguments,
                      const EmulatorLaunch &launch,
                      llvm::StringRef chip = "sm_90a",
                      const Tolerance &tolerance = {});

template <typename T>
EmulatorBuffer bufferOf(std::vector<T> &values, std::string name,
                        bool writable = true) {
  return {std::as_writable_bytes(std::span(values)), std::move(name), writable};
}

} // namespace mlir::rotq::test

#endif // ROTQ_UNITTESTS_EMULATOR_EMULATORTESTUTILS_H
