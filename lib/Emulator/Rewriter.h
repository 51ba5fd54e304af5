//===- Rewriter.h - Kernels as code of the host
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_EMULATOR_REWRITER_H
#define ROTQ_LIB_EMULATOR_REWRITER_H

#include "Instructions.h"

#include "llvm/IR/DataLayout.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/Error.h"
#include "llvm/TargetParser/Triple.h"

namespace mlir::rotq::emulator {

/// Functions of the emulator that rewritten code calls.
namespace names {
inline constexpr llvm::StringLiteral kAccess = "rotq_emulator_access";
inline constexpr llvm::StringLiteral kObserve = "rotq_emulator_observe";
inline constexpr llvm::StringLiteral kFence = "rotq_emulator_fence";
inline constexpr llvm::StringLiteral kInstruction = "rotq_emulator_instruction";
inline constexpr llvm::StringLiteral kIterate = "rotq_emulator_iterate";
inline constexpr llvm::StringLiteral kFail = "rotq_emulator_fail";
inline constexpr llvm::StringLiteral kAllocate = "rotq_emulator_allocate";
inline constexpr llvm::StringLiteral kMark = "rotq_emulator_mark";
inline constexpr llvm::StringLiteral kRelease = "rotq_emulator_release";
} // namespace names

/// What kFail reports.
enum class Fault : uint32_t { DivisionByZero, Trap };

/// A constant of the module that a kernel reads.
struct DeviceConstant {
  std::string symbol;
  uint64_t size;
};

/// One kernel, rewritten.
struct RewrittenKernel {
  std::unique_ptr<llvm::Module> module;
  std::string entry; ///< void(void **arguments)
  std::vector<bool> isPointer;
  std::vector<bool> isNoAlias;
  uint64_t staticSharedBytes = 0;
  /// Of these the kernel expects the addresses of the last regions.
  std::vector<DeviceConstant> constants;
  uint64_t maxThreads = 1024;
};

/// Clones `kernel`, and what it calls, out of `source` and makes it code that
/// runs on the host. Adds the locations of what can fail to `sites`. Errors:
/// what cannot be emulated, by name, and what `chip` does not have.
llvm::Expected<RewrittenKernel> rewriteKernel(const llvm::Module &source,
                                              llvm::StringRef kernel, Chip chip,
                                              const llvm::Triple &triple,
                                              const llvm::DataLayout &layout,
                                              std::vector<std::string> &sites);

} // namespace mlir::rotq::emulator

#endif // ROTQ_LIB_EMULATOR_REWRITER_H
