//===- RewriteMemory.cpp - Accesses, globals and local arrays
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RewriterImpl.h"

#include "llvm/IR/InstIterator.h"

using namespace llvm;
using namespace mlir::rotq::emulator;
using rewriter::Rewriter;

/// NVPTX's address spaces.
static constexpr unsigned kSharedSpace = 3;

/// The host's address of an access.
Value *Rewriter::translate(Value *pointer, Value *size, uint32_t flags,
                           const Instruction &inst) {
  Type *i64 = builder.getInt64Ty(), *i32 = builder.getInt32Ty();
  FunctionCallee callee =
      runtime(names::kAccess, builder.getPtrTy(), {i64, i64, i32, i32});
  return builder.CreateCall(callee, {builder.CreatePtrToInt(pointer, i64),
                                     builder.CreateZExtOrTrunc(size, i64),
                                     builder.getInt32(flags),
                                     builder.getInt32(siteOf(inst))});
}

/// Volatile accesses are relaxed atomic ones in PTX.
static uint32_t flagsOf(AtomicOrdering ordering, bool isVolatile) {
  uint32_t flags = 0;
  if (isVolatile || ordering != AtomicOrdering::NotAtomic)
    flags |= kAtomic;
  if (isAcquireOrStronger(ordering))
    flags |= kAcquire;
  if (isReleaseOrStronger(ordering))
    flags |= kRelease;
  return flags;
}

/// After an atomic read: only then is what it has read published for sure.
void Rewriter::observe(Value *pointer, uint32_t flags) {
  Type *i64 = builder.getInt64Ty();
  builder.CreateCall(
      runtime(names::kObserve, builder.getVoidTy(),
              {i64, builder.getInt32Ty()}),
      {builder.CreatePtrToInt(pointer, i64), builder.getInt32(flags)});
}

/// Atomic ones hold for the whole machine; the scopes of GPUs are narrower.
void Rewriter::rewriteExchange(Instruction &inst, unsigned pointerOperand,
                               Type *type, Align alignment,
                               AtomicOrdering ordering) {
  uint32_t flags = flagsOf(ordering, /*isVolatile=*/false) | kWrite | kModify |
                   Log2(alignment);
  Value *pointer = inst.getOperand(pointerOperand);
  uint64_t size = module.getDataLayout().getTypeStoreSize(type);
  inst.setOperand(pointerOperand,
                  translate(pointer, builder.getInt64(size), flags, inst));
  builder.SetInsertPoint(inst.getNextNode());
  observe(pointer, flags);
}

Error Rewriter::rewriteAccess(Instruction &inst) {
  builder.SetInsertPoint(&inst);
  const DataLayout &layout = module.getDataLayout();
  auto sizeOf = [&](Type *type) {
    return builder.getInt64(layout.getTypeStoreSize(type).getFixedValue());
  };
  if (auto *load = dyn_cast<LoadInst>(&inst)) {
    uint32_t flags = flagsOf(load->getOrdering(), load->isVolatile()) |
                     Log2(load->getAlign());
    if (load->hasMetadata(LLVMContext::MD_invariant_load))
      flags |= kInvariant;
    Value *pointer = load->getPointerOperand();
    Value *address = translate(pointer, sizeOf(load->getType()), flags, inst);
    LoadInst *copy = builder.CreateAlignedLoad(
        load->getType(), address,
        load->isAtomic() ? load->getAlign() : Align(1), load->isVolatile());
    if (load->isAtomic())
      copy->setAtomic(load->getOrdering());
    if (flags & kAtomic)
      observe(pointer, flags);
    copy->takeName(load);
    load->replaceAllUsesWith(copy);
    load->eraseFromParent();
    return Error::success();
  }
  if (auto *store = dyn_cast<StoreInst>(&inst)) {
    uint32_t flags = flagsOf(store->getOrdering(), store->isVolatile()) |
                     kWrite | Log2(store->getAlign());
    Value *value = store->getValueOperand();
    Value *address = translate(store->getPointerOperand(),
                               sizeOf(value->getType()), flags, inst);
    StoreInst *copy = builder.CreateAlignedStore(
        value, address, store->isAtomic() ? store->getAlign() : Align(1),
        store->isVolatile());
    if (store->isAtomic())
      copy->setAtomic(store->getOrdering());
    store->eraseFromParent();
    return Error::success();
  }
  if (auto *atomic = dyn_cast<AtomicRMWInst>(&inst)) {
    rewriteExchange(inst, AtomicRMWInst::getPointerOperandIndex(),
                    atomic->getType(), atomic->getAlign(),
                    atomic->getOrdering());
    atomic->setSyncScopeID(SyncScope::System);
    return Error::success();
  }
  auto &exchange = cast<AtomicCmpXchgInst>(inst);
  rewriteExchange(inst, AtomicCmpXchgInst::getPointerOperandIndex(),
                  exchange.getNewValOperand()->getType(), exchange.getAlign(),
                  exchange.getMergedOrdering());
  exchange.setSyncScopeID(SyncScope::System);
  return Error::success();
}

