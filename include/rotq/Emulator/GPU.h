//===- GPU.h - GPU kernels on a GPU of this machine
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Takes what Emulator takes and lends it to a real GPU: buffers are copied
// there before a launch, and back after it. Needs a driver and ptxas at run
// time.
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_EMULATOR_GPU_H
#define ROTQ_EMULATOR_GPU_H

#include "rotq/Emulator/Emulator.h"
#include "rotq/Runtime/Launcher.h"

namespace mlir::rotq {

/// The GPU that kernels run on, the first of this machine; an error where a
/// driver, a GPU or ptxas is missing.
llvm::Expected<::rotq::DeviceInfo> findGPU();

/// Whether code for `chip` runs on the GPU: that of "sm_90a" on such a chip
/// alone, that of "sm_80" on later ones too.
bool runsOn(const ::rotq::DeviceInfo &gpu, llvm::StringRef chip);

/// The known chip that fits the GPU best; an error where there is none.
llvm::Expected<std::string> chipFor(const ::rotq::DeviceInfo &gpu);

/// The kernels of one module on the GPU.
class GPU final : public KernelDevice {
public:
  /// The kernels of a gpu.module that has `chip` among its targets.
  static llvm::Expected<std::unique_ptr<GPU>> create(gpu::GPUModuleOp module,
                                                     llvm::StringRef chip);

  /// The kernels of a module as the NVPTX back end gets it, which it changes.
  static llvm::Expected<std::unique_ptr<GPU>> create(llvm::Module &module,
                                                     llvm::StringRef chip);

  ~GPU() override;
  GPU(const GPU &) = delete;
  GPU &operator=(const GPU &) = delete;

  /// Takes grid, block and shared memory of `launch`.
  llvm::Error launch(llvm::StringRef kernel, const EmulatorLaunch &launch,
                     llvm::ArrayRef<EmulatorArgument> arguments) override;

private:
  GPU(const ::rotq::cuda::Driver &driver, ::rotq::cuda::Module module)
      : driver(driver), module(module) {}
  static llvm::Expected<std::unique_ptr<GPU>>
  load(mlir::Location loc, llvm::StringRef ptx, llvm::StringRef chip);

  const ::rotq::cuda::Driver &driver;
  ::rotq::cuda::Module module;
};

} // namespace mlir::rotq

#endif // ROTQ_EMULATOR_GPU_H
