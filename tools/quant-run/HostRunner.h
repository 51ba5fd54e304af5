//===- HostRunner.h - Runs functions of a module on this machine
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_TOOLS_QUANT_RUN_HOSTRUNNER_H
#define ROTQ_TOOLS_QUANT_RUN_HOSTRUNNER_H

#include "Npy.h"

#include "rotq/Pipelines/HostPipeline.h"

#include "mlir/ExecutionEngine/ExecutionEngine.h"
#include "llvm/ADT/StringMap.h"

namespace mlir::rotq {

/// Compiled code of a module, for the machine it runs on.
class HostRunner {
public:
  /// Functions that the module calls, by name; they come before those of this
  /// process.
  using Symbols = llvm::StringMap<void *>;

  /// Compiles a module that `rotq-to-host` made. `optLevel` is LLVM's.
  static llvm::Expected<HostRunner>
  create(ModuleOp module, unsigned optLevel = 2, const Symbols &symbols = {});

  /// Runs `rotq-to-host` in place. Errors are reported as diagnostics.
  static LogicalResult lower(ModuleOp module,
                             const HostPipelineOptions &options);

  /// Calls the function `entry`. Errors: no such function, or arrays that do
  /// not match its signature. A packed weight is an array of its bytes.
  llvm::Expected<std::vector<Array>> run(llvm::StringRef entry,
                                         llvm::ArrayRef<Array> arguments);

  /// What frees the buffers of results, once copied: `free` by default.
  void setRelease(void (*function)(void *)) { release = function; }

private:
  HostRunner(ModuleOp module, std::unique_ptr<ExecutionEngine> engine);
  llvm::Expected<FunctionType> findSignature(llvm::StringRef entry);

  ModuleOp module;
  std::unique_ptr<ExecutionEngine> engine;
  void (*release)(void *);
};

} // namespace mlir::rotq

#endif // ROTQ_TOOLS_QUANT_RUN_HOSTRUNNER_H
