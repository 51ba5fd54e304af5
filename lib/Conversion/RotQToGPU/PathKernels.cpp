//===- PathKernels.cpp - Kernels that encode weights as paths of a trellis
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The bytes are those of the host's encoder. One kernel rotates rows and finds
// their steps; another one searches circles, each by Viterbi's algorithm with
// three passes, as lib/Codec/PathCodebook.cpp has it.
//
// A block has a circle, and a thread 64 of the 2^16 states, whose points stay
// in its registers. A state is written with its newest bit lowest: r * C + o,
// where o is the overlap behind it, the C = 2^(16 - bits) of which number what
// two states in a row share, and r its oldest bits. The overlap before it is
// (r * C + o) >> bits, so that 2^bits neighbouring overlaps have the same
// overlaps before them, one for every r.
//
// Costs are floats from 2^23 on, whose lowest bits are an integer. A difference
// of a point and its target in half steps has its square rounded down and added
// to a cost by one multiply-add that rounds towards zero. Where a pass traces
// back, that times 2^bits and plus r is a word whose minimum is the least cost
// and the first r that has it.
//
//===----------------------------------------------------------------------===//

#include "ActivationEmitter.h"

#include "rotq/Codec/PathCodebook.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

#include <bit>
#include <limits>

using namespace mlir;
using namespace mlir::rotq;
using ::rotq::PathCodebook;

static std::shared_ptr<const PathCodebook> codebookOf(WeightType type) {
  return std::dynamic_pointer_cast<const PathCodebook>(
      type.getFormat().getFormat().codebook);
}

bool mlir::rotq::hasPaths(WeightType type) {
  return codebookOf(type) != nullptr;
}

static Value reduxMin(KernelBuilder &b, Value value) {
  return NVVM::ReduxOp::create(b, value.getType(), value, NVVM::ReduxKind::UMIN,
                               b.i32(-1));
}

static Value bitsOf(KernelBuilder &b, Value value) {
  return arith::BitcastOp::create(b, b.getI32Type(), value);
}

static Value floatOf(KernelBuilder &b, Value bits) {
  return arith::BitcastOp::create(b, b.getF32Type(), bits);
}

static Value toI32(KernelBuilder &b, Value index) {
  return arith::IndexCastUIOp::create(b, b.getI32Type(), index);
}

static Value toIndex(KernelBuilder &b, Value value) {
  return arith::IndexCastUIOp::create(b, b.getIndexType(), value);
}

static Value minU(KernelBuilder &b, Value x, Value y) {
  return arith::MinUIOp::create(b, x, y);
}

static Value shiftLeft(KernelBuilder &b, Value value, int64_t amount) {
  return amount ? arith::ShLIOp::create(b, value, b.i32(amount)).getResult()
                : value;
}

static Value shiftRight(KernelBuilder &b, Value value, int64_t amount) {
  return amount ? arith::ShRUIOp::create(b, value, b.i32(amount)).getResult()
                : value;
}

static Value mask(KernelBuilder &b, Value value, int64_t bits) {
  return arith::AndIOp::create(b, value, b.i32(bits));
}

/// An intrinsic of LLVM that takes and gives values of one type. As an op,
/// gpu-to-nvvm would refuse it.
static Value call(KernelBuilder &b, StringRef intrinsic, ValueRange values) {
  return LLVM::CallIntrinsicOp::create(b, values.front().getType(),
                                       b.getStringAttr(intrinsic), values)
      .getResult(0);
}

static Value magnitude(KernelBuilder &b, Value value) {
  return call(b, "llvm.fabs", value);
}

static Value compare(KernelBuilder &b, arith::CmpFPredicate predicate, Value x,
                     Value y) {
  return arith::CmpFOp::create(b, predicate, x, y);
}

//===----------------------------------------------------------------------===//
// Rotation and steps
//===----------------------------------------------------------------------===//

// Of lib/Codec/Encode.cpp.
static constexpr float kMaxStep = 65504;
static constexpr float kTiny = 0x1p-40f, kHuge = 0x1p32f;

namespace {
/// A block has a row.
class RotationEmitter : ActivationEmitter {
public:
  RotationEmitter(KernelBuilder &b, KernelFunction &kernel,
                  const ActivationProblem &problem, float gaussianStep)
      : ActivationEmitter(b, kernel, problem), gaussianStep(gaussianStep),
        padded(::rotq::paddedLength(problem.k)) {}

  void emit();

private:
  Value storeRotated(Value row, Value warp, Value lane);
  Value stepOf(Value row, Value lane);

  float gaussianStep;
  int64_t padded;
};
} // namespace

/// Whether all weights that the lane had are below 2^64 in magnitude.
Value RotationEmitter::storeRotated(Value row, Value warp, Value lane) {
  int64_t slots = llvm::divideCeil(padded, kSlot);
  Value isWithin = arith::ConstantOp::create(b, b.getBoolAttr(true));
  return b
      .forLoop(warp, b.index(slots), kWarps, {isWithin},
               [&](Value slot, ValueRange carried) {
                 Value position = b.add(b.mul(slot, kSlot), b.mul(lane, kLane));
                 Value values = loadValues(row, position);
                 Value limits =
                     splat(b.f32(::rotq::kMaxMagnitude), values.getType());
                 Value areWithin = compare(b, arith::CmpFPredicate::OLE,
                                           magnitude(b, values), limits);
                 Value all = vector::ReductionOp::create(
                     b, vector::CombiningKind::AND, areWithin);
                 Value rotated = rotate(values, position);
                 b.ifThen(b.less(position, padded), [&] {
                   Value at = b.add(b.mul(row, padded), position);
                   b.store(rotated, kernel.argument("rotated"), b.mul(at, 4),
                           /*alignment=*/16);
                 });
                 return SmallVector<Value>{b.logicalAnd(carried[0], all)};
               })
      .front();
}

