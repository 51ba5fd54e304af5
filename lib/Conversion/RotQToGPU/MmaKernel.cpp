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
// multiplies is free as long as A and B agree, so a lane feeds the runs of 32
// weights that TiledLayout gives it in order: step s takes two words of a run.
//
// Warps that split K take its tiles in turn, and add up through shared memory.
// A warp loads the weights of the next tiles while it computes on one, the
// first of them before it waits for the kernel that makes the activation.
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"
#include "StagedActivation.h"
#include "TileReader.h"

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
using ::rotq::Segment;

static constexpr int64_t kColumns = ::rotq::TiledLayout::kColumns;
static constexpr int64_t kRun = ::rotq::TiledLayout::kRun;
/// Runs of a lane in a tile, and how far they are apart.
static constexpr int64_t kRuns = 2, kRunStride = kColumns / kRuns;

namespace {
/// What a lane has loaded of the tiles of one column of tiles.
struct Fragments {
  SmallVector<SmallVector<Value>> slots;   ///< [rowTile][slot]
  SmallVector<SmallVector<Value>> numbers; ///< [rowTile][scale segment]

  SmallVector<Value> flatten() const;
  /// The same with other values.
  Fragments with(ValueRange values) const;
};

/// A run of K of a tile that one scale covers.
struct Piece {
  Segment segment;    ///< within the tile
  int64_t scaleIndex; ///< among the scale segments of the tile
};

class MmaEmitter {
public:
  MmaEmitter(KernelBuilder &b, KernelFunction &kernel,
             const MatmulProblem &problem, KernelAttr config)
      : b(b), kernel(kernel), problem(problem), config(config),
        groups(activationBlocking(problem.weight.getK(),
                                  problem.group ? problem.group : 256)),
        pieces(1, 32) {}

  LogicalResult emit();

private:
  bool isQuantized() const { return problem.group != 0; }
  bool isStaged() const { return config.getStages() != 0; }
  bool isRotated() const { return problem.weight.getFormat().isRotated(); }
  int64_t k() const { return problem.weight.getK(); }
  int64_t rowTiles() const { return config.getRows() / 16; }
  int64_t colTiles() const { return config.getCols() / 8; }

  LogicalResult choosePieces();
  void emitPositions();
  SmallVector<Value> addStagedTiles(int64_t count, int64_t tiles,
                                    ArrayRef<Piece> inTile, ValueRange sums);
  SmallVector<Value> addTiles(int64_t count, ArrayRef<Piece> inTile,
                              ValueRange sums);
  SmallVector<Value> addTile(Value tile, const Fragments &fragments,
                             ArrayRef<Piece> inTile, bool isFull,
                             ValueRange sums);
  Value columnOf(int64_t colTile, int64_t c);
  Value groupAt(Value position);
  SmallVector<Value> columnScales(Value tile, const Segment &segment, int64_t j,
                                  bool isFull);
  Value productOrigin();
  Value productAsFloat(Value product);
  Fragments load(Value tile, ArrayRef<Piece> inTile);
  Value weightWords(ArrayRef<Value> slots, int64_t half, int64_t run,
                    ArrayRef<Piece> inTile);
  Value runValues(ArrayRef<Value> slots, int64_t half, int64_t run,
                  ArrayRef<Piece> inTile);
  Value activationWords(Value col, Value position, bool isFull);
  void multiply(ArrayRef<Value> a, Value x,
                MutableArrayRef<SmallVector<Value>> products);
  Value correction(Value col, Value segmentStart, Value scale, int64_t length);
  void storeResult(ArrayRef<Value> sums);
  void storeSplitResult(ArrayRef<Value> sums);
  void store(Value sum, Value row, Value col);

  KernelBuilder &b;
  KernelFunction &kernel;
  const MatmulProblem &problem;
  KernelAttr config;
  std::optional<TileReader> weight;
  std::optional<StagedActivation> staged;
  ::rotq::Blocking groups;
  ::rotq::Blocking pieces; ///< runs of K with one scale and one rotation

  Value m, lane, warp, part, g, t, firstRow, firstCol;
  SmallVector<Value> strips; ///< clamped; of every row tile
  SmallVector<Value> cols;   ///< clamped, column g of every col tile
};
} // namespace

SmallVector<Value> Fragments::flatten() const {
  SmallVector<Value> values;
  for (const auto *parts : {&slots, &numbers})
    for (const SmallVector<Value> &part : *parts)
      llvm::append_range(values, part);
  return values;
}

Fragments Fragments::with(ValueRange values) const {
  Fragments result(*this);
  for (auto *parts : {&result.slots, &result.numbers})
    for (SmallVector<Value> &part : *parts)
      for (Value &value : part) {
        value = values.front();
        values = values.drop_front();
      }
  return result;
}

