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

static constexpr int64_t kColumns = ::rotq::TiledLayout::kColumns;
static constexpr int64_t kRun = ::rotq::TiledLayout::kRun;
static constexpr int64_t kChunk = 16; // bytes of a copy, and codes
static constexpr int64_t kChunks = kColumns / kChunk;
static constexpr int64_t kWord = 4; // bytes
static constexpr int64_t kLanes = 4, kRuns = kColumns / (kLanes * kRun);
static constexpr int64_t kWords = kRun / kWord; // of a run

StagedActivation::Layout::Layout(const MatmulProblem &problem,
                                 KernelAttr config)
    : stages(config.getStages()), split(config.getSplit()),
      cols(config.getCols()),
      hasCoreMatrices(config.getKind() == KernelKind::WgmmaS8),
      wordBytes((cols + 1) * kLanes * kWord),
      stageBytes(hasCoreMatrices ? kRuns * kWords * wordBytes
                                 : cols * kColumns),
      groupsPerTile(std::max<int64_t>(1, kColumns / problem.group)),
      totalBytes(stages * split * (stageBytes + groupsPerTile * cols * 4)) {
  // The sums of warps that divide K come where the stages were.
  if (split != 1)
    totalBytes = std::max(totalBytes, config.getWarps() * config.getRows() *
                                          cols * int64_t(sizeof(float)));
}

int64_t StagedActivation::sharedBytes(const MatmulProblem &problem,
                                      KernelAttr config) {
  return Layout(problem, config).totalBytes;
}

StagedActivation::StagedActivation(KernelBuilder &b, KernelFunction &kernel,
                                   const MatmulProblem &problem,
                                   KernelAttr config, Value firstCol,
                                   int64_t whole)
    : b(b), kernel(kernel), layout(problem, config),
      groups(activationBlocking(problem.weight.getK(), problem.group)),
      threads(32 * config.getWarps()),
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

Value StagedActivation::stageOf(Value tile) {
  if (layout.split == 1)
    return b.rem(tile, layout.stages);
  Value turn = b.rem(b.div(tile, layout.split), layout.stages);
  return b.add(b.mul(turn, layout.split), b.rem(tile, layout.split));
}

