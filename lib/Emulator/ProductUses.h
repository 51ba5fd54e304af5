//===- ProductUses.h - Sums of wgmma that are still under way
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_EMULATOR_PRODUCTUSES_H
#define ROTQ_LIB_EMULATOR_PRODUCTUSES_H

#include "llvm/IR/Function.h"

namespace mlir::rotq::emulator {

/// An instruction that reads the sums of a wgmma.mma_async and that a path
/// leads to from there without any wgmma.wait_group; null: there is none. How
/// many groups a wait leaves under way does not count.
const llvm::Instruction *findUseBeforeWait(const llvm::Function &function);

} // namespace mlir::rotq::emulator

#endif // ROTQ_LIB_EMULATOR_PRODUCTUSES_H
