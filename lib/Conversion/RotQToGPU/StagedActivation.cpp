//===- StagedActivation.cpp - A quantized activation in shared memory
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "StagedActivation.h"

#include "rotq/Codec/TiledLayout.h"
#include "rotq/Conversion/SegmentIndex.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::rotq;
using ::rotq::ActivationLayout;

static constexpr int64_t kColumns = ::rotq::TiledLayout::kColumns;
static constexpr int64_t kRun = ::rotq::TiledLayout::kRun;
static constexpr int64_t kChunk = 16; // bytes of a copy, and codes
static constexpr int64_t kChunks = kColumns / kChunk;
static constexpr int64_t kWord = 4; // bytes
static constexpr int64_t kLanes = 4, kRuns = kColumns / (kLanes * kRun);
static constexpr int64_t kWords = kRun / kWord; // of a run
static constexpr int64_t kRowBytes = kWords * kChunk;

StagedActivation::StagedActivation(KernelBuilder &b, KernelFunction &kernel,
                                   const MatmulProblem &problem,
                                   const StageLayout &layout, Value firstCol,
                                   int64_t whole)
    : b(b), kernel(kernel), layout(layout),
      groups(activationBlocking(problem.weight.getK(), problem.group)),
      threads(32 * layout.warps * layout.split),
      stored(::rotq::storedLength(problem.weight.getK())), whole(whole),
      firstCol(firstCol) {
  thread = b.threadId();
  lastCol = b.sub(kernel.rows(b), b.index(1));
  shared = kernel.sharedMemory(b);
  Value lane = b.rem(thread, 32);
  Value g = b.div(lane, 4), t = b.rem(lane, 4);
  Value own = b.add(b.mul(g, kColumns), b.mul(t, kRun));
  Value swapped = b.mul(b.rem(g, 2), kChunk);
  chunks = {b.add(own, swapped), b.add(own, b.sub(b.index(kChunk), swapped))};
  pair = b.mul(t, 8);
}

Value mlir::rotq::placeOf(KernelBuilder &b, const StageLayout &layout,
                          Value tile) {
  if (layout.split == 1)
    return b.rem(tile, layout.stages);
  Value turn = b.rem(b.div(tile, layout.split), layout.stages);
  return b.add(b.mul(turn, layout.split), b.rem(tile, layout.split));
}

void StagedActivation::copyChunks(Value tile) {
  Value stage = b.mul(placeOf(b, layout, tile), layout.codeBytes);
  for (int64_t first = 0; first < layout.cols * kChunks; first += threads) {
    Value index = b.add(thread, first);
    auto copy = [&] {
      Value inBlock = b.div(index, kChunks), chunk = b.rem(index, kChunks);
      Value col = b.add(firstCol, inBlock);
      Value position = b.add(b.mul(tile, kColumns), b.mul(chunk, kChunk));
      // Behind the last column, and the end of a row, there are zeros: to read
      // the last column again for each would keep its place in L2 busy.
      Value isThere = b.less(col, kernel.rows(b));
      if (stored % kColumns != 0)
        isThere = b.logicalAnd(isThere, b.less(position, stored));
      Value bytes = b.select(isThere, b.i32(kChunk), b.i32(0));
      Value from =
          b.select(isThere, b.add(b.mul(col, stored), position), b.index(0));
      Value place = b.select(b.equal(b.rem(inBlock, 2), b.index(0)), chunk,
                             b.exclusiveOr(chunk, 1));
      b.copyToShared(
          shared,
          b.add(stage, b.add(b.mul(inBlock, kColumns), b.mul(place, kChunk))),
          kernel.argument("codes"), from, kChunk, bytes);
    };
    if (first + threads <= layout.cols * kChunks)
      copy();
    else
      b.ifThen(b.less(index, layout.cols * kChunks), copy);
  }
}

/// Where in shared memory a word of all lanes' runs is. Of a word, the place
/// depends on the column within eight alone.
Value StagedActivation::chunkAt(Value tile, Value run, Value column,
                                Value word) {
  Value row = b.add(b.mul(run, layout.cols), column);
  Value start = b.add(b.mul(placeOf(b, layout, tile), layout.codeBytes),
                      b.mul(row, kRowBytes));
  return b.add(start,
               b.mul(b.exclusiveOr(word, b.rem(column, kWords)), kChunk));
}

