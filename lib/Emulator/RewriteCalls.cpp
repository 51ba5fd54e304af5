//===- RewriteCalls.cpp - Intrinsics and functions of the device
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RewriterImpl.h"

#include "InlineAssembly.h"

#include "llvm/IR/InlineAsm.h"

using namespace llvm;
using namespace mlir::rotq::emulator;
using rewriter::Rewriter;

static constexpr unsigned kBufferWords = 160;

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
  if (!instruction.runsOn(chip))
    return refuse("chip " + chip.name() + " has no " + instruction.name() +
                      ", which needs " + instruction.requirement(),
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
    uint32_t load = Log2(move.getSourceAlign().valueOrOne());
    uint32_t store = kWrite | Log2(move.getDestAlign().valueOrOne());
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
    uint32_t store = kWrite | Log2(set.getDestAlign().valueOrOne());
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
  if (int index = findInstruction(instructionOf(callee->getName())); index >= 0)
    return rewriteDeviceCall(call, index);
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
