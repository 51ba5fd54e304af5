//===- DecompressKernel.cpp - Kernel that decodes Rice codes
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A thread takes a stream. Those of a block lie one behind the other, and are
// copied to shared memory first: threads read words far apart. Symbols are
// taken four at a time out of a window of 64 bits, which they fit into but for
// outliers; the streams of a warp are taken in step.
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"

#include "rotq/Codec/RiceStream.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::rotq;
using ::rotq::RiceLayout;
using ::rotq::WeightLayout;

static constexpr int64_t kThreads = 64;
/// Symbols of a window.
static constexpr int64_t kWindow = 4;
/// Points that are stored at a time, 16 bytes.
static constexpr int64_t kPoints = 16;
/// Bytes of a copy to shared memory. What streams of a block take there begins
/// within one, and behind them is one of zeros.
static constexpr int64_t kCopied = 16;
static constexpr int64_t kStagedBytes =
    4 * ::rotq::kMaxStreamWords * kThreads + 3 * kCopied;

namespace {
class DecompressEmitter {
public:
  DecompressEmitter(KernelBuilder &b, const KernelFunction &kernel,
                    WeightType type)
      : b(b), weight(type.getCanonicalLayout()), layout(weight),
        source(kernel.argument("source")), target(kernel.argument("weight")),
        damage(kernel.argument("damage")),
        bytes(b.sub(toIndex(kernel.argument("bytes")), b.index(layout.words))),
        words(b.div(bytes, 4)) {}

  void emit(Value shared);

private:
  /// The words of a stream: from the first, in bytes of shared memory, and how
  /// many bits they have.
  struct Words {
    Value shared, first, bits;
  };
  /// Symbols, and the bit behind them.
  struct Symbols {
    SmallVector<Value> values;
    Value position;
  };

  Value constant(int64_t value) { return b.i32(value); }
  Value toIndex(Value value) {
    return arith::IndexCastUIOp::create(b, b.getIndexType(), value);
  }
  Value toI32(Value value) {
    return arith::IndexCastOp::create(b, b.getI32Type(), value);
  }
  Value shiftLeft(Value a, Value amount) {
    return arith::ShLIOp::create(b, a, amount);
  }
  Value shiftRight(Value a, Value amount) {
    return arith::ShRUIOp::create(b, a, amount);
  }
  /// The low word of both, shifted by `amount` modulo 32; and the high one.
  Value funnelRight(Value high, Value low, Value amount) {
    return LLVM::FshrOp::create(b, high, low, amount);
  }
  Value funnelLeft(Value high, Value low, Value amount) {
    return LLVM::FshlOp::create(b, high, low, amount);
  }
  Value leadingZeros(Value a) {
    return LLVM::CountLeadingZerosOp::create(b, b.getI32Type(), a,
                                             /*is_zero_poison=*/false);
  }
  Value bitAnd(Value a, int64_t mask) {
    return arith::AndIOp::create(b, a, constant(mask));
  }
  Value bitOr(Value a, Value c) { return arith::OrIOp::create(b, a, c); }
  Value bitXor(Value a, Value c) { return arith::XOrIOp::create(b, a, c); }
  Value atMost(Value a, Value c) {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::ule, a, c);
  }
  Value maximum(Value a, Value c) { return arith::MaxUIOp::create(b, a, c); }

  Value load(Value byte, IntegerType type);
  Value startOf(Value stream);
  Value isFrameRight(Value stream, Value start, Value stop);
  Value addToCheck(Value check, Value bytes, int64_t count);
  Value checkOf(Value k, const Words &words);
  Value copyScales(Value check, Value row);
  Value copyWords(Value shared, Value begin, Value end);
  SmallVector<Value> wordsAt(const Words &words, Value position, int64_t count);
  Symbols takeAny(const Words &words, Value k, Value position);
  Symbols take(const Words &words, Value k, Value position);
  SmallVector<Value> takePoint(const Words &words, Value k, Value &position,
                               Value &largest);
  Value decode(Value row, Value inRow, Value k, const Words &words);
  Value isSound(Value stream, Value shared, Value staged);

  KernelBuilder &b;
  WeightLayout weight;
  RiceLayout layout;
  Value source, target, damage;
  Value bytes, words; ///< of all streams
};
} // namespace

Value DecompressEmitter::load(Value byte, IntegerType type) {
  Value value =
      b.load(source, byte, type, type.getWidth() / 8, /*isConstant=*/true);
  if (type.getWidth() == 32)
    return value;
  return arith::ExtUIOp::create(b, b.getI32Type(), value);
}

