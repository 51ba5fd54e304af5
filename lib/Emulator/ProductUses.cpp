//===- ProductUses.cpp - Sums of wgmma that are still under way
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ProductUses.h"

#include "llvm/ADT/SetVector.h"
#include "llvm/IR/CFG.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"

using namespace llvm;

/// Whether `inst` calls an instruction of the device, of either spelling.
static bool calls(const Instruction &inst, StringRef name) {
  auto *call = dyn_cast<CallInst>(&inst);
  return call && call->getCalledFunction() &&
         call->getCalledFunction()->getName().contains(name);
}

/// What reads the sums of `product`; moving them between registers, or adding
/// more products to them, does not.
static SmallSetVector<const Instruction *, 16>
readersOf(const Instruction &product) {
  SmallSetVector<const Instruction *, 16> readers;
  SetVector<const Value *> copies;
  copies.insert(&product);
  for (size_t i = 0; i < copies.size(); ++i)
    for (const User *user : copies[i]->users()) {
      const auto *inst = cast<Instruction>(user);
      if (isa<ExtractValueInst, InsertValueInst, PHINode, SelectInst>(inst))
        copies.insert(inst);
      else if (!calls(*inst, "wgmma.mma_async") && !isa<ReturnInst>(inst))
        readers.insert(inst);
    }
  return readers;
}

const Instruction *
mlir::rotq::emulator::findUseBeforeWait(const Function &function) {
  for (const Instruction &product : instructions(function)) {
    if (!calls(product, "wgmma.mma_async"))
      continue;
    SmallSetVector<const Instruction *, 16> readers = readersOf(product);
    // From where paths go on without a wait.
    SetVector<const Instruction *> starts;
    starts.insert(product.getNextNode());
    for (size_t i = 0; i < starts.size(); ++i) {
      const Instruction *inst = starts[i];
      while (inst && !calls(*inst, "wgmma.wait_group")) {
        if (readers.contains(inst))
          return inst;
        if (inst->isTerminator())
          for (const BasicBlock *next : successors(inst))
            starts.insert(&next->front());
        inst = inst->getNextNode();
      }
    }
  }
  return nullptr;
}
