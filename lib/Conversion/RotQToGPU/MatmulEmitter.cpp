//===- MatmulEmitter.cpp - What matmul kernels have in common
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MatmulEmitter.h"

#include "rotq/Codec/E4M3.h"
#include "rotq/Conversion/SegmentIndex.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

#include <cmath>

using namespace mlir;
using namespace mlir::rotq;
using ::rotq::Segment;

//===----------------------------------------------------------------------===//
// Positions
//===----------------------------------------------------------------------===//

LogicalResult MatmulEmitter::choosePieces() {
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

  whole = (isQuantized() ? pieces.paddedSize() : k()) / kColumns;
  const ::rotq::Blocking scales =
      problem.weight.getCanonicalLayout().scaleBlocking;
  for (int64_t at = 0; at < kColumns; at += pieces.block())
    inTile.push_back({{at, pieces.block()}, at / format.getScale().getGroup()});
  int64_t tailStart = whole * kColumns;
  for (int64_t i = 0; i < pieces.size(); ++i)
    if (Segment segment = pieces.segment(i); segment.offset >= tailStart)
      inTail.push_back(
          {{segment.offset - tailStart, segment.length},
           scales.indexOf(segment.offset) - scales.indexOf(tailStart)});
  return success();
}

void MatmulEmitter::placeWarp() {
  m = kernel.rows(b);
  activationRows = hasRests() ? b.mul(m, 2) : m;
  Value thread = b.threadId();
  int64_t tiles = config.getWarps() / warpsOfTile();
  lane = b.rem(thread, 32);
  warp = b.div(thread, 32);
  // [tile / warpsAtOnce][sum][part][tile % warpsAtOnce]
  int64_t split = config.getSplit();
  part = b.rem(b.div(warp, warpsAtOnce()), split);
  sum = b.rem(b.div(warp, split * warpsAtOnce()), problem.sums);
  inBlock =
      b.add(b.mul(b.div(warp, warpsOfTile() * warpsAtOnce()), warpsAtOnce()),
            b.rem(warp, warpsAtOnce()));
  g = b.div(lane, 4);
  t = b.rem(lane, 4);
  // Blocks that run together share what they read most of: the activation where
  // there are few of its rows, otherwise the weight.
  auto byRows = isStaged() ? gpu::Dimension::y : gpu::Dimension::x;
  member.emplace(b, kernel, problem, b.blockId(byRows),
                 tiles * config.getRows());
  weight.emplace(b, problem.weight, *member, sum, lane);
  Value tile = b.add(b.mul(member->block(), tiles), inBlock);
  firstRow = b.mul(tile, config.getRows());
  firstCol =
      b.mul(b.blockId(isStaged() ? gpu::Dimension::x : gpu::Dimension::y),
            config.getCols());
  // Rows and columns beyond the matrix are computed from the last one and not
  // stored.
  for (int64_t i = 0; i < rowTiles(); ++i)
    strips.push_back(
        b.min(b.add(b.mul(tile, rowTiles()), i), member->lastStrip()));
}

LogicalResult MatmulEmitter::prepare() {
  if (failed(choosePieces()))
    return failure();
  placeWarp();
  if (config.getBlocks() != 0)
    kernel.getFunc()->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(),
                              b.getI32IntegerAttr(int32_t(config.getBlocks())));
  return success();
}

//===----------------------------------------------------------------------===//
// The weight
//===----------------------------------------------------------------------===//

Fragments MatmulEmitter::load(Value tile, ArrayRef<Piece> inTile) {
  Value firstScale = emitSegmentIndex(
      b, b.getLoc(), problem.weight.getCanonicalLayout().scaleBlocking,
      b.mul(tile, kColumns));
  Fragments result;
  for (Value strip : strips) {
    auto &[slots, numbers] = result.rowTiles.emplace_back();
    slots = weight->slots(strip, tile);
    for (int64_t i = 0; i <= inTile.back().scaleIndex; ++i)
      numbers.push_back(weight->numbers(strip, b.add(firstScale, i)));
  }
  return result;
}

