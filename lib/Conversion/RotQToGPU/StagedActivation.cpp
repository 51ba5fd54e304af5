//===- StagedActivation.cpp - A quantized activation in shared memory
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "StagedActivation.h"

#include "rotq/Codec/TiledLayout.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::rotq;

static constexpr int64_t kColumns = ::rotq::TiledLayout::kColumns;
static constexpr int64_t kRun = ::rotq::TiledLayout::kRun;
static constexpr int64_t kChunk = 16; // bytes of a copy, and codes
static constexpr int64_t kChunks = kColumns / kChunk;

StagedActivation::StagedActivation(KernelBuilder &b, KernelFunction &kernel,
                                   const MatmulProblem &problem,
                                   KernelAttr config, Value firstCol,
                                   int64_t whole)
    : b(b), kernel(kernel),
      groups(activationBlocking(problem.weight.getK(), problem.group)),
      cols(config.getCols()), threads(32 * config.getWarps()),
      stored(::rotq::storedLength(problem.weight.getK())), whole(whole),
      groupsPerTile(std::max<int64_t>(1, kColumns / problem.group)),
      firstCol(firstCol) {
  thread = b.threadId();
  lastCol = b.sub(kernel.rows(b), b.index(1));
  auto words = VectorType::get({4}, b.getI32Type());
  codes = b.sharedPointer(kernel.addShared(kStages * cols * kChunks, words));
  codeScales = b.sharedPointer(
      kernel.addShared(kStages * groupsPerTile * cols, b.getF32Type()));
  Value lane = b.rem(thread, 32);
  Value g = b.div(lane, 4), t = b.rem(lane, 4);
  Value own = b.add(b.mul(g, kColumns), b.mul(t, kRun));
  Value swapped = b.mul(b.rem(g, 2), kChunk);
  chunks = {b.add(own, swapped), b.add(own, b.sub(b.index(kChunk), swapped))};
  pair = b.mul(t, 8);
}

void StagedActivation::copyCodes(Value tile) {
  Value stage = b.mul(stageOf(tile), cols * kColumns);
  for (int64_t first = 0; first < cols * kChunks; first += threads) {
    Value index = b.add(thread, first);
    auto copy = [&] {
      Value inBlock = b.div(index, kChunks), chunk = b.rem(index, kChunks);
      Value col = b.min(b.add(firstCol, inBlock), lastCol);
      Value position = b.add(b.mul(tile, kColumns), b.mul(chunk, kChunk));
      // Behind the end of a row there are zeros.
      Value bytes;
      if (stored % kColumns != 0)
        bytes = b.select(b.less(position, stored), b.i32(kChunk), b.i32(0));
      Value place = b.select(b.equal(b.rem(inBlock, 2), b.index(0)), chunk,
                             b.exclusiveOr(chunk, 1));
      b.copyToShared(
          codes,
          b.add(stage, b.add(b.mul(inBlock, kColumns), b.mul(place, kChunk))),
          kernel.argument("codes"), b.add(b.mul(col, stored), position), kChunk,
          bytes);
    };
    if (first + threads <= cols * kChunks)
      copy();
    else
      b.ifThen(b.less(index, cols * kChunks), copy);
  }
}

/// [group][col]
void StagedActivation::copyScales(Value tile) {
  int64_t count = groupsPerTile * cols;
  Value stage = b.mul(stageOf(tile), count);
  Value group = b.div(b.mul(tile, kColumns), groups.block());
  for (int64_t first = 0; first < count; first += threads) {
    Value index = b.add(thread, first);
    b.ifThen(b.less(index, count), [&] {
      Value inBlock = b.rem(index, cols), inTile = b.div(index, cols);
      Value col = b.min(b.add(firstCol, inBlock), lastCol);
      Value source = b.add(b.mul(col, groups.size()), b.add(group, inTile));
      b.copyToShared(codeScales, b.mul(b.add(stage, index), 4),
                     kernel.argument("scales"), b.mul(source, 4), 4);
    });
  }
}

void StagedActivation::start(Value tile) {
  copyCodes(tile);
  b.ifThen(b.less(tile, whole), [&] { copyScales(tile); });
  NVVM::CpAsyncCommitGroupOp::create(b);
}

void StagedActivation::finish() {
  NVVM::CpAsyncWaitGroupOp::create(b, 0);
  gpu::BarrierOp::create(b);
}

Value StagedActivation::words(Value tile, int64_t colTile, int64_t run) {
  Value start = b.add(b.mul(stageOf(tile), cols * kColumns),
                      colTile * 8 * kColumns + run * kColumns / 2);
  auto half = VectorType::get({4}, b.getI32Type());
  SmallVector<Value> words;
  for (Value chunk : chunks) {
    Value loaded = b.load(codes, b.add(start, chunk), half, kChunk);
    for (int64_t i = 0; i < 4; ++i)
      words.push_back(b.word(loaded, i));
  }
  return vector::FromElementsOp::create(b, VectorType::get({8}, b.getI32Type()),
                                        words);
}

SmallVector<Value> StagedActivation::scales(Value tile, int64_t colTile,
                                            int64_t position) {
  int64_t inTile = position / std::min(groups.block(), kColumns);
  Value stage = b.mul(stageOf(tile), groupsPerTile * cols);
  Value start = b.add(stage, inTile * cols + colTile * 8);
  Value both = b.load(codeScales, b.add(b.mul(start, 4), pair),
                      VectorType::get({2}, b.getF32Type()), 8);
  return {b.word(both, 0), b.word(both, 1)};
}
