//===- Instructions.h - What NVVM intrinsics do
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_EMULATOR_INSTRUCTIONS_H
#define ROTQ_LIB_EMULATOR_INSTRUCTIONS_H

#include "ThreadBlock.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

namespace mlir::rotq::emulator {

/// "sm_90a": number 90, suffix 'a'; suffix 0 where there is none.
struct Chip {
  unsigned number = 0;
  char suffix = 0;

  static Chip parse(llvm::StringRef name);
  std::string name() const;
  /// Whether code for `required` runs here: "sm_90a" runs on that chip alone.
  bool supports(Chip required) const;
  /// Bytes of shared memory that a block can have.
  uint64_t sharedBytes() const;
};

/// A call that every lane of a mask makes; null for the other lanes.
struct WarpCall {
  uint32_t mask;
  std::array<Thread *, 32> threads;
  std::array<uint32_t *, 32> words;
  uint32_t site;
};

/// What one intrinsic does. Operands come as words of 32 bits, narrower ones
/// extended with zeros, wider ones low half first; results go to the same
/// words, from the first on.
struct DeviceInstruction {
  llvm::StringRef intrinsic; ///< "llvm.nvvm.prmt"
  Chip chip;                 ///< the oldest that has it
  // One of:
  void (*pure)(uint32_t *words) = nullptr;
  void (*thread)(Thread &thread, uint32_t *words, uint32_t site) = nullptr;
  void (*warp)(WarpCall &call) = nullptr;
  // For `warp`:
  int maskOperand = -1;   ///< -1: all 32 lanes
  bool isAligned = false; ///< all lanes execute the same instruction

  /// "shfl.sync.bfly.i32"
  std::string name() const {
    return intrinsic.substr(llvm::StringRef("llvm.nvvm.").size()).str();
  }
};

llvm::ArrayRef<DeviceInstruction> allInstructions();

/// The index of an intrinsic in allInstructions(), or -1.
int findInstruction(llvm::StringRef intrinsic);

} // namespace mlir::rotq::emulator

#endif // ROTQ_LIB_EMULATOR_INSTRUCTIONS_H