SmallVector<Fragments> MatmulEmitter::loadAhead(Value first, int64_t step,
                                                int64_t depth) {
  SmallVector<Fragments> ahead;
  for (int64_t d = 0; d < depth; ++d) {
    Value tile = b.add(first, d * step);
    if (whole < (d + 1) * step)
      tile = b.min(tile, whole - 1);
    ahead.push_back(load(tile, inTile));
  }
  return ahead;
}

void MatmulEmitter::waitForPredecessor(ArrayRef<Fragments> ahead) {
  SmallVector<Value> loaded;
  for (const Fragments &fragments : ahead)
    llvm::append_range(loaded, fragments.flatten());
  kernel.waitForPredecessor(b, loaded);
}

// A turn of the loop takes as many tiles as are loaded ahead. What it loads is
// moved to where the next one expects it; with a turn more in the loop nothing
// would be, but ptxas sinks loads to their uses in one turn.
SmallVector<Value> MatmulEmitter::addTiles(Value first, int64_t step,
                                           ArrayRef<Fragments> ahead,
                                           ValueRange sums, AddTile add) {
  size_t size = ahead.front().flatten().size();
  int64_t turn = int64_t(ahead.size()) * step;
  SmallVector<Value> carried(sums);
  for (const Fragments &fragments : ahead)
    llvm::append_range(carried, fragments.flatten());
  Value end = b.index(whole);
  auto takeTile = [&](Value tile, size_t i, ValueRange values) {
    SmallVector<Value> next(values);
    ValueRange own = values.slice(sums.size() + i * size, size);
    Value later = b.add(tile, turn);
    SmallVector<Value> loaded = b.ifElse(
        b.less(later, end), own, [&] { return load(later, inTile).flatten(); });
    llvm::copy(add(tile, ahead[i].with(own), values.take_front(sums.size())),
               next.begin());
    llvm::copy(loaded, next.begin() + std::ptrdiff_t(sums.size() + i * size));
    return next;
  };
  carried =
      b.forLoop(first, end, turn, carried, [&](Value tile, ValueRange values) {
        SmallVector<Value> next = takeTile(tile, 0, values);
        for (size_t i = 1; i < ahead.size(); ++i) {
          Value later = b.add(tile, int64_t(i) * step);
          auto take = [&] { return takeTile(later, i, next); };
          next = whole % turn == 0 ? take()
                                   : b.ifElse(b.less(later, end), next, take);
        }
        return next;
      });
  carried.truncate(sums.size());
  return carried;
}

SmallVector<Value> MatmulEmitter::addWholeTiles(ValueRange sums, AddTile add) {
  if (whole == 0) {
    kernel.waitForPredecessor(b);
    return sums;
  }
  auto ahead = loadAhead(part, config.getSplit(), config.getDepth());
  waitForPredecessor(ahead);
  return addTiles(part, config.getSplit(), ahead, sums, add);
}

SmallVector<Value> MatmulEmitter::addTail(ValueRange sums, AddTile add) {
  if (inTail.empty())
    return sums;
  auto addTile = [&] {
    Value tile = b.index(whole);
    if (isStaged())
      takeStage(tile);
    return add(tile, load(tile, inTail), sums);
  };
  int64_t split = config.getSplit();
  return split == 1
             ? addTile()
             : b.ifElse(b.equal(part, b.index(whole % split)), sums, addTile);
}

Value MatmulEmitter::points(ArrayRef<Value> slots, int64_t half, int64_t run) {
  return weight->points(slots, half, run,
                        elementTypeOf(b.getContext(), problem.operand));
}

//===----------------------------------------------------------------------===//
// Stages
//===----------------------------------------------------------------------===//