/// In the order of kernels::Table::statistics: 16 partial sums, of which a lane
/// has one, then pairs of them.
Value RotationEmitter::stepOf(Value row, Value lane) {
  constexpr int64_t kPartial = 16;
  SmallVector<Value> sums =
      b.forLoop(b.rem(lane, kPartial), b.index(padded), kPartial,
                {b.f32(0), b.f32(0)}, [&](Value position, ValueRange carried) {
                  Value at = b.add(b.mul(row, padded), position);
                  Value x = b.load(kernel.argument("rotated"), b.mul(at, 4),
                                   b.getF32Type(), 4);
                  return SmallVector<Value>{
                      b.addF(carried[0], b.mulF(x, x)),
                      arith::MaxNumFOp::create(b, carried[1], magnitude(b, x))};
                });
  Value squares = sums[0], largest = sums[1];
  for (int64_t width = kPartial / 2; width != 0; width /= 2) {
    squares = b.addF(squares, b.shuffleXor(squares, width));
    largest =
        arith::MaxNumFOp::create(b, largest, b.shuffleXor(largest, width));
  }
  Value mean = arith::DivFOp::create(b, squares, b.f32(float(padded)));
  Value step = b.mulF(b.f32(gaussianStep), call(b, "llvm.sqrt", mean));
  Value most = b.f32(kMaxStep);
  step = arith::MinNumFOp::create(b, step, most);
  step = b.select(compare(b, arith::CmpFPredicate::OGE, largest, b.f32(kHuge)),
                  most, step);
  return b.select(compare(b, arith::CmpFPredicate::OGE, largest, b.f32(kTiny)),
                  step, b.f32(0));
}

/// A row that the host refuses has a step that is not a number.
void RotationEmitter::emit() {
  Value thread = b.threadId(), row = b.blockId(gpu::Dimension::x);
  Value lane = b.rem(thread, 32), warp = b.div(thread, 32);
  Value shared = kernel.sharedMemory(b);
  Value isWithin = storeRotated(row, warp, lane);
  Value word = reduxMin(b, arith::ExtUIOp::create(b, b.getI32Type(), isWithin));
  b.ifThen(b.equal(lane, b.index(0)),
           [&] { b.store(word, shared, b.mul(warp, 4), 4); });
  gpu::BarrierOp::create(b);
  b.ifThen(b.equal(warp, b.index(0)), [&] {
    Value step = stepOf(row, lane);
    Value ofWarp = b.load(shared, b.mul(b.rem(lane, kWarps), 4), b.getI32Type(),
                          /*alignment=*/4);
    Value isBad = b.equal(reduxMin(b, ofWarp), b.i32(0));
    Value none = b.f32(std::numeric_limits<float>::quiet_NaN());
    step = b.fromF32(b.select(isBad, none, step), b.getF16Type());
    b.ifThen(b.equal(lane, b.index(0)), [&] {
      b.store(step, kernel.argument("steps"), b.mul(row, 2), 2);
    });
  });
}

static ActivationProblem rotationOf(WeightType type, Type element) {
  return {type.getFormat().getRotation(),
          type.getK(),
          ActivationEmitter::kSlot,
          element,
          Operand::Int8,
          ::rotq::ActivationLayout::Rows,
          /*mMin=*/0,
          /*mMax=*/0};
}

LogicalResult mlir::rotq::buildWeightRotation(KernelBuilder &b,
                                              KernelFunction &kernel,
                                              WeightType type, Type element) {
  ActivationProblem problem = rotationOf(type, element);
  int64_t block = problem.rotation.getRotation()->block();
  if (block > ActivationEmitter::kSlot)
    return emitError(b.getLoc())
           << "expected a rotation of at most " << ActivationEmitter::kSlot
           << " on this target but got " << block;
  RotationEmitter(b, kernel, problem, codebookOf(type)->gaussianStep()).emit();
  return success();
}

//===----------------------------------------------------------------------===//
// Search
//===----------------------------------------------------------------------===//

namespace {
/// The shape of a search.
struct SearchLayout {
  static constexpr int64_t kThreads = 1024, kWarps = kThreads / 32;
  /// States of a thread.
  static constexpr int64_t kStates =
      (int64_t(1) << PathCodebook::kStateBits) / kThreads;
  /// At most that many, several times the multiprocessors of a GPU: each has
  /// memory of its own for what it traces back.
  static constexpr int64_t kBlocks = 528;
  /// Weights whose decisions are in shared memory at a time. Half a circle, and
  /// half of what is left of a row, has whole chunks.
  static constexpr int64_t kChunk = 16;
  static constexpr int64_t kCircle = PathCodebook::kCircle;

  explicit SearchLayout(WeightType type);