LogicalResult MmaEmitter::choosePieces() {
  FormatAttr format = problem.weight.getFormat();
  int64_t piece = format.getScale().getGroup();
  if (isQuantized()) {
    piece = std::min(piece, problem.group);
  } else if (isRotated()) {
    int64_t rotation = format.getRotation().getRotation()->block();
    if (rotation > kColumns || piece < rotation)
      return emitError(b.getLoc())
             << "expected a rotation of at most " << kColumns
             << " and scales that cover it to undo it in the load stage but "
                "got a rotation of "
             << rotation << " and scales of " << piece;
    piece = rotation;
  } else if (format.getScale().getHasOffset()) {
    return emitError(b.getLoc())
           << "expected a quantized activation or a rotated weight, since its "
              "scales have offsets";
  }
  pieces = ::rotq::Blocking(k(), std::min(piece, kColumns));
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
  weight.emplace(b, problem.weight, kernel.argument("weight"), lane);
  // Blocks that run together share what they read most of: the activation where
  // there are few of its rows, otherwise the weight.
  auto byRows = isStaged() ? gpu::Dimension::y : gpu::Dimension::x;
  Value tile =
      b.add(b.mul(b.blockId(byRows), tiles), b.div(warp, config.getSplit()));
  firstRow = b.mul(tile, config.getRows());
  firstCol =
      b.mul(b.blockId(isStaged() ? gpu::Dimension::x : gpu::Dimension::y),
            config.getCols());
  // Rows and columns beyond the matrix are computed from the last one and not
  // stored.
  int64_t lastStrip = weight->getLayout().strips - 1;
  for (int64_t i = 0; i < rowTiles(); ++i)
    strips.push_back(b.min(b.add(b.mul(tile, rowTiles()), i), lastStrip));
  Value lastCol = b.sub(m, b.index(1));
  for (int64_t j = 0; j < colTiles(); ++j)
    cols.push_back(b.min(b.add(b.add(firstCol, 8 * j), g), lastCol));
}

Fragments MmaEmitter::load(Value tile, ArrayRef<Piece> inTile) {
  Value firstScale = emitSegmentIndex(
      b, b.getLoc(), problem.weight.getCanonicalLayout().scaleBlocking,
      b.mul(tile, kColumns));
  Fragments result;
  for (Value strip : strips) {
    result.slots.push_back(weight->slots(strip, tile));
    auto &numbers = result.numbers.emplace_back();
    for (int64_t i = 0; i <= inTile.back().scaleIndex; ++i)
      numbers.push_back(weight->numbers(strip, b.add(firstScale, i)));
  }
  return result;
}

/// A run of a row of the tile in f16, after the butterflies that stay within
/// it.
Value MmaEmitter::runValues(ArrayRef<Value> slots, int64_t half, int64_t run,
                            ArrayRef<Piece> inTile) {
  auto type = VectorType::get({kRun}, b.getF16Type());
  Value values =
      arith::SIToFPOp::create(b, type, weight->points(slots, half, run));
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
    return b.asWords(weight->points(slots, half, run));
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
  Type element = isQuantized() ? Type(b.getI32Type()) : Type(b.getF32Type());
  auto type = LLVM::LLVMStructType::getLiteral(b.getContext(),
                                               SmallVector<Type>(4, element));
  auto overflow = isQuantized() ? std::optional(NVVM::MMAIntOverflow::wrapped)
                                : std::nullopt;
  auto mmaType = isQuantized() ? NVVM::MMATypes::s8 : NVVM::MMATypes::f16;
  std::array<NVVM::MMATypes, 2> types = {mmaType, mmaType};
  std::array<NVVM::MMALayout, 2> layouts = {NVVM::MMALayout::row,
                                            NVVM::MMALayout::col};
  int64_t steps = cast<VectorType>(x.getType()).getDimSize(0) / 2;
  for (int64_t s = 0; s < steps; ++s) {
    Value bPair[] = {operand(x, 2 * s), operand(x, 2 * s + 1)};
    for (auto [i, sums] : llvm::enumerate(products)) {
      Value low = a[2 * i], high = a[2 * i + 1];
      Value aWords[] = {operand(low, 2 * s), operand(high, 2 * s),
                        operand(low, 2 * s + 1), operand(high, 2 * s + 1)};
      Value result = NVVM::MmaOp::create(
          b, type, ValueRange(aWords), ValueRange(bPair), ValueRange(sums),
          ArrayRef<int64_t>{16, 8, isQuantized() ? 32 : 16},
          /*b1Op=*/std::nullopt, overflow, types, layouts);
      for (int64_t e = 0; e < 4; ++e)
        sums[e] = LLVM::ExtractValueOp::create(b, result, e);
    }
  }
}

