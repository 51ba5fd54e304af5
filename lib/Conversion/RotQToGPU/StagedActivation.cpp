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
    : stages(config.getStages()), cols(config.getCols()),
      hasCoreMatrices(config.getKind() == KernelKind::WgmmaS8),
      wordBytes((cols + 1) * kLanes * kWord),
      stageBytes(hasCoreMatrices ? kRuns * kWords * wordBytes
                                 : cols * kColumns),
      groupsPerTile(std::max<int64_t>(1, kColumns / problem.group)),
      totalBytes(stages * (stageBytes + groupsPerTile * cols * 4)) {}

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

/// A warp copies all words of a run of a column at a time. Where the block's
/// columns and the tile are whole, addresses differ by constants alone.
void StagedActivation::copyWords(Value tile) {
  Value lane = b.rem(thread, 32), warp = b.div(thread, 32);
  Value run = b.rem(warp, kRuns), firstInBlock = b.div(warp, kRuns);
  Value position = b.add(b.add(b.mul(tile, kColumns), b.mul(run, 32 * kWord)),
                         b.mul(lane, kWord));
  Value target = b.add(b.mul(stageOf(tile), layout.stageBytes),
                       b.mul(run, kWords * layout.wordBytes));
  target = b.add(target, b.mul(b.rem(lane, kWords), layout.wordBytes));
  target = b.add(target, b.mul(b.div(lane, kWords), kWord));
  target = b.add(target, b.mul(firstInBlock, kLanes * kWord));
  // Columns that the warps copy at a time.
  int64_t step = threads / 32 / kRuns;
  Value firstColumn = b.add(firstCol, firstInBlock);
  Value source = b.add(b.mul(firstColumn, stored), position);
  Value codes = kernel.argument("codes");
  auto copyAll = [&] {
    for (int64_t first = 0; first < layout.cols; first += step) {
      auto copy = [&] {
        b.copyToShared(shared, b.add(target, first * kLanes * kWord), codes,
                       b.add(source, first * stored), kWord);
      };
      if (first + step <= layout.cols)
        copy();
      else
        b.ifThen(b.less(firstInBlock, layout.cols - first), copy);
    }
  };
  // Behind the last column, and the end of a row, there are zeros.
  auto copySome = [&] {
    b.forLoop(
        firstInBlock, b.index(layout.cols), step, {},
        [&](Value inBlock, ValueRange) {
          Value first = b.sub(inBlock, firstInBlock);
          Value isThere =
              b.logicalAnd(b.less(position, stored),
                           b.less(b.add(firstCol, inBlock), kernel.rows(b)));
          Value from = b.select(isThere, b.add(source, b.mul(first, stored)),
                                b.index(0));
          b.copyToShared(shared, b.add(target, b.mul(first, kLanes * kWord)),
                         codes, from, kWord,
                         b.select(isThere, b.i32(kWord), b.i32(0)));
          return SmallVector<Value>();
        });
  };
  Value isWhole =
      b.logicalAnd(b.less(tile, whole),
                   b.less(b.add(firstCol, layout.cols - 1), kernel.rows(b)));
  b.ifThen(isWhole, copyAll, copySome);
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
                     b.add(b.mul(b.add(stage, index), 4),
                           layout.stages * layout.stageBytes),
                     kernel.argument("scales"), b.mul(source, 4), 4);
    });
  }
}

void StagedActivation::copy(Value tile) {
  if (layout.hasCoreMatrices)
    copyWords(tile);
  else
    copyChunks(tile);
  b.ifThen(b.less(tile, whole), [&] { copyScales(tile); });
}

// Every tile has a group of copies, those behind the last an empty one, so that
// the group to wait for is always as far behind.
void StagedActivation::startFirst(int64_t tiles) {
  for (int64_t tile = 0; tile < layout.stages - 1; ++tile) {
    if (tile < tiles)
      copy(b.index(tile));
    NVVM::CpAsyncCommitGroupOp::create(b);
  }
}

void StagedActivation::start(Value tile, int64_t tiles) {
  Value following = b.add(tile, layout.stages - 1);
  b.ifThen(b.less(following, tiles), [&] { copy(following); });
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
  Value both = b.load(
      shared,
      b.add(b.add(b.mul(start, 4), layout.stages * layout.stageBytes), pair),
      VectorType::get({2}, b.getF32Type()), 8);
  return {b.word(both, 0), b.word(both, 1)};
}
