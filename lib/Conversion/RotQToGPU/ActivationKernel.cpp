//===- ActivationKernel.cpp - Rotate-and-quantize kernel
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"

#include "rotq/Codec/TiledLayout.h"
#include "rotq/Conversion/SegmentIndex.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/xxhash.h"

#include <cmath>
#include <numeric>

using namespace mlir;
using namespace mlir::rotq;
using ::rotq::ActivationLayout;
using ::rotq::TiledLayout;

/// Values a lane owns, and a warp.
static constexpr int64_t kLane = 8;
static constexpr int64_t kSlot = 32 * kLane;
static constexpr int64_t kWarps = 4;
static_assert(kSlot == TiledLayout::kColumns);

namespace {
class ActivationEmitter {
public:
  ActivationEmitter(KernelBuilder &b, KernelFunction &kernel,
                    const ActivationProblem &problem)
      : b(b), kernel(kernel), problem(problem),
        groups(activationBlocking(problem.k, problem.group)),
        stored(::rotq::storedLength(problem.k)) {
    if (!problem.frame)
      return;
    frame = problem.frame.getFrame();
    lifted.emplace(*frame, problem.k, problem.liftedParts());
  }

  LogicalResult emit();

private:
  Value loadValues(Value row, Value position);
  Value rotate(Value values, Value position);
  Value lengthAt(const ::rotq::Blocking &blocking, Value position);
  Value reduceOverGroup(Value value, Value length,
                        function_ref<Value(Value, Value)> combine);
  Value inverseOf(Value largest, Value most);
  Value inSteps(Value value, Value inverse, Value most);
  Value round(Value values);
  Value integers(Value rounded);
  Value splat(Value value) {
    return vector::BroadcastOp::create(
        b, VectorType::get({kLane}, b.getF32Type()), value);
  }
  void storeCodes(Value codes, Value row, Value position);
  void storeRow(Value codes, Value scale, Value row, Value position,
                Value length);
  void emitSlot(Value row, Value slot, Value position);
  void quantize(Value values, Value row, Value position, Value length);
  int64_t codesOfLane() const { return kLane / lifted->dim * lifted->bits; }
  SmallVector<Value> lift(Value values, Value warp, int64_t ofWarp);
  void storeLifted(Value values, Value row, Value slot, Value position,
                   Value length);
  void syncLifting();
  void storePlanes(ArrayRef<Value> codes, Value row, Value segment);

  KernelBuilder &b;
  KernelFunction &kernel;
  const ActivationProblem &problem;
  ::rotq::Blocking groups;
  int64_t stored; ///< codes of a row
  std::shared_ptr<const ::rotq::FrameCodebook> frame;
  std::optional<::rotq::LiftedLayout> lifted;
};
} // namespace

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

/// Combines the values of the lanes that share a group; every lane of the group
/// gets the result.
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

/// most / largest, or 0.
Value ActivationEmitter::inverseOf(Value largest, Value most) {
  Value isPositive =
      arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, largest, b.f32(0));
  return b.select(isPositive, arith::DivFOp::create(b, most, largest),
                  b.f32(0));
}

/// value * inverse within [-most, most]; not-a-number is 0. Scalars or vectors.
Value ActivationEmitter::inSteps(Value value, Value inverse, Value most) {
  Value scaled = b.mulF(value, inverse);
  Value clamped = arith::MinNumFOp::create(b, scaled, most);
  clamped =
      arith::MaxNumFOp::create(b, clamped, arith::NegFOp::create(b, most));
  Value isNumber =
      arith::CmpFOp::create(b, arith::CmpFPredicate::ORD, scaled, scaled);
  return b.select(isNumber, clamped, b.zero(value.getType()));
}

/// To the nearest even integer, up from 1.5 * 2^23: around it floats are the
/// integers, and so are the bits.
Value ActivationEmitter::round(Value values) {
  return b.addF(values, splat(b.f32(0x1.8p23f)));
}

