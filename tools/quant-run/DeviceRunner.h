//===- DeviceRunner.h - Runs functions of a module with their GPU kernels
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_TOOLS_QUANT_RUN_DEVICERUNNER_H
#define ROTQ_TOOLS_QUANT_RUN_DEVICERUNNER_H

#include "HostRunner.h"

#include "rotq/Emulator/Emulator.h"
#include "rotq/Runtime/Manifest.h"

#include <map>

namespace mlir::rotq {

/// The functions of a module on this machine, their launches on an emulator or
/// a GPU. All memory is memory of the host, and only lent to kernels.
class DeviceRunner {
public:
  /// Makes what runs the kernels of a gpu.module.
  using DeviceFactory =
      llvm::function_ref<llvm::Expected<std::unique_ptr<KernelDevice>>(
          gpu::GPUModuleOp)>;

  /// Runs `rotq-to-nvptx` for `chip` in place. Errors are reported as
  /// diagnostics.
  static LogicalResult lower(ModuleOp module, llvm::StringRef chip,
                             llvm::StringRef options);

  /// Takes a module that `rotq-to-nvptx` made, and changes it. `seed` permutes
  /// the order of the threads on an emulator.
  static llvm::Expected<std::unique_ptr<DeviceRunner>>
  create(ModuleOp module, DeviceFactory createDevice, uint64_t seed);

  /// As HostRunner::run; also what a kernel did wrong.
  llvm::Expected<std::vector<Array>> run(llvm::StringRef entry,
                                         llvm::ArrayRef<Array> arguments);

private:
  /// One gpu.launch_func of the module.
  struct Launch {
    KernelDevice *device;
    std::string kernel;
    std::vector<bool> isPointer;
    std::optional<::rotq::KernelInfo> info; ///< from the manifest
  };

  llvm::Error addModule(gpu::GPUModuleOp kernels, DeviceFactory createDevice);
  void replaceLaunches(ModuleOp module);
  llvm::Error launch(const Launch &what, const int64_t *sizes,
                     const int64_t *operands);
  llvm::Expected<EmulatorBuffer> findBuffer(int64_t address) const;

  // What the code of the module calls.
  static void *allocate(size_t size);
  static void release(void *pointer);
  static void launchFromHost(int64_t index, const int64_t *sizes,
                             const int64_t *operands);

  std::map<std::string, std::unique_ptr<KernelDevice>> devices;
  std::map<std::string, ::rotq::Manifest> manifests;
  std::vector<Launch> launches;
  std::optional<HostRunner> host;
  EmulatorStream stream;
  /// Memory that functions see: its start, and its size.
  std::map<int64_t, size_t> memory;
  uint64_t seed = 0;
  std::string failure; ///< the first one; later launches do nothing
};

} // namespace mlir::rotq

#endif // ROTQ_TOOLS_QUANT_RUN_DEVICERUNNER_H