void MatmulEmitter::startStages() {
  StageLayout layout(
      StagedMatmul::get(config, problem.weight, problem.group, problem.sums));
  stagedActivation.emplace(b, kernel, problem, layout, firstCol, whole);
  stagedWeight.emplace(b, kernel, *weight, problem.weight, layout, strips,
                       b.add(b.mul(inBlock, problem.sums), sum), lane);
  int64_t split = config.getSplit(), turns = config.getStages() - 1;
  // The weight does not depend on the launch before.
  for (int64_t turn = 0; turn < turns; ++turn)
    copyWeight(b.add(part, turn * split));
  kernel.waitForPredecessor(b);
  for (int64_t turn = 0; turn < turns; ++turn) {
    for (int64_t i = 0; i < split; ++i)
      if (int64_t tile = turn * split + i; tile < tiles())
        stagedActivation->copy(b.index(tile));
    NVVM::CpAsyncCommitGroupOp::create(b);
  }
}

/// Those behind the whole tiles are loaded where they are used.
void MatmulEmitter::copyWeight(Value tile) {
  b.ifThen(b.less(tile, whole), [&] { stagedWeight->copy(tile); });
}

// Every turn has a group of copies, those behind the last an empty one, so that
// the group to wait for is always as far behind.
void MatmulEmitter::takeStage(Value first) {
  NVVM::CpAsyncWaitGroupOp::create(b, uint32_t(config.getStages() - 2));
  // Tensor cores read shared memory by themselves.
  if (isWgmma(config.getKind()))
    NVVM::FenceProxyOp::create(
        b, NVVM::ProxyKind::async_shared,
        NVVM::SharedSpaceAttr::get(b.getContext(),
                                   NVVM::SharedSpace::shared_cta));
  gpu::BarrierOp::create(b);
  int64_t split = config.getSplit();
  Value following = b.add(first, (config.getStages() - 1) * split);
  copyWeight(b.add(following, part));
  for (int64_t i = 0; i < split; ++i) {
    Value tile = b.add(following, i);
    b.ifThen(b.less(tile, tiles()), [&] { stagedActivation->copy(tile); });
  }
  NVVM::CpAsyncCommitGroupOp::create(b);
}