/// What was rounded, as i32.
Value ActivationEmitter::integers(Value rounded) {
  auto words = VectorType::get({kLane}, b.getI32Type());
  Value bits = arith::BitcastOp::create(b, words, rounded);
  Value origin = vector::BroadcastOp::create(b, words, b.i32(0x4b400000));
  return b.sub(bits, origin);
}

/// In order or, within whole tiles, interleaved.
void ActivationEmitter::storeCodes(Value codes, Value row, Value position) {
  Value bytes = arith::TruncIOp::create(
      b, VectorType::get({kLane}, b.getI8Type()), codes);
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

/// A lane's values are from `position` of a row on.
void ActivationEmitter::emitSlot(Value row, Value slot, Value position) {
  Value values = rotate(loadValues(row, position), position);
  // Full groups combine a fixed set of lanes.
  Value length;
  if (!groups.tail().empty())
    length = lengthAt(groups, position);
  if (!lifted) {
    quantize(values, row, position, length);
    return;
  }
  b.ifThen(
      b.less(b.threadId(), 32 * kWarps),
      [&] { storeLifted(values, row, slot, position, length); },
      [&] { quantize(values, row, position, length); });
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
  Value most = b.f32(127);
  Value steps = inSteps(values, splat(inverseOf(largest, most)), splat(most));
  Value rounded = round(steps);
  Value scale = arith::DivFOp::create(b, largest, most);
  if (problem.layout != ActivationLayout::Rests) {
    storeRow(integers(rounded), scale, row, position, length);
    return;
  }
  Value first = b.mul(row, 2);
  storeRow(integers(rounded), scale, first, position, length);
  // What is left is exact.
  Value nearest = arith::SubFOp::create(b, rounded, splat(b.f32(0x1.8p23f)));
  Value left = arith::SubFOp::create(b, steps, nearest);
  Value parts = b.f32(::rotq::kRests);
  storeRow(integers(round(b.mulF(left, splat(parts)))),
           arith::DivFOp::create(b, scale, parts), b.add(first, 1), position,
           length);
}

/// A lane's codes; `length` is of its group, where groups differ.
void ActivationEmitter::storeRow(Value codes, Value scale, Value row,
                                 Value position, Value length) {
  Value sum = vector::ReductionOp::create(b, vector::CombiningKind::ADD, codes);
  sum = reduceOverGroup(sum, length,
                        [&](Value x, Value y) { return b.add(x, y); });
  storeCodes(codes, row, position);
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

/// The warp's share of what a lane's values are lifted to: `ofWarp` codes, of
/// the last warp fewer and then zeros.
SmallVector<Value> ActivationEmitter::lift(Value values, Value warp,
                                           int64_t ofWarp) {
  auto width = size_t(lifted->dim);
  auto codeOf = [&](int64_t code) -> Value {
    Value sum = b.f32(0);
    for (size_t i = 0; i < width && code < codesOfLane(); ++i) {
      size_t block = size_t(code / lifted->bits) * width;
      size_t vector = size_t(code % lifted->bits);
      sum =
          b.fma(b.f32(float(frame->vectors()[vector * width + i])),
                vector::ExtractOp::create(b, values, int64_t(block + i)), sum);
    }
    return sum;
  };
  SmallVector<Value> result(size_t(ofWarp), b.f32(0));
  for (int64_t of = 0; of < kWarps; ++of)
    result = b.ifElse(b.equal(warp, b.index(of)), result, [&] {
      SmallVector<Value> own;
      for (int64_t i = 0; i < ofWarp; ++i)
        own.push_back(codeOf(of * ofWarp + i));
      return own;
    });
  return result;
}

/// Lifts a slot by all warps of a block but one, which quantizes meanwhile;
/// each has all its values. In shared memory are the bytes of codes, then two
/// words of every thread.
void ActivationEmitter::storeLifted(Value values, Value row, Value slot,
                                    Value position, Value length) {
  Value lane = b.rem(b.threadId(), 32), warp = b.div(b.threadId(), 32);
  Value shared = kernel.sharedMemory(b);
  int64_t words = lifted->parts * 4 * lifted->words * TiledLayout::kRun;
  // A word of every thread, and what those of the lane in all warps come to.
  auto place = [&](Value warp, int64_t area) {
    return b.add(b.add(b.mul(warp, 128), b.mul(lane, 4)),
                 words + area * kWarps * 128);
  };
  auto leave = [&](Value value, int64_t area) {
    b.store(value, shared, place(warp, area), 4);
  };
  auto combine = [&](Type type, int64_t area,
                     function_ref<Value(Value, Value)> of) {
    Value result;
    for (int64_t i = 0; i < kWarps; ++i) {
      Value other = b.load(shared, place(b.index(i), area), type, 4);
      result = i == 0 ? other : of(result, other);
    }
    return result;
  };
  auto greater = [&](Value x, Value y) -> Value {
    return arith::MaxNumFOp::create(b, x, y);
  };
  auto sum = [&](Value x, Value y) { return b.add(x, y); };

  int64_t ofWarp = int64_t(llvm::divideCeil(codesOfLane(), kWarps));
  SmallVector<Value> codes = lift(values, warp, ofWarp);
  Value largest = b.f32(0);
  for (Value z : codes)
    largest = greater(largest, greater(z, arith::NegFOp::create(b, z)));
  leave(reduceOverGroup(largest, length, greater), 0);
  syncLifting();
  largest = combine(b.getF32Type(), 0, greater);
  Value most = b.f32(float(lifted->mostCode()));
  Value scale = arith::DivFOp::create(b, largest, most);
  Value inverse = inverseOf(largest, most);
  Value total = b.i32(0);
  for (Value &code : codes) {
    code = b.addF(inSteps(code, inverse, most), b.f32(0x1.8p23f));
    code = b.sub(arith::BitcastOp::create(b, b.getI32Type(), code),
                 b.i32(0x4b400000));
    total = b.add(total, code);
  }
  leave(reduceOverGroup(total, length, sum), 1);

  int64_t whole = groups.fullBlocks();
  b.ifThen(
      b.less(slot, whole), [&] { storePlanes(codes, row, slot); },
      [&] {
        for (auto [i, segment] : llvm::enumerate(groups.tail())) {
          SmallVector<Value> own;
          Value inSegment =
              b.less(b.sub(position, b.index(segment.offset)), segment.length);
          for (Value code : codes)
            own.push_back(b.select(inSegment, code, b.i32(0)));
          storePlanes(own, row, b.index(whole + int64_t(i)));
        }
      });
  Value starts = b.logicalAnd(b.startsSegment(groups, position),
                              b.less(position, groups.paddedSize()));
  b.ifThen(b.logicalAnd(starts, b.equal(warp, b.index(0))), [&] {
    total = combine(b.getI32Type(), 1, sum);
    Value group = emitSegmentIndex(b, b.getLoc(), groups, position);
    Value both = vector::FromElementsOp::create(
        b, VectorType::get({2}, b.getF32Type()),
        ValueRange{scale, b.mulF(scale, arith::SIToFPOp::create(
                                            b, b.getF32Type(), total))});
    Value scales = b.add(b.mul(row, lifted->rowBytes), lifted->scalesOffset);
    b.store(both, kernel.argument("planes"), b.add(scales, b.mul(group, 8)), 8);
  });
}

/// Waits for all warps that lift.
void ActivationEmitter::syncLifting() {
  NVVM::BarrierOp::create(b, TypeRange(), b.i32(1), b.i32(32 * kWarps),
                          NVVM::BarrierReductionAttr(), Value());
}

/// The threads leave a byte of every code in shared memory, in the order of
/// their bits, [part][t][word] of 32; then each takes half of the planes of 32
/// of them.
void ActivationEmitter::storePlanes(ArrayRef<Value> codes, Value row,
                                    Value segment) {
  constexpr int64_t kRun = TiledLayout::kRun;
  constexpr int64_t kPlanes = ::rotq::LiftedLayout::kPlanes / 2;
  int64_t words = lifted->words, ofPart = 4 * words * kRun;
  Value thread = b.threadId();
  Value lane = b.rem(thread, 32), warp = b.div(thread, 32);
  Value shared = kernel.sharedMemory(b);

  Value run = b.div(lane, kRun / kLane);
  Value first =
      b.add(b.mul(b.div(run, 4), kRun / kLane), b.rem(lane, kRun / kLane));
  Value target =
      b.add(b.mul(b.rem(run, 4), words * kRun), b.mul(first, codesOfLane()));
  for (auto [i, code] : llvm::enumerate(codes)) {
    Value own = b.add(b.mul(warp, int64_t(codes.size())), int64_t(i));
    b.ifThen(b.less(own, codesOfLane()), [&] {
      for (int64_t part = 0; part < lifted->parts; ++part) {
        Value byte = arith::TruncIOp::create(
            b, b.getI8Type(), arith::ShRUIOp::create(b, code, b.i32(8 * part)));
        b.store(byte, shared, b.add(b.add(target, own), part * ofPart), 1);
      }
    });
  }
  // Codes of an odd number of 16 bits leave half of the last word.
  if (2 * kRun / lifted->dim * lifted->bits % 32 != 0)
    b.ifThen(b.less(thread, 4), [&] {
      Value behind = b.mul(b.add(thread, 1), words * kRun);
      for (int64_t part = 0; part < lifted->parts; ++part)
        b.store(b.zero(VectorType::get({4}, b.getI32Type())), shared,
                b.add(behind, part * ofPart - kRun / 2), kRun / 2);
    });
  syncLifting();

  int64_t tasks = 2 * lifted->parts * words * 4;
  for (int64_t from = 0; from < tasks; from += 32 * kWarps) {
    Value task = b.add(thread, from);
    b.ifThen(b.less(task, tasks), [&] {
      Value half = b.rem(task, 2);
      task = b.div(task, 2);
      Value t = b.rem(task, 4), word = b.rem(b.div(task, 4), words);
      Value part = b.div(task, 4 * words);
      Value source = b.mul(part, ofPart);
      source = b.add(source, b.mul(b.add(b.mul(t, words), word), kRun));
      Value bytes =
          b.load(shared, source, VectorType::get({8}, b.getI32Type()), 16);
      // Where in its lane's words it is, and where those of the chunk are.
      Value inChunk, chunk, chunkSize;
      for (int64_t at = 0; at < words; at += lifted->chunkWords(at)) {
        int64_t size = lifted->chunkWords(at);
        Value isHere = chunk ? b.less(b.index(at - 1), word) : Value();
        auto choose = [&](Value value, Value otherwise) {
          return isHere ? b.select(isHere, value, otherwise) : value;
        };
        inChunk = choose(b.sub(word, b.index(at)), inChunk);
        chunk = choose(b.index(at), chunk);
        chunkSize = choose(b.index(size), chunkSize);
      }
      Value place = b.add(b.mul(row, lifted->rowBytes),
                          b.mul(segment, lifted->segmentBytes()));
      place = b.add(place, b.mul(part, lifted->partBytes()));
      place = b.add(place, b.mul(b.add(b.mul(chunk, 32), inChunk), 4));
      Value firstLane = b.add(b.mul(half, 4 * kPlanes), t);
      place = b.add(place, b.mul(b.mul(firstLane, chunkSize), 4));
      Value shift =
          arith::IndexCastOp::create(b, b.getI32Type(), b.mul(half, kPlanes));
      SmallVector<Value> shifted;
      for (int64_t i = 0; i < 8; ++i)
        shifted.push_back(arith::ShRUIOp::create(b, b.word(bytes, i), shift));
      for (int64_t plane = 0; plane < kPlanes; ++plane) {
        Value bits = b.i32(0);
        for (int64_t i = 0; i < 8; ++i) {
          // A bit of each of four bytes, brought together.
          Value four =
              arith::ShRUIOp::create(b, shifted[size_t(i)], b.i32(plane));
          four = arith::AndIOp::create(b, four, b.i32(0x01010101));
          four = b.mul(four, b.i32(0x10204080));
          four = arith::ShRUIOp::create(b, four, b.i32(28));
          four = arith::ShLIOp::create(b, four, b.i32(4 * i));
          bits = arith::OrIOp::create(b, bits, four);
        }
        b.store(bits, kernel.argument("planes"),
                b.add(place, b.mul(chunkSize, 16 * plane)), 4);
      }
    });
  }
  // Others of the tail follow.
  if (!groups.tail().empty())
    syncLifting();
}

LogicalResult ActivationEmitter::emit() {
  int64_t block = problem.rotation.getRotation()->block();
  if (block > kSlot || problem.group > kSlot)
    return emitError(b.getLoc())
           << "expected a rotation and a group of at most " << kSlot
           << " on this target but got " << block << " and " << problem.group;
  kernel.waitForPredecessor(b);
  Value thread = b.threadId();
  Value lane = b.rem(thread, 32), warp = b.div(thread, 32);
  Value row = b.blockId(gpu::Dimension::x);
  Value slot = b.blockId(gpu::Dimension::y);
  Value inSlot = b.mul(lane, kLane);
  if (lifted) {
    emitSlot(row, slot, b.add(b.mul(slot, kSlot), inSlot));
    return success();
  }
  slot = b.add(b.mul(slot, kWarps), warp);
  int64_t slots = llvm::divideCeil(stored, kSlot);
  // Whole warps leave: the lanes of a slot stay together.
  b.ifThen(b.less(slot, slots),
           [&] { emitSlot(row, slot, b.add(b.mul(slot, kSlot), inSlot)); });
  return success();
}

LogicalResult mlir::rotq::buildActivation(KernelBuilder &b,
                                          KernelFunction &kernel,
                                          const ActivationProblem &problem) {
  return ActivationEmitter(b, kernel, problem).emit();
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
      type +
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
  pointer("codes", Access::Write, "i8", parts * stored);
  pointer("scales", Access::Write, "f32", parts * segments);
  pointer("sums", Access::Write, "i32", parts * segments);
  if (problem.frame) {
    auto frame = problem.frame.getFrame();
    ::rotq::LiftedLayout lifted(*frame, problem.k, problem.liftedParts());
    StringRef vectors(reinterpret_cast<const char *>(frame->vectors().data()),
                      frame->vectors().size());
    info.name += "_lifted" + llvm::utohexstr(llvm::xxh3_64bits(vectors) >> 32,
                                             /*LowerCase=*/true, /*Width=*/8);
    pointer("planes", Access::Write, "i8", lifted.rowBytes);
    info.sharedBytes =
        lifted.parts * 4 * lifted.words * TiledLayout::kRun + kWarps * 32 * 8;
  }
  info.params.push_back({"m", Param::Kind::I32, Access::Read, "", {}});
  info.grid[0] = {1, "m", 1};
  // A block lifts one slot, and has a warp more to quantize it.
  auto slots = int64_t(llvm::divideCeil(stored, kSlot));
  info.grid[1].count =
      problem.frame ? slots : int64_t(llvm::divideCeil(slots, kWarps));
  info.block = {32 * (problem.frame ? kWarps + 1 : kWarps), 1, 1};
  info.k = problem.k;
  info.activation = ::rotq::kActivationLayouts[size_t(problem.layout)];
  info.mMin = problem.mMin;
  info.mMax = problem.mMax;
  return info;
}
