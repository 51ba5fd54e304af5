//===- DecompressKernel.cpp - Kernel that decodes Rice codes
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A thread takes a stream: first it computes its check, then it decodes it. It
// has the next bits in two registers, the first one highest. The streams of a
// warp have about as many words, and their symbols are taken in step.
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"

#include "rotq/Codec/RiceStream.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::rotq;
using ::rotq::RiceLayout;
using ::rotq::WeightLayout;

static constexpr int64_t kThreads = 128;
/// Zeros that are taken at a time: after them, and the one behind them, the
/// first register still has the low bits of a symbol.
static constexpr int64_t kZeros = 24;
static_assert(kZeros + 1 + ::rotq::kMaxRice <= 32);
/// Points that are stored at a time, 16 bytes.
static constexpr int64_t kPoints = 16;

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

  void emit();

private:
  /// The bits ahead: `count` of them in `high` and then `low`, and the word
  /// that comes behind. Behind the end of a stream are zeros.
  struct Bits {
    Value high, low, count, next;
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
  Value bitAnd(Value a, int64_t mask) {
    return arith::AndIOp::create(b, a, constant(mask));
  }
  Value bitOr(Value a, Value c) { return arith::OrIOp::create(b, a, c); }
  Value bitXor(Value a, Value c) { return arith::XOrIOp::create(b, a, c); }
  Value atMost(Value a, Value c) {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::ule, a, c);
  }

  Value load(Value byte, IntegerType type);
  Value startOf(Value stream);
  Value isFrameRight(Value stream, Value start, Value stop);
  Value addToCheck(Value check, Value bytes, int64_t count);
  Value checkOf(Value k, Value start, Value stop);
  Value copyScales(Value check, Value row);
  Bits refill(Bits bits, Value stop);
  Bits drop(Bits bits, Value count);
  Value takeSymbol(Bits &bits, Value k, Value stop, Value &largest);
  SmallVector<Value> takePoint(Bits &bits, Value k, Value stop, Value &largest);
  Value decode(Value row, Value inRow, Value k, Value start, Value stop);

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
  Value result = b.logicalAnd(b.less(start, stop), atMost(stop, words));
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

