//===- ActivationKernel.cpp - Rotate-and-quantize kernel
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ActivationEmitter.h"

#include "rotq/Codec/E4M3.h"
#include "rotq/Conversion/NarrowFloats.h"
#include "rotq/Conversion/SegmentIndex.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/bit.h"

#include <cmath>
#include <numeric>

using namespace mlir;
using namespace mlir::rotq;
using ::rotq::ActivationLayout;
using ::rotq::TiledLayout;

/// Eight values of a row as f32, zero behind its end.
Value ActivationEmitter::loadValues(Value row, Value position) {
  Value x = kernel.argument("x");
  Type element = problem.inputType;
  int64_t bytes = element.getIntOrFloatBitWidth() / 8, k = problem.k;
  auto floats = VectorType::get({kLane}, b.getF32Type());
  Value rowStart = b.mul(row, k * bytes);
  if (k % kLane == 0) {
    auto type = VectorType::get({kLane}, element);
    int64_t alignment = std::gcd(k * bytes, int64_t(16));
    Value values =
        b.ifElse(b.less(position, k), b.zero(type), [&] {
           return SmallVector<Value>{b.load(
               x, b.add(rowStart, b.mul(position, bytes)), type, alignment)};
         }).front();
    if (element.isF32())
      return values;
    return arith::ExtFOp::create(b, floats, values);
  }
  SmallVector<Value> values;
  for (int64_t i = 0; i < kLane; ++i) {
    Value at = b.add(position, i);
    Value value = b.load(x, b.add(rowStart, b.mul(b.min(at, k - 1), bytes)),
                         element, bytes);
    values.push_back(b.toF32(b.select(b.less(at, k), value, b.zero(element))));
  }
  return vector::FromElementsOp::create(b, floats, values);
}

Value ActivationEmitter::lengthAt(const ::rotq::Blocking &blocking,
                                  Value position) {
  Value segment = emitSegmentIndex(b, b.getLoc(), blocking, position);
  Value length = emitSegmentLength(b, b.getLoc(), blocking, segment);
  return arith::IndexCastOp::create(b, b.getI32Type(), length);
}

Value ActivationEmitter::rotate(Value values, Value position) {
  int64_t block = problem.rotation.getRotation()->block();
  if (block == 0)
    return values;
  ::rotq::Blocking blocking(problem.k, block);
  auto factorOf = [&](int64_t length) {
    return b.f32(float(1.0 / std::sqrt(double(length))));
  };
  Value length, factor = factorOf(block);
  if (!blocking.tail().empty()) {
    length = lengthAt(blocking, position);
    for (const ::rotq::Segment &segment : blocking.tail())
      factor = b.select(b.equal(length, b.i32(segment.length)),
                        factorOf(segment.length), factor);
  }
  Value rotated = FwhtOp::create(b, values.getType(), values, length,
                                 uint64_t(block), uint64_t(32));
  Value factors = vector::BroadcastOp::create(b, values.getType(), factor);
  return b.mulF(rotated, factors);
}

Value ActivationEmitter::reduceOverGroup(
    Value value, Value length, function_ref<Value(Value, Value)> combine) {
  for (int64_t mask = 1; mask * kLane < problem.group; mask *= 2) {
    Value next = combine(value, b.shuffleXor(value, mask));
    if (length)
      next = b.select(b.less(b.i32(mask * kLane), length), next, value);
    value = next;
  }
  return value;
}

Value ActivationEmitter::inverseOf(Value largest, Value most) {
  Value isPositive =
      arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, largest, b.f32(0));
  return b.select(isPositive, arith::DivFOp::create(b, most, largest),
                  b.f32(0));
}

Value ActivationEmitter::inSteps(Value value, Value inverse, Value most) {
  inverse = splat(inverse, value.getType());
  most = splat(most, value.getType());
  Value scaled = b.mulF(value, inverse);
  Value clamped = arith::MinNumFOp::create(b, scaled, most);
  clamped =
      arith::MaxNumFOp::create(b, clamped, arith::NegFOp::create(b, most));
  Value isNumber =
      arith::CmpFOp::create(b, arith::CmpFPredicate::ORD, scaled, scaled);
  return b.select(isNumber, clamped, b.zero(value.getType()));
}

// Around 1.5 * 2^23 floats are the integers, and so are their bits.
static constexpr float kOrigin = 0x1.8p23f;

Value ActivationEmitter::round(Value value) {
  return b.addF(value, splat(b.f32(kOrigin), value.getType()));
}

