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

#include <functional>

namespace mlir::rotq::emulator {

/// "sm_90a": number 90, suffix 'a'; suffix 0 where there is none.
struct Chip {
  unsigned number = 0;
  char suffix = 0;

  static Chip parse(llvm::StringRef name);
  std::string name() const;
  /// Whether code for `required` runs here: that for "sm_90a" on that chip
  /// alone, that for "sm_120f" on sm_120a, sm_121a and others of the family.
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

/// What one intrinsic, or instruction of inline assembly, does. Operands come
/// as words of 32 bits, narrower ones extended with zeros, wider ones low half
/// first; results go to the same words, from the first on.
struct DeviceInstruction {
  /// "llvm.nvvm.prmt"; in inline assembly with the form of its operands, the
  /// result being the first: "prmt.b32 x,x,x,x", and {} for a list of
  /// registers, [] for an address.
  std::string intrinsic;
  llvm::ArrayRef<Chip> chips; ///< any of these has it
  // One of:
  std::function<void(uint32_t *words)> pure = nullptr;
  std::function<void(Thread &thread, uint32_t *words, uint32_t site)> thread =
      nullptr;
  std::function<void(WarpCall &call)> warp = nullptr;
  /// Of the four warps of a warpgroup.
  std::function<void(llvm::MutableArrayRef<WarpCall> warps)> warpgroup =
      nullptr;
  // For `warp` and `warpgroup`:
  int maskOperand = -1;   ///< -1: all 32 lanes
  bool isAligned = false; ///< all lanes execute the same instruction
  /// In inline assembly: what the result held is the first operand.
  bool readsResult = false;

  /// "shfl.sync.bfly.i32"
  std::string name() const {
    llvm::StringRef text = intrinsic;
    text.consume_front("llvm.nvvm.");
    return text.split(' ').first.str();
  }
  /// How many warps execute it together.
  unsigned numWarps() const { return warpgroup ? 4 : 1; }
  bool runsOn(Chip chip) const;
  /// "sm_100f or sm_120f"
  std::string requirement() const;
};

llvm::ArrayRef<DeviceInstruction> allInstructions();

/// The index of an intrinsic in allInstructions(), or -1.
int findInstruction(llvm::StringRef intrinsic);

} // namespace mlir::rotq::emulator

#endif // ROTQ_LIB_EMULATOR_INSTRUCTIONS_H
