//===- Compiler.h - Kernels in the host's code
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_EMULATOR_COMPILER_H
#define ROTQ_LIB_EMULATOR_COMPILER_H

#include "Rewriter.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Target/TargetMachine.h"

namespace mlir::rotq::emulator {

/// A kernel in the host's code.
struct CompiledKernel {
  RewrittenKernel description; ///< without its module
  void (*entry)(void **arguments) = nullptr;
  std::vector<const std::byte *> constants;
};

/// Compiles the kernels of one module when they are first asked for.
class Compiler {
public:
  static llvm::Expected<std::unique_ptr<Compiler>>
  create(std::unique_ptr<llvm::LLVMContext> context,
         std::unique_ptr<llvm::Module> module, llvm::StringRef chip);

  llvm::Expected<const CompiledKernel *> compile(llvm::StringRef kernel);

  Chip getChip() const { return chip; }
  /// The locations of what can fail, by the numbers in compiled code.
  const std::vector<std::string> &getSites() const { return sites; }

private:
  Chip chip;
  llvm::orc::ThreadSafeContext context;
  std::unique_ptr<llvm::Module> module;
  std::unique_ptr<llvm::TargetMachine> target;
  std::unique_ptr<llvm::orc::LLJIT> jit;
  llvm::StringMap<CompiledKernel> kernels;
  std::vector<std::string> sites;
};

} // namespace mlir::rotq::emulator

#endif // ROTQ_LIB_EMULATOR_COMPILER_H