/// Sixteen threads copy the row of a tile that is interleaved: a chunk each.
/// Where the block's columns are whole, addresses differ by constants alone.
void StagedActivation::copyInterleaved(Value tile) {
  Value chunk = b.rem(thread, kChunks), firstInBlock = b.div(thread, kChunks);
  Value target =
      chunkAt(tile, b.div(chunk, kWords), firstInBlock, b.rem(chunk, kWords));
  Value source = b.add(b.mul(b.add(firstCol, firstInBlock), stored),
                       b.add(b.mul(tile, kColumns), b.mul(chunk, kChunk)));
  Value codes = kernel.argument("codes");
  int64_t step = threads / kChunks; // columns at a time
  auto copyAll = [&] {
    for (int64_t first = 0; first < layout.cols; first += step) {
      auto copy = [&] {
        b.copyToShared(shared, b.add(target, first * kRowBytes), codes,
                       b.add(source, first * stored), kChunk);
      };
      if (first + step <= layout.cols)
        copy();
      else
        b.ifThen(b.less(firstInBlock, layout.cols - first), copy);
    }
  };
  // Behind the last column there are zeros.
  auto copySome = [&] {
    forColumns(firstInBlock, step, [&](Value column, Value first) {
      Value isThere = b.less(b.add(firstCol, column), kernel.rows(b));
      Value from =
          b.select(isThere, b.add(source, b.mul(first, stored)), b.index(0));
      b.copyToShared(shared, b.add(target, b.mul(first, kRowBytes)), codes,
                     from, kChunk, b.select(isThere, b.i32(kChunk), b.i32(0)));
    });
  };
  b.ifThen(b.less(b.add(firstCol, layout.cols - 1), kernel.rows(b)), copyAll,
           copySome);
}

/// A warp copies the words of a run of a column, which lie in order in the tile
/// behind the last that is interleaved. Behind the end of a row, and the last
/// column, there are zeros.
void StagedActivation::copyWords(Value tile) {
  Value lane = b.rem(thread, 32), warp = b.div(thread, 32);
  Value run = b.rem(warp, kRuns), firstInBlock = b.div(warp, kRuns);
  Value position = b.add(b.add(b.mul(tile, kColumns), b.mul(run, 32 * kWord)),
                         b.mul(lane, kWord));
  Value word = b.rem(lane, kWords), t = b.mul(b.div(lane, kWords), kWord);
  forColumns(firstInBlock, threads / 32 / kRuns, [&](Value column, Value) {
    Value row = b.add(firstCol, column);
    Value isThere =
        b.logicalAnd(b.less(position, stored), b.less(row, kernel.rows(b)));
    Value from =
        b.select(isThere, b.add(b.mul(row, stored), position), b.index(0));
    b.copyToShared(shared, b.add(chunkAt(tile, run, column, word), t),
                   kernel.argument("codes"), from, kWord,
                   b.select(isThere, b.i32(kWord), b.i32(0)));
  });
}

/// Columns of the block from `begin` on, and how far they are behind it.
void StagedActivation::forColumns(Value begin, int64_t step,
                                  function_ref<void(Value, Value)> body) {
  b.forLoop(begin, b.index(layout.cols), step, {},
            [&](Value column, ValueRange) {
              body(column, b.sub(column, begin));
              return SmallVector<Value>();
            });
}

/// Scales, and sums where they are needed: [group][col] of 4 bytes.
void StagedActivation::copyScales(Value tile) {
  int64_t count = layout.groupsPerTile * layout.cols;
  Value stage = b.mul(placeOf(b, layout, tile), count);
  Value group = emitSegmentIndex(b, b.getLoc(), groups, b.mul(tile, kColumns));
  for (int64_t first = 0; first < count; first += threads) {
    Value index = b.add(thread, first);
    b.ifThen(b.less(index, count), [&] {
      Value inBlock = b.rem(index, layout.cols);
      Value inTile = b.div(index, layout.cols);
      Value col = b.min(b.add(firstCol, inBlock), lastCol);
      Value source = scaleAddress(
          b,
          layout.hasCoreMatrices ? ActivationLayout::Interleaved
                                 : ActivationLayout::Rows,
          col, kernel.rows(b), b.add(group, inTile), groups.size());
      Value target = b.mul(b.add(stage, index), 4);
      b.copyToShared(shared, b.add(target, layout.scalesStart),
                     kernel.argument("scales"), source, 4);
      if (layout.sumsStart != layout.weightsStart)
        b.copyToShared(shared, b.add(target, layout.sumsStart),
                       kernel.argument("sums"), source, 4);
    });
  }
}