Value DecompressEmitter::startOf(Value stream) {
  return toIndex(load(b.add(b.mul(stream, 4), layout.starts), b.getI32Type()));
}

/// Whether the stream has words, within those there are, and what lies ahead of
/// all streams is as it must be, if this is the first one, or behind them.
Value DecompressEmitter::isFrameRight(Value stream, Value start, Value stop) {
  Value result = b.logicalAnd(
      b.logicalAnd(b.less(start, stop), atMost(stop, words)),
      atMost(b.sub(stop, start), b.index(::rotq::kMaxStreamWords)));
  auto require = [&](Value holds, Value condition) {
    result = b.select(condition, b.logicalAnd(result, holds), result);
  };
  Value ahead = b.equal(start, b.index(0));
  Value header[] = {constant(int64_t(::rotq::kRiceMagic)), constant(weight.n),
                    constant(weight.k), toI32(words)};
  for (auto [i, value] : llvm::enumerate(header))
    ahead = b.logicalAnd(
        ahead, b.equal(load(b.index(int64_t(4 * i)), b.getI32Type()), value));
  auto requireZeros = [&](int64_t first, int64_t last) {
    for (; first < last; ++first)
      ahead = b.logicalAnd(
          ahead, b.equal(load(b.index(first), b.getI8Type()), constant(0)));
  };
  requireZeros(layout.scales + weight.n * layout.scaleBytes, layout.starts);
  requireZeros(layout.parameters + layout.streams, layout.words);
  require(ahead, b.equal(stream, b.index(0)));
  require(b.equal(stop, words), b.equal(stream, b.index(layout.streams - 1)));
  return result;
}

/// The check with `count` bytes more, the lowest ones of `bytes` first.
Value DecompressEmitter::addToCheck(Value check, Value bytes, int64_t count) {
  static_assert(::rotq::kCheckPolynomial == 0x8408, "what the shifts are of");
  for (int64_t i = 0; i < count; ++i) {
    Value byte = i ? shiftRight(bytes, constant(8 * i)) : bytes;
    Value x = bitAnd(bitXor(check, byte), 255);
    x = bitXor(x, bitAnd(shiftLeft(x, constant(4)), 255));
    check = bitXor(
        shiftRight(check, constant(8)),
        bitXor(shiftLeft(x, constant(8)),
               bitXor(shiftLeft(x, constant(3)), shiftRight(x, constant(4)))));
  }
  return check;
}

Value DecompressEmitter::checkOf(Value k, const Words &words) {
  Value check = addToCheck(constant(::rotq::kCheckStart), k, 1);
  Value end = b.add(words.first, b.div(toIndex(words.bits), 8));
  return b
      .forLoop(words.first, end, 4, check,
               [&](Value byte, ValueRange carried) {
                 Value word = b.load(words.shared, byte, b.getI32Type(), 4);
                 return SmallVector<Value>{
                     addToCheck(carried.front(), word, 4)};
               })
      .front();
}

/// The check with the scales of the row, which are copied.
Value DecompressEmitter::copyScales(Value check, Value row) {
  Value first = b.mul(row, layout.scaleBytes);
  return b
      .forLoop(b.index(0), b.index(layout.scaleBytes), 2, check,
               [&](Value byte, ValueRange carried) {
                 Value at = b.add(first, byte);
                 Value number = load(b.add(at, layout.scales), b.getI16Type());
                 b.store(arith::TruncIOp::create(b, b.getI16Type(), number),
                         target, b.add(at, weight.scalesOffset), 2);
                 return SmallVector<Value>{
                     addToCheck(carried.front(), number, 2)};
               })
      .front();
}

/// Copies words `begin` to `end` of all streams, and zeros behind them; the
/// byte of the source that comes first in shared memory.
Value DecompressEmitter::copyWords(Value shared, Value begin, Value end) {
  Value from = b.add(b.mul(begin, 4), layout.words);
  Value behind = b.add(b.mul(end, 4), layout.words);
  Value first = b.sub(from, b.rem(from, kCopied));
  Value own = b.add(first, b.mul(b.threadId(), kCopied));
  b.forLoop(own, b.add(behind, 2 * kCopied - 1), kCopied * kThreads, {},
            [&](Value at, ValueRange) {
              Value there = b.min(at, behind);
              Value given = toI32(b.min(b.sub(behind, there), kCopied));
              b.copyToShared(shared, b.sub(at, first), source, there, kCopied,
                             given);
              return SmallVector<Value>();
            });
  NVVM::CpAsyncCommitGroupOp::create(b);
  NVVM::CpAsyncWaitGroupOp::create(b, 0);
  gpu::BarrierOp::create(b);
  return first;
}