  int64_t steps() const { return kCircle / dim; }
  int64_t chunkSteps() const { return kChunk / dim; }
  int64_t costsBytes() const { return overlaps * costBytes; }
  /// Parts of shared memory, in bytes from its start.
  int64_t leastsAt() const {
    return std::max(2 * costsBytes(), chunkSteps() * kThreads * decisionBytes);
  }
  int64_t overlapAt() const { return leastsAt() + 2 * kWarps * 4; }
  int64_t targetsAt() const { return overlapAt() + 16; }
  int64_t newBitsAt() const { return targetsAt() + 4 * kCircle; }
  int64_t sharedBytes() const { return newBitsAt() + kCircle; }

  ::rotq::WeightLayout weight;
  int64_t padded;
  int64_t bits; ///< new ones of a state
  int64_t dim;
  int64_t overlaps;
  /// A thread has `groups` times `run` neighbouring overlaps and all states
  /// before them, or as one of `parts` an overlap with some of these.
  int64_t run, groups, parts;
  int64_t costBytes; ///< of a float or, where two sets do not fit, an integer
  int64_t decisionBytes; ///< of all decisions of a thread in a step
  int64_t circlesOfRow, circles;
};

/// Emits a search.
class SearchEmitter {
public:
  SearchEmitter(KernelBuilder &b, const KernelFunction &kernel, WeightType type)
      : b(b), kernel(kernel), layout(type),
        codebook(type.getFormat().getCodebook()), thread(b.threadId()),
        lane(b.rem(thread, 32)), warp(b.div(thread, 32)) {}

  void emit(Value sharedMemory);

private:
  /// A circle: of `steps` states, in the targets.
  struct Circle {
    Value row, first, length, steps;
  };
  void makePoints();
  void searchCircle(Value circle);
  void loadTargets(const Circle &circle);
  void fillCosts(Value isOpen, Value overlap);
  void advance(const Circle &circle, Value start, Value i, bool isTraced);
  Value bestEnd();
  Value traceBack(const Circle &circle, Value start, Value lowest,
                  Value overlap);
  void pack(const Circle &circle);

  /// Of the targets of a step: their places, and what differences are held to.
  struct Targets {
    SmallVector<Value, 2> values, limits;
    Value limit;  ///< of distances
    Value origin; ///< the bits of 2^16
  };
  Targets targetsAt(Value at);
  Value wordOf(Value cost, Value oldest, bool isTraced);
  Value bound(Value front, Value group, Value limit, bool isTraced);
  SmallVector<Value> leastOf(int64_t group, Value front, const Targets &x,
                             bool isTraced);
  Value overlapBefore(Value group);
  Value loadCost(Value at, int64_t overlap);
  void storeCosts(ArrayRef<Value> costs, Value back, Value group);
  Value distance(int64_t state, const Targets &x, Value cost);
  Value decisionAddress(Value step, Value owner);
  void storeLeast(Value parity, Value own);
  Value leastOfBlock(Value parity);
  IntegerType decisionType() {
    return b.getIntegerType(unsigned(8 * layout.decisionBytes));
  }

  KernelBuilder &b;
  const KernelFunction &kernel;
  SearchLayout layout;
  CodebookAttrInterface codebook;
  Value thread, lane, warp, shared;
  SmallVector<Value> points; ///< of four coordinates, plus 128, each
  Value zero;  ///< no lane has 31 below it, but compilers do not know
  Value scale; ///< 2^bits
};
} // namespace

/// Where integers start as floats, whose unit in the last place is 1.
static constexpr int64_t kZeroBits = std::bit_cast<uint32_t>(0x1p23f);
static constexpr int64_t kMostCost = 65535;

SearchLayout::SearchLayout(WeightType type)
    : weight(type.getCanonicalLayout()) {
  auto codebook = codebookOf(type);
  dim = codebook->dim();
  bits = codebook->rate() * dim;
  padded = ::rotq::paddedLength(type.getK());
  overlaps = int64_t(1) << (PathCodebook::kStateBits - bits);
  int64_t choices = int64_t(1) << bits;
  parts = std::max<int64_t>(1, choices / kStates);
  int64_t ofThread = std::max<int64_t>(1, kStates / choices);
  run = std::min(ofThread, choices);
  groups = ofThread / run;
  costBytes = bits == 1 ? 2 : 4;
  decisionBytes = int64_t(
      llvm::PowerOf2Ceil(uint64_t(llvm::divideCeil(ofThread * bits, 8))));
  circlesOfRow = int64_t(llvm::divideCeil(padded, kCircle));
  circles = type.getN() * circlesOfRow;
}

