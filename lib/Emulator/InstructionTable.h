//===- InstructionTable.h - How instructions are listed
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One table holds all instructions; every family of them adds its own.
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_EMULATOR_INSTRUCTIONTABLE_H
#define ROTQ_LIB_EMULATOR_INSTRUCTIONTABLE_H

#include "Instructions.h"

#include "llvm/ADT/SmallVector.h"

namespace mlir::rotq::emulator {

using Instructions = llvm::SmallVector<DeviceInstruction, 0>;

void addWordInstructions(Instructions &table);
void addThreadInstructions(Instructions &table);
void addWarpInstructions(Instructions &table);
void addMatrixInstructions(Instructions &table);
void addSharedInstructions(Instructions &table);
void addGlobalInstructions(Instructions &table);
void addWarpgroupInstructions(Instructions &table);
void addConversions(Instructions &table);

inline constexpr Chip kAny[] = {{0, 0}}, kSm75[] = {{75, 0}},
                      kSm80[] = {{80, 0}}, kSm89[] = {{89, 0}},
                      kSm90[] = {{90, 0}}, kSm90a[] = {{90, 'a'}},
                      kSm100f[] = {{100, 'f'}}, kSm120f[] = {{120, 'f'}};
/// Those that have formats of 4 and 6 bits.
inline constexpr Chip kNarrowFloats[] = {{100, 'f'}, {110, 'f'}, {120, 'f'}};

inline DeviceInstruction pure(std::string name,
                              std::function<void(uint32_t *)> function,
                              llvm::ArrayRef<Chip> chips = kAny) {
  return {.intrinsic = std::move(name),
          .chips = chips,
          .pure = std::move(function)};
}
inline DeviceInstruction
perThread(std::string name,
          std::function<void(Thread &, uint32_t *, uint32_t)> function,
          llvm::ArrayRef<Chip> chips = kAny) {
  return {.intrinsic = std::move(name),
          .chips = chips,
          .thread = std::move(function)};
}
/// With the mask in operand `mask`.
inline DeviceInstruction perLanes(std::string name,
                                  std::function<void(WarpCall &)> function,
                                  int mask, llvm::ArrayRef<Chip> chips = kAny) {
  return {.intrinsic = std::move(name),
          .chips = chips,
          .warp = std::move(function),
          .maskOperand = mask};
}
/// All 32 lanes execute one instruction.
inline DeviceInstruction aligned(std::string name,
                                 std::function<void(WarpCall &)> function,
                                 llvm::ArrayRef<Chip> chips) {
  return {.intrinsic = std::move(name),
          .chips = chips,
          .warp = std::move(function),
          .isAligned = true};
}

template <typename Body> void forLanes(WarpCall &call, Body body) {
  for (unsigned lane = 0; lane < 32; ++lane)
    if (call.mask >> lane & 1)
      body(lane);
}

inline uint32_t byteOf(uint32_t word, unsigned i) {
  return word >> (8 * i) & 0xff;
}

/// An operand of 64 bits.
inline uint64_t addressOf(const uint32_t *words) {
  return uint64_t(words[1]) << 32 | words[0];
}

inline void requireShared(Thread &thread, uint64_t address, uint32_t site) {
  if (regionOf(address) != kSharedRegion)
    thread.fail("expected an address of shared memory", site);
}

} // namespace mlir::rotq::emulator

#endif // ROTQ_LIB_EMULATOR_INSTRUCTIONTABLE_H
