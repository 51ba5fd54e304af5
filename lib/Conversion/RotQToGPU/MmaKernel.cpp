//===- MmaKernel.cpp - mma.sync matmul kernels
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The weight is operand A (16 rows of it, one output each), the activation
// operand B (8 rows of it). Lane (g, t) = (lane / 4, lane mod 4) of the warp
// holds rows g and g + 8 of A and column g of B. Which k an instruction
// multiplies is free as long as A and B agree, so lane t owns a run of
// consecutive weights of a block of K, a quarter of it, and feeds them in
// order: step s takes two words of the run. A block ends where scales change.
//
// Warps that split K take its blocks in turn, and add up through shared memory.
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"

#include "rotq/Conversion/SegmentIndex.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <cmath>
#include <numeric>

using namespace mlir;
using namespace mlir::rotq;

namespace {
class MmaEmitter {
public:
  MmaEmitter(KernelBuilder &b, KernelFunction &kernel,
             const MatmulProblem &problem, KernelAttr config)
      : b(b), kernel(kernel), problem(problem), config(config),
        weight(b, problem.weight, kernel.argument("weight")),
        groups(activationBlocking(problem.weight.getK(),
                                  problem.group ? problem.group : 256)),
        pieces(1, 32) {}

  LogicalResult emit();

private:
  bool isQuantized() const { return problem.group != 0; }
  bool isRotated() const { return problem.weight.getFormat().isRotated(); }
  int64_t k() const { return problem.weight.getK(); }
  int64_t rowTiles() const { return config.getRows() / 16; }
  int64_t colTiles() const { return config.getCols() / 8; }

  LogicalResult chooseBlock();
  void emitPositions();
  SmallVector<Value> addBlock(Value start, ArrayRef<::rotq::Segment> segments,
                              bool isFull, ValueRange sums);
  void addSegment(Value start, const ::rotq::Segment &segment, Value position,
                  bool isFull, ArrayRef<SmallVector<Value>> a,
                  MutableArrayRef<Value> sums);
  Value weightWords(Value row, Value position, Value length);
  Value activationWords(Value col, Value position, bool isFull);
  SmallVector<Value> multiply(ArrayRef<Value> a, Value bWords,
                              ArrayRef<Value> c);
  Value correction(Value col, Value segmentStart, Value scale, Value group,
                   int64_t length);
  SmallVector<Value> addPart(int64_t index, ValueRange sums,
                             function_ref<SmallVector<Value>()> add);
  void storeResult(ArrayRef<Value> sums);
  void storeSplitResult(ArrayRef<Value> sums);
  void store(Value sum, Value row, Value col);

  KernelBuilder &b;
  KernelFunction &kernel;
  const MatmulProblem &problem;
  KernelAttr config;
  WeightReader weight;
  ::rotq::Blocking groups;
  ::rotq::Blocking pieces; ///< runs of K with one scale and one rotation
  int64_t block = 0;       ///< of K, all four lanes of a row together
  int64_t run = 0;         ///< weights of a lane in a block

  Value m, lane, warp, part, g, t, firstRow, firstCol;
  SmallVector<Value> rows; ///< clamped; [rowTile][half]
  SmallVector<Value> cols; ///< clamped, column g of every col tile
};
} // namespace

/// A block is what one lane can unpack and one scale covers: 256, or 128 where
/// scales or rotations are finer.
LogicalResult MmaEmitter::chooseBlock() {
  FormatAttr format = problem.weight.getFormat();
  int64_t piece = format.getScale().getGroup();
  if (isQuantized()) {
    piece = std::min(piece, problem.group);
  } else if (isRotated()) {
    int64_t rotation = format.getRotation().getRotation()->block();
    if (rotation > 256 || piece < rotation)
      return emitError(b.getLoc())
             << "expected a rotation of at most 256 and scales that cover it "
                "to undo it in the load stage but got a rotation of "
             << rotation << " and scales of " << piece;
    piece = rotation;
  } else if (weight.hasOffset()) {
    return emitError(b.getLoc())
           << "expected a quantized activation or a rotated weight, since its "
              "scales have offsets";
  }
  block = piece >= 256 ? 256 : 128;
  run = block / 4;
  pieces = ::rotq::Blocking(k(), std::min(piece, block));
  return success();
}