/// Words from the one with bit `position` on; behind the end, others.
SmallVector<Value> DecompressEmitter::wordsAt(const Words &words,
                                              Value position, int64_t count) {
  Value bit = b.min(position, words.bits);
  Value byte =
      b.add(words.first, b.mul(toIndex(shiftRight(bit, constant(5))), 4));
  SmallVector<Value> result;
  for (int64_t i = 0; i < count; ++i)
    result.push_back(
        b.load(words.shared, b.add(byte, 4 * i), b.getI32Type(), 4));
  return result;
}

/// Symbols of a window that may be of any length.
DecompressEmitter::Symbols DecompressEmitter::takeAny(const Words &words,
                                                      Value k, Value position) {
  auto bitsAt = [&](Value position) {
    SmallVector<Value> pair = wordsAt(words, position, 2);
    return funnelLeft(pair[0], pair[1], position);
  };
  Symbols result;
  for (int64_t i = 0; i < kWindow; ++i) {
    // As many zeros as the largest symbol has, 32 at a time.
    Type type = b.getI32Type();
    auto loop = scf::WhileOp::create(
        b, TypeRange{type, type, type},
        ValueRange{position, constant(0), bitsAt(position)});
    auto enter = [&](Region &region) {
      Block &block = region.emplaceBlock();
      b.setInsertionPointToStart(&block);
      for (Type type : loop.getResultTypes())
        block.addArgument(type, b.getLoc());
      return block.getArguments();
    };
    {
      OpBuilder::InsertionGuard guard(b);
      ValueRange carried = enter(loop.getBefore());
      Value more = b.logicalAnd(b.equal(carried[2], constant(0)),
                                b.less(carried[1], constant(256)));
      scf::ConditionOp::create(b, more, carried);
      carried = enter(loop.getAfter());
      Value next = b.add(carried[0], constant(32));
      scf::YieldOp::create(
          b, ValueRange{next, b.add(carried[1], constant(32)), bitsAt(next)});
    }
    Value zeros = leadingZeros(loop.getResult(2));
    position = b.add(loop.getResult(0), b.add(zeros, constant(1)));
    zeros = b.add(zeros, loop.getResult(1));
    Value low = shiftRight(shiftRight(bitsAt(position), constant(1)),
                           b.sub(constant(31), k));
    position = b.add(position, k);
    result.values.push_back(bitOr(shiftLeft(zeros, k), low));
  }
  result.position = position;
  return result;
}

/// The symbols of a window. A code is its low bits with a one ahead, and zeros:
/// shifted to the right until the one is bit k, it is the symbol for as many
/// zeros as there are, less 2^k.
DecompressEmitter::Symbols DecompressEmitter::take(const Words &words, Value k,
                                                   Value position) {
  SmallVector<Value> ahead = wordsAt(words, position, 3);
  Value high = funnelLeft(ahead[0], ahead[1], position);
  Value low = funnelLeft(ahead[1], ahead[2], position);
  Value unit = shiftLeft(constant(1), k), sum = constant(0);
  SmallVector<Value> values;
  Value isLong;
  for (int64_t i = 0; i < kWindow; ++i) {
    Value zeros = leadingZeros(high);
    // Bits behind the code in the high word.
    Value behind = b.sub(b.sub(constant(31), zeros), k);
    Value shifted = funnelRight(constant(0), high, behind);
    Value less = b.sub(zeros, constant(1));
    values.push_back(b.add(shifted, b.mul(less, unit)));
    Value isBeyond = b.less(constant(31), behind);
    isLong = isLong ? bitOr(isLong, isBeyond) : isBeyond;
    sum = b.add(sum, behind);
    if (i + 1 == kWindow)
      break;
    high = funnelRight(high, low, behind);
    low = funnelLeft(low, constant(0), b.sub(constant(32), behind));
  }
  // A code of 32 bits drops nothing of the low word, but what stays there is
  // behind the window.
  Value taken = b.sub(constant(32 * kWindow), sum);
  isLong = bitOr(isLong, b.less(constant(64), taken));
  values.push_back(b.add(position, taken));
  SmallVector<Value> result = b.ifElse(isLong, values, [&] {
    Symbols any = takeAny(words, k, position);
    any.values.push_back(any.position);
    return any.values;
  });
  Value end = result.pop_back_val();
  return {result, end};
}

