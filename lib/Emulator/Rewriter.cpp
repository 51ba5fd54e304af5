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

#include "RewriterImpl.h"

#include "InlineAssembly.h"
#include "ProductUses.h"

#include "llvm/ADT/SetVector.h"
#include "llvm/Analysis/CFG.h"
#include "llvm/IR/DebugInfo.h"
#include "llvm/IR/DebugInfoMetadata.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/ModuleSlotTracker.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Transforms/Utils/Cloning.h"

using namespace llvm;
using namespace mlir::rotq::emulator;
using rewriter::Rewriter;

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
    builder.SetInsertPoint(fence);
    builder.CreateCall(runtime(names::kFence, builder.getVoidTy(), {}));
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
  expandInlineAssembly(function);
  recordTexts(function);
  if (const Instruction *use = findUseBeforeWait(function))
    return refuse("sums of wgmma.mma_async are read before a wgmma.wait_group",
                  use);
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