void MmaEmitter::emitPositions() {
  m = kernel.rows(b);
  Value thread = b.threadId();
  int64_t tiles = config.getWarps() / config.getSplit();
  lane = b.rem(thread, 32);
  warp = b.div(thread, 32);
  part = b.rem(warp, config.getSplit());
  g = b.div(lane, 4);
  t = b.rem(lane, 4);
  Value tile = b.add(b.mul(b.blockId(gpu::Dimension::x), tiles),
                     b.div(warp, config.getSplit()));
  firstRow = b.mul(tile, config.getRows());
  firstCol = b.mul(b.blockId(gpu::Dimension::y), config.getCols());
  // Rows and columns beyond the matrix are computed from the last one and not
  // stored.
  for (int64_t i = 0; i < 2 * rowTiles(); ++i)
    rows.push_back(
        b.min(b.add(b.add(firstRow, 8 * i), g), problem.weight.getN() - 1));
  Value lastCol = b.sub(m, b.index(1));
  for (int64_t j = 0; j < colTiles(); ++j)
    cols.push_back(b.min(b.add(b.add(firstCol, 8 * j), g), lastCol));
}

/// The lane's run of a row of the weight as words of operand A. A float kernel
/// undoes the rotation up to its factor length^-1/2; `length`, null for full
/// blocks, is that of the lane's segment.
Value MmaEmitter::weightWords(Value row, Value position, Value length) {
  Value points = weight.points(row, position, run);
  if (isQuantized())
    return b.asWords(points);
  auto type = VectorType::get({run}, b.getF16Type());
  Value values = arith::SIToFPOp::create(b, type, points);
  if (isRotated())
    values = FwhtOp::create(b, type, values, length, uint64_t(pieces.block()),
                            uint64_t(4));
  return b.asWords(values);
}

/// The matching run of a row of the activation as words of operand B.
Value MmaEmitter::activationWords(Value col, Value position, bool isFull) {
  if (isQuantized()) {
    Value address = b.add(b.mul(col, ::rotq::storedLength(k())), position);
    return b.asWords(b.load(kernel.argument("codes"), address,
                            VectorType::get({run}, b.getI8Type()), 16));
  }
  Value x = kernel.argument("x");
  Type element = problem.inputType;
  auto halves = VectorType::get({run}, b.getF16Type());
  int64_t bytes = element.getIntOrFloatBitWidth() / 8;
  Value rowStart = b.mul(col, k() * bytes);
  if (isFull) {
    int64_t alignment = std::gcd(k() * bytes, int64_t(16));
    Value values = b.load(x, b.add(rowStart, b.mul(position, bytes)),
                          VectorType::get({run}, element), alignment);
    if (element.isF32())
      values = arith::TruncFOp::create(b, halves, values);
    return b.asWords(values);
  }
  // Behind the end of the row x is zero.
  SmallVector<Value> values;
  for (int64_t i = 0; i < run; ++i) {
    Value at = b.add(position, i);
    Value value = b.load(x, b.add(rowStart, b.mul(b.min(at, k() - 1), bytes)),
                         element, bytes);
    value = b.select(b.less(at, k()), value, b.zero(element));
    values.push_back(b.fromF32(b.toF32(value), b.getF16Type()));
  }
  return b.asWords(vector::FromElementsOp::create(b, halves, values));
}

