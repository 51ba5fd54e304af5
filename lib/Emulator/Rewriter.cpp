//===- Rewriter.cpp - Kernels as code of the host
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every access of memory goes through a call that checks and translates its
// address, every NVVM intrinsic becomes a call of the emulator, every iteration
// of a loop is counted. What has no exact meaning on the host is refused.
//
//===----------------------------------------------------------------------===//

#include "Rewriter.h"

#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Analysis/CFG.h"
#include "llvm/IR/DebugInfo.h"
#include "llvm/IR/DebugInfoMetadata.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InlineAsm.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/ModuleSlotTracker.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Transforms/Utils/Cloning.h"
#include "llvm/Transforms/Utils/ModuleUtils.h"

using namespace llvm;
using namespace mlir::rotq::emulator;

/// NVPTX's address spaces.
static constexpr unsigned kSharedSpace = 3;

namespace {
class Rewriter {
public:
  Rewriter(RewrittenKernel &result, StringRef kernel, Chip chip,
           std::vector<std::string> &sites)
      : result(result), module(*result.module), kernel(kernel), chip(chip),
        sites(sites), builder(module.getContext()) {}

  Error run();

private:
  Error refuse(const Twine &what, const Instruction *where = nullptr);
  Error placeGlobals();
  Error rewriteFunction(Function &function);
  Error rewrite(Instruction &inst);
  Error rewriteAccess(Instruction &inst);
  Error rewriteCall(CallInst &call);
  Error rewriteIntrinsic(IntrinsicInst &call);
  Error rewriteDeviceCall(CallInst &call, int index);
  void checkDivision(BinaryOperator &inst);
  void countIterations(Function &function);
  void releaseLocals(Function &function);
  Error addEntry();

  uint32_t siteOf(const Instruction &inst);
  void recordTexts(Function &function);
  Value *translate(Value *pointer, Value *size, uint32_t flags,
                   const Instruction &inst);
  FunctionCallee runtime(StringRef name, Type *type, ArrayRef<Type *> operands);
  SmallVector<Value *> wordsOf(Value *value);
  Value *fromWords(Type *type, Value *words, unsigned &position);
  Value *word(Value *words, unsigned i);
  /// One object of 32 words in every function, for operands and results.
  Value *wordBuffer(Function &function);

  RewrittenKernel &result;
  Module &module;
  StringRef kernel;
  Chip chip;
  std::vector<std::string> &sites;
  IRBuilder<> builder;
  Function *current = nullptr;
  DenseMap<Function *, AllocaInst *> buffers;
  DenseMap<const Instruction *, std::string> texts;
};
} // namespace

static constexpr unsigned kBufferWords = 32;

Error Rewriter::refuse(const Twine &what, const Instruction *where) {
  std::string text = ("kernel '" + kernel + "': " + what).str();
  if (where)
    if (const std::string &site = sites[siteOf(*where)]; !site.empty())
      text += " at " + site;
  return createStringError(text);
}

/// Where an instruction comes from: file, line and column or, without debug
/// information, its text. Every call of this gives another number.
uint32_t Rewriter::siteOf(const Instruction &inst) {
  std::string text;
  raw_string_ostream stream(text);
  if (const DebugLoc &loc = inst.getDebugLoc()) {
    auto *scope = cast<DIScope>(loc.getScope());
    stream << scope->getFilename() << ":" << loc.getLine() << ":"
           << loc.getCol();
  } else {
    text = texts.lookup(&inst);
  }
  sites.push_back(text);
  return uint32_t(sites.size() - 1);
}

/// Keeps the text of instructions without debug information.
void Rewriter::recordTexts(Function &function) {
  ModuleSlotTracker tracker(&module);
  tracker.incorporateFunction(function);
  for (const Instruction &inst : instructions(function)) {
    if (inst.getDebugLoc())
      continue;
    std::string text;
    raw_string_ostream stream(text);
    inst.print(stream, tracker);
    texts[&inst] = "'" + StringRef(text).trim().str() + "'";
  }
}