/// The points of the thread's states, in the order in which `leastOf` takes
/// them. Few at a time, for want of registers: what they are computed from
/// depends on those before, for all that compilers know.
void SearchEmitter::makePoints() {
  constexpr int64_t kAtOnce = 8;
  int64_t choices = std::min(int64_t(1) << layout.bits, SearchLayout::kStates);
  auto type = VectorType::get({kAtOnce}, b.getI32Type());
  auto bytes = VectorType::get({kAtOnce * layout.dim}, b.getI8Type());
  Value own = toI32(b, thread);
  auto codeOf = [&](int64_t state) -> Value {
    int64_t i = state % layout.run, r = state / layout.run % choices;
    int64_t group = state / layout.run / choices;
    Value part = mask(b, own, layout.parts - 1);
    Value first = shiftRight(b, own, llvm::Log2_64(uint64_t(layout.parts)));
    first = b.add(first, b.i32(group * SearchLayout::kThreads));
    Value overlap = b.add(b.mul(first, b.i32(layout.run)), b.i32(i));
    Value oldest = b.add(b.mul(part, b.i32(choices)), b.i32(r));
    Value whole = b.add(b.mul(oldest, b.i32(layout.overlaps)), overlap);
    return shiftRight(b, LLVM::BitReverseOp::create(b, whole), 16);
  };
  for (int64_t first = 0; first < SearchLayout::kStates; first += kAtOnce) {
    SmallVector<Value> codes;
    for (int64_t i = 0; i < kAtOnce; ++i)
      codes.push_back(codeOf(first + i));
    Value words = b.asWords(DecodeOp::create(
        b, bytes, codebook, vector::FromElementsOp::create(b, type, codes)));
    for (int64_t i = 0; i < kAtOnce * layout.dim / 4; ++i)
      points.push_back(arith::XOrIOp::create(b, b.word(words, i),
                                             b.i32(int32_t(0x80808080))));
    own = arith::OrIOp::create(b, own,
                               arith::AndIOp::create(b, points.back(), zero));
  }
}

Value SearchEmitter::loadCost(Value at, int64_t overlap) {
  at = b.add(at, overlap * layout.costBytes);
  if (layout.costBytes == 4)
    return b.load(shared, at, b.getF32Type(), 4);
  Value cost = arith::ExtUIOp::create(b, b.getI32Type(),
                                      b.load(shared, at, b.getI16Type(), 2));
  return floatOf(b, b.add(cost, b.i32(kZeroBits)));
}

/// Of the overlaps of a group, whose costs are given as the bits of floats.
void SearchEmitter::storeCosts(ArrayRef<Value> costs, Value back, Value group) {
  int64_t bytes = layout.run * layout.costBytes;
  Type type = b.getIntegerType(unsigned(8 * layout.costBytes));
  SmallVector<Value> values(costs);
  if (layout.costBytes != 4)
    for (Value &value : values)
      value = arith::TruncIOp::create(b, type, value);
  Value vector = vector::FromElementsOp::create(
      b, VectorType::get({layout.run}, type), values);
  b.store(vector, shared, b.add(back, b.mul(group, bytes)),
          std::min<int64_t>(bytes, 16));
}

/// Every overlap costs nothing or, unless `isOpen`, `overlap` alone.
void SearchEmitter::fillCosts(Value isOpen, Value overlap) {
  Type type = b.getIntegerType(unsigned(8 * layout.costBytes));
  b.forLoop(
      thread, b.index(layout.overlaps), SearchLayout::kThreads, {},
      [&](Value o, ValueRange) {
        Value isFree =
            arith::OrIOp::create(b, isOpen, b.equal(toI32(b, o), overlap));
        Value cost =
            b.select(isFree, b.i32(kZeroBits), b.i32(kZeroBits + kMostCost));
        if (layout.costBytes != 4)
          cost = arith::TruncIOp::create(b, type, cost);
        b.store(cost, shared, b.mul(o, layout.costBytes), layout.costBytes);
        return SmallVector<Value>();
      });
}

/// Twice the weights in steps, rounded to 2^-7, plus 2^16 + 256. Of a row
/// without a step, zeros.
void SearchEmitter::loadTargets(const Circle &circle) {
  b.ifThen(b.less(thread, circle.length), [&] {
    Value step = b.toF32(b.load(kernel.argument("steps"), b.mul(circle.row, 2),
                                b.getF16Type(), 2));
    Value at =
        b.add(b.add(b.mul(circle.row, layout.padded), circle.first), thread);
    Value x =
        b.load(kernel.argument("rotated"), b.mul(at, 4), b.getF32Type(), 4);
    x = b.mulF(x, arith::DivFOp::create(b, b.f32(256), step));
    x = arith::MinNumFOp::create(b, x, b.f32(32767));
    x = arith::MaxNumFOp::create(b, x, b.f32(-32767));
    // Around 1.5 * 2^23 floats are the integers.
    x = b.addF(b.addF(x, b.f32(0x1.8p23f)), b.f32(-0x1.8p23f));
    x = b.select(compare(b, arith::CmpFPredicate::OGT, step, b.f32(0)), x,
                 b.f32(0));
    x = b.addF(b.mulF(x, b.f32(0x1p-7f)), b.f32(0x1p16f + 256));
    b.store(x, shared, b.add(b.mul(thread, 4), layout.targetsAt()), 4);
  });
}

/// Differences are held within 16 bits and twice them to 65535 before they are
/// squared: below, which needs a target that is not negative, to 65534 in all,
/// above to 65532. In a state for one weight that can wait (`bound`).
SearchEmitter::Targets SearchEmitter::targetsAt(Value at) {
  Targets x;
  for (int64_t i = 0; i < layout.dim; ++i) {
    Value place = b.add(b.mul(at, 4 * layout.dim), layout.targetsAt() + 4 * i);
    Value value = b.load(shared, place, b.getF32Type(), 4);
    Value isNegative =
        compare(b, arith::CmpFPredicate::OLT, value, b.f32(0x1p16f + 256));
    x.values.push_back(value);
    x.limits.push_back(
        b.select(isNegative, b.f32(65534 * 0x1p-8f), b.f32(65535 * 0x1p-8f)));
    x.limit = b.select(isNegative, b.i32(65532), b.i32(65534));
  }
  if (layout.dim != 1)
    x.limit = b.i32(kMostCost);
  return x;
}