/// c += a b over the words of one run: `a` holds the words of row g, then of
/// row g + 8.
SmallVector<Value> MmaEmitter::multiply(ArrayRef<Value> a, Value bWords,
                                        ArrayRef<Value> c) {
  Type element = isQuantized() ? Type(b.getI32Type()) : Type(b.getF32Type());
  auto pair = VectorType::get({2}, b.getF16Type());
  auto operand = [&](Value words, int64_t i) -> Value {
    Value word = b.word(words, i);
    return isQuantized() ? word : Value(LLVM::BitcastOp::create(b, pair, word));
  };
  auto type = LLVM::LLVMStructType::getLiteral(b.getContext(),
                                               SmallVector<Type>(4, element));
  auto overflow = isQuantized() ? std::optional(NVVM::MMAIntOverflow::wrapped)
                                : std::nullopt;
  auto mmaType = isQuantized() ? NVVM::MMATypes::s8 : NVVM::MMATypes::f16;
  std::array<NVVM::MMATypes, 2> types = {mmaType, mmaType};
  std::array<NVVM::MMALayout, 2> layouts = {NVVM::MMALayout::row,
                                            NVVM::MMALayout::col};
  SmallVector<Value> sums(c);
  int64_t steps = cast<VectorType>(bWords.getType()).getDimSize(0) / 2;
  for (int64_t s = 0; s < steps; ++s) {
    Value aWords[] = {operand(a[0], 2 * s), operand(a[1], 2 * s),
                      operand(a[0], 2 * s + 1), operand(a[1], 2 * s + 1)};
    Value bPair[] = {operand(bWords, 2 * s), operand(bWords, 2 * s + 1)};
    Value result = NVVM::MmaOp::create(
        b, type, ValueRange(aWords), ValueRange(bPair), ValueRange(sums),
        ArrayRef<int64_t>{16, 8, isQuantized() ? 32 : 16},
        /*b1Op=*/std::nullopt, overflow, types, layouts);
    for (int64_t i = 0; i < 4; ++i)
      sums[i] = LLVM::ExtractValueOp::create(b, result, i);
  }
  return sums;
}

/// What a column's product is corrected by for every unit of offset: the sum of
/// the activation over the segment or, where the rotation is undone here, the
/// first entry of its inverse rotation, length^1/2 x[first].
Value MmaEmitter::correction(Value col, Value segmentStart, Value scale,
                             Value group, int64_t length) {
  if (isQuantized()) {
    Value address = b.add(b.mul(col, 4 * groups.size()), b.mul(group, 4));
    Value sum = b.load(kernel.argument("sums"), address, b.getI32Type(), 4);
    // The sum of a group that several pieces share counts once.
    if (groups.block() > pieces.block())
      sum = b.select(b.startsSegment(groups, segmentStart), sum, b.i32(0));
    return b.mulF(arith::SIToFPOp::create(b, b.getF32Type(), sum), scale);
  }
  int64_t bytes = problem.inputType.getIntOrFloatBitWidth() / 8;
  Value address = b.add(b.mul(col, k() * bytes), b.mul(segmentStart, bytes));
  Value first =
      b.toF32(b.load(kernel.argument("x"), address, problem.inputType, bytes));
  return b.mulF(first, b.f32(float(std::sqrt(double(length)))));
}

