//===- InlineAssembly.h - PTX in kernels
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_EMULATOR_INLINEASSEMBLY_H
#define ROTQ_LIB_EMULATOR_INLINEASSEMBLY_H

#include "llvm/ADT/StringRef.h"
#include "llvm/IR/Function.h"

namespace mlir::rotq::emulator {

/// Replaces inline assembly, instruction by instruction, by calls of functions
/// whose names instructionOf() understands. What has other statements than
/// declarations of registers and instructions of the table stays.
void expandInlineAssembly(llvm::Function &function);

/// The entry of the table that such a function is, or any other name.
inline llvm::StringRef instructionOf(llvm::StringRef function) {
  return function.split('#').first;
}

} // namespace mlir::rotq::emulator

#endif // ROTQ_LIB_EMULATOR_INLINEASSEMBLY_H