/// Eight points in two words; `largest` is beyond 254 where they are none.
SmallVector<Value> DecompressEmitter::takePoint(const Words &words, Value k,
                                                Value &position,
                                                Value &largest) {
  SmallVector<Value> symbols;
  while (symbols.size() < 8) {
    Symbols taken = take(words, k, position);
    llvm::append_range(symbols, taken.values);
    position = taken.position;
  }
  // Twice what the symbol stands for.
  auto twice = [&](Value z) {
    return bitXor(z, b.sub(constant(0), bitAnd(z, 1)));
  };
  Value parity = bitAnd(symbols[7], 1), sum = constant(0);
  SmallVector<Value> values;
  Value most = constant(0);
  for (int i = 0; i < 7; ++i) {
    most = maximum(most, symbols[size_t(i)]);
    values.push_back(twice(symbols[size_t(i)]));
    sum = b.add(sum, values.back());
  }
  // Up to 126 or, of odd points, 127: those are within 127.
  Value isOutside = b.less(b.add(parity, constant(126)), most);
  Value last = twice(shiftRight(symbols[7], constant(1)));
  last = b.add(b.add(last, last), bitAnd(sum, 2));
  values.push_back(last);
  Value reach = b.add(b.add(last, parity), constant(127));
  isOutside = bitOr(isOutside, b.less(constant(254), reach));
  isOutside = bitOr(isOutside, b.less(constant(255), symbols[7]));
  largest = b.select(isOutside, constant(255), largest);
  SmallVector<Value> result;
  Value parities = b.mul(parity, constant(0x01010101));
  for (size_t i = 0; i < 8; i += 4) {
    Value word = parities;
    for (size_t j = 0; j < 4; ++j)
      word = bitOr(word, shiftLeft(bitAnd(values[i + j], 255),
                                   constant(int64_t(8 * j))));
    result.push_back(word);
  }
  return result;
}

/// Stores the points of a stream; whether it holds them and nothing else.
Value DecompressEmitter::decode(Value row, Value inRow, Value k,
                                const Words &words) {
  const WeightLayout::Plane &plane = weight.planes.front();
  Value column = b.mul(inRow, ::rotq::kStreamSymbols);
  Value end = b.min(b.add(column, ::rotq::kStreamSymbols), layout.columns);
  Value rowStart = b.add(b.mul(row, plane.rowBytes), plane.offset);
  SmallVector<Value> carried = b.forLoop(
      column, end, kPoints, {constant(0), constant(0)},
      [&](Value at, ValueRange carried) {
        Value position = carried[0], largest = carried[1];
        SmallVector<Value> points;
        for (int64_t i = 0; i < kPoints; i += 8)
          llvm::append_range(points, takePoint(words, k, position, largest));
        Value vector = vector::FromElementsOp::create(
            b, VectorType::get({kPoints / 4}, b.getI32Type()), points);
        b.store(vector, target, b.add(rowStart, at), kPoints);
        return SmallVector<Value>{position, largest};
      });
  if (plane.rowBytes > layout.columns) {
    Value zeros = b.zero(VectorType::get({kPoints / 4}, b.getI32Type()));
    b.ifThen(b.equal(end, b.index(layout.columns)), [&] {
      for (int64_t i = layout.columns; i < plane.rowBytes; i += kPoints)
        b.store(zeros, target, b.add(rowStart, i), kPoints);
    });
  }
  // What is left are fewer than 32 bits, and zeros.
  Value position = carried[0];
  SmallVector<Value> pair = wordsAt(words, position, 2);
  Value left = b.sub(words.bits, position);
  Value rest = shiftRight(
      shiftRight(funnelLeft(pair[0], pair[1], position), constant(1)),
      b.sub(constant(31), bitAnd(left, 31)));
  Value isAtEnd =
      b.logicalAnd(b.less(left, constant(32)), b.equal(rest, constant(0)));
  return b.logicalAnd(isAtEnd, b.equal(carried[1], constant(0)));
}