/// `cost` and the distance of the thread's state `state`. A point in the second
/// byte of 2^16 is twice the point.
Value SearchEmitter::distance(int64_t state, const Targets &x, Value cost) {
  for (int64_t i = 0; i < layout.dim; ++i) {
    int64_t byte = state * layout.dim + i;
    Value point = NVVM::PermuteOp::create(
        b, b.getI32Type(), points[size_t(byte / 4)], x.origin,
        b.i32(0x7604 | (byte % 4) << 4), NVVM::PermuteMode::DEFAULT);
    Value difference =
        arith::SubFOp::create(b, floatOf(b, point), x.values[size_t(i)]);
    if (layout.dim != 1)
      difference = arith::MinNumFOp::create(b, magnitude(b, difference),
                                            x.limits[size_t(i)]);
    cost = call(b, "llvm.nvvm.fma.rz.f", {difference, difference, cost});
  }
  return cost;
}

/// Bytes before the cost of the overlap before those of a group, the first.
Value SearchEmitter::overlapBefore(Value group) {
  Value first = b.div(b.mul(group, layout.run), int64_t(1) << layout.bits);
  return b.mul(first, layout.costBytes);
}

/// What a minimum is taken of: the bits of a cost or, where a decision is to be
/// traced back, that times 2^bits and the oldest bits.
Value SearchEmitter::wordOf(Value cost, Value oldest, bool isTraced) {
  cost = bitsOf(b, cost);
  return isTraced ? b.add(b.mul(cost, scale), oldest) : cost;
}

/// What no distance is beyond: the least word of a cost before the group and
/// `limit`. Threads that have the same overlaps before theirs share it.
Value SearchEmitter::bound(Value front, Value group, Value limit,
                           bool isTraced) {
  int64_t choices = int64_t(1) << layout.bits;
  int64_t stride = layout.overlaps >> layout.bits;
  int64_t share = std::max(layout.run, choices / 32), lanes = choices / share;
  Value first = b.i32(0), at = b.add(front, overlapBefore(group));
  if (lanes > 1) {
    Value r = b.mul(b.rem(thread, lanes), share);
    first = toI32(b, r);
    at = b.add(at, b.mul(r, stride * layout.costBytes));
  }
  Value least;
  for (int64_t i = 0; i < share; ++i) {
    Value word =
        wordOf(loadCost(at, i * stride), b.add(first, b.i32(i)), isTraced);
    least = least ? minU(b, least, word) : word;
  }
  if (lanes == 32)
    least = reduxMin(b, least);
  else
    for (int64_t width = lanes / 2; width != 0; width /= 2)
      least = minU(b, least, b.shuffleXor(least, width));
  return b.add(least, shiftLeft(b, limit, isTraced ? layout.bits : 0));
}

/// The least words of the overlaps of a group.
SmallVector<Value> SearchEmitter::leastOf(int64_t group, Value front,
                                          const Targets &x, bool isTraced) {
  int64_t choices = std::min(int64_t(1) << layout.bits, SearchLayout::kStates);
  int64_t stride = layout.overlaps >> layout.bits;
  Value own =
      b.add(b.div(thread, layout.parts), group * SearchLayout::kThreads);
  Value most = bound(front, own, x.limit, isTraced);
  Value at = b.add(front, overlapBefore(own)), part;
  if (layout.parts > 1) {
    part = b.rem(thread, layout.parts);
    at = b.add(at, b.mul(part, choices * stride * layout.costBytes));
  }
  SmallVector<Value> words(layout.run), pending(layout.run);
  for (int64_t r = 0; r < choices; ++r) {
    Value cost = loadCost(at, r * stride);
    for (int64_t i = 0; i < layout.run; ++i) {
      int64_t state = (group * choices + r) * layout.run + i;
      Value word = wordOf(distance(state, x, cost), b.i32(r), isTraced);
      Value &least = words[size_t(i)], &last = pending[size_t(i)];
      // Of one weight, two by two: ptxas makes minima of three of that.
      if (layout.dim == 1 && r % 2 == 0) {
        last = word;
        continue;
      }
      if (last)
        word = minU(b, last, word);
      least = least ? minU(b, least, word) : word;
    }
  }
  for (Value &word : words) {
    if (part) {
      if (isTraced)
        word = b.add(word, toI32(b, b.mul(part, choices)));
      for (int64_t width = layout.parts / 2; width != 0; width /= 2)
        word = minU(b, word, b.shuffleXor(word, width));
    }
    word = minU(b, word, most);
  }
  return words;
}

/// Behind the next barrier, `leastOfBlock` has the least of what threads had.
void SearchEmitter::storeLeast(Value parity, Value own) {
  Value at = b.add(b.mul(parity, SearchLayout::kWarps), warp);
  own = reduxMin(b, own);
  b.ifThen(b.equal(lane, b.index(0)), [&] {
    b.store(own, shared, b.add(b.mul(at, 4), layout.leastsAt()), 4);
  });
}

