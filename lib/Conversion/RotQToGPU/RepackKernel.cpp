//===- RepackKernel.cpp - Kernel that brings a weight into tiles
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A warp takes a tile and gathers every slot, lane by lane; one warp more for
// every strip copies its scales.
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::rotq;
using ::rotq::TiledLayout;
using ::rotq::WeightLayout;

static constexpr int64_t kWarps = 4;
static constexpr int64_t kRunsPerTile =
    TiledLayout::kColumns / TiledLayout::kRun;

namespace {
class RepackEmitter {
public:
  RepackEmitter(KernelBuilder &b, const KernelFunction &kernel, WeightType type)
      : b(b), canonical(type.getCanonicalLayout()),
        tiled(type.getTiledLayout()),
        isCircular(type.getFormat().getFormat().coding->circle() != 0),
        source(kernel.argument("source")), target(kernel.argument("weight")) {}

  void emit();

private:
  Value loadPart(const WeightLayout::Plane &plane, Value row, Value byte,
                 IntegerType type);
  Value loadWord(const WeightLayout::Plane &plane, Value firstRow,
                 Value firstRun, int64_t word);
  void copyTile(Value strip, Value tile);
  void copyScales(Value strip);

  KernelBuilder &b;
  WeightLayout canonical;
  TiledLayout tiled;
  bool isCircular;
  Value source, target, lane;
};
} // namespace

/// A part of a plane, zero beyond the matrix.
Value RepackEmitter::loadPart(const WeightLayout::Plane &plane, Value row,
                              Value byte, IntegerType type) {
  Value exists =
      b.logicalAnd(b.less(row, canonical.n), b.less(byte, plane.rowBytes));
  return b
      .ifElse(exists, b.zero(type),
              [&] {
                Value at = b.add(b.mul(row, plane.rowBytes), byte);
                return SmallVector<Value>{b.load(source,
                                                 b.add(at, plane.offset), type,
                                                 type.getWidth() / 8)};
              })
      .front();
}

/// Word `word` of what a lane has of a plane.
Value RepackEmitter::loadWord(const WeightLayout::Plane &plane, Value firstRow,
                              Value firstRun, int64_t word) {
  auto part = [&](int64_t byte, IntegerType type) {
    int64_t run = byte / plane.runBytes; // row half, then run
    Value inStrip = b.add(firstRun, 4 * (run % 2));
    // In circles the last run of a tile is before the first.
    int64_t runs = ::rotq::paddedLength(canonical.k) / TiledLayout::kRun;
    int64_t last = tiled.tilesPerStrip * kRunsPerTile - 1;
    if (isCircular && last >= runs)
      inStrip =
          b.select(b.equal(inStrip, b.index(last)), b.index(runs - 1), inStrip);
    Value inRow = b.mul(inStrip, plane.runBytes);
    return loadPart(plane, b.add(firstRow, 8 * (run / 2)),
                    b.add(inRow, byte % plane.runBytes), type);
  };
  if (plane.runBytes % 4 == 0)
    return part(4 * word, b.getI32Type());
  Value result;
  for (int64_t i = 0; i < 4; ++i) {
    Value byte = arith::ExtUIOp::create(b, b.getI32Type(),
                                        part(4 * word + i, b.getI8Type()));
    if (i)
      byte = arith::ShLIOp::create(b, byte, b.i32(8 * i));
    result = i ? arith::OrIOp::create(b, result, byte).getResult() : byte;
  }
  return result;
}

void RepackEmitter::copyTile(Value strip, Value tile) {
  Value g = b.div(lane, 4), t = b.rem(lane, 4);
  Value firstRow = b.add(b.mul(strip, TiledLayout::kRows), g);
  Value firstRun = b.add(b.mul(tile, kRunsPerTile), t);
  Value record =
      b.mul(b.add(b.mul(strip, tiled.tilesPerStrip), tile), tiled.tileBytes());
  SmallVector<Value> words;
  for (const WeightLayout::Plane &plane : canonical.planes)
    for (int64_t word = 0; word < plane.runBytes; ++word)
      words.push_back(loadWord(plane, firstRow, firstRun, word));
  words.resize(4 * tiled.slots, b.i32(0));
  for (int64_t slot = 0; slot < tiled.slots; ++slot) {
    int64_t bytes = tiled.slotBytes(slot);
    Value vector = vector::FromElementsOp::create(
        b, VectorType::get({bytes / 4}, b.getI32Type()),
        ArrayRef<Value>(words).slice(4 * slot, bytes / 4));
    Value own = b.add(record, b.mul(lane, bytes));
    b.store(vector, target, b.add(own, TiledLayout::kSlot * slot), bytes);
  }
}

