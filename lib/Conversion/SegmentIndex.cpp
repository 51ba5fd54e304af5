//===- SegmentIndex.cpp - Segments of a row as IR
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Conversion/SegmentIndex.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::rotq;
using ::rotq::Blocking;
using ::rotq::Segment;

namespace {
/// Unsigned arithmetic with constants, in one type.
struct Emitter {
  OpBuilder &builder;
  Location loc;
  Type type;

  Value constant(int64_t value) {
    return arith::ConstantOp::create(builder, loc,
                                     builder.getIntegerAttr(type, value));
  }
  Value atLeast(Value a, int64_t bound) {
    return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::uge, a,
                                 constant(bound));
  }
  Value select(Value condition, Value a, Value b) {
    return arith::SelectOp::create(builder, loc, condition, a, b);
  }
};
} // namespace

Value mlir::rotq::emitSegmentIndex(OpBuilder &builder, Location loc,
                                   const Blocking &blocking, Value k) {
  Emitter emit{builder, loc, k.getType()};
  int64_t full = blocking.fullBlocks();
  if (blocking.size() == 1)
    return emit.constant(0);
  Value index = k;
  if (full > 0)
    index = arith::ShRUIOp::create(
        builder, loc, k, emit.constant(llvm::Log2_64(blocking.block())));
  else
    index = emit.constant(0);
  // Without a tail, the stored row may reach one granule into a block that
  // does not exist.
  if (blocking.tail().empty()) {
    if (::rotq::storedLength(blocking.paddedSize()) == blocking.paddedSize())
      return index;
    return arith::MinUIOp::create(builder, loc, index, emit.constant(full - 1));
  }
  // Every segment of the tail but the last ends before the next one's first
  // position.
  for (const Segment &segment : ArrayRef(blocking.tail()).drop_back()) {
    Value after = emit.atLeast(k, segment.offset + segment.length);
    Value next = arith::AddIOp::create(builder, loc, index, emit.constant(1));
    index = emit.select(after, next, index);
  }
  return index;
}

Value mlir::rotq::emitSegmentLength(OpBuilder &builder, Location loc,
                                    const Blocking &blocking, Value index) {
  Emitter emit{builder, loc, index.getType()};
  Value length = emit.constant(blocking.segment(0).length);
  for (int64_t i = std::max<int64_t>(blocking.fullBlocks(), 1),
               e = blocking.size();
       i < e; ++i)
    length = emit.select(emit.atLeast(index, i),
                         emit.constant(blocking.segment(i).length), length);
  return length;
}

Value mlir::rotq::emitSegmentOffset(OpBuilder &builder, Location loc,
                                    const Blocking &blocking, Value index) {
  Emitter emit{builder, loc, index.getType()};
  int64_t full = blocking.fullBlocks();
  Value offset = full > 0 ? arith::ShLIOp::create(
                                builder, loc, index,
                                emit.constant(llvm::Log2_64(blocking.block())))
                                .getResult()
                          : emit.constant(0);
  for (int64_t i = full + 1, e = blocking.size(); i <= e; ++i) {
    int64_t start = i < e ? blocking.segment(i).offset : blocking.paddedSize();
    offset = emit.select(emit.atLeast(index, i), emit.constant(start), offset);
  }
  return offset;
}

Value mlir::rotq::emitRunBefore(OpBuilder &builder, Location loc, Value run,
                                int64_t length, int64_t circle) {
  Emitter emit{builder, loc, run.getType()};
  int64_t runs = circle / ::rotq::kRowGranule;
  Value inCircle =
      arith::RemUIOp::create(builder, loc, run, emit.constant(runs));
  Value end = arith::MinUIOp::create(
      builder, loc,
      arith::AddIOp::create(builder, loc, run, emit.constant(runs - 1)),
      emit.constant(::rotq::paddedLength(length) / ::rotq::kRowGranule - 1));
  Value last = arith::MaxUIOp::create(builder, loc, end, run);
  Value before = arith::SubIOp::create(builder, loc, run, emit.constant(1));
  return emit.select(emit.atLeast(inCircle, 1), before, last);
}
