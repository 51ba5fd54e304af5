//===- LiftingKernel.cpp - Rotate-quantize-and-lift kernel
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A block has one slot of a row. A warp quantizes it, and the others lift it by
// a frame and cut the codes into bit planes (LiftedLayout).
//
//===----------------------------------------------------------------------===//

#include "ActivationEmitter.h"

#include "rotq/Conversion/SegmentIndex.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/xxhash.h"

using namespace mlir;
using namespace mlir::rotq;
using ::rotq::LiftedLayout;
using ::rotq::TiledLayout;

static LiftedLayout layoutOf(const ActivationProblem &problem) {
  return LiftedLayout(*problem.frame.getFrame(), problem.k,
                      problem.liftedParts());
}

namespace {
class LiftingEmitter : ActivationEmitter {
public:
  LiftingEmitter(KernelBuilder &b, KernelFunction &kernel,
                 const ActivationProblem &problem)
      : ActivationEmitter(b, kernel, problem), frame(problem.frame.getFrame()),
        lifted(layoutOf(problem)) {}

  void emit();

private:
  int64_t codesOfLane() const { return kLane / lifted.dim * lifted.bits; }
  SmallVector<Value> lift(Value values, Value warp, int64_t ofWarp);
  void storeLifted(Value values, Value row, Value slot, Value position,
                   Value length);
  void syncLifting();
  void storePlanes(ArrayRef<Value> codes, Value row, Value segment);

  std::shared_ptr<const ::rotq::FrameCodebook> frame;
  LiftedLayout lifted;
};
} // namespace

/// The warp's share of what a lane's values are lifted to: `ofWarp` codes, of
/// the last warp fewer and then zeros.
SmallVector<Value> LiftingEmitter::lift(Value values, Value warp,
                                        int64_t ofWarp) {
  auto width = size_t(lifted.dim);
  auto codeOf = [&](int64_t code) -> Value {
    Value sum = b.f32(0);
    for (size_t i = 0; i < width && code < codesOfLane(); ++i) {
      size_t block = size_t(code / lifted.bits) * width;
      size_t vector = size_t(code % lifted.bits);
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
void LiftingEmitter::storeLifted(Value values, Value row, Value slot,
                                 Value position, Value length) {
  Value lane = b.rem(b.threadId(), 32), warp = b.div(b.threadId(), 32);
  Value shared = kernel.sharedMemory(b);
  int64_t words = lifted.parts * 4 * lifted.words * TiledLayout::kRun;
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
  Value most = b.f32(float(lifted.mostCode()));
  Value scale = arith::DivFOp::create(b, largest, most);
  Value inverse = inverseOf(largest, most);
  Value total = b.i32(0);
  for (Value &code : codes) {
    code = integers(round(inSteps(code, inverse, most)));
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
    Value scales = b.add(b.mul(row, lifted.rowBytes), lifted.scalesOffset);
    b.store(both, kernel.argument("planes"), b.add(scales, b.mul(group, 8)), 8);
  });
}

/// Waits for all warps that lift.
void LiftingEmitter::syncLifting() {
  NVVM::BarrierOp::create(b, TypeRange(), b.i32(1), b.i32(32 * kWarps),
                          NVVM::BarrierReductionAttr(), Value());
}

/// The threads leave a byte of every code in shared memory, in the order of
/// their bits, [part][t][word] of 32; then each takes half of the planes of 32
/// of them.
void LiftingEmitter::storePlanes(ArrayRef<Value> codes, Value row,
                                 Value segment) {
  constexpr int64_t kRun = TiledLayout::kRun;
  constexpr int64_t kPlanes = LiftedLayout::kPlanes / 2;
  int64_t words = lifted.words, ofPart = 4 * words * kRun;
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
      for (int64_t part = 0; part < lifted.parts; ++part) {
        Value byte = arith::TruncIOp::create(
            b, b.getI8Type(), arith::ShRUIOp::create(b, code, b.i32(8 * part)));
        b.store(byte, shared, b.add(b.add(target, own), part * ofPart), 1);
      }
    });
  }
  // Codes of an odd number of 16 bits leave half of the last word.
  if (2 * kRun / lifted.dim * lifted.bits % 32 != 0)
    b.ifThen(b.less(thread, 4), [&] {
      Value behind = b.mul(b.add(thread, 1), words * kRun);
      for (int64_t part = 0; part < lifted.parts; ++part)
        b.store(b.zero(VectorType::get({4}, b.getI32Type())), shared,
                b.add(behind, part * ofPart - kRun / 2), kRun / 2);
    });
  syncLifting();

  int64_t tasks = 2 * lifted.parts * words * 4;
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
      for (const auto &[first, size] : lifted.chunks()) {
        Value isHere = chunk ? b.less(b.index(first - 1), word) : Value();
        auto choose = [&](Value value, Value otherwise) {
          return isHere ? b.select(isHere, value, otherwise) : value;
        };
        inChunk = choose(b.sub(word, b.index(first)), inChunk);
        chunk = choose(b.index(first), chunk);
        chunkSize = choose(b.index(size), chunkSize);
      }
      Value place = b.add(b.mul(row, lifted.rowBytes),
                          b.mul(segment, lifted.segmentBytes()));
      place = b.add(place, b.mul(part, lifted.partBytes()));
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

void LiftingEmitter::emit() {
  Value lane = b.rem(b.threadId(), 32);
  Value row = b.blockId(gpu::Dimension::x);
  Value slot = b.blockId(gpu::Dimension::y);
  Value inSlot = b.mul(lane, kLane);
  Value position = b.add(b.mul(slot, kSlot), inSlot);
  Value values = rotatedValues(row, position);
  Value length = groupLength(position);
  b.ifThen(
      b.less(b.threadId(), 32 * kWarps),
      [&] { storeLifted(values, row, slot, position, length); },
      [&] { quantize(values, row, position, length); });
}

void mlir::rotq::buildLifting(KernelBuilder &b, KernelFunction &kernel,
                              const ActivationProblem &problem) {
  LiftingEmitter(b, kernel, problem).emit();
}

void mlir::rotq::describeLifting(const ActivationProblem &problem,
                                 ::rotq::KernelInfo &info) {
  LiftedLayout lifted = layoutOf(problem);
  std::shared_ptr<const ::rotq::FrameCodebook> frame = problem.frame.getFrame();
  StringRef vectors(reinterpret_cast<const char *>(frame->vectors().data()),
                    frame->vectors().size());
  info.name += "_lifted" + llvm::utohexstr(llvm::xxh3_64bits(vectors) >> 32,
                                           /*LowerCase=*/true, /*Width=*/8);
  using Param = ::rotq::KernelParam;
  info.params.push_back({"planes",
                         Param::Kind::Pointer,
                         Param::Access::Write,
                         "i8",
                         {"m", lifted.rowBytes}});
  info.sharedBytes = lifted.parts * 4 * lifted.words * TiledLayout::kRun +
                     ActivationEmitter::kWarps * 32 * 8;
  info.grid[1].count = int64_t(llvm::divideCeil(::rotq::storedLength(problem.k),
                                                ActivationEmitter::kSlot));
  info.block[0] += 32;
}