Value ActivationEmitter::integers(Value rounded) {
  Type words = b.getI32Type();
  if (auto vector = dyn_cast<VectorType>(rounded.getType()))
    words = vector.clone(words);
  Value bits = arith::BitcastOp::create(b, words, rounded);
  return b.sub(bits, splat(b.i32(llvm::bit_cast<int32_t>(kOrigin)), words));
}

/// In order or, within whole tiles, interleaved.
void ActivationEmitter::storeCodes(Value bytes, Value row, Value position) {
  Value rowStart = b.mul(row, stored);
  auto inOrder = [&] {
    b.ifThen(b.less(position, stored), [&] {
      b.store(bytes, kernel.argument("codes"), b.add(rowStart, position),
              kLane);
    });
  };
  if (problem.layout != ActivationLayout::Interleaved) {
    inOrder();
    return;
  }
  // A lane's codes are two words, which are 16 bytes apart.
  auto interleaved = [&] {
    constexpr int64_t kRun = TiledLayout::kRun, kHalf = kSlot / 2;
    Value inTile = b.rem(position, kSlot);
    Value target = b.add(rowStart, b.sub(position, inTile));
    target = b.add(target, b.mul(b.div(inTile, kHalf), kHalf));
    target = b.add(target, b.mul(b.rem(inTile, kRun), 4));
    target = b.add(target, b.mul(b.rem(b.div(inTile, kRun), 4), 4));
    Value words = b.asWords(bytes);
    for (int64_t i = 0; i < kLane / 4; ++i)
      b.store(b.word(words, i), kernel.argument("codes"), b.add(target, 16 * i),
              4);
  };
  b.ifThen(b.less(position, stored / kSlot * kSlot), interleaved, inOrder);
}

Value ActivationEmitter::rotatedValues(Value row, Value position) {
  return rotate(loadValues(row, position), position);
}

Value ActivationEmitter::groupLength(Value position) {
  // Full groups combine a fixed set of lanes.
  return groups.tail().empty() ? Value() : lengthAt(groups, position);
}

void ActivationEmitter::quantize(Value values, Value row, Value position,
                                 Value length) {
  Value magnitudes =
      arith::MaxNumFOp::create(b, values, arith::NegFOp::create(b, values));
  Value largest = vector::ReductionOp::create(b, vector::CombiningKind::MAXNUMF,
                                              magnitudes);
  // Not-a-number is no maximum; nothing but it is a segment of zeros.
  largest = arith::MaxNumFOp::create(b, largest, b.f32(0));
  largest = reduceOverGroup(largest, length, [&](Value x, Value y) -> Value {
    return arith::MaxNumFOp::create(b, x, y);
  });
  bool isFloat = problem.operand == Operand::E4M3;
  Value most = b.f32(isFloat ? ::rotq::kLargestE4M3 : 127);
  Value steps = inSteps(values, inverseOf(largest, most), most);
  Value scale = arith::DivFOp::create(b, largest, most);
  if (isFloat) {
    quantizeToE4M3(steps, scale, row, position, length);
    return;
  }
  Value rounded = round(steps);
  if (problem.layout != ActivationLayout::Rests) {
    storeIntegers(integers(rounded), scale, row, position, length);
    return;
  }
  Value first = b.mul(row, 2);
  storeIntegers(integers(rounded), scale, first, position, length);
  // What is left is exact.
  Value nearest = arith::SubFOp::create(
      b, rounded, splat(b.f32(kOrigin), rounded.getType()));
  Value left = arith::SubFOp::create(b, steps, nearest);
  Value parts = b.f32(::rotq::kRests);
  storeIntegers(integers(round(b.mulF(left, splat(parts, left.getType())))),
                arith::DivFOp::create(b, scale, parts), b.add(first, 1),
                position, length);
}

/// The sum is that of the codes in parts, which are integers.
void ActivationEmitter::quantizeToE4M3(Value steps, Value scale, Value row,
                                       Value position, Value length) {
  Value words = emitToE4M3(b, b.getLoc(), steps);
  Value values = emitFromE4M3(b, b.getLoc(), words);
  Value parts = splat(b.f32(::rotq::kE4M3Parts), values.getType());
  Value bytes = vector::BitCastOp::create(
      b, VectorType::get({kLane}, b.getI8Type()), words);
  storeRow(bytes, integers(round(b.mulF(values, parts))), scale, row, position,
           length);
}

/// Codes in i32.
void ActivationEmitter::storeIntegers(Value codes, Value scale, Value row,
                                      Value position, Value length) {
  Value bytes = arith::TruncIOp::create(
      b, VectorType::get({kLane}, b.getI8Type()), codes);
  storeRow(bytes, codes, scale, row, position, length);
}