void StagedActivation::copy(Value tile) {
  if (!layout.hasCoreMatrices)
    copyChunks(tile);
  else if (stored % kColumns == 0)
    copyInterleaved(tile);
  else
    b.ifThen(
        b.less(tile, stored / kColumns), [&] { copyInterleaved(tile); },
        [&] { copyWords(tile); });
  b.ifThen(b.less(tile, whole), [&] { copyScales(tile); });
}

Value StagedActivation::words(Value tile, int64_t colTile, int64_t run) {
  Value start = b.add(b.mul(placeOf(b, layout, tile), layout.codeBytes),
                      colTile * 8 * kColumns + run * kColumns / 2);
  auto half = VectorType::get({4}, b.getI32Type());
  SmallVector<Value> words;
  for (Value chunk : chunks) {
    Value loaded = b.load(shared, b.add(start, chunk), half, kChunk);
    for (int64_t i = 0; i < 4; ++i)
      words.push_back(b.word(loaded, i));
  }
  return vector::FromElementsOp::create(b, VectorType::get({8}, b.getI32Type()),
                                        words);
}

// PTX ISA, "Matrix Descriptor Format": units of 16 bytes, eight rows of 128
// bytes apart, swizzled. Descriptors of a tile differ by a constant in the low
// half, whose address has room for all shared memory.
Value StagedActivation::descriptor(Value tile, int64_t colTile, int64_t run,
                                   int64_t step) {
  Type i32 = b.getI32Type(), i64 = b.getI64Type();
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantOp::create(b, b.getI64IntegerAttr(value));
  };
  Value place = arith::IndexCastOp::create(
      b, i32, b.mul(placeOf(b, layout, tile), layout.codeBytes / kChunk));
  Value start = LLVM::PtrToIntOp::create(b, i32, shared);
  start = arith::ShRUIOp::create(
      b, arith::AndIOp::create(b, start, b.i32(0x3ffff)), b.i32(4));
  int64_t inPlace =
      ((run * layout.cols + 8 * colTile) * kRowBytes + 2 * step * kChunk) /
      kChunk;
  // The distance along K has no meaning within a row.
  Value low = b.add(b.add(start, place), b.i32(1 << 16));
  // In a loop LLVM would count in descriptors, whose high half ptxas 13.0
  // loses.
  auto opaque = LLVM::InlineAsmOp::create(
      b, i32, low, "mov.b32 $0, $1;", "=r,r", /*has_side_effects=*/false,
      /*is_align_stack=*/false, LLVM::TailCallKind::None,
      /*asm_dialect=*/nullptr, /*operand_attrs=*/nullptr);
  low = b.add(opaque.getResult(0), b.i32(inPlace));
  constexpr int64_t kSwizzle128 = 1;
  return arith::OrIOp::create(
      b, arith::ExtUIOp::create(b, i64, low),
      constant(kSwizzle128 << 62 | (8 * kRowBytes / kChunk) << 32));
}

SmallVector<Value> StagedActivation::ofColumns(int64_t start, Type type,
                                               Value tile, int64_t colTile,
                                               int64_t position) {
  int64_t inTile = position / std::min(groups.block(), kColumns);
  Value stage =
      b.mul(placeOf(b, layout, tile), layout.groupsPerTile * layout.cols);
  Value first = b.add(stage, inTile * layout.cols + colTile * 8);
  Value both = b.load(shared, b.add(b.add(b.mul(first, 4), start), pair),
                      VectorType::get({2}, type), 8);
  return {b.word(both, 0), b.word(both, 1)};
}

SmallVector<Value> StagedActivation::scales(Value tile, int64_t colTile,
                                            int64_t position) {
  return ofColumns(layout.scalesStart, b.getF32Type(), tile, colTile, position);
}

SmallVector<Value> StagedActivation::sums(Value tile, int64_t colTile,
                                          int64_t position) {
  return ofColumns(layout.sumsStart, b.getI32Type(), tile, colTile, position);
}
