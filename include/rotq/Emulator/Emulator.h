//===- Emulator.h - GPU kernels on the CPU
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Runs the kernels that RotQ generates, as LLVM IR just before the NVPTX back
// end, with one fiber for every GPU thread, and reports what a GPU would get
// wrong in silence. docs/emulator.md says what is exact.
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_EMULATOR_EMULATOR_H
#define ROTQ_EMULATOR_EMULATOR_H

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/Error.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace mlir::rotq {

/// Memory of the host that a launch lends to a kernel as global memory. Its
/// address is a multiple of 16; on the device it is one of 256.
struct EmulatorBuffer {
  std::span<std::byte> bytes;
  std::string name;     ///< for messages
  bool writable = true; ///< else a write is an error
  size_t offset = 0;    ///< where the argument points, in bytes
  /// Else a read of what the launch has not written is an error.
  bool initialized = true;
};

/// A pointer, or an integer of 32 bits.
using EmulatorArgument = std::variant<EmulatorBuffer, int32_t>;

namespace emulator {
struct LaunchRecord;
} // namespace emulator

/// Launches that follow one another, as in a stream of CUDA's.
class EmulatorStream {
  friend class Emulator;
  std::shared_ptr<const emulator::LaunchRecord> last;
};

struct EmulatorLaunch {
  std::array<uint32_t, 3> grid = {1, 1, 1};
  std::array<uint32_t, 3> block = {1, 1, 1};
  uint32_t sharedBytes = 0;         ///< dynamic shared memory
  EmulatorStream *stream = nullptr; ///< null: one of the emulator's own
  /// May start before the launch before it has ended, and has to wait for that
  /// itself: programmatic dependent launch.
  bool programmaticDependent = false;
  /// Permutes the order in which blocks, warps and lanes run; 0: as numbered.
  uint64_t seed = 0;
  unsigned threads = 0; ///< of the host; 0: one for every core
  /// Iterations of loops after which a thread is taken to wait forever.
  uint64_t maxIterations = uint64_t(1) << 26;
};

/// What runs the kernels of one module.
class KernelDevice {
public:
  virtual ~KernelDevice() = default;

  /// Runs a kernel to its end. The error says what went wrong.
  virtual llvm::Error launch(llvm::StringRef kernel,
                             const EmulatorLaunch &launch,
                             llvm::ArrayRef<EmulatorArgument> arguments) = 0;
};

/// The kernels of one module. Not to be shared between threads.
class Emulator final : public KernelDevice {
public:
  /// The kernels of a gpu.module in the llvm and nvvm dialects: what
  /// rotq-to-nvptx leaves. The module may go away afterwards.
  static llvm::Expected<std::unique_ptr<Emulator>>
  create(gpu::GPUModuleOp module, llvm::StringRef chip);

  /// The kernels of a module as the NVPTX back end would get it.
  static llvm::Expected<std::unique_ptr<Emulator>>
  create(std::unique_ptr<llvm::LLVMContext> context,
         std::unique_ptr<llvm::Module> module, llvm::StringRef chip);

  ~Emulator() override;

  /// The error says what a kernel did wrong, and where: kernel, block, thread
  /// and location. Buffers then hold what was written until then.
  llvm::Error launch(llvm::StringRef kernel, const EmulatorLaunch &launch,
                     llvm::ArrayRef<EmulatorArgument> arguments) override;

private:
  class Impl;
  explicit Emulator(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl;
};

} // namespace mlir::rotq

#endif // ROTQ_EMULATOR_EMULATOR_H