void MmaEmitter::addSegment(Value start, const ::rotq::Segment &segment,
                            Value position, bool isFull,
                            ArrayRef<SmallVector<Value>> a,
                            MutableArrayRef<Value> sums) {
  Value segmentStart = b.add(start, segment.offset);
  Value scaleIndex = emitSegmentIndex(
      b, b.getLoc(), weight.getLayout().scaleBlocking, segmentStart);
  Value group = emitSegmentIndex(b, b.getLoc(), groups, segmentStart);
  SmallVector<Value> steps, offsets;
  for (Value row : rows) {
    Value step = weight.step(row, scaleIndex);
    if (!isQuantized() && isRotated())
      step =
          b.mulF(step, b.f32(float(1.0 / std::sqrt(double(segment.length)))));
    steps.push_back(step);
    if (weight.hasOffset())
      offsets.push_back(weight.offset(row, scaleIndex));
  }

  Type element = isQuantized() ? Type(b.getI32Type()) : Type(b.getF32Type());
  SmallVector<Value> zeros(4, b.zero(element));
  Value lastCol = b.sub(m, b.index(1));
  for (int64_t j = 0; j < colTiles(); ++j) {
    Value bWords = activationWords(cols[j], position, isFull);
    SmallVector<Value> colScales, colCorrections;
    for (int64_t c = 0; c < 2; ++c) {
      Value col = b.add(b.add(firstCol, 8 * j + c), b.mul(t, 2));
      col = b.min(col, lastCol);
      if (isQuantized()) {
        Value address = b.add(b.mul(col, 4 * groups.size()), b.mul(group, 4));
        colScales.push_back(
            b.load(kernel.argument("scales"), address, b.getF32Type(), 4));
      } else {
        colScales.push_back(b.f32(1));
      }
      if (weight.hasOffset())
        colCorrections.push_back(correction(col, segmentStart, colScales.back(),
                                            group, segment.length));
    }
    for (int64_t i = 0; i < rowTiles(); ++i) {
      SmallVector<Value> products = multiply({a[i][0], a[i][1]}, bWords, zeros);
      for (int64_t e = 0; e < 4; ++e) {
        Value &sum = sums[(i * colTiles() + j) * 4 + e];
        int64_t row = 2 * i + e / 2, col = e % 2;
        Value product = products[e];
        if (isQuantized())
          product = arith::SIToFPOp::create(b, b.getF32Type(), product);
        sum = b.fma(product, b.mulF(steps[row], colScales[col]), sum);
        if (weight.hasOffset())
          sum = b.fma(offsets[row], colCorrections[col], sum);
      }
    }
  }
}

/// Adds the products of one block, segment by segment. A lane's run lies within
/// one segment; for the others its words count as zero.
SmallVector<Value> MmaEmitter::addBlock(Value start,
                                        ArrayRef<::rotq::Segment> segments,
                                        bool isFull, ValueRange carried) {
  SmallVector<Value> sums(carried);
  Value runStart = b.mul(t, run);
  Value position = b.add(start, runStart);
  Value loaded = position, length;
  if (!isFull) {
    loaded = b.min(position, ::rotq::storedLength(k()) - run);
    length = b.i32(segments.back().length);
    for (const ::rotq::Segment &segment : llvm::reverse(segments.drop_back()))
      length = b.select(b.less(runStart, segment.offset + segment.length),
                        b.i32(segment.length), length);
  }
  SmallVector<SmallVector<Value>> words(rowTiles());
  for (auto [i, row] : llvm::enumerate(rows))
    words[i / 2].push_back(weightWords(row, loaded, length));

  for (const ::rotq::Segment &segment : segments) {
    if (segment.length == block) {
      addSegment(start, segment, loaded, isFull, words, sums);
      continue;
    }
    Value isBefore = b.less(runStart, segment.offset);
    Value isWithin = b.less(runStart, segment.offset + segment.length);
    SmallVector<SmallVector<Value>> masked(words);
    for (auto &tile : masked)
      for (Value &half : tile) {
        Value zero = b.zero(half.getType());
        half = b.select(isBefore, zero, b.select(isWithin, half, zero));
      }
    addSegment(start, segment, loaded, isFull, masked, sums);
  }
  return sums;
}

void MmaEmitter::store(Value sum, Value row, Value col) {
  int64_t n = problem.weight.getN();
  int64_t bytes = problem.outputType.getIntOrFloatBitWidth() / 8;
  b.ifThen(b.logicalAnd(b.less(row, n), b.less(col, m)), [&] {
    b.store(b.fromF32(sum, problem.outputType), kernel.argument("y"),
            b.mul(b.add(b.mul(col, n), row), bytes), bytes);
  });
}

void MmaEmitter::storeResult(ArrayRef<Value> sums) {
  for (int64_t i = 0; i < rowTiles(); ++i)
    for (int64_t j = 0; j < colTiles(); ++j)
      for (int64_t e = 0; e < 4; ++e)
        store(sums[(i * colTiles() + j) * 4 + e],
              b.add(b.add(firstRow, 16 * i + 8 * (e / 2)), g),
              b.add(b.add(firstCol, 8 * j + e % 2), b.mul(t, 2)));
}