/// Shared memory gets offsets in its region, constants a region each.
Error Rewriter::placeGlobals() {
  const DataLayout &layout = module.getDataLayout();
  SmallVector<GlobalVariable *> shared, dynamic, constants;
  for (GlobalVariable &global : module.globals()) {
    if (global.use_empty())
      continue;
    if (global.getAddressSpace() == kSharedSpace) {
      bool isDynamic = global.isDeclaration() ||
                       layout.getTypeAllocSize(global.getValueType()) == 0;
      (isDynamic ? dynamic : shared).push_back(&global);
    } else if (global.isConstant() && global.hasInitializer()) {
      constants.push_back(&global);
    } else {
      return refuse("global variable '" + global.getName() +
                    "' is not emulated: expected constants and shared memory");
    }
  }
  auto replace = [&](GlobalVariable *global, uint64_t address) {
    Constant *number = builder.getInt64(address);
    global->replaceAllUsesWith(
        ConstantExpr::getIntToPtr(number, global->getType()));
  };
  auto alignmentOf = [&](GlobalVariable *global) {
    return global->getAlign().value_or(
        layout.getABITypeAlign(global->getValueType()));
  };
  uint64_t end = 0;
  for (GlobalVariable *global : shared) {
    end = alignTo(end, alignmentOf(global));
    replace(global, baseOf(kSharedRegion) + end);
    end += layout.getTypeAllocSize(global->getValueType()).getFixedValue();
    global->eraseFromParent();
  }
  if (!dynamic.empty()) {
    Align alignment(16);
    for (GlobalVariable *global : dynamic)
      alignment = std::max(alignment, alignmentOf(global));
    end = alignTo(end, alignment);
    for (GlobalVariable *global : dynamic) {
      replace(global, baseOf(kSharedRegion) + end);
      global->eraseFromParent();
    }
  }
  result.staticSharedBytes = end;
  // The arguments' regions come first.
  uint64_t region = kBuffers + uint64_t(llvm::count(result.isPointer, true));
  for (GlobalVariable *global : constants) {
    replace(global, baseOf(region++));
    std::string name = ("rotq_emulator_constant_" + Twine(sites.size()) + "_" +
                        Twine(result.constants.size()))
                           .str();
    result.constants.push_back(
        {name,
         layout.getTypeAllocSize(global->getValueType()).getFixedValue()});
    // A copy where the host has its memory.
    auto *copy = new GlobalVariable(
        module, global->getValueType(), /*isConstant=*/true,
        GlobalValue::ExternalLinkage, global->getInitializer(), name);
    copy->setAlignment(Align(16));
  }
  return Error::success();
}

void Rewriter::releaseLocals(Function &function) {
  bool hasLocals = llvm::any_of(instructions(function), [](Instruction &inst) {
    return isa<AllocaInst>(inst);
  });
  if (!hasLocals)
    return;
  builder.SetInsertPoint(&*function.getEntryBlock().getFirstInsertionPt());
  Value *mark =
      builder.CreateCall(runtime(names::kMark, builder.getInt64Ty(), {}));
  for (BasicBlock &block : function)
    if (auto *ret = dyn_cast<ReturnInst>(block.getTerminator())) {
      builder.SetInsertPoint(ret);
      builder.CreateCall(
          runtime(names::kRelease, builder.getVoidTy(), {builder.getInt64Ty()}),
          {mark});
    }
}