void StagedActivation::copyChunks(Value tile) {
  Value stage = b.mul(stageOf(tile), layout.stageBytes);
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

/// Sixteen threads copy the row of a tile that is interleaved: a chunk each.
/// Where the block's columns are whole, addresses differ by constants alone.
void StagedActivation::copyInterleaved(Value tile) {
  Value chunk = b.rem(thread, kChunks), firstInBlock = b.div(thread, kChunks);
  Value target = b.add(b.mul(stageOf(tile), layout.stageBytes),
                       b.mul(chunk, layout.wordBytes));
  target = b.add(target, b.mul(firstInBlock, kChunk));
  Value source = b.add(b.mul(b.add(firstCol, firstInBlock), stored),
                       b.add(b.mul(tile, kColumns), b.mul(chunk, kChunk)));
  Value codes = kernel.argument("codes");
  int64_t step = threads / kChunks; // columns at a time
  auto copyAll = [&] {
    for (int64_t first = 0; first < layout.cols; first += step) {
      auto copy = [&] {
        b.copyToShared(shared, b.add(target, first * kChunk), codes,
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
      b.copyToShared(shared, b.add(target, b.mul(first, kChunk)), codes, from,
                     kChunk, b.select(isThere, b.i32(kChunk), b.i32(0)));
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
  Value word = b.add(b.mul(run, kWords), b.rem(lane, kWords));
  Value target = b.add(b.mul(stageOf(tile), layout.stageBytes),
                       b.mul(word, layout.wordBytes));
  target = b.add(target, b.mul(b.div(lane, kWords), kWord));
  forColumns(firstInBlock, threads / 32 / kRuns, [&](Value column, Value) {
    Value row = b.add(firstCol, column);
    Value isThere =
        b.logicalAnd(b.less(position, stored), b.less(row, kernel.rows(b)));
    Value from =
        b.select(isThere, b.add(b.mul(row, stored), position), b.index(0));
    b.copyToShared(shared, b.add(target, b.mul(column, kChunk)),
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

/// [group][col]
void StagedActivation::copyScales(Value tile) {
  int64_t count = layout.groupsPerTile * layout.cols;
  Value stage = b.mul(stageOf(tile), count);
  Value group = emitSegmentIndex(b, b.getLoc(), groups, b.mul(tile, kColumns));
  for (int64_t first = 0; first < count; first += threads) {
    Value index = b.add(thread, first);
    b.ifThen(b.less(index, count), [&] {
      Value inBlock = b.rem(index, layout.cols);
      Value inTile = b.div(index, layout.cols);
      Value col = b.min(b.add(firstCol, inBlock), lastCol);
      Value source = b.add(b.mul(col, groups.size()), b.add(group, inTile));
      b.copyToShared(shared,
                     b.add(b.mul(b.add(stage, index), 4), layout.scalesStart()),
                     kernel.argument("scales"), b.mul(source, 4), 4);
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

// Every turn has a group of copies, those behind the last an empty one, so that
// the group to wait for is always as far behind.
void StagedActivation::startFirst(int64_t tiles) {
  for (int64_t turn = 0; turn < layout.stages - 1; ++turn) {
    for (int64_t i = 0; i < layout.split; ++i)
      if (int64_t tile = turn * layout.split + i; tile < tiles)
        copy(b.index(tile));
    NVVM::CpAsyncCommitGroupOp::create(b);
  }
}

void StagedActivation::start(Value tile, int64_t tiles) {
  for (int64_t i = 0; i < layout.split; ++i) {
    Value following = b.add(tile, (layout.stages - 1) * layout.split + i);
    b.ifThen(b.less(following, tiles), [&] { copy(following); });
  }
  NVVM::CpAsyncCommitGroupOp::create(b);
}

void StagedActivation::finish() {
  NVVM::CpAsyncWaitGroupOp::create(b, uint32_t(layout.stages - 2));
  // Tensor cores read shared memory by themselves.
  if (layout.hasCoreMatrices)
    NVVM::FenceProxyOp::create(
        b, NVVM::ProxyKind::async_shared,
        NVVM::SharedSpaceAttr::get(b.getContext(),
                                   NVVM::SharedSpace::shared_cta));
  gpu::BarrierOp::create(b);
}

Value StagedActivation::words(Value tile, int64_t colTile, int64_t run) {
  Value start = b.add(b.mul(stageOf(tile), layout.stageBytes),
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

// PTX ISA, "Matrix Descriptor Format": units of 16 bytes; no swizzle. Core
// matrices that are neighbours along K are a word of all columns apart, those
// along the columns follow each other.
Value StagedActivation::descriptor(Value tile, int64_t run, int64_t step) {
  Value bytes = b.add(b.mul(stageOf(tile), layout.stageBytes),
                      (run * kWords + 2 * step) * layout.wordBytes);
  Type i64 = b.getI64Type();
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantOp::create(b, b.getI64IntegerAttr(value));
  };
  Value address =
      arith::AddIOp::create(b, LLVM::PtrToIntOp::create(b, i64, shared),
                            arith::IndexCastOp::create(b, i64, bytes));
  address = arith::AndIOp::create(b, address, constant(0x3ffff));
  int64_t offsets = layout.wordBytes / kChunk << 16 |
                    int64_t(8 * kLanes * kWord / kChunk) << 32;
  return arith::OrIOp::create(
      b, arith::ShRUIOp::create(b, address, constant(4)), constant(offsets));
}

SmallVector<Value> StagedActivation::scales(Value tile, int64_t colTile,
                                            int64_t position) {
  int64_t inTile = position / std::min(groups.block(), kColumns);
  Value stage = b.mul(stageOf(tile), layout.groupsPerTile * layout.cols);
  Value start = b.add(stage, inTile * layout.cols + colTile * 8);
  Value both =
      b.load(shared, b.add(b.add(b.mul(start, 4), layout.scalesStart()), pair),
             VectorType::get({2}, b.getF32Type()), 8);
  return {b.word(both, 0), b.word(both, 1)};
}