/// Column 2t + c of a column tile.
Value MmaEmitter::columnOf(int64_t colTile, int64_t c) {
  Value col = b.add(b.add(firstCol, 8 * colTile + c), b.mul(t, 2));
  return b.min(col, b.sub(m, b.index(1)));
}

/// The group of the activation at a position of K.
Value MmaEmitter::groupAt(Value position) {
  return emitSegmentIndex(b, b.getLoc(), groups, position);
}

/// What a column's product is corrected by for every unit of offset: the sum of
/// the activation over the segment or, where the rotation is undone here, the
/// first entry of its inverse rotation, length^1/2 x[first].
Value MmaEmitter::correction(Value col, Value segmentStart, Value scale,
                             int64_t length) {
  if (isQuantized()) {
    Value address =
        b.add(b.mul(col, 4 * groups.size()), b.mul(groupAt(segmentStart), 4));
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

/// Where sums of products start. 256 products of int8 stay below 2^22, and
/// around 1.5 * 2^23 floats are the integers: integers that start from its bits
/// are floats without a conversion.
Value MmaEmitter::productOrigin() {
  return isQuantized() ? b.i32(0x4b400000) : b.f32(0);
}

/// The scales of columns 2t and 2t + 1 of a column tile for a piece of a tile.
SmallVector<Value> MmaEmitter::columnScales(Value tile, const Segment &segment,
                                            int64_t j, bool isFull) {
  // What the rotation leaves to its factor.
  if (!isQuantized()) {
    double factor = isRotated() ? 1 / std::sqrt(double(segment.length)) : 1;
    return SmallVector<Value>(2, b.f32(float(factor)));
  }
  if (staged && isFull)
    return staged->scales(tile, j, segment.offset);
  Value group = groupAt(b.add(b.mul(tile, kColumns), segment.offset));
  SmallVector<Value> result;
  for (int64_t c = 0; c < 2; ++c) {
    Value address =
        b.add(b.mul(columnOf(j, c), 4 * groups.size()), b.mul(group, 4));
    result.push_back(
        b.load(kernel.argument("scales"), address, b.getF32Type(), 4));
  }
  return result;
}

/// A sum of products as f32.
Value MmaEmitter::productAsFloat(Value product) {
  if (!isQuantized())
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
      for (ArrayRef<Value> slots : fragments.slots)
        for (int64_t half = 0; half < 2; ++half)
          words.push_back(weightWords(slots, half, run, inTile));
    return words;
  };
  // Little is decoded before it is used, and products of one column tile are
  // there at a time.
  for (const auto &[segment, scaleIndex] : inTile) {
    std::array<Value, kRuns> isWithin;
    SmallVector<int64_t> runs;
    for (int64_t run = 0; run < kRuns; ++run) {
      int64_t begin = segment.offset - run * kRunStride;
      int64_t end = begin + segment.length;
      if (end <= 0 || begin >= kRunStride)
        continue;
      runs.push_back(run);
      // Runs start at multiples of their length, as pieces do.
      if (begin > 0 || end < kRunStride)
        isWithin[size_t(run)] = b.less(b.sub(inRun, b.index(begin)),
                                       std::min(end, kRunStride) - begin);
    }
    for (int64_t j = 0; j < colTiles(); ++j) {
      SmallVector<SmallVector<Value>> products(
          rowTiles(), SmallVector<Value>(4, productOrigin()));
      for (int64_t run : runs) {
        Value x =
            staged
                ? staged->words(tile, j, run)
                : activationWords(cols[j],
                                  b.add(b.add(start, inRun), run * kRunStride),
                                  isFull);
        SmallVector<Value> a(rowWords(run));
        if (Value within = isWithin[size_t(run)])
          for (Value &words : a)
            words = b.select(within, words, b.zero(words.getType()));
        multiply(a, x, products);
      }
      SmallVector<Value> scales = columnScales(tile, segment, j, isFull);
      for (int64_t c = 0; c < 2; ++c) {
        Value shift;
        if (weight->hasOffset())
          shift = correction(columnOf(j, c), b.add(start, segment.offset),
                             scales[c], segment.length);
        for (int64_t i = 0; i < rowTiles(); ++i)
          for (int64_t half = 0; half < 2; ++half) {
            Value numbers = fragments.numbers[i][size_t(scaleIndex)];
            Value &sum = sums[(i * colTiles() + j) * 4 + 2 * half + c];
            sum = b.fma(productAsFloat(products[i][2 * half + c]),
                        b.mulF(weight->step(numbers, half), scales[c]), sum);
            if (shift)
              sum = b.fma(weight->offset(numbers, half), shift, sum);
          }
      }
    }
  }
  return sums;
}

/// Adds the first `count` tiles of K, which are whole, of `tiles`: the
/// activation is copied a tile ahead. The weights come while the warps wait for
/// each other; ahead of that, they would take registers from the sums.
SmallVector<Value> MmaEmitter::addStagedTiles(int64_t count, int64_t tiles,
                                              ArrayRef<Piece> inTile,
                                              ValueRange sums) {
  return b.forLoop(
      b.index(0), b.index(count), 1, sums, [&](Value tile, ValueRange carried) {
        Fragments fragments = load(tile, inTile);
        staged->finish();
        Value following = b.add(tile, 1);
        b.ifThen(b.less(following, tiles), [&] { staged->start(following); });
        return addTile(tile, fragments, inTile, /*isFull=*/true, carried);
      });
}

/// Adds the warp's share of the first `count` tiles of K, which are whole.
SmallVector<Value> MmaEmitter::addTiles(int64_t count, ArrayRef<Piece> inTile,
                                        ValueRange sums) {
  int64_t split = config.getSplit();
  int64_t depth = config.getDepth();
  Value end = b.index(count);
  SmallVector<Fragments> ahead;
  for (int64_t d = 0; d < depth; ++d) {
    Value tile = b.add(part, d * split);
    // The last tile once more, where there is none: it is not used.
    if (count < (d + 1) * split)
      tile = b.min(tile, count - 1);
    ahead.push_back(load(tile, inTile));
  }
  SmallVector<Value> carried(sums);
  for (const Fragments &fragments : ahead)
    llvm::append_range(carried, fragments.flatten());
  kernel.waitForPredecessor(b, ArrayRef(carried).drop_front(sums.size()));

  auto takeTile = [&](Value tile, int64_t d, ValueRange carried) {
    SmallVector<Value> next(carried);
    size_t size = ahead[d].flatten().size();
    size_t first = sums.size() + size_t(d) * size;
    ValueRange own = carried.slice(first, size);
    Value later = b.add(tile, depth * split);
    SmallVector<Value> loaded = b.ifElse(
        b.less(later, end), own, [&] { return load(later, inTile).flatten(); });
    llvm::copy(addTile(tile, ahead[d].with(own), inTile, /*isFull=*/true,
                       carried.take_front(sums.size())),
               next.begin());
    llvm::copy(loaded, next.begin() + first);
    return next;
  };
  carried = b.forLoop(part, end, depth * split, carried,
                      [&](Value tile, ValueRange values) {
                        SmallVector<Value> next = takeTile(tile, 0, values);
                        for (int64_t d = 1; d < depth; ++d) {
                          Value later = b.add(tile, d * split);
                          auto take = [&] { return takeTile(later, d, next); };
                          next = count % (depth * split) == 0
                                     ? take()
                                     : b.ifElse(b.less(later, end), next, take);
                        }
                        return next;
                      });
  carried.truncate(sums.size());
  return carried;
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

LogicalResult MmaEmitter::emit() {
  if (failed(choosePieces()))
    return failure();
  emitPositions();
  if (config.getBlocks() != 0)
    kernel.getFunc()->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(),
                              b.getI32IntegerAttr(int32_t(config.getBlocks())));

  // A tile may be full in the padded row and still reach behind the end of a
  // float activation; it is then the last.
  int64_t whole = (isQuantized() ? pieces.paddedSize() : k()) / kColumns;
  const ::rotq::Blocking scales =
      problem.weight.getCanonicalLayout().scaleBlocking;
  SmallVector<Piece> inTile, inTail;
  for (int64_t at = 0; at < kColumns; at += pieces.block())
    inTile.push_back({{at, pieces.block()}, at / scales.block()});
  int64_t tailStart = whole * kColumns;
  for (int64_t i = 0; i < pieces.size(); ++i)
    if (Segment segment = pieces.segment(i); segment.offset >= tailStart)
      inTail.push_back(
          {{segment.offset - tailStart, segment.length},
           scales.indexOf(segment.offset) - scales.indexOf(tailStart)});

  if (isStaged())
    staged.emplace(b, kernel, problem, config, firstCol, whole);
  SmallVector<Value> sums(rowTiles() * colTiles() * 4, b.f32(0));
  if (staged) {
    kernel.waitForPredecessor(b);
    staged->start(b.index(0));
    int64_t tiles = inTail.empty() ? whole : whole + 1;
    sums = addStagedTiles(whole, tiles, inTile, sums);
  } else if (whole > 0) {
    sums = addTiles(whole, inTile, sums);
  } else {
    kernel.waitForPredecessor(b);
  }
  if (!inTail.empty()) {
    auto addTail = [&] {
      Value tile = b.index(whole);
      if (staged)
        staged->finish();
      return addTile(tile, load(tile, inTail), inTail, /*isFull=*/false, sums);
    };
    // It is one warp's.
    int64_t split = config.getSplit();
    sums = split == 1
               ? addTail()
               : b.ifElse(b.equal(part, b.index(whole % split)), sums, addTail);
  }
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