/// Of a strip, the numbers of 16 rows in every segment.
void RepackEmitter::copyScales(Value strip) {
  int64_t numbers = tiled.numbersPerSegment;
  int64_t count = TiledLayout::kRows * tiled.segments * numbers;
  Value first = b.mul(strip, count);
  b.forLoop(lane, b.index(count), 32, {}, [&](Value i, ValueRange) {
    Value which = b.rem(i, numbers), pair = b.div(i, numbers);
    Value inSegment = b.rem(pair, TiledLayout::kRows);
    Value segment = b.div(pair, TiledLayout::kRows);
    Value row =
        b.add(b.add(b.mul(strip, TiledLayout::kRows), b.div(inSegment, 2)),
              b.mul(b.rem(inSegment, 2), 8));
    Value value =
        b.ifElse(b.less(row, canonical.n), b.zero(b.getF16Type()), [&] {
           Value index = b.add(b.mul(row, canonical.numbersPerRow),
                               b.add(b.mul(segment, numbers), which));
           return SmallVector<Value>{
               b.load(source, b.add(b.mul(index, 2), canonical.scalesOffset),
                      b.getF16Type(), 2)};
         }).front();
    b.store(value, target, b.add(b.mul(b.add(first, i), 2), tiled.scalesOffset),
            2);
    return SmallVector<Value>();
  });
}

void RepackEmitter::emit() {
  Value thread = b.threadId();
  lane = b.rem(thread, 32);
  Value strip = b.blockId(gpu::Dimension::x);
  Value tile =
      b.add(b.mul(b.blockId(gpu::Dimension::y), kWarps), b.div(thread, 32));
  b.ifThen(b.less(tile, tiled.tilesPerStrip), [&] { copyTile(strip, tile); });
  b.ifThen(b.equal(tile, b.index(tiled.tilesPerStrip)),
           [&] { copyScales(strip); });
}

void mlir::rotq::buildRepack(KernelBuilder &b, const KernelFunction &kernel,
                             WeightType type) {
  // Without a bound ptxas takes too few registers for planes that are read byte
  // by byte, and spills.
  constexpr int32_t kBlocks = 4; // of a multiprocessor
  kernel.getFunc()->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(),
                            b.getI32IntegerAttr(kBlocks));
  RepackEmitter(b, kernel, type).emit();
}

::rotq::KernelInfo mlir::rotq::describeRepack(WeightType type) {
  using Param = ::rotq::KernelParam;
  TiledLayout tiled = type.getTiledLayout();
  ::rotq::KernelInfo info;
  info.role = "repack";
  info.name = "repack_" + identifier(type.getFormat().getName()) + "_n" +
              std::to_string(type.getN()) + "_k" + std::to_string(type.getK());
  info.params = {{"source",
                  Param::Kind::Pointer,
                  Param::Access::Read,
                  "u8",
                  {type.getCanonicalLayout().totalBytes}},
                 {"weight",
                  Param::Kind::Pointer,
                  Param::Access::Write,
                  "u8",
                  {tiled.totalBytes}}};
  info.grid[0].count = tiled.strips;
  info.grid[1].count =
      int64_t(llvm::divideCeil(tiled.tilesPerStrip + 1, kWarps));
  info.block = {32 * kWarps, 1, 1};
  info.format = type.getFormat().getFormat().toJson();
  info.n = type.getN();
  info.k = type.getK();
  info.layout = stringifyLayoutKind(LayoutKind::Tiles).str();
  return info;
}