Value SearchEmitter::leastOfBlock(Value parity) {
  static_assert(SearchLayout::kWarps == 32, "expected a word for every lane");
  Value at = b.add(b.mul(parity, SearchLayout::kWarps), lane);
  return reduxMin(b, b.load(shared, b.add(b.mul(at, 4), layout.leastsAt()),
                            b.getI32Type(), 4));
}

/// Bytes before the decisions of a thread in a step of this block's circle.
Value SearchEmitter::decisionAddress(Value step, Value owner) {
  Value ofBlock = b.mul(b.blockId(gpu::Dimension::x), layout.steps());
  Value at = b.add(b.mul(b.add(ofBlock, step), SearchLayout::kThreads), owner);
  return b.mul(at, layout.decisionBytes);
}

/// State `i` of a pass that begins at `start`: the costs behind it and, if
/// `isTraced`, the decisions.
void SearchEmitter::advance(const Circle &circle, Value start, Value i,
                            bool isTraced) {
  int64_t set = layout.costsBytes();
  Value parity = b.rem(i, 2);
  Value front = b.mul(parity, set), back = b.sub(b.index(set), front);
  Value least = leastOfBlock(parity);
  Value turned = b.add(start, i);
  turned = b.select(b.less(turned, circle.steps), turned,
                    b.sub(turned, circle.steps));
  Targets x = targetsAt(turned);
  // Or compilers extract all points ahead of the loop, and spill them.
  x.origin = arith::XOrIOp::create(b, mask(b, least, int32_t(0x80000000)),
                                   b.i32(std::bit_cast<int32_t>(0x1p16f)));
  // A word has bits of 2^23 above its cost, of which those in front are lost.
  int64_t shift = isTraced ? layout.bits : 0;
  int64_t above = int64_t(uint32_t(kZeroBits) << shift >> shift);
  Value offset = b.sub(b.i32(kZeroBits - above), least);
  Value most = b.sub(b.i32(kZeroBits + kMostCost), least);
  Value decisions = b.i32(0), own = b.i32(-1);
  for (int64_t group = 0; group < layout.groups; ++group) {
    SmallVector<Value> costs;
    for (Value word : leastOf(group, front, x, isTraced)) {
      if (isTraced)
        decisions =
            LLVM::FshrOp::create(b, word, decisions, b.i32(layout.bits));
      Value cost = minU(b, b.add(shiftRight(b, word, shift), offset), most);
      own = minU(b, own, cost);
      costs.push_back(cost);
    }
    Value ofGroup =
        b.add(b.div(thread, layout.parts), group * SearchLayout::kThreads);
    auto store = [&] { storeCosts(costs, back, ofGroup); };
    if (layout.parts == 1)
      store();
    else
      b.ifThen(b.equal(b.rem(thread, layout.parts), b.index(0)), store);
  }
  if (isTraced) {
    int64_t used = layout.groups * layout.run * layout.bits;
    Value kept = shiftRight(b, decisions, 32 - used);
    if (layout.decisionBytes != 4)
      kept = arith::TruncIOp::create(b, decisionType(), kept);
    b.store(kept, kernel.argument("decisions"), decisionAddress(i, thread),
            layout.decisionBytes);
  }
  storeLeast(b.sub(b.index(1), parity), b.sub(own, b.i32(kZeroBits)));
  gpu::BarrierOp::create(b);
}

/// The first overlap of least cost behind the last state. The number of states
/// is even.
Value SearchEmitter::bestEnd() {
  Value own =
      b.forLoop(thread, b.index(layout.overlaps), SearchLayout::kThreads,
                {b.i32(-1)},
                [&](Value o, ValueRange carried) {
                  Value at = b.mul(o, layout.costBytes);
                  Value cost =
                      b.sub(bitsOf(b, loadCost(at, 0)), b.i32(kZeroBits));
                  Value key = b.add(shiftLeft(b, cost, 16), toI32(b, o));
                  return SmallVector<Value>{minU(b, carried[0], key)};
                })
          .front();
  Value parity = b.index(1);
  storeLeast(parity, own);
  gpu::BarrierOp::create(b);
  return mask(b, leastOfBlock(parity), 0xffff);
}

