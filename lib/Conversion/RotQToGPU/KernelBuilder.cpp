//===- KernelBuilder.cpp - Emission inside one GPU kernel
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelBuilder.h"

#include "rotq/Conversion/SegmentIndex.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::rotq;

Value KernelBuilder::index(int64_t value) {
  return arith::ConstantIndexOp::create(*this, value);
}

Value KernelBuilder::i32(int64_t value) {
  return arith::ConstantOp::create(*this, getI32IntegerAttr(int32_t(value)));
}

Value KernelBuilder::f32(float value) {
  return arith::ConstantOp::create(*this, getF32FloatAttr(value));
}

Value KernelBuilder::zero(Type type) {
  return arith::ConstantOp::create(*this, getZeroAttr(type));
}

Value KernelBuilder::add(Value a, Value b) {
  return arith::AddIOp::create(*this, a, b);
}

Value KernelBuilder::mul(Value a, Value b) {
  return arith::MulIOp::create(*this, a, b);
}

Value KernelBuilder::div(Value a, int64_t b) {
  return arith::DivUIOp::create(*this, a, index(b));
}

Value KernelBuilder::rem(Value a, int64_t b) {
  return arith::RemUIOp::create(*this, a, index(b));
}

Value KernelBuilder::min(Value a, Value b) {
  return arith::MinUIOp::create(*this, a, b);
}

Value KernelBuilder::less(Value a, Value b) {
  return arith::CmpIOp::create(*this, arith::CmpIPredicate::ult, a, b);
}

Value KernelBuilder::equal(Value a, Value b) {
  return arith::CmpIOp::create(*this, arith::CmpIPredicate::eq, a, b);
}

Value KernelBuilder::logicalAnd(Value a, Value b) {
  return arith::AndIOp::create(*this, a, b);
}

Value KernelBuilder::exclusiveOr(Value a, Value b) {
  return arith::XOrIOp::create(*this, a, b);
}

Value KernelBuilder::select(Value condition, Value a, Value b) {
  return arith::SelectOp::create(*this, condition, a, b);
}

Value KernelBuilder::sub(Value a, Value b) {
  return arith::SubIOp::create(*this, a, b);
}

Value KernelBuilder::mulF(Value a, Value b) {
  return arith::MulFOp::create(*this, a, b);
}

Value KernelBuilder::addF(Value a, Value b) {
  return arith::AddFOp::create(*this, a, b);
}

Value KernelBuilder::fma(Value a, Value b, Value c) {
  return LLVM::FMAOp::create(*this, a, b, c);
}

Value KernelBuilder::toF32(Value value) {
  if (value.getType().isF32())
    return value;
  return arith::ExtFOp::create(*this, getF32Type(), value);
}

Value KernelBuilder::fromF32(Value value, Type type) {
  if (type.isF32())
    return value;
  return arith::TruncFOp::create(*this, type, value);
}

static Value elementPointer(KernelBuilder &b, Value pointer, Value byteOffset) {
  Value offset = arith::IndexCastOp::create(b, b.getI64Type(), byteOffset);
  return LLVM::GEPOp::create(b, pointer.getType(), b.getI8Type(), pointer,
                             ArrayRef<LLVM::GEPArg>{offset});
}

Value KernelBuilder::load(Value pointer, Value byteOffset, Type type,
                          int64_t alignment, bool isConstant) {
  return LLVM::LoadOp::create(*this, type,
                              elementPointer(*this, pointer, byteOffset),
                              unsigned(alignment), /*isVolatile=*/false,
                              /*isNonTemporal=*/false,
                              /*isInvariant=*/isConstant);
}

// Not .nc: ptxas may order those behind griddepcontrol.wait, and does where all
// loads are such. With side effects, or LLVM sinks them to where the words are
// used.
Value KernelBuilder::loadStreamed(Value pointer, Value byteOffset,
                                  int64_t words) {
  struct Form {
    const char *text, *constraints;
  };
  static constexpr Form one = {".b32 $0, [$1];", "=r,l"};
  static constexpr Form two = {".v2.b32 {$0, $1}, [$2];", "=r,=r,l"};
  static constexpr Form four = {".v4.b32 {$0, $1, $2, $3}, [$4];",
                                "=r,=r,=r,=r,l"};
  const Form &form = words == 1 ? one : words == 2 ? two : four;
  Type type = getI32Type();
  if (words > 1)
    type = LLVM::LLVMStructType::getLiteral(getContext(),
                                            SmallVector<Type>(words, type));
  auto load = LLVM::InlineAsmOp::create(
      *this, type, elementPointer(*this, pointer, byteOffset),
      (Twine("ld.global.L1::no_allocate.L2::256B") + form.text).str(),
      form.constraints, /*has_side_effects=*/true, /*is_align_stack=*/false,
      LLVM::TailCallKind::None, /*asm_dialect=*/nullptr,
      /*operand_attrs=*/nullptr);
  SmallVector<Value> values;
  for (int64_t i = 0; i < words; ++i)
    values.push_back(
        words == 1 ? load.getResult(0)
                   : LLVM::ExtractValueOp::create(*this, load.getResult(0), i)
                         .getResult());
  return vector::FromElementsOp::create(
      *this, VectorType::get({words}, getI32Type()), values);
}

