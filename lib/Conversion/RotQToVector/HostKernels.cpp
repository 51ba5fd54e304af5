//===- HostKernels.cpp - Building blocks of the host's kernels
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HostKernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::rotq;
using ::rotq::Blocking;
using ::rotq::Segment;

/// Below this many multiplications threads cost more than they save.
static constexpr int64_t kMinParallelWork = 131072;

bool mlir::rotq::isSupported(RotationAttrInterface rotation) {
  auto object = rotation.getRotation();
  return object->block() == 0 || object->kind() == "hadamard";
}

bool mlir::rotq::isSupported(WeightType type) {
  return type.isCanonical() && isSupported(type.getFormat().getRotation());
}

bool mlir::rotq::hasContiguousRows(Operation *op) {
  return llvm::all_of(op->getOperandTypes(), [](Type type) {
    auto memref = dyn_cast<MemRefType>(type);
    return !memref || memref.isLastDimUnitStride();
  });
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

Value HostBuilder::index(int64_t value) {
  return arith::ConstantIndexOp::create(*this, value);
}

Value HostBuilder::add(Value a, Value b) {
  return arith::AddIOp::create(*this, a, b);
}

Value HostBuilder::f32(float value) {
  return arith::ConstantOp::create(*this, getF32FloatAttr(value));
}

Value HostBuilder::zero(Type type) {
  return arith::ConstantOp::create(*this, getZeroAttr(type));
}

Value HostBuilder::splat(Value scalar, int64_t count) {
  return vector::BroadcastOp::create(
      *this, VectorType::get({count}, scalar.getType()), scalar);
}

Value HostBuilder::load(Value memref, ValueRange indices, int64_t count) {
  Type element = cast<MemRefType>(memref.getType()).getElementType();
  return vector::LoadOp::create(*this, VectorType::get({count}, element),
                                memref, indices);
}

void HostBuilder::store(Value vector, Value memref, ValueRange indices) {
  vector::StoreOp::create(*this, vector, memref, indices);
}

Value HostBuilder::element(Value vector, int64_t i) {
  return vector::ExtractOp::create(*this, vector, i);
}

Value HostBuilder::fromElements(ArrayRef<Value> values) {
  auto type = VectorType::get({int64_t(values.size())}, values[0].getType());
  return vector::FromElementsOp::create(*this, type, values);
}

Value HostBuilder::sumLanes(ArrayRef<Value> vectors) {
  // A vector holds `parts` sums of `lanes` lanes each, one after the other.
  int64_t lanes = cast<VectorType>(vectors[0].getType()).getDimSize(0);
  int64_t parts = 1;
  auto addHalves = [&](Value a, Value b) {
    SmallVector<int64_t> low, high;
    for (int64_t part = 0; part < (a == b ? parts : 2 * parts); ++part)
      for (int64_t i = 0; i < lanes / 2; ++i) {
        low.push_back(part * lanes + i);
        high.push_back(part * lanes + lanes / 2 + i);
      }
    Value left = vector::ShuffleOp::create(*this, a, b, low);
    Value right = vector::ShuffleOp::create(*this, a, b, high);
    if (isa<FloatType>(getElementTypeOrSelf(a)))
      return arith::AddFOp::create(*this, left, right).getResult();
    return add(left, right);
  };
  auto concatenate = [&](Value a, Value b) -> Value {
    auto places = llvm::to_vector(llvm::seq<int64_t>(2 * parts));
    return vector::ShuffleOp::create(*this, a, b, places);
  };
  SmallVector<Value> sums(vectors);
  for (; sums.size() > 1; lanes = std::max<int64_t>(lanes / 2, 1), parts *= 2) {
    for (size_t i = 0; i < sums.size() / 2; ++i)
      sums[i] = lanes > 1 ? addHalves(sums[2 * i], sums[2 * i + 1])
                          : concatenate(sums[2 * i], sums[2 * i + 1]);
    sums.truncate(sums.size() / 2);
  }
  for (; lanes > 1; lanes /= 2)
    sums[0] = addHalves(sums[0], sums[0]);
  return sums[0];
}

Value HostBuilder::rows(Value matrix) {
  return memref::DimOp::create(*this, matrix, 0);
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

SmallVector<Value> HostBuilder::loop(Value begin, Value end, int64_t step,
                                     ValueRange initial, LoopBody body) {
  auto build = [&](OpBuilder &nested, Location, Value position,
                   ValueRange carried) {
    InsertionGuard guard(*this);
    restoreInsertionPoint(nested.saveInsertionPoint());
    scf::YieldOp::create(*this, body(position, carried));
  };
  auto forOp =
      scf::ForOp::create(*this, begin, end, index(step), initial, build);
  return llvm::to_vector_of<Value>(forOp.getResults());
}

void HostBuilder::loop(int64_t begin, int64_t end, int64_t step,
                       function_ref<void(Value)> body) {
  if (begin >= end)
    return;
  if (begin + step >= end)
    return body(index(begin));
  loop(index(begin), index(end), step, ValueRange(),
       [&](Value position, ValueRange) -> SmallVector<Value> {
         body(position);
         return {};
       });
}

void HostBuilder::branch(Value condition, function_ref<void()> then,
                         function_ref<void()> otherwise) {
  auto build = [&](function_ref<void()> body) {
    return [this, body](OpBuilder &nested, Location) {
      InsertionGuard guard(*this);
      restoreInsertionPoint(nested.saveInsertionPoint());
      body();
      scf::YieldOp::create(*this);
    };
  };
  scf::IfOp::create(*this, condition, build(then), build(otherwise));
}

void HostBuilder::tiles(Value begin, Value end, int64_t tile,
                        function_ref<void(ArrayRef<Value>)> body) {
  auto emitLoop = [&](Value from, Value to, int64_t step) {
    loop(from, to, step, ValueRange(),
         [&](Value first, ValueRange) -> SmallVector<Value> {
           SmallVector<Value> positions;
           for (int64_t i = 0; i < step; ++i)
             positions.push_back(add(first, i));
           body(positions);
           return {};
         });
  };
  Value count = arith::SubIOp::create(*this, end, begin);
  Value rest = arith::RemUIOp::create(*this, count, index(tile));
  Value whole = arith::SubIOp::create(*this, end, rest);
  emitLoop(begin, whole, tile);
  if (tile > 1)
    emitLoop(whole, end, 1);
}

void HostBuilder::parallel(Value count, int64_t grain, Value work,
                           RangeBody body) {
  Value total = arith::MulIOp::create(*this, count, work);
  Value isLittle = arith::CmpIOp::create(*this, arith::CmpIPredicate::ult,
                                         total, index(kMinParallelWork));
  Value all = arith::MaxUIOp::create(*this, count, index(grain));
  Value step = arith::SelectOp::create(*this, isLittle, all, index(grain));
  scf::ParallelOp::create(
      *this, index(0), count, step,
      [&](OpBuilder &nested, Location, ValueRange positions) {
        InsertionGuard guard(*this);
        restoreInsertionPoint(nested.saveInsertionPoint());
        Value end = arith::MinUIOp::create(
            *this, arith::AddIOp::create(*this, positions[0], step), count);
        body(positions[0], end);
      });
}

void HostBuilder::parallelRows(
    Value count, int64_t grain, int64_t length,
    function_ref<void(Value position, Value scratch)> body) {
  parallel(count, grain, index(length), [&](Value begin, Value end) {
    auto type = MemRefType::get({length}, getF32Type());
    withScratch(type, ValueRange(), [&](Value scratch) {
      loop(begin, end, 1, ValueRange(),
           [&](Value position, ValueRange) -> SmallVector<Value> {
             body(position, scratch);
             return {};
           });
    });
  });
}

void HostBuilder::forSegments(const Blocking &blocking, SegmentBody body) {
  loop(0, blocking.fullBlocks() * blocking.block(), blocking.block(),
       [&](Value offset) { body(offset, blocking.block()); });
  for (const Segment &segment : blocking.tail())
    body(index(segment.offset), segment.length);
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

Value HostBuilder::row(Value matrix, Value i) {
  auto source = cast<MemRefType>(matrix.getType());
  int64_t length = source.getDimSize(1);
  SmallVector<OpFoldResult> offsets = {i, getIndexAttr(0)};
  SmallVector<OpFoldResult> sizes = {getIndexAttr(1), getIndexAttr(length)};
  SmallVector<OpFoldResult> strides(2, getIndexAttr(1));
  auto type = memref::SubViewOp::inferRankReducedResultType(
      {length}, source, offsets, sizes, strides);
  return memref::SubViewOp::create(*this, type, matrix, offsets, sizes,
                                   strides);
}

void HostBuilder::withScratch(MemRefType type, ValueRange sizes,
                              function_ref<void(Value)> body) {
  Value scratch =
      memref::AllocOp::create(*this, type, sizes, getI64IntegerAttr(64));
  body(scratch);
  memref::DeallocOp::create(*this, scratch);
}

void HostBuilder::loadRow(Value matrix, Value row, Value scratch,
                          int64_t padded) {
  auto type = cast<MemRefType>(matrix.getType());
  int64_t k = std::min(type.getDimSize(1), padded);
  bool widens = type.getElementType() != getF32Type();
  int64_t whole = k / kFloats * kFloats;
  loop(0, whole, kFloats, [&](Value i) {
    Value vector = load(matrix, {row, i}, kFloats);
    if (widens)
      vector = arith::ExtFOp::create(
          *this, VectorType::get({kFloats}, getF32Type()), vector);
    store(vector, scratch, i);
  });
  loop(whole, k, 1, [&](Value i) {
    Value value = memref::LoadOp::create(*this, matrix, ValueRange{row, i});
    if (widens)
      value = arith::ExtFOp::create(*this, getF32Type(), value);
    memref::StoreOp::create(*this, value, scratch, i);
  });
  loop(k, padded, 1,
       [&](Value i) { memref::StoreOp::create(*this, f32(0), scratch, i); });
}

void HostBuilder::storeRow(Value scratch, Value matrix, Value row) {
  auto type = cast<MemRefType>(matrix.getType());
  int64_t k = std::min(type.getDimSize(1),
                       cast<MemRefType>(scratch.getType()).getDimSize(0));
  Type element = type.getElementType();
  bool narrows = element != getF32Type();
  int64_t whole = k / kFloats * kFloats;
  loop(0, whole, kFloats, [&](Value i) {
    Value vector = load(scratch, i, kFloats);
    if (narrows)
      vector = arith::TruncFOp::create(
          *this, VectorType::get({kFloats}, element), vector);
    store(vector, matrix, {row, i});
  });
  loop(whole, k, 1, [&](Value i) {
    Value value = memref::LoadOp::create(*this, scratch, i);
    if (narrows)
      value = arith::TruncFOp::create(*this, element, value);
    memref::StoreOp::create(*this, value, matrix, ValueRange{row, i});
  });
}