FunctionCallee Rewriter::runtime(StringRef name, Type *type,
                                 ArrayRef<Type *> operands) {
  FunctionCallee callee = module.getOrInsertFunction(
      name, FunctionType::get(type, operands, /*isVarArg=*/false));
  auto *function = cast<Function>(callee.getCallee());
  function->addFnAttr(Attribute::Convergent);
  function->addFnAttr(Attribute::NoUnwind);
  function->addFnAttr(Attribute::NoMerge);
  return callee;
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

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

Error Rewriter::rewriteAccess(Instruction &inst) {
  builder.SetInsertPoint(&inst);
  const DataLayout &layout = module.getDataLayout();
  auto sizeOf = [&](Type *type) {
    return builder.getInt64(layout.getTypeStoreSize(type).getFixedValue());
  };
  if (auto *load = dyn_cast<LoadInst>(&inst)) {
    bool isInvariant = load->hasMetadata(LLVMContext::MD_invariant_load);
    uint32_t flags = Access::pack(Log2(load->getAlign()), false,
                                  load->isAtomic(), isInvariant);
    Value *address = translate(load->getPointerOperand(),
                               sizeOf(load->getType()), flags, inst);
    LoadInst *copy = builder.CreateAlignedLoad(
        load->getType(), address,
        load->isAtomic() ? load->getAlign() : Align(1), load->isVolatile());
    if (load->isAtomic())
      copy->setAtomic(load->getOrdering());
    copy->takeName(load);
    load->replaceAllUsesWith(copy);
    load->eraseFromParent();
    return Error::success();
  }
  if (auto *store = dyn_cast<StoreInst>(&inst)) {
    uint32_t flags =
        Access::pack(Log2(store->getAlign()), true, store->isAtomic(), false);
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
  // Atomic ones hold for the whole machine; the scopes of GPUs are narrower.
  if (auto *atomic = dyn_cast<AtomicRMWInst>(&inst)) {
    uint32_t flags = Access::pack(Log2(atomic->getAlign()), true, true, false);
    atomic->setOperand(0, translate(atomic->getPointerOperand(),
                                    sizeOf(atomic->getType()), flags, inst));
    atomic->setSyncScopeID(SyncScope::System);
    return Error::success();
  }
  auto &exchange = cast<AtomicCmpXchgInst>(inst);
  uint32_t flags = Access::pack(Log2(exchange.getAlign()), true, true, false);
  Value *address =
      translate(exchange.getPointerOperand(),
                sizeOf(exchange.getNewValOperand()->getType()), flags, inst);
  exchange.setOperand(0, address);
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

//===----------------------------------------------------------------------===//
// Operands and results of intrinsics
//===----------------------------------------------------------------------===//

Value *Rewriter::wordBuffer(Function &function) {
  AllocaInst *&buffer = buffers[&function];
  if (!buffer) {
    IRBuilder<> atEntry(&function.getEntryBlock(),
                        function.getEntryBlock().begin());
    buffer = atEntry.CreateAlloca(
        ArrayType::get(atEntry.getInt32Ty(), kBufferWords));
  }
  return buffer;
}

Value *Rewriter::word(Value *words, unsigned i) {
  return builder.CreateConstInBoundsGEP1_32(builder.getInt32Ty(), words, i);
}

/// A value as 32-bit words.
SmallVector<Value *> Rewriter::wordsOf(Value *value) {
  if (value->getType()->isPointerTy())
    value = builder.CreatePtrToInt(value, builder.getInt64Ty());
  unsigned bits = value->getType()->getPrimitiveSizeInBits().getFixedValue();
  value = builder.CreateBitCast(value, builder.getIntNTy(bits));
  value = builder.CreateZExt(value, builder.getIntNTy(alignTo(bits, 32)));
  SmallVector<Value *> words;
  for (unsigned i = 0; i < bits; i += 32)
    words.push_back(builder.CreateTrunc(builder.CreateLShr(value, i),
                                        builder.getInt32Ty()));
  return words;
}

/// A value of `type` from the words that start at `position`, which moves on.
Value *Rewriter::fromWords(Type *type, Value *words, unsigned &position) {
  if (auto *aggregate = dyn_cast<StructType>(type)) {
    Value *value = PoisonValue::get(type);
    for (unsigned i = 0; i < aggregate->getNumElements(); ++i)
      value = builder.CreateInsertValue(
          value, fromWords(aggregate->getElementType(i), words, position), i);
    return value;
  }
  unsigned bits = type->getPrimitiveSizeInBits().getFixedValue();
  Value *value = builder.CreateAlignedLoad(builder.getIntNTy(alignTo(bits, 32)),
                                           word(words, position), Align(4));
  position += unsigned(divideCeil(bits, 32));
  value = builder.CreateTrunc(value, builder.getIntNTy(bits));
  return builder.CreateBitCast(value, type);
}

Error Rewriter::rewriteDeviceCall(CallInst &call, int index) {
  const DeviceInstruction &instruction = allInstructions()[size_t(index)];
  if (!chip.supports(instruction.chip))
    return refuse("chip " + chip.name() + " has no " + instruction.name() +
                      ", which needs " + instruction.chip.name(),
                  &call);
  builder.SetInsertPoint(&call);
  SmallVector<Value *> operands;
  for (Value *operand : call.args())
    operands.append(wordsOf(operand));
  if (operands.size() > kBufferWords)
    return refuse(instruction.name() + " has too many operands", &call);
  Value *words = wordBuffer(*current);
  for (auto [i, operand] : enumerate(operands))
    builder.CreateAlignedStore(operand, word(words, unsigned(i)), Align(4));
  Type *i32 = builder.getInt32Ty();
  builder.CreateCall(runtime(names::kInstruction, builder.getVoidTy(),
                             {i32, i32, builder.getPtrTy()}),
                     {builder.getInt32(uint32_t(index)),
                      builder.getInt32(siteOf(call)), words});
  if (!call.getType()->isVoidTy()) {
    unsigned position = 0;
    call.replaceAllUsesWith(fromWords(call.getType(), words, position));
  }
  call.eraseFromParent();
  return Error::success();
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

/// Intrinsics that mean the same on every target, to the bit.
static bool isPortable(Intrinsic::ID id) {
  switch (id) {
  case Intrinsic::abs:
  case Intrinsic::bitreverse:
  case Intrinsic::bswap:
  case Intrinsic::ceil:
  case Intrinsic::copysign:
  case Intrinsic::ctlz:
  case Intrinsic::ctpop:
  case Intrinsic::cttz:
  case Intrinsic::fabs:
  case Intrinsic::floor:
  case Intrinsic::fma:
  case Intrinsic::fptosi_sat:
  case Intrinsic::fptoui_sat:
  case Intrinsic::fshl:
  case Intrinsic::fshr:
  case Intrinsic::is_fpclass:
  case Intrinsic::maximum:
  case Intrinsic::maximumnum:
  case Intrinsic::minimum:
  case Intrinsic::minimumnum:
  case Intrinsic::nearbyint:
  case Intrinsic::rint:
  case Intrinsic::round:
  case Intrinsic::roundeven:
  case Intrinsic::sadd_sat:
  case Intrinsic::sadd_with_overflow:
  case Intrinsic::smax:
  case Intrinsic::smin:
  case Intrinsic::smul_with_overflow:
  case Intrinsic::sqrt:
  case Intrinsic::ssub_sat:
  case Intrinsic::ssub_with_overflow:
  case Intrinsic::trunc:
  case Intrinsic::uadd_sat:
  case Intrinsic::uadd_with_overflow:
  case Intrinsic::umax:
  case Intrinsic::umin:
  case Intrinsic::umul_with_overflow:
  case Intrinsic::usub_sat:
  case Intrinsic::usub_with_overflow:
  case Intrinsic::vector_deinterleave2:
  case Intrinsic::vector_extract:
  case Intrinsic::vector_insert:
  case Intrinsic::vector_interleave2:
  case Intrinsic::vector_reduce_add:
  case Intrinsic::vector_reduce_and:
  case Intrinsic::vector_reduce_fadd:
  case Intrinsic::vector_reduce_fmul:
  case Intrinsic::vector_reduce_mul:
  case Intrinsic::vector_reduce_or:
  case Intrinsic::vector_reduce_smax:
  case Intrinsic::vector_reduce_smin:
  case Intrinsic::vector_reduce_umax:
  case Intrinsic::vector_reduce_umin:
  case Intrinsic::vector_reduce_xor:
    return true;
  default:
    return false;
  }
}

/// Those that only say something to optimizers and debuggers.
static bool isHint(Intrinsic::ID id) {
  switch (id) {
  case Intrinsic::assume:
  case Intrinsic::dbg_assign:
  case Intrinsic::dbg_declare:
  case Intrinsic::dbg_label:
  case Intrinsic::dbg_value:
  case Intrinsic::experimental_noalias_scope_decl:
  case Intrinsic::invariant_end:
  case Intrinsic::invariant_start:
  case Intrinsic::lifetime_end:
  case Intrinsic::lifetime_start:
    return true;
  default:
    return false;
  }
}

Error Rewriter::rewriteIntrinsic(IntrinsicInst &call) {
  Intrinsic::ID id = call.getIntrinsicID();
  StringRef name = Intrinsic::getBaseName(id);
  if (int index = findInstruction(name); index >= 0)
    return rewriteDeviceCall(call, index);
  if (isHint(id)) {
    if (!call.getType()->isVoidTy())
      call.replaceAllUsesWith(PoisonValue::get(call.getType()));
    call.eraseFromParent();
    return Error::success();
  }
  builder.SetInsertPoint(&call);
  auto replace = [&](Value *value) {
    call.replaceAllUsesWith(value);
    call.eraseFromParent();
    return Error::success();
  };
  auto largest = [&](Value *a, Value *b, bool isMax) {
    return builder.CreateBinaryIntrinsic(
        isMax ? Intrinsic::maximumnum : Intrinsic::minimumnum, a, b);
  };
  switch (id) {
  case Intrinsic::maxnum:
  case Intrinsic::minnum:
    // min and max of PTX order -0 before +0 and pass over not-a-numbers.
    return replace(largest(call.getArgOperand(0), call.getArgOperand(1),
                           id == Intrinsic::maxnum));
  case Intrinsic::vector_reduce_fmax:
  case Intrinsic::vector_reduce_fmin: {
    Value *vector = call.getArgOperand(0);
    unsigned count = cast<FixedVectorType>(vector->getType())->getNumElements();
    Value *value = builder.CreateExtractElement(vector, uint64_t(0));
    for (unsigned i = 1; i < count; ++i)
      value = largest(value, builder.CreateExtractElement(vector, i),
                      id == Intrinsic::vector_reduce_fmax);
    return replace(value);
  }
  case Intrinsic::fmuladd:
    // NVPTX fuses it.
    return replace(builder.CreateIntrinsic(
        call.getType(), Intrinsic::fma,
        {call.getArgOperand(0), call.getArgOperand(1), call.getArgOperand(2)}));
  case Intrinsic::memcpy:
  case Intrinsic::memcpy_inline:
  case Intrinsic::memmove: {
    auto &move = cast<MemTransferInst>(call);
    uint32_t load = Access::pack(Log2(move.getSourceAlign().valueOrOne()),
                                 false, false, false);
    uint32_t store = Access::pack(Log2(move.getDestAlign().valueOrOne()), true,
                                  false, false);
    Value *length = move.getLength();
    Value *source = translate(move.getRawSource(), length, load, call);
    Value *target = translate(move.getRawDest(), length, store, call);
    builder.CreateMemMove(target, Align(1), source, Align(1), length);
    call.eraseFromParent();
    return Error::success();
  }
  case Intrinsic::memset:
  case Intrinsic::memset_inline: {
    auto &set = cast<MemSetInst>(call);
    uint32_t store =
        Access::pack(Log2(set.getDestAlign().valueOrOne()), true, false, false);
    Value *target = translate(set.getRawDest(), set.getLength(), store, call);
    builder.CreateMemSet(target, set.getValue(), set.getLength(), Align(1));
    call.eraseFromParent();
    return Error::success();
  }
  case Intrinsic::trap:
    builder.CreateCall(runtime(names::kFail, builder.getVoidTy(),
                               {builder.getInt32Ty(), builder.getInt32Ty()}),
                       {builder.getInt32(uint32_t(Fault::Trap)),
                        builder.getInt32(siteOf(call))});
    call.eraseFromParent();
    return Error::success();
  default:
    break;
  }
  if (!isPortable(id))
    return refuse("intrinsic " + name + " is not emulated", &call);
  if (isa<FPMathOperator>(call))
    call.setFastMathFlags({});
  return Error::success();
}

Error Rewriter::rewriteCall(CallInst &call) {
  if (auto *assembly = dyn_cast<InlineAsm>(call.getCalledOperand()))
    return refuse("inline assembly \"" + assembly->getAsmString() +
                      "\" is not emulated",
                  &call);
  Function *callee = call.getCalledFunction();
  if (!callee)
    return refuse("an indirect call is not emulated", &call);
  if (auto *intrinsic = dyn_cast<IntrinsicInst>(&call))
    return rewriteIntrinsic(*intrinsic);
  call.setCallingConv(CallingConv::C);
  call.setAttributes({});
  if (!callee->isDeclaration())
    return Error::success();
  // The part of libdevice that is exact.
  Intrinsic::ID id = StringSwitch<Intrinsic::ID>(callee->getName())
                         .Case("__nv_fmaxf", Intrinsic::maximumnum)
                         .Case("__nv_fminf", Intrinsic::minimumnum)
                         .Case("__nv_fabsf", Intrinsic::fabs)
                         .Case("__nv_fmaf", Intrinsic::fma)
                         .Case("__nv_floorf", Intrinsic::floor)
                         .Case("__nv_ceilf", Intrinsic::ceil)
                         .Case("__nv_truncf", Intrinsic::trunc)
                         .Case("__nv_rintf", Intrinsic::rint)
                         .Case("__nv_sqrtf", Intrinsic::sqrt)
                         .Default(Intrinsic::not_intrinsic);
  if (id == Intrinsic::not_intrinsic)
    return refuse("function '" + callee->getName() + "' is not emulated",
                  &call);
  builder.SetInsertPoint(&call);
  SmallVector<Value *> operands(call.args());
  call.replaceAllUsesWith(
      builder.CreateIntrinsic(call.getType(), id, operands));
  call.eraseFromParent();
  return Error::success();
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

/// The host would stop; a GPU goes on with any number.
void Rewriter::checkDivision(BinaryOperator &inst) {
  Value *divisor = inst.getOperand(1);
  if (auto *constant = dyn_cast<Constant>(divisor);
      constant && !constant->containsUndefOrPoisonElement() &&
      !constant->isZeroValue() && !isa<VectorType>(constant->getType()))
    return;
  builder.SetInsertPoint(&inst);
  Value *isZero = builder.CreateIsNull(divisor);
  if (isZero->getType()->isVectorTy())
    isZero = builder.CreateOrReduce(isZero);
  Type *i32 = builder.getInt32Ty();
  Value *site = builder.getInt32(siteOf(inst));
  FunctionCallee fail = runtime(names::kFail, builder.getVoidTy(), {i32, i32});
  // A call that a condition guards, without a new block: the check itself is
  // what the emulator skips.
  Value *fault = builder.CreateSelect(
      isZero, builder.getInt32(uint32_t(Fault::DivisionByZero)),
      builder.getInt32(~0u));
  builder.CreateCall(fail, {fault, site});
}

void Rewriter::countIterations(Function &function) {
  SmallVector<std::pair<const BasicBlock *, const BasicBlock *>> edges;
  FindFunctionBackedges(function, edges);
  SmallSetVector<BasicBlock *, 8> latches;
  for (auto &[from, to] : edges)
    latches.insert(const_cast<BasicBlock *>(from));
  for (BasicBlock *latch : latches) {
    builder.SetInsertPoint(latch->getTerminator());
    builder.CreateCall(
        runtime(names::kIterate, builder.getVoidTy(), {builder.getInt32Ty()}),
        {builder.getInt32(siteOf(*latch->getTerminator()))});
  }
}

Error Rewriter::rewrite(Instruction &inst) {
  if (isa<LoadInst, StoreInst, AtomicRMWInst, AtomicCmpXchgInst>(inst))
    return rewriteAccess(inst);
  if (auto *call = dyn_cast<CallInst>(&inst))
    return rewriteCall(*call);
  if (auto *alloca = dyn_cast<AllocaInst>(&inst)) {
    builder.SetInsertPoint(alloca);
    Type *i64 = builder.getInt64Ty();
    const DataLayout &layout = module.getDataLayout();
    Value *size = builder.CreateMul(
        builder.CreateZExtOrTrunc(alloca->getArraySize(), i64),
        builder.getInt64(layout.getTypeAllocSize(alloca->getAllocatedType())
                             .getFixedValue()));
    Value *address = builder.CreateCall(
        runtime(names::kAllocate, i64, {i64, i64}),
        {size, builder.getInt64(alloca->getAlign().value())});
    alloca->replaceAllUsesWith(
        builder.CreateIntToPtr(address, alloca->getType()));
    alloca->eraseFromParent();
    return Error::success();
  }
  if (auto *fence = dyn_cast<FenceInst>(&inst)) {
    fence->setSyncScopeID(SyncScope::System);
    return Error::success();
  }
  if (auto *binary = dyn_cast<BinaryOperator>(&inst);
      binary && binary->isIntDivRem())
    checkDivision(*binary);
  // Conversions to integers saturate on the GPU, and are poison in LLVM.
  if (isa<FPToSIInst, FPToUIInst>(inst)) {
    builder.SetInsertPoint(&inst);
    Value *value = inst.getOperand(0);
    inst.replaceAllUsesWith(builder.CreateIntrinsic(
        isa<FPToSIInst>(inst) ? Intrinsic::fptosi_sat : Intrinsic::fptoui_sat,
        {inst.getType(), value->getType()}, {value}));
    inst.eraseFromParent();
    return Error::success();
  }
  if (inst.getOpcode() == Instruction::FRem)
    return refuse("a remainder of floats is not emulated", &inst);
  if (isa<InvokeInst, CallBrInst, VAArgInst, IndirectBrInst>(inst))
    return refuse(Twine("instruction '") + inst.getOpcodeName() +
                      "' is not emulated",
                  &inst);
  // Exact arithmetic only.
  if (isa<FPMathOperator>(inst))
    inst.setFastMathFlags({});
  return Error::success();
}

Error Rewriter::rewriteFunction(Function &function) {
  current = &function;
  for (StringRef name : {"denormal-fp-math", "denormal-fp-math-f32"})
    if (Attribute mode = function.getFnAttribute(name);
        mode.isValid() && mode.getValueAsString() != "ieee,ieee" &&
        mode.getValueAsString() != "ieee")
      return refuse("flushing of denormal numbers is not emulated");
  recordTexts(function);
  releaseLocals(function);
  countIterations(function);
  SmallVector<Instruction *> original;
  for (Instruction &inst : instructions(function))
    original.push_back(&inst);
  // Calls that were just added need no rewriting.
  for (Instruction *inst : original) {
    auto *call = dyn_cast<CallInst>(inst);
    if (call && call->getCalledFunction() &&
        call->getCalledFunction()->getName().starts_with("rotq_emulator_"))
      continue;
    inst->dropUnknownNonDebugMetadata({LLVMContext::MD_invariant_load});
    if (Error error = rewrite(*inst))
      return error;
  }
  function.setAttributes({});
  function.addFnAttr(Attribute::Convergent);
  function.addFnAttr(Attribute::NoUnwind);
  function.setCallingConv(CallingConv::C);
  function.setLinkage(GlobalValue::InternalLinkage);
  return Error::success();
}

Error Rewriter::addEntry() {
  Function *function = module.getFunction(kernel);
  result.entry = ("rotq_emulator_run_" + kernel).str();
  Function *entry = Function::Create(
      FunctionType::get(builder.getVoidTy(), {builder.getPtrTy()}, false),
      GlobalValue::ExternalLinkage, result.entry, module);
  builder.SetInsertPoint(
      BasicBlock::Create(module.getContext(), "entry", entry));
  SmallVector<Value *> operands;
  for (Argument &argument : function->args()) {
    Value *slot = builder.CreateConstInBoundsGEP1_32(
        builder.getPtrTy(), entry->getArg(0), argument.getArgNo());
    Value *where = builder.CreateLoad(builder.getPtrTy(), slot);
    operands.push_back(builder.CreateLoad(argument.getType(), where));
  }
  builder.CreateCall(function, operands);
  builder.CreateRetVoid();
  entry->addFnAttr(Attribute::NoUnwind);
  return Error::success();
}

/// "128,1,1" as a number of threads.
static uint64_t productOf(StringRef text) {
  uint64_t product = 1;
  while (!text.empty()) {
    uint64_t factor = 1;
    if (text.consumeInteger(10, factor))
      break;
    product *= factor;
    text.consume_front(",");
  }
  return product;
}

Error Rewriter::run() {
  Function *function = module.getFunction(kernel);
  for (Argument &argument : function->args()) {
    bool isPointer = argument.getType()->isPointerTy();
    if (!isPointer && !argument.getType()->isIntegerTy(32))
      return refuse("expected parameters that are pointers or i32");
    result.isPointer.push_back(isPointer);
    result.isNoAlias.push_back(isPointer && argument.hasNoAliasAttr());
  }
  for (StringRef name : {"nvvm.maxntid", "nvvm.reqntid"})
    if (Attribute limit = function->getFnAttribute(name); limit.isValid())
      result.maxThreads = productOf(limit.getValueAsString());
  if (Error error = placeGlobals())
    return error;
  SmallVector<Function *> functions;
  for (Function &other : module)
    if (!other.isDeclaration())
      functions.push_back(&other);
  for (Function *other : functions)
    if (Error error = rewriteFunction(*other))
      return error;
  if (Error error = addEntry())
    return error;
  StripDebugInfo(module);
  std::string problem;
  raw_string_ostream stream(problem);
  if (verifyModule(module, &stream))
    return refuse("cannot be rewritten: " + problem);
  return Error::success();
}

/// The kernel, and all that it calls.
static SetVector<const GlobalValue *> collect(const Function *kernel) {
  SetVector<const GlobalValue *> used;
  used.insert(kernel);
  SmallVector<const Value *> work = {kernel};
  DenseSet<const Value *> seen;
  while (!work.empty()) {
    const Value *value = work.pop_back_val();
    if (!seen.insert(value).second)
      continue;
    if (auto *global = dyn_cast<GlobalValue>(value))
      used.insert(global);
    if (auto *function = dyn_cast<Function>(value))
      for (const Instruction &inst : instructions(*function))
        work.append(inst.value_op_begin(), inst.value_op_end());
    else if (auto *constant = dyn_cast<Constant>(value))
      work.append(constant->value_op_begin(), constant->value_op_end());
  }
  return used;
}

Expected<RewrittenKernel>
mlir::rotq::emulator::rewriteKernel(const Module &source, StringRef kernel,
                                    Chip chip, const llvm::Triple &triple,
                                    const llvm::DataLayout &layout,
                                    std::vector<std::string> &sites) {
  const Function *function = source.getFunction(kernel);
  if (!function || function->isDeclaration() ||
      function->getCallingConv() != CallingConv::PTX_Kernel)
    return createStringError("expected a kernel '" + kernel +
                             "' but the module has none");
  SetVector<const GlobalValue *> used = collect(function);
  ValueToValueMapTy map;
  RewrittenKernel result;
  result.module = CloneModule(source, map, [&](const GlobalValue *global) {
    return used.contains(global);
  });
  result.module->setTargetTriple(triple);
  result.module->setDataLayout(layout);
  if (Error error = Rewriter(result, kernel, chip, sites).run())
    return std::move(error);
  return result;
}