void KernelBuilder::store(Value value, Value pointer, Value byteOffset,
                          int64_t alignment) {
  LLVM::StoreOp::create(*this, value,
                        elementPointer(*this, pointer, byteOffset),
                        unsigned(alignment));
}

void KernelBuilder::copyToShared(Value shared, Value sharedOffset,
                                 Value pointer, Value byteOffset, int64_t size,
                                 Value given) {
  // Past L1, which has copies of 16 bytes alone.
  auto modifier = size == 16 ? NVVM::LoadCacheModifierKind::CG
                             : NVVM::LoadCacheModifierKind::CA;
  NVVM::CpAsyncOp::create(*this, elementPointer(*this, shared, sharedOffset),
                          elementPointer(*this, pointer, byteOffset),
                          uint32_t(size), modifier, given);
}

Value KernelBuilder::threadId() {
  return gpu::ThreadIdOp::create(*this, gpu::Dimension::x);
}

Value KernelBuilder::blockId(gpu::Dimension dimension) {
  return gpu::BlockIdOp::create(*this, dimension);
}

Value KernelBuilder::shuffleXor(Value value, int64_t mask) {
  return gpu::ShuffleOp::create(*this, value, i32(mask), i32(32),
                                gpu::ShuffleMode::XOR)
      .getShuffleResult();
}

Value KernelBuilder::shuffleFrom(Value value, Value lane) {
  Value index = arith::IndexCastOp::create(*this, getI32Type(), lane);
  return gpu::ShuffleOp::create(*this, value, index, i32(32),
                                gpu::ShuffleMode::IDX)
      .getShuffleResult();
}

Value KernelBuilder::warpSum(Value value) {
  for (int64_t mask = 16; mask != 0; mask /= 2)
    value = addF(value, shuffleXor(value, mask));
  return value;
}

Value KernelBuilder::startsSegment(const ::rotq::Blocking &blocking,
                                   Value position) {
  Value segment = emitSegmentIndex(*this, getLoc(), blocking, position);
  return equal(position, emitSegmentOffset(*this, getLoc(), blocking, segment));
}

Value KernelBuilder::word(Value words, int64_t i) {
  return vector::ExtractOp::create(*this, words, i);
}

Value KernelBuilder::asWords(Value vector) {
  auto type = cast<VectorType>(vector.getType());
  int64_t bits = type.getDimSize(0) * type.getElementTypeBitWidth();
  return vector::BitCastOp::create(
      *this, VectorType::get({bits / 32}, getI32Type()), vector);
}

SmallVector<Value> KernelBuilder::forLoop(
    Value begin, Value end, int64_t step, ValueRange init,
    function_ref<SmallVector<Value>(Value, ValueRange)> body) {
  auto loop = scf::ForOp::create(
      *this, begin, end, index(step), init,
      [&](OpBuilder &, Location, Value position, ValueRange carried) {
        OpBuilder::InsertionGuard guard(*this);
        setInsertionPointToEnd(position.getParentBlock());
        scf::YieldOp::create(*this, body(position, carried));
      });
  return loop.getResults();
}

SmallVector<Value>
KernelBuilder::ifElse(Value condition, ValueRange otherwise,
                      function_ref<SmallVector<Value>()> then) {
  auto branch = scf::IfOp::create(*this, TypeRange(otherwise), condition,
                                  /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(*this, then());
  setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(*this, otherwise);
  return branch.getResults();
}

void KernelBuilder::ifThen(Value condition, function_ref<void()> then,
                           function_ref<void()> otherwise) {
  auto branch =
      scf::IfOp::create(*this, condition, /*withElseRegion=*/bool(otherwise));
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(branch.thenBlock());
  then();
  if (!otherwise)
    return;
  setInsertionPointToStart(branch.elseBlock());
  otherwise();
}