/// From `overlap` behind the last state back to `lowest`: leaves the new bits
/// of states, and returns the overlap before the lowest. Threads bring
/// decisions to shared memory, chunk by chunk, and one follows them.
Value SearchEmitter::traceBack(const Circle &circle, Value start, Value lowest,
                               Value overlap) {
  int64_t steps = layout.chunkSteps(), bytes = layout.decisionBytes;
  Value chunks = b.div(b.sub(circle.steps, lowest), steps);
  auto follow = [&](Value begin, Value overlap) {
    return b.forLoop(
        b.index(0), b.index(steps), 1, {overlap},
        [&](Value j, ValueRange carried) {
          Value inChunk = b.sub(b.index(steps - 1), j), overlap = carried[0];
          Value at = b.add(b.add(begin, inChunk), start);
          at = b.select(b.less(at, circle.steps), at, b.sub(at, circle.steps));
          Value newBits = arith::TruncIOp::create(
              b, b.getI8Type(), mask(b, overlap, (1 << layout.bits) - 1));
          b.store(newBits, shared, b.add(at, layout.newBitsAt()), 1);
          // The thread that has the overlap, and which it is of its own.
          Value group =
              shiftRight(b, overlap, llvm::Log2_64(uint64_t(layout.run)));
          Value owner = shiftLeft(b, mask(b, group, SearchLayout::kThreads - 1),
                                  llvm::Log2_64(uint64_t(layout.parts)));
          Value field = b.add(
              b.mul(shiftRight(b, group, llvm::Log2_64(SearchLayout::kThreads)),
                    b.i32(layout.run)),
              mask(b, overlap, layout.run - 1));
          Value from =
              b.add(b.mul(inChunk, SearchLayout::kThreads), toIndex(b, owner));
          Value word =
              b.load(shared, b.mul(from, bytes), decisionType(), bytes);
          if (bytes != 4)
            word = arith::ExtUIOp::create(b, b.getI32Type(), word);
          word =
              arith::ShRUIOp::create(b, word, b.mul(field, b.i32(layout.bits)));
          Value oldest = mask(b, word, (1 << layout.bits) - 1);
          Value state = b.add(b.mul(oldest, b.i32(layout.overlaps)), overlap);
          return SmallVector<Value>{shiftRight(b, state, layout.bits)};
        });
  };
  overlap =
      b.forLoop(
           b.index(0), chunks, 1, {overlap},
           [&](Value chunk, ValueRange carried) {
             Value begin = b.sub(circle.steps, b.mul(b.add(chunk, 1), steps));
             b.forLoop(
                 b.index(0), b.index(steps), 1, {}, [&](Value i, ValueRange) {
                   Value from = decisionAddress(b.add(begin, i), thread);
                   Value to = b.add(b.mul(i, SearchLayout::kThreads), thread);
                   b.store(b.load(kernel.argument("decisions"), from,
                                  decisionType(), bytes),
                           shared, b.mul(to, bytes), bytes);
                   return SmallVector<Value>();
                 });
             gpu::BarrierOp::create(b);
             Value next = b.ifElse(b.equal(thread, b.index(0)), carried, [&] {
                             return follow(begin, carried[0]);
                           }).front();
             gpu::BarrierOp::create(b);
             return SmallVector<Value>{next};
           })
          .front();
  Value place = b.index(layout.overlapAt());
  b.ifThen(b.equal(thread, b.index(0)),
           [&] { b.store(overlap, shared, place, 4); });
  gpu::BarrierOp::create(b);
  return b.load(shared, place, b.getI32Type(), 4);
}

/// The bytes of a circle, and of what is stored of a row behind it. The highest
/// of a state's new bits is the first of the string.
void SearchEmitter::pack(const Circle &circle) {
  const ::rotq::WeightLayout::Plane &plane = layout.weight.planes.front();
  int64_t rate = layout.bits / layout.dim;
  Value used = b.div(b.mul(circle.length, rate), 8);
  Value left =
      b.sub(b.index(plane.rowBytes), b.div(b.mul(circle.first, rate), 8));
  Value ofCircle = b.min(left, SearchLayout::kCircle * rate / 8);
  Value weight = kernel.argument("weight");
  b.ifThen(b.less(thread, ofCircle), [&] {
    auto byteOf = [&]() -> SmallVector<Value> {
      Value byte = b.i32(0);
      for (int64_t i = 0; i < 8; ++i) {
        Value bit = b.add(b.mul(thread, 8), i);
        Value newBits =
            b.load(shared, b.add(b.div(bit, layout.bits), layout.newBitsAt()),
                   b.getI8Type(), 1);
        Value place = b.sub(b.index(layout.bits - 1), b.rem(bit, layout.bits));
        Value value = arith::ShRUIOp::create(
            b, arith::ExtUIOp::create(b, b.getI32Type(), newBits),
            toI32(b, place));
        byte =
            arith::OrIOp::create(b, byte, shiftLeft(b, mask(b, value, 1), i));
      }
      return {byte};
    };
    Value byte = b.ifElse(b.less(thread, used), b.i32(0), byteOf).front();
    Value at = b.add(b.mul(circle.row, plane.rowBytes),
                     b.div(b.mul(circle.first, rate), 8));
    b.store(arith::TruncIOp::create(b, b.getI8Type(), byte), weight,
            b.add(b.add(at, thread), plane.offset), 1);
  });
  Value isFirst = b.equal(circle.first, b.index(0));
  b.ifThen(b.logicalAnd(isFirst, b.equal(thread, b.index(0))), [&] {
    Value step = b.load(kernel.argument("steps"), b.mul(circle.row, 2),
                        b.getF16Type(), 2);
    b.store(step, weight,
            b.add(b.mul(circle.row, 2), layout.weight.scalesOffset), 2);
  });
}

