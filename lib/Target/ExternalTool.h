//===- ExternalTool.h - Programs that code generation runs ------*- C++ -*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_TARGET_EXTERNALTOOL_H
#define ROTQ_LIB_TARGET_EXTERNALTOOL_H

#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/FileUtilities.h"

namespace mlir::rotq {

/// A temporary file that goes when this does.
class Temporary {
public:
  explicit Temporary(StringRef suffix);
  std::error_code error;
  SmallString<64> path;

private:
  llvm::FileRemover remover;
};

/// Writes or reads a whole file; emits the error.
LogicalResult writeFile(Location loc, StringRef path, StringRef bytes);
FailureOr<std::string> readFile(Location loc, StringRef path);

/// Runs the program at `path`; what it says goes into the error, where it is
/// called `name`.
LogicalResult runProgram(Location loc, StringRef name, StringRef path,
                         ArrayRef<std::string> arguments);

} // namespace mlir::rotq

#endif // ROTQ_LIB_TARGET_EXTERNALTOOL_H