/// Every warp leaves its sums in shared memory, [warp][sum][lane]; of those of
/// a tile, the warps of the tile then add up every split-th each.
void MmaEmitter::storeSplitResult(ArrayRef<Value> sums) {
  int64_t count = sums.size(), split = config.getSplit();
  Value shared =
      kernel.addShared(config.getWarps() * count * 32, b.getF32Type());
  Value own = b.add(b.mul(warp, count * 32), lane);
  for (auto [i, sum] : llvm::enumerate(sums))
    memref::StoreOp::create(b, sum, shared, b.add(own, 32 * i));
  gpu::BarrierOp::create(b);

  Value firstOfTile = b.mul(b.sub(warp, part), count * 32);
  b.forLoop(part, b.index(count), split, {}, [&](Value i, ValueRange) {
    Value at = b.add(b.add(firstOfTile, b.mul(i, 32)), lane);
    Value sum = memref::LoadOp::create(b, shared, at);
    for (int64_t s = 1; s < split; ++s)
      sum = b.addF(
          sum, memref::LoadOp::create(b, shared, b.add(at, s * count * 32)));
    // Sum i is element e of the 16 x 8 tile (rowTile, colTile).
    Value e = b.rem(i, 4), tile = b.div(i, 4);
    Value row =
        b.add(b.mul(b.div(tile, colTiles()), 16), b.mul(b.div(e, 2), 8));
    Value col = b.add(b.mul(b.rem(tile, colTiles()), 8), b.rem(e, 2));
    store(sum, b.add(b.add(firstRow, row), g),
          b.add(b.add(firstCol, col), b.mul(t, 2)));
    return SmallVector<Value>();
  });
}

/// What block `index` of K, outside the loop, adds: it is one warp's.
SmallVector<Value> MmaEmitter::addPart(int64_t index, ValueRange sums,
                                       function_ref<SmallVector<Value>()> add) {
  int64_t split = config.getSplit();
  if (split == 1)
    return add();
  return b.ifElse(b.equal(part, b.index(index % split)), sums, add);
}

LogicalResult MmaEmitter::emit() {
  if (failed(chooseBlock()))
    return failure();
  emitPositions();

  int64_t fullEnd = pieces.paddedSize() / block * block;
  SmallVector<::rotq::Segment> inBlock, inTail;
  for (int64_t offset = 0; offset < block; offset += pieces.block())
    inBlock.push_back({offset, pieces.block()});
  for (int64_t i = 0; i < pieces.size(); ++i)
    if (::rotq::Segment segment = pieces.segment(i); segment.offset >= fullEnd)
      inTail.push_back({segment.offset - fullEnd, segment.length});

  SmallVector<Value> sums(rowTiles() * colTiles() * 4, b.f32(0));
  // A block may be full in the padded row and still reach behind the end of a
  // float activation; it is then the last.
  int64_t wholeEnd = isQuantized() ? fullEnd : k() / block * block;
  if (wholeEnd > 0)
    sums = b.forLoop(
        b.mul(part, block), b.index(wholeEnd), block * config.getSplit(), sums,
        [&](Value start, ValueRange carried) {
          return addBlock(start, inBlock, /*isFull=*/true, carried);
        });
  if (wholeEnd < fullEnd)
    sums = addPart(wholeEnd / block, sums, [&] {
      return addBlock(b.index(wholeEnd), inBlock, /*isFull=*/false, sums);
    });
  if (!inTail.empty())
    sums = addPart(fullEnd / block, sums, [&] {
      return addBlock(b.index(fullEnd), inTail, /*isFull=*/false, sums);
    });
  if (config.getSplit() == 1)
    storeResult(sums);
  else
    storeSplitResult(sums);
  return success();
}

LogicalResult mlir::rotq::buildMma(KernelBuilder &b, KernelFunction &kernel,
                                   const MatmulProblem &problem,
                                   KernelAttr config) {
  return MmaEmitter(b, kernel, problem, config).emit();
}