void SearchEmitter::searchCircle(Value number) {
  Circle circle;
  circle.row = b.div(number, layout.circlesOfRow);
  circle.first =
      b.mul(b.rem(number, layout.circlesOfRow), SearchLayout::kCircle);
  circle.length =
      b.min(b.sub(b.index(layout.padded), circle.first), SearchLayout::kCircle);
  circle.steps = b.div(circle.length, layout.dim);
  loadTargets(circle);
  Value half = b.div(circle.steps, 2);
  auto pass = [&](Value number, ValueRange carried) {
    Value isOpen = b.equal(number, b.index(0));
    Value start = b.select(b.equal(number, b.index(1)), b.index(0), half);
    Value lowest = b.select(b.equal(number, b.index(2)), b.index(0), half);
    fillCosts(isOpen, carried[0]);
    storeLeast(b.index(0), b.i32(0));
    gpu::BarrierOp::create(b);
    auto walk = [&](Value from, Value to, bool isTraced) {
      b.forLoop(from, to, 1, {}, [&](Value i, ValueRange) {
        advance(circle, start, i, isTraced);
        return SmallVector<Value>();
      });
    };
    walk(b.index(0), lowest, /*isTraced=*/false);
    walk(lowest, circle.steps, /*isTraced=*/true);
    Value end = b.ifElse(isOpen, carried, [&] {
                   return SmallVector<Value>{bestEnd()};
                 }).front();
    gpu::BarrierOp::create(b);
    return SmallVector<Value>{traceBack(circle, start, lowest, end)};
  };
  b.forLoop(b.index(0), b.index(3), 1, {b.i32(0)}, pass);
  pack(circle);
}

void SearchEmitter::emit(Value sharedMemory) {
  shared = sharedMemory;
  zero = mask(b, NVVM::LaneMaskLtOp::create(b, b.getI32Type()),
              int32_t(0x80000000));
  // A factor that ptxas does not know keeps the product one instruction that
  // multiplies, where units are free, and not one that shifts.
  scale = arith::XOrIOp::create(b, zero, b.i32(int64_t(1) << layout.bits));
  makePoints();
  b.forLoop(b.blockId(gpu::Dimension::x), b.index(layout.circles),
            std::min(layout.circles, SearchLayout::kBlocks), {},
            [&](Value circle, ValueRange) {
              searchCircle(circle);
              return SmallVector<Value>();
            });
  // Between the plane and the scales.
  const ::rotq::WeightLayout &weight = layout.weight;
  const ::rotq::WeightLayout::Plane &plane = weight.planes.front();
  int64_t end = plane.offset + weight.n * plane.rowBytes;
  if (end == weight.scalesOffset)
    return;
  Value isFirst = b.equal(b.blockId(gpu::Dimension::x), b.index(0));
  b.ifThen(b.logicalAnd(isFirst, b.less(thread, weight.scalesOffset - end)),
           [&] {
             b.store(b.zero(b.getI8Type()), kernel.argument("weight"),
                     b.add(thread, end), 1);
           });
}

void mlir::rotq::buildPathSearch(KernelBuilder &b, KernelFunction &kernel,
                                 WeightType type) {
  // Or ptxas takes half of the registers that there are.
  kernel.getFunc()->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(),
                            b.getI32IntegerAttr(1));
  SearchEmitter(b, kernel, type).emit(kernel.sharedMemory(b));
}

//===----------------------------------------------------------------------===//
// Descriptions
//===----------------------------------------------------------------------===//

static ::rotq::KernelInfo describe(WeightType type, std::string role) {
  ::rotq::KernelInfo info;
  info.name = role + "_" + identifier(type.getFormat().getName()) + "_n" +
              std::to_string(type.getN()) + "_k" + std::to_string(type.getK());
  info.role = std::move(role);
  info.format = type.getFormat().getFormat().toJson();
  info.n = type.getN();
  info.k = type.getK();
  return info;
}

static ::rotq::KernelParam
pointer(std::string name, bool isWritten, std::string element,
        std::vector<::rotq::KernelParam::Extent> shape) {
  using Param = ::rotq::KernelParam;
  return {std::move(name), Param::Kind::Pointer,
          isWritten ? Param::Access::Write : Param::Access::Read,
          std::move(element), std::move(shape)};
}

::rotq::KernelInfo mlir::rotq::describeWeightRotation(WeightType type,
                                                      Type element) {
  int64_t n = type.getN(), k = type.getK();
  ::rotq::KernelInfo info = describe(type, "rotate_weight");
  info.name += "_" + elementName(element);
  info.params = {
      pointer("x", false, elementName(element), {n, k}),
      pointer("rotated", true, "f32", {n, ::rotq::paddedLength(k)}),
      pointer("steps", true, "f16", {n}),
  };
  info.grid[0].count = n;
  info.block = {32 * ActivationEmitter::kWarps, 1, 1};
  info.sharedBytes = 4 * ActivationEmitter::kWarps;
  return info;
}

::rotq::KernelInfo mlir::rotq::describePathSearch(WeightType type) {
  SearchLayout layout(type);
  int64_t n = type.getN();
  int64_t blocks = std::min(layout.circles, SearchLayout::kBlocks);
  ::rotq::KernelInfo info = describe(type, "search_paths");
  info.params = {
      pointer("rotated", false, "f32", {n, layout.padded}),
      pointer("steps", false, "f16", {n}),
      pointer("weight", true, "u8", {layout.weight.totalBytes}),
      pointer("decisions", true, "i" + std::to_string(8 * layout.decisionBytes),
              {blocks, layout.steps(), SearchLayout::kThreads}),
  };
  info.grid[0].count = blocks;
  info.block = {SearchLayout::kThreads, 1, 1};
  info.sharedBytes = layout.sharedBytes();
  info.layout = stringifyLayoutKind(LayoutKind::Canonical).str();
  return info;
}