/// Whether a stream is all that it should be; decodes it. Byte `staged` of the
/// source is the first one in shared memory.
Value DecompressEmitter::isSound(Value stream, Value shared, Value staged) {
  Value row = b.div(stream, layout.perRow);
  Value inRow = b.rem(stream, layout.perRow);
  Value start = startOf(stream), stop = startOf(b.add(stream, 1));
  Value k = load(b.add(stream, layout.parameters), b.getI8Type());
  Value check = load(b.add(b.mul(stream, 2), layout.checks), b.getI16Type());
  Value isFramed = b.logicalAnd(isFrameRight(stream, start, stop),
                                atMost(k, constant(::rotq::kMaxRice)));
  return b
      .ifElse(isFramed, b.zero(b.getI1Type()),
              [&] {
                Words own = {
                    shared, b.sub(b.add(b.mul(start, 4), layout.words), staged),
                    toI32(b.mul(b.sub(stop, start), 32))};
                Value expected = checkOf(k, own);
                expected =
                    b.ifElse(b.equal(inRow, b.index(0)), expected, [&] {
                       return SmallVector<Value>{copyScales(expected, row)};
                     }).front();
                Value holds = decode(row, inRow, k, own);
                return SmallVector<Value>{
                    b.logicalAnd(holds, b.equal(expected, check))};
              })
      .front();
}

void DecompressEmitter::emit(Value shared) {
  Value first = b.mul(b.blockId(gpu::Dimension::x), kThreads);
  Value stream = b.add(first, b.threadId());
  auto setDamage = [&](Value isRight) {
    Value one = arith::ConstantOp::create(b, b.getI8IntegerAttr(1));
    b.store(b.select(isRight, b.zero(b.getI8Type()), one), damage, stream, 1);
  };
  // Of too few bytes for anything, or parts of words, nothing is read; nor of
  // streams of which some must be too long.
  Value isWhole = b.logicalAnd(b.less(words, int64_t(1) << 30),
                               b.equal(b.mul(words, 4), bytes));
  SmallVector<Value> ends = {b.index(1), b.index(0)};
  ends = b.ifElse(isWhole, ends, [&] {
    return SmallVector<Value>{
        startOf(first), startOf(b.min(b.add(first, kThreads), layout.streams))};
  });
  Value most = b.index(::rotq::kMaxStreamWords * kThreads);
  Value fits =
      b.logicalAnd(b.less(ends[0], ends[1]),
                   b.logicalAnd(atMost(ends[1], words),
                                atMost(b.sub(ends[1], ends[0]), most)));
  b.ifThen(
      fits,
      [&] {
        Value staged = copyWords(shared, ends[0], ends[1]);
        b.ifThen(b.less(stream, layout.streams), [&] {
          // Starts may lie outside of the block's.
          Value start = startOf(stream), stop = startOf(b.add(stream, 1));
          Value isStaged =
              b.logicalAnd(atMost(ends[0], start), atMost(stop, ends[1]));
          setDamage(b.ifElse(isStaged, b.zero(b.getI1Type()), [&] {
                       return SmallVector<Value>{
                           isSound(stream, shared, staged)};
                     }).front());
        });
      },
      [&] {
        b.ifThen(b.less(stream, layout.streams),
                 [&] { setDamage(b.zero(b.getI1Type())); });
      });
}

void mlir::rotq::buildDecompress(KernelBuilder &b, KernelFunction &kernel,
                                 WeightType type) {
  DecompressEmitter(b, kernel, type).emit(kernel.sharedMemory(b));
}

::rotq::KernelInfo mlir::rotq::describeDecompress(WeightType type) {
  using Param = ::rotq::KernelParam;
  WeightLayout weight = type.getCanonicalLayout();
  RiceLayout layout(weight);
  ::rotq::KernelInfo info;
  info.role = "decompress";
  info.name = "decompress_" + identifier(type.getFormat().getName()) + "_n" +
              std::to_string(type.getN()) + "_k" + std::to_string(type.getK());
  info.params = {
      {"source", Param::Kind::Pointer, Param::Access::Read, "u8", {"bytes"}},
      {"weight",
       Param::Kind::Pointer,
       Param::Access::Write,
       "u8",
       {weight.totalBytes}},
      {"damage",
       Param::Kind::Pointer,
       Param::Access::Write,
       "u8",
       {layout.streams}},
      {"bytes", Param::Kind::I32, Param::Access::Read, "", {}}};
  info.grid[0].count = int64_t(llvm::divideCeil(layout.streams, kThreads));
  info.block = {kThreads, 1, 1};
  info.sharedBytes = kStagedBytes;
  info.format = type.getFormat().getFormat().toJson();
  info.n = type.getN();
  info.k = type.getK();
  info.layout = stringifyLayoutKind(LayoutKind::Canonical).str();
  return info;
}
