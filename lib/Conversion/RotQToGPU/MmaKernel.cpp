//===- MmaKernel.cpp - mma.sync matmul kernels
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Lane (g, t) of a warp also holds column g of operand B; step s of a run takes
// two words of it.
//
// Warps that split K take its tiles in turn, and add up through shared memory.
// A warp loads the weights of the next tiles while it computes on one, the
// first of them before it waits for the kernel that makes the activation.
//
//===----------------------------------------------------------------------===//

#include "MatmulEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <numeric>

using namespace mlir;
using namespace mlir::rotq;
using ::rotq::Segment;

namespace {
class MmaEmitter : MatmulEmitter {
public:
  using MatmulEmitter::MatmulEmitter;

  LogicalResult emit();

private:
  SmallVector<Value> addStagedTiles(ValueRange sums);
  SmallVector<Value> addTile(Value tile, const Fragments &fragments,
                             ArrayRef<Piece> inTile, bool isFull,
                             ValueRange sums);
  /// Whether sums of products are integers.
  bool hasIntegers() const { return isQuantized() && !hasFloatCodes(); }
  Value multiplyAdd(ValueRange a, ValueRange x, ValueRange sums);
  Value productOrigin();
  Value productAsFloat(Value product);
  Value weightWords(ArrayRef<Value> slots, int64_t half, int64_t run,
                    ArrayRef<Piece> inTile);
  Value runValues(ArrayRef<Value> slots, int64_t half, int64_t run,
                  ArrayRef<Piece> inTile);
  Value activationWords(Value col, Value position, bool isFull);
  void multiply(ArrayRef<Value> a, Value x,
                MutableArrayRef<SmallVector<Value>> products);

  SmallVector<Value> cols; ///< clamped, column g of every col tile
};
} // namespace

/// A run of a row of the tile in f16, after the butterflies that stay within
/// it.
Value MmaEmitter::runValues(ArrayRef<Value> slots, int64_t half, int64_t run,
                            ArrayRef<Piece> inTile) {
  auto type = VectorType::get({kRun}, b.getF16Type());
  Value values = arith::SIToFPOp::create(b, type, points(slots, half, run));
  if (!isRotated())
    return values;
  // The length of the segment of the lane's run.
  Value length;
  if (inTile.back().segment.length < pieces.block()) {
    Value start = b.add(b.mul(t, kRun), run * kRunStride);
    length = b.i32(inTile.back().segment.length);
    for (const Piece &piece : llvm::reverse(inTile.drop_back())) {
      const Segment &segment = piece.segment;
      length = b.select(b.less(start, segment.offset + segment.length),
                        b.i32(segment.length), length);
    }
  }
  int64_t block = std::min(pieces.block(), kRunStride);
  return FwhtOp::create(b, type, values, length, uint64_t(block), uint64_t(4));
}

/// A run of a row of the tile as words of operand A. A float kernel undoes the
/// rotation up to its factor length^-1/2.
Value MmaEmitter::weightWords(ArrayRef<Value> slots, int64_t half, int64_t run,
                              ArrayRef<Piece> inTile) {
  if (isQuantized())
    return b.asWords(points(slots, half, run));
  Value values = runValues(slots, half, run, inTile);
  // A segment of the whole tile has one stride more.
  if (isRotated() && inTile.front().segment.length == kColumns) {
    Value other = runValues(slots, half, 1 - run, inTile);
    values = run == 0 ? b.addF(values, other)
                      : Value(arith::SubFOp::create(b, other, values));
  }
  return b.asWords(values);
}

