//===- Instructions.cpp - What NVVM intrinsics do
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Instructions.h"

#include "InstructionTable.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir::rotq::emulator;

//===----------------------------------------------------------------------===//
// Chips
//===----------------------------------------------------------------------===//

Chip Chip::parse(llvm::StringRef text) {
  Chip chip;
  text.consume_front("sm_");
  text.consumeInteger(10, chip.number);
  if (!text.empty())
    chip.suffix = text.front();
  return chip;
}

std::string Chip::name() const {
  std::string text = "sm_" + std::to_string(number);
  if (suffix)
    text += suffix;
  return text;
}

bool Chip::supports(Chip required) const {
  if (required.suffix == 'f')
    return suffix && number / 10 == required.number / 10 &&
           number >= required.number;
  if (required.suffix)
    return number == required.number && suffix == required.suffix;
  return number >= required.number;
}

uint64_t Chip::sharedBytes() const {
  switch (number) {
  case 80:
  case 87:
    return uint64_t(163) << 10;
  case 86:
  case 89:
  case 120:
    return uint64_t(99) << 10;
  default:
    return uint64_t(227) << 10;
  }
}

bool DeviceInstruction::runsOn(Chip chip) const {
  return llvm::any_of(chips,
                      [&](Chip required) { return chip.supports(required); });
}

std::string DeviceInstruction::requirement() const {
  return llvm::join(llvm::map_range(chips, [](Chip c) { return c.name(); }),
                    " or ");
}

//===----------------------------------------------------------------------===//
// The table
//===----------------------------------------------------------------------===//

static Instructions buildTable() {
  Instructions table;
  for (auto add :
       {addWordInstructions, addThreadInstructions, addWarpInstructions,
        addMatrixInstructions, addSharedInstructions, addGlobalInstructions,
        addConversions, addWarpgroupInstructions})
    add(table);
  return table;
}

llvm::ArrayRef<DeviceInstruction> mlir::rotq::emulator::allInstructions() {
  static const Instructions table = buildTable();
  return table;
}

int mlir::rotq::emulator::findInstruction(llvm::StringRef intrinsic) {
  static const llvm::StringMap<int> indices = [] {
    llvm::StringMap<int> result;
    for (auto [i, instruction] : llvm::enumerate(allInstructions()))
      result[instruction.intrinsic] = int(i);
    return result;
  }();
  auto it = indices.find(intrinsic);
  return it == indices.end() ? -1 : it->second;
}