/// A lane's codes, and their values in i32; `length` is of its group, where
/// groups differ.
void ActivationEmitter::storeRow(Value bytes, Value values, Value scale,
                                 Value row, Value position, Value length) {
  Value sum =
      vector::ReductionOp::create(b, vector::CombiningKind::ADD, values);
  sum = reduceOverGroup(sum, length,
                        [&](Value x, Value y) { return b.add(x, y); });
  storeCodes(bytes, row, position);
  Value starts = b.logicalAnd(b.startsSegment(groups, position),
                              b.less(position, groups.paddedSize()));
  b.ifThen(starts, [&] {
    Value group = emitSegmentIndex(b, b.getLoc(), groups, position);
    Value address = scaleAddress(b, problem.layout, row, kernel.rows(b), group,
                                 groups.size());
    b.store(scale, kernel.argument("scales"), address, 4);
    b.store(sum, kernel.argument("sums"), address, 4);
  });
}

void ActivationEmitter::emit() {
  Value thread = b.threadId();
  Value lane = b.rem(thread, 32), warp = b.div(thread, 32);
  Value row = b.blockId(gpu::Dimension::x);
  Value slot = b.blockId(gpu::Dimension::y);
  Value inSlot = b.mul(lane, kLane);
  slot = b.add(b.mul(slot, kWarps), warp);
  int64_t slots = llvm::divideCeil(stored, kSlot);
  // Whole warps leave: the lanes of a slot stay together.
  b.ifThen(b.less(slot, slots), [&] {
    Value position = b.add(b.mul(slot, kSlot), inSlot);
    Value values = rotatedValues(row, position);
    quantize(values, row, position, groupLength(position));
  });
}

LogicalResult mlir::rotq::buildActivation(KernelBuilder &b,
                                          KernelFunction &kernel,
                                          const ActivationProblem &problem) {
  constexpr int64_t kSlot = ActivationEmitter::kSlot;
  int64_t block = problem.rotation.getRotation()->block();
  if (block > kSlot || problem.group > kSlot)
    return emitError(b.getLoc())
           << "expected a rotation and a group of at most " << kSlot
           << " on this target but got " << block << " and " << problem.group;
  kernel.waitForPredecessor(b);
  if (problem.frame)
    buildLifting(b, kernel, problem);
  else
    ActivationEmitter(b, kernel, problem).emit();
  return success();
}

::rotq::KernelInfo
mlir::rotq::describeActivation(const ActivationProblem &problem) {
  using Param = ::rotq::KernelParam;
  using Access = Param::Access;
  int64_t stored = ::rotq::storedLength(problem.k);
  int64_t segments = activationBlocking(problem.k, problem.group).size();
  std::string type = problem.inputType.isF32() ? "f32" : "f16";
  int64_t block = problem.rotation.getRotation()->block();
  ::rotq::KernelInfo info;
  info.name =
      "quantize_activation_k" + std::to_string(problem.k) + "_r" +
      std::to_string(block) + "_g" + std::to_string(problem.group) + "_" +
      type + (problem.operand == Operand::E4M3 ? "_e4m3" : "") +
      (problem.layout == ActivationLayout::Rows
           ? ""
           : "_" + std::string(
                       ::rotq::kActivationLayouts[size_t(problem.layout)]));
  info.role = "quantize_activation";
  auto pointer = [&](std::string name, Access access, std::string element,
                     int64_t width) {
    info.params.push_back({std::move(name),
                           Param::Kind::Pointer,
                           access,
                           std::move(element),
                           {"m", width}});
  };
  pointer("x", Access::Read, type, problem.k);
  int64_t parts = problem.layout == ActivationLayout::Rests ? 2 : 1;
  pointer("codes", Access::Write, elementName(problem.operand), parts * stored);
  pointer("scales", Access::Write, "f32", parts * segments);
  pointer("sums", Access::Write, "i32", parts * segments);
  info.grid[0] = {1, "m", 1};
  info.grid[1].count = int64_t(llvm::divideCeil(
      stored, ActivationEmitter::kSlot * ActivationEmitter::kWarps));
  info.block = {32 * ActivationEmitter::kWarps, 1, 1};
  if (problem.frame)
    describeLifting(problem, info);
  info.params.push_back({"m", Param::Kind::I32, Access::Read, "", {}});
  info.k = problem.k;
  info.activation = ::rotq::kActivationLayouts[size_t(problem.layout)];
  info.mMin = problem.mMin;
  info.mMax = problem.mMax;
  return info;
}