/// A run of a row of the activation as words of operand B.
Value MmaEmitter::activationWords(Value col, Value position, bool isFull) {
  if (isQuantized()) {
    if (!isFull)
      position = b.min(position, ::rotq::storedLength(k()) - kRun);
    Value address = b.add(b.mul(col, ::rotq::storedLength(k())), position);
    return b.asWords(b.load(kernel.argument("codes"), address,
                            VectorType::get({kRun}, b.getI8Type()), 16));
  }
  Value x = kernel.argument("x");
  Type element = problem.inputType;
  auto halves = VectorType::get({kRun}, b.getF16Type());
  int64_t bytes = element.getIntOrFloatBitWidth() / 8;
  Value rowStart = b.mul(col, k() * bytes);
  if (isFull) {
    int64_t alignment = std::gcd(k() * bytes, int64_t(16));
    Value values = b.load(x, b.add(rowStart, b.mul(position, bytes)),
                          VectorType::get({kRun}, element), alignment);
    if (element.isF32())
      values = arith::TruncFOp::create(b, halves, values);
    return b.asWords(values);
  }
  // Behind the end of the row x is zero.
  SmallVector<Value> values;
  for (int64_t i = 0; i < kRun; ++i) {
    Value at = b.add(position, i);
    Value value = b.load(x, b.add(rowStart, b.mul(b.min(at, k() - 1), bytes)),
                         element, bytes);
    value = b.select(b.less(at, k()), value, b.zero(element));
    values.push_back(b.fromF32(b.toF32(value), b.getF16Type()));
  }
  return b.asWords(vector::FromElementsOp::create(b, halves, values));
}

/// One instruction: the sums, a struct of four.
Value MmaEmitter::multiplyAdd(ValueRange a, ValueRange x, ValueRange sums) {
  Type element = hasIntegers() ? Type(b.getI32Type()) : Type(b.getF32Type());
  auto type = LLVM::LLVMStructType::getLiteral(b.getContext(),
                                               SmallVector<Type>(4, element));
  // nvvm.mma.sync has no e4m3.
  if (hasFloatCodes()) {
    SmallVector<Value> operands(a);
    llvm::append_range(operands, x);
    llvm::append_range(operands, sums);
    return LLVM::CallIntrinsicOp::create(
               b, type,
               b.getStringAttr(
                   "llvm.nvvm.mma.m16n8k32.row.col.f32.e4m3.e4m3.f32"),
               operands)
        .getResult(0);
  }
  auto overflow = hasIntegers() ? std::optional(NVVM::MMAIntOverflow::wrapped)
                                : std::nullopt;
  auto mmaType = hasIntegers() ? NVVM::MMATypes::s8 : NVVM::MMATypes::f16;
  std::array<NVVM::MMATypes, 2> types = {mmaType, mmaType};
  std::array<NVVM::MMALayout, 2> layouts = {NVVM::MMALayout::row,
                                            NVVM::MMALayout::col};
  return NVVM::MmaOp::create(b, type, a, x, sums,
                             ArrayRef<int64_t>{16, 8, hasIntegers() ? 32 : 16},
                             /*b1Op=*/std::nullopt, overflow, types, layouts);
}

/// products += a b over one run. `a` holds the words of rows g and g + 8 of
/// every row tile; their sums take turns, since each waits for its last
/// instruction.
void MmaEmitter::multiply(ArrayRef<Value> a, Value x,
                          MutableArrayRef<SmallVector<Value>> products) {
  auto pair = VectorType::get({2}, b.getF16Type());
  auto operand = [&](Value words, int64_t i) -> Value {
    Value word = b.word(words, i);
    return isQuantized() ? word : Value(LLVM::BitcastOp::create(b, pair, word));
  };
  int64_t steps = cast<VectorType>(x.getType()).getDimSize(0) / 2;
  for (int64_t s = 0; s < steps; ++s) {
    Value bPair[] = {operand(x, 2 * s), operand(x, 2 * s + 1)};
    for (auto [i, sums] : llvm::enumerate(products)) {
      Value low = a[2 * i], high = a[2 * i + 1];
      Value aWords[] = {operand(low, 2 * s), operand(high, 2 * s),
                        operand(low, 2 * s + 1), operand(high, 2 * s + 1)};
      Value result = multiplyAdd(aWords, bPair, sums);
      for (int64_t e = 0; e < 4; ++e)
        sums[e] = LLVM::ExtractValueOp::create(b, result, e);
    }
  }
}

/// Where sums of products start. 256 products of int8 stay below 2^22, and
/// around 1.5 * 2^23 floats are the integers: integers that start from its bits
/// are floats without a conversion.
Value MmaEmitter::productOrigin() {
  return hasIntegers() ? b.i32(0x4b400000) : b.f32(0);
}