SmallVector<std::pair<int64_t, Value>>
MatmulEmitter::runsOf(const Segment &segment) {
  SmallVector<std::pair<int64_t, Value>> result;
  for (int64_t run = 0; run < kRuns; ++run) {
    int64_t begin = segment.offset - run * kRunStride;
    int64_t end = begin + segment.length;
    if (end <= 0 || begin >= kRunStride)
      continue;
    Value isWithin;
    if (begin > 0 || end < kRunStride)
      isWithin = b.less(b.sub(b.mul(t, kRun), b.index(begin)),
                        std::min(end, kRunStride) - begin);
    result.emplace_back(run, isWithin);
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Scales
//===----------------------------------------------------------------------===//

Value MatmulEmitter::columnOf(int64_t colTile, int64_t c) {
  Value col = b.add(b.add(firstCol, 8 * colTile + c), b.mul(t, 2));
  return b.min(col, b.sub(activationRows, b.index(1)));
}

/// What columns 2t and 2t + 1 have for the group at a position of K, from an
/// argument of 4 bytes an element.
SmallVector<Value> MatmulEmitter::loadOfColumns(StringRef name, Type type,
                                                int64_t colTile,
                                                Value position) {
  Value group = emitSegmentIndex(b, b.getLoc(), groups, position);
  SmallVector<Value> result;
  for (int64_t c = 0; c < 2; ++c) {
    Value address =
        scaleAddress(b, layout, columnOf(colTile, c), m, group, groups.size());
    result.push_back(b.load(kernel.argument(name), address, type, 4));
  }
  return result;
}

SmallVector<Value> MatmulEmitter::columnScales(Value tile,
                                               const Segment &segment,
                                               int64_t colTile, bool isFull) {
  // What the rotation leaves to its factor.
  if (!isQuantized()) {
    double factor = isRotated() ? 1 / std::sqrt(double(segment.length)) : 1;
    return SmallVector<Value>(2, b.f32(float(factor)));
  }
  if (stagedActivation && isFull)
    return stagedActivation->scales(tile, colTile, segment.offset);
  return loadOfColumns("scales", b.getF32Type(), colTile,
                       b.add(b.mul(tile, kColumns), segment.offset));
}

/// The sum of the activation over the segment or, where the rotation is undone
/// here, the first entry of its inverse rotation, length^1/2 x[first].
SmallVector<Value>
MatmulEmitter::corrections(Value tile, const Segment &segment, int64_t colTile,
                           ArrayRef<Value> scales, bool isFull) {
  SmallVector<Value> result;
  if (!weight->hasOffset())
    return result;
  Value start = b.add(b.mul(tile, kColumns), segment.offset);
  if (isQuantized()) {
    result = stagedActivation && isFull
                 ? stagedActivation->sums(tile, colTile, segment.offset)
                 : loadOfColumns("sums", b.getI32Type(), colTile, start);
    for (int64_t c = 0; c < 2; ++c) {
      Value sum = result[c];
      // The sum of a group that several pieces share counts once.
      if (groups.block() > pieces.block())
        sum = b.select(b.startsSegment(groups, start), sum, b.i32(0));
      result[c] =
          b.mulF(arith::SIToFPOp::create(b, b.getF32Type(), sum), scales[c]);
      if (hasFloatCodes())
        result[c] = b.mulF(result[c], b.f32(1 / ::rotq::kE4M3Parts));
    }
    return result;
  }
  for (int64_t c = 0; c < 2; ++c) {
    int64_t bytes = problem.inputType.getIntOrFloatBitWidth() / 8;
    Value address =
        b.add(b.mul(columnOf(colTile, c), k() * bytes), b.mul(start, bytes));
    Value first = b.toF32(
        b.load(kernel.argument("x"), address, problem.inputType, bytes));
    result.push_back(
        b.mulF(first, b.f32(float(std::sqrt(double(segment.length))))));
  }
  return result;
}

void MatmulEmitter::accumulate(MutableArrayRef<Value> sums,
                               ArrayRef<Value> products, Value numbers,
                               ArrayRef<Value> scales,
                               ArrayRef<Value> corrections) {
  for (int64_t half = 0; half < 2; ++half)
    for (int64_t c = 0; c < 2; ++c) {
      int64_t i = 2 * half + c;
      sums[i] = b.fma(products[i],
                      b.mulF(weight->step(numbers, half), scales[c]), sums[i]);
      if (!corrections.empty())
        sums[i] = b.fma(weight->offset(numbers, half), corrections[c], sums[i]);
    }
}

//===----------------------------------------------------------------------===//
// The result
//===----------------------------------------------------------------------===//

/// Not as constant: the launch before may have written it.
Value MatmulEmitter::loadEpilogueOperand(size_t i, Value element) {
  Type type = problem.epilogueOperands[i].getElementType();
  int64_t bytes = type.getIntOrFloatBitWidth() / 8;
  return b.load(member->epilogueOperand(i), b.mul(element, bytes), type, bytes);
}

SmallVector<Value> MatmulEmitter::loadVectors(Value row) {
  SmallVector<Value> vectors(problem.operands());
  for (size_t i = 0; i < vectors.size(); ++i)
    if (problem.epilogueOperands[i].getRank() == 1)
      vectors[i] =
          loadEpilogueOperand(i, b.min(row, b.sub(member->n(), b.index(1))));
  return vectors;
}

void MatmulEmitter::store(ValueRange sums, ValueRange vectors, Value row,
                          Value col) {
  int64_t bytes = problem.outputType.getIntOrFloatBitWidth() / 8;
  b.ifThen(b.logicalAnd(b.less(row, member->n()), b.less(col, m)), [&] {
    auto element = [&] { return b.add(b.mul(col, member->n()), row); };
    SmallVector<Value> arguments(sums);
    for (auto [i, vector] : llvm::enumerate(vectors))
      arguments.push_back(vector ? vector : loadEpilogueOperand(i, element()));
    Value y = inlineEpilogue(b, b.getLoc(), *problem.epilogue,
                             problem.outputType, arguments);
    b.store(y, member->y(), b.mul(element(), bytes), bytes);
  });
}

/// Every warp leaves its sums in shared memory, [warp][sum][lane]; of the
/// elements of a tile, its warps then take every warpsOfTile-th each.
void MatmulEmitter::storeSharedResult(ArrayRef<Value> sums) {
  int64_t count = sums.size(), split = config.getSplit();
  // Bytes of a sum of all lanes, and from a warp of a tile to the next.
  constexpr int64_t kSum = 32 * 4;
  int64_t warpBytes = warpsAtOnce() * count * kSum;
  Value shared = kernel.sharedMemory(b);
  Value inSum = b.mul(lane, 4);
  // Other warps may still read what was staged there.
  if (stagedWeight)
    gpu::BarrierOp::create(b);
  Value own = b.add(b.mul(warp, count * kSum), inSum);
  for (auto [i, value] : llvm::enumerate(sums))
    b.store(value, shared, b.add(own, i * kSum), 4);
  gpu::BarrierOp::create(b);

  Value inTile = b.add(b.mul(sum, split), part);
  Value firstOfTile = b.add(
      b.mul(b.sub(warp, b.mul(inTile, warpsAtOnce())), count * kSum), inSum);
  b.forLoop(
      inTile, b.index(count), warpsOfTile(), {}, [&](Value i, ValueRange) {
        Value first = b.add(firstOfTile, b.mul(i, kSum));
        SmallVector<Value> ofElement;
        for (int64_t j = 0; j < warpsOfTile(); ++j) {
          Value of =
              b.load(shared, b.add(first, j * warpBytes), b.getF32Type(), 4);
          if (j % split == 0)
            ofElement.push_back(of);
          else
            ofElement.back() = b.addF(ofElement.back(), of);
        }
        // Sum i is element e of the 16 x 8 tile (rowTile, colTile).
        int64_t own = ownColumns();
        Value e = b.rem(i, 2 * own), tile = b.div(i, 2 * own);
        Value row =
            b.add(b.mul(b.div(tile, colTiles()), 16), b.mul(b.div(e, own), 8));
        Value col = b.add(b.mul(b.rem(tile, colTiles()), 8), b.rem(e, own));
        row = b.add(b.add(firstRow, row), g);
        col = b.add(b.add(firstCol, col), b.mul(t, own));
        store(ofElement, loadVectors(row), row, col);
        return SmallVector<Value>();
      });
}

void MatmulEmitter::storeResult(ArrayRef<Value> products) {
  SmallVector<Value> sums(products);
  if (hasRests()) {
    sums.clear();
    for (size_t i = 0; i < products.size(); i += 2)
      sums.push_back(b.addF(products[i], products[i + 1]));
  }
  if (warpsOfTile() != 1)
    return storeSharedResult(sums);
  int64_t own = ownColumns();
  for (int64_t i = 0; i < rowTiles(); ++i) {
    auto row = [&](int64_t half) {
      return b.add(b.add(firstRow, 16 * i + 8 * half), g);
    };
    const SmallVector<Value> vectors[] = {loadVectors(row(0)),
                                          loadVectors(row(1))};
    for (int64_t j = 0; j < colTiles(); ++j)
      for (int64_t e = 0; e < 2 * own; ++e)
        store(sums[(i * colTiles() + j) * 2 * own + e], vectors[e / own],
              row(e / own),
              b.add(b.add(firstCol, 8 * j + e % own), b.mul(t, own)));
  }
}