Value DecompressEmitter::checkOf(Value k, Value start, Value stop) {
  Value check = addToCheck(constant(::rotq::kCheckStart), k, 1);
  return b
      .forLoop(start, stop, 1, check,
               [&](Value word, ValueRange carried) {
                 Value bytes =
                     load(b.add(b.mul(word, 4), layout.words), b.getI32Type());
                 return SmallVector<Value>{
                     addToCheck(carried.front(), bytes, 4)};
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

/// At least 32 bits.
DecompressEmitter::Bits DecompressEmitter::refill(Bits bits, Value stop) {
  SmallVector<Value> values = b.ifElse(
      b.less(bits.count, constant(32)),
      {bits.high, bits.low, bits.count, bits.next}, [&] {
        Value word =
            b.ifElse(b.less(bits.next, stop), constant(0), [&] {
               return SmallVector<Value>{load(
                   b.add(b.mul(bits.next, 4), layout.words), b.getI32Type())};
             }).front();
        return SmallVector<Value>{
            bitOr(bits.high, shiftRight(word, bits.count)),
            LLVM::FshrOp::create(b, word, constant(0), bits.count),
            b.add(bits.count, constant(32)), b.add(bits.next, 1)};
      });
  return {values[0], values[1], values[2], values[3]};
}

/// Without the first `count`, fewer than 32.
DecompressEmitter::Bits DecompressEmitter::drop(Bits bits, Value count) {
  return {LLVM::FshlOp::create(b, bits.high, bits.low, count),
          shiftLeft(bits.low, count), b.sub(bits.count, count), bits.next};
}

/// The next symbol; `largest` is at least as large.
Value DecompressEmitter::takeSymbol(Bits &bits, Value k, Value stop,
                                    Value &largest) {
  bits = refill(bits, stop);
  // As long as there are many zeros, but no more than a symbol can have.
  SmallVector<Value> init = {bits.high, bits.low, bits.count, bits.next,
                             constant(0)};
  SmallVector<Type> types(init.size(), b.getI32Type());
  types[3] = b.getIndexType();
  auto loop = scf::WhileOp::create(b, types, init);
  auto enter = [&](Region &region) {
    Block &block = region.emplaceBlock();
    b.setInsertionPointToStart(&block);
    for (Type type : types)
      block.addArgument(type, b.getLoc());
    return block.getArguments();
  };
  {
    OpBuilder::InsertionGuard guard(b);
    ValueRange carried = enter(loop.getBefore());
    Value many =
        b.equal(shiftRight(carried[0], constant(32 - kZeros - 1)), constant(0));
    scf::ConditionOp::create(
        b, b.logicalAnd(many, b.less(carried[4], constant(256))), carried);
    carried = enter(loop.getAfter());
    Bits rest = refill(drop({carried[0], carried[1], carried[2], carried[3]},
                            constant(kZeros)),
                       stop);
    scf::YieldOp::create(b,
                         ValueRange{rest.high, rest.low, rest.count, rest.next,
                                    b.add(carried[4], constant(kZeros))});
  }
  bits = {loop.getResult(0), loop.getResult(1), loop.getResult(2),
          loop.getResult(3)};
  Value zeros = LLVM::CountLeadingZerosOp::create(b, b.getI32Type(), bits.high,
                                                  /*is_zero_poison=*/false);
  zeros = b.min(zeros, constant(kZeros));
  bits = drop(bits, b.add(zeros, constant(1)));
  Value low =
      shiftRight(shiftRight(bits.high, constant(1)), b.sub(constant(31), k));
  bits = drop(bits, k);
  zeros = b.add(zeros, loop.getResult(4));
  Value symbol = bitOr(shiftLeft(zeros, k), low);
  largest = arith::MaxUIOp::create(b, largest, symbol);
  return symbol;
}

/// Eight points in two words; `largest` is beyond 254 where they are none.
SmallVector<Value> DecompressEmitter::takePoint(Bits &bits, Value k, Value stop,
                                                Value &largest) {
  SmallVector<Value> symbols, values;
  Value largestSymbol = constant(0);
  for (int i = 0; i < 8; ++i)
    symbols.push_back(takeSymbol(bits, k, stop, largestSymbol));
  auto unzigzag = [&](Value z) {
    return bitXor(shiftRight(z, constant(1)), b.sub(constant(0), bitAnd(z, 1)));
  };
  Value parity = bitAnd(symbols[7], 1), sum = constant(0);
  for (int i = 0; i < 7; ++i) {
    Value s = unzigzag(symbols[size_t(i)]);
    sum = b.add(sum, s);
    values.push_back(b.add(shiftLeft(s, constant(1)), parity));
  }
  Value last = unzigzag(shiftRight(symbols[7], constant(1)));
  last = b.add(shiftLeft(last, constant(1)), bitAnd(sum, 1));
  values.push_back(b.add(shiftLeft(last, constant(1)), parity));
  // A symbol of 255 may stand for a point.
  Value tooLarge = b.less(constant(255), largestSymbol);
  largest = b.select(tooLarge, constant(255), largest);
  SmallVector<Value> result;
  for (int i = 0; i < 8; ++i) {
    Value value = values[size_t(i)];
    largest = arith::MaxUIOp::create(b, largest, b.add(value, constant(127)));
    Value byte = bitAnd(value, 255);
    if (i % 4 == 0)
      result.push_back(byte);
    else
      result.back() =
          bitOr(result.back(), shiftLeft(byte, constant(8 * (i % 4))));
  }
  return result;
}

/// Stores the points of a stream; whether it holds them and nothing else.
Value DecompressEmitter::decode(Value row, Value inRow, Value k, Value start,
                                Value stop) {
  const WeightLayout::Plane &plane = weight.planes.front();
  Value column = b.mul(inRow, ::rotq::kStreamSymbols);
  Value end = b.min(b.add(column, ::rotq::kStreamSymbols), layout.columns);
  Value rowStart = b.add(b.mul(row, plane.rowBytes), plane.offset);
  SmallVector<Value> carried = b.forLoop(
      column, end, kPoints,
      {constant(0), constant(0), constant(0), start, constant(0)},
      [&](Value position, ValueRange carried) {
        Bits bits = {carried[0], carried[1], carried[2], carried[3]};
        Value largest = carried[4];
        SmallVector<Value> points;
        for (int64_t i = 0; i < kPoints; i += 8)
          llvm::append_range(points, takePoint(bits, k, stop, largest));
        Value vector = vector::FromElementsOp::create(
            b, VectorType::get({kPoints / 4}, b.getI32Type()), points);
        b.store(vector, target, b.add(rowStart, position), kPoints);
        return SmallVector<Value>{bits.high, bits.low, bits.count, bits.next,
                                  largest};
      });
  if (plane.rowBytes > layout.columns) {
    Value zeros = b.zero(VectorType::get({kPoints / 4}, b.getI32Type()));
    b.ifThen(b.equal(end, b.index(layout.columns)), [&] {
      for (int64_t i = layout.columns; i < plane.rowBytes; i += kPoints)
        b.store(zeros, target, b.add(rowStart, i), kPoints);
    });
  }
  // What is left are fewer than 32 bits, and zeros.
  Bits bits = refill({carried[0], carried[1], carried[2], carried[3]}, stop);
  Value ahead = b.mul(b.sub(stop, bits.next), 32);
  Value left = b.add(toI32(ahead), bits.count);
  Value isEmpty = b.equal(bitOr(bits.high, bits.low), constant(0));
  Value isAtEnd = b.logicalAnd(b.less(left, constant(32)), isEmpty);
  return b.logicalAnd(isAtEnd, atMost(carried[4], constant(254)));
}

void DecompressEmitter::emit() {
  Value stream =
      b.add(b.mul(b.blockId(gpu::Dimension::x), kThreads), b.threadId());
  b.ifThen(b.less(stream, layout.streams), [&] {
    // Of too few bytes for anything, or parts of words, nothing is read.
    Value isWhole = b.logicalAnd(b.less(words, int64_t(1) << 30),
                                 b.equal(b.mul(words, 4), bytes));
    Value isRight =
        b.ifElse(isWhole, b.zero(b.getI1Type()), [&] {
           Value row = b.div(stream, layout.perRow);
           Value inRow = b.rem(stream, layout.perRow);
           Value start = startOf(stream), stop = startOf(b.add(stream, 1));
           Value k = load(b.add(stream, layout.parameters), b.getI8Type());
           Value check =
               load(b.add(b.mul(stream, 2), layout.checks), b.getI16Type());
           Value isSound = b.logicalAnd(isFrameRight(stream, start, stop),
                                        atMost(k, constant(::rotq::kMaxRice)));
           return b.ifElse(isSound, b.zero(b.getI1Type()), [&] {
             Value own = checkOf(k, start, stop);
             own = b.ifElse(b.equal(inRow, b.index(0)), own, [&] {
                      return SmallVector<Value>{copyScales(own, row)};
                    }).front();
             Value holds = decode(row, inRow, k, start, stop);
             return SmallVector<Value>{
                 b.logicalAnd(holds, b.equal(own, check))};
           });
         }).front();
    Value byte = b.select(
        isRight, b.zero(b.getI8Type()),
        arith::ConstantOp::create(b, b.getI8IntegerAttr(1)).getResult());
    b.store(byte, damage, stream, 1);
  });
}

void mlir::rotq::buildDecompress(KernelBuilder &b, const KernelFunction &kernel,
                                 WeightType type) {
  DecompressEmitter(b, kernel, type).emit();
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
  info.format = type.getFormat().getFormat().toJson();
  info.n = type.getN();
  info.k = type.getK();
  info.layout = stringifyLayoutKind(LayoutKind::Canonical).str();
  return info;
}