/// A sum of products as f32.
Value MmaEmitter::productAsFloat(Value product) {
  if (!hasIntegers())
    return product;
  // As a float, it is above the integer by its origin.
  Value shifted = arith::BitcastOp::create(b, b.getF32Type(), product);
  return arith::SubFOp::create(b, shifted, b.f32(0x1.8p23f));
}

/// Adds the products of one tile, piece by piece. A lane's run lies within one
/// piece; for the others its words count as zero.
SmallVector<Value> MmaEmitter::addTile(Value tile, const Fragments &fragments,
                                       ArrayRef<Piece> inTile, bool isFull,
                                       ValueRange carried) {
  SmallVector<Value> sums(carried);
  Value start = b.mul(tile, kColumns), inRun = b.mul(t, kRun);
  std::array<SmallVector<Value>, kRuns> decoded; // [run][rowTile * 2 + half]
  auto rowWords = [&](int64_t run) -> ArrayRef<Value> {
    SmallVector<Value> &words = decoded[size_t(run)];
    if (words.empty())
      for (const RowFragments &rowTile : fragments.rowTiles)
        for (int64_t half = 0; half < 2; ++half)
          words.push_back(weightWords(rowTile.slots, half, run, inTile));
    return words;
  };
  // Little is decoded before it is used, and products of one column tile are
  // there at a time.
  for (const auto &[segment, scaleIndex] : inTile) {
    auto runs = runsOf(segment);
    for (int64_t j = 0; j < colTiles(); ++j) {
      SmallVector<SmallVector<Value>> products(
          rowTiles(), SmallVector<Value>(4, productOrigin()));
      for (auto [run, isWithin] : runs) {
        Value x =
            isStaged()
                ? stagedActivation->words(tile, j, run)
                : activationWords(cols[j],
                                  b.add(b.add(start, inRun), run * kRunStride),
                                  isFull);
        SmallVector<Value> a(rowWords(run));
        if (isWithin)
          for (Value &words : a)
            words = b.select(isWithin, words, b.zero(words.getType()));
        multiply(a, x, products);
      }
      SmallVector<Value> scales = columnScales(tile, segment, j, isFull);
      SmallVector<Value> shifts = corrections(tile, segment, j, scales, isFull);
      for (int64_t i = 0; i < rowTiles(); ++i) {
        for (Value &product : products[i])
          product = productAsFloat(product);
        accumulate(MutableArrayRef(sums).slice((i * colTiles() + j) * 4, 4),
                   products[i], fragments.rowTiles[i].numbers[scaleIndex],
                   scales, shifts);
      }
    }
  }
  return sums;
}

/// Adds the whole tiles of K, which are copied ahead.
SmallVector<Value> MmaEmitter::addStagedTiles(ValueRange sums) {
  return b.forLoop(b.index(0), b.index(whole), 1, sums,
                   [&](Value tile, ValueRange carried) {
                     takeStage(tile);
                     return addTile(tile, stagedWeight->load(tile), inTile,
                                    /*isFull=*/true, carried);
                   });
}

LogicalResult MmaEmitter::emit() {
  if (failed(prepare()))
    return failure();
  Value lastCol = b.sub(activationRows, b.index(1));
  for (int64_t j = 0; j < colTiles(); ++j)
    cols.push_back(b.min(b.add(b.add(firstCol, 8 * j), g), lastCol));

  SmallVector<Value> sums(rowTiles() * colTiles() * 4, b.f32(0));
  if (isStaged()) {
    startStages();
    sums = addStagedTiles(sums);
  } else {
    sums = addWholeTiles(
        sums, [&](Value tile, const Fragments &fragments, ValueRange carried) {
          return addTile(tile, fragments, inTile,
                         /*isFull=*/true, carried);
        });
  }
  sums = addTail(
      sums, [&](Value tile, const Fragments &fragments, ValueRange carried) {
        return addTile(tile, fragments, inTail, /*isFull=*/false, carried);
      });
  storeResult(sums);
  return success();
}

LogicalResult mlir::rotq::buildMma(KernelBuilder &b, KernelFunction &kernel,
                                   const MatmulProblem &problem,
                                   KernelAttr config) {
  return MmaEmitter(b, kernel, problem, config).emit();
}
