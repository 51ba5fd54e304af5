//===- WgmmaKernel.cpp - wgmma matmul kernels
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The weight is decoded into registers, operand A: each warp of a warpgroup has
// the 16 rows of its own strip there. The activation is operand B, in shared
// memory for all warps of the block. Tensor cores multiply while a warp decodes
// the rows that come next and scales the products before.
//
//===----------------------------------------------------------------------===//

#include "MatmulEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace mlir::rotq;

namespace {
class WgmmaEmitter : MatmulEmitter {
public:
  using MatmulEmitter::MatmulEmitter;

  LogicalResult emit();

private:
  /// Products that are under way: of a piece of a tile, in a row tile.
  struct Unit {
    Piece piece;
    int64_t rowTile;
    SmallVector<Value> products; ///< [colTile][row half][column], i32
  };

  SmallVector<Value> addTile(Value tile, const Fragments &fragments,
                             ArrayRef<Piece> inTile, bool isFull,
                             ValueRange sums);
  SmallVector<Value> addLast(int64_t first, ArrayRef<Fragments> ahead,
                             ValueRange sums);
  Unit start(Value tile, const Fragments &fragments, const Piece &piece,
             int64_t rowTile);
  void settle(Unit &unit, int64_t underWay, Value tile,
              const Fragments &fragments, bool isFull,
              MutableArrayRef<Value> sums);
};
} // namespace

/// Volatile assembly with results and operands of 32 or 64 bits; of the
/// operands, the first are tied to the results where there are `ties`.
static SmallVector<Value> emitAssembly(KernelBuilder &b, std::string text,
                                       int64_t results, ValueRange operands,
                                       bool ties) {
  std::string constraints;
  for (int64_t i = 0; i < results; ++i)
    constraints += ties ? "=r," : "=&r,";
  for (auto [i, operand] : llvm::enumerate(operands)) {
    if (ties && int64_t(i) < results)
      constraints += std::to_string(i) + ",";
    else
      constraints += operand.getType().isInteger(64) ? "l," : "r,";
  }
  constraints += "~{memory}";
  auto type = LLVM::LLVMStructType::getLiteral(
      b.getContext(), SmallVector<Type>(size_t(results), b.getI32Type()));
  auto assembly = LLVM::InlineAsmOp::create(
      b, type, operands, std::move(text), constraints,
      /*has_side_effects=*/true, /*is_align_stack=*/false,
      LLVM::TailCallKind::None, /*asm_dialect=*/nullptr,
      /*operand_attrs=*/nullptr);
  SmallVector<Value> values;
  for (int64_t i = 0; i < results; ++i)
    values.push_back(LLVM::ExtractValueOp::create(b, assembly.getResult(0), i));
  return values;
}

/// "{$first, ..., $last}"
static std::string registers(int64_t first, int64_t count) {
  std::string text = "{";
  for (int64_t i = first; i < first + count; ++i)
    text += (i == first ? "$" : ", $") + std::to_string(i);
  return text + "}";
}

/// The sum of products, a group of its own: of every four words of `a`, and
/// the part of operand B that the descriptor next in turn is of. One assembly,
/// so that nothing comes between the registers that are under way.
static SmallVector<Value> emitProducts(KernelBuilder &b, int64_t cols,
                                       ArrayRef<Value> a,
                                       ArrayRef<Value> descriptors) {
  int64_t sums = cols / 2;
  std::string text = "{\n.reg .pred p, q;\nsetp.ne.b32 p, 0, 0;\n"
                     "setp.ne.b32 q, 1, 0;\nwgmma.fence.sync.aligned;\n";
  for (int64_t i = 0; i < int64_t(descriptors.size()); ++i)
    text += "wgmma.mma_async.sync.aligned.m64n" + std::to_string(cols) +
            "k32.s32.s8.s8 " + registers(0, sums) + ", " +
            registers(sums + 4 * i, 4) + ", $" +
            std::to_string(sums + int64_t(a.size()) + i) +
            (i == 0 ? ", p;\n" : ", q;\n");
  text += "wgmma.commit_group.sync.aligned;\n}";
  SmallVector<Value> operands(a);
  llvm::append_range(operands, descriptors);
  return emitAssembly(b, text, sums, operands, /*ties=*/false);
}

/// The products once no more than `underWay` groups after theirs are.
static SmallVector<Value> emitWait(KernelBuilder &b, ArrayRef<Value> products,
                                   int64_t underWay) {
  return emitAssembly(
      b, "wgmma.wait_group.sync.aligned " + std::to_string(underWay) + ";",
      int64_t(products.size()), products, /*ties=*/true);
}

WgmmaEmitter::Unit WgmmaEmitter::start(Value tile, const Fragments &fragments,
                                       const Piece &piece, int64_t rowTile) {
  SmallVector<Value> a, descriptors;
  for (auto [run, isWithin] : runsOf(piece.segment)) {
    std::array<Value, 2> words;
    for (int64_t half = 0; half < 2; ++half) {
      Value ofRun =
          b.asWords(weight->points(fragments.slots[rowTile], half, run));
      if (isWithin)
        ofRun = b.select(isWithin, ofRun, b.zero(ofRun.getType()));
      words[size_t(half)] = ofRun;
    }
    for (int64_t step = 0; step < kRun / 8; ++step) {
      for (int64_t word : {2 * step, 2 * step + 1})
        for (Value ofRow : words)
          a.push_back(b.word(ofRow, word));
      descriptors.push_back(staged->descriptor(tile, run, step));
    }
  }
  return {piece, rowTile, emitProducts(b, config.getCols(), a, descriptors)};
}

void WgmmaEmitter::settle(Unit &unit, int64_t underWay, Value tile,
                          const Fragments &fragments, bool isFull,
                          MutableArrayRef<Value> sums) {
  SmallVector<Value> products = emitWait(b, unit.products, underWay);
  Value numbers = fragments.numbers[unit.rowTile][unit.piece.scaleIndex];
  for (int64_t j = 0; j < colTiles(); ++j) {
    const ::rotq::Segment &segment = unit.piece.segment;
    SmallVector<Value> scales = columnScales(tile, segment, j, isFull);
    SmallVector<Value> shifts = corrections(tile, segment, j, scales);
    SmallVector<Value> ofTile;
    for (Value product : ArrayRef(products).slice(4 * j, 4))
      ofTile.push_back(arith::SIToFPOp::create(b, b.getF32Type(), product));
    accumulate(sums.slice((unit.rowTile * colTiles() + j) * 4, 4), ofTile,
               numbers, scales, shifts);
  }
}

SmallVector<Value> WgmmaEmitter::addTile(Value tile, const Fragments &fragments,
                                         ArrayRef<Piece> inTile, bool isFull,
                                         ValueRange carried) {
  SmallVector<Value> sums(carried);
  std::optional<Unit> before;
  for (const Piece &piece : inTile)
    for (int64_t i = 0; i < rowTiles(); ++i) {
      Unit unit = start(tile, fragments, piece, i);
      if (before)
        settle(*before, /*underWay=*/1, tile, fragments, isFull, sums);
      before = std::move(unit);
    }
  settle(*before, /*underWay=*/0, tile, fragments, isFull, sums);
  return sums;
}

/// Adds the tile of the warp among the `split` from `first` on, which may be
/// the one behind the whole tiles, or none.
SmallVector<Value> WgmmaEmitter::addLast(int64_t first,
                                         ArrayRef<Fragments> ahead,
                                         ValueRange sums) {
  Value tile = b.add(part, first);
  auto addTail = [&] {
    return addTile(tile, load(tile, inTail), inTail, /*isFull=*/false, sums);
  };
  auto addWhole = [&] {
    return addTile(tile, ahead.front(), inTile, /*isFull=*/true, sums);
  };
  if (first == whole) // Then there is a tail, the only one.
    return config.getSplit() == 1
               ? addTail()
               : b.ifElse(b.equal(part, b.index(0)), sums, addTail);
  SmallVector<Value> result(sums);
  if (!inTail.empty())
    result = b.ifElse(b.equal(tile, b.index(whole)), sums, addTail);
  return b.ifElse(b.less(tile, whole), result, addWhole);
}

LogicalResult WgmmaEmitter::emit() {
  if (failed(prepare()))
    return failure();
  staged.emplace(b, kernel, problem, config, firstCol, whole);
  SmallVector<Value> sums(rowTiles() * colTiles() * 4, b.f32(0));
  // Warpgroups that divide K take a tile each in a turn; all of them come to
  // every barrier.
  int64_t split = config.getSplit(), together = whole / split * split;
  SmallVector<Fragments> ahead;
  if (whole > 0)
    ahead = loadAhead(part, split, /*depth=*/1);
  waitForPredecessor(ahead);
  staged->startFirst(tiles());
  if (together > 0) {
    SmallVector<Value> carried(sums);
    llvm::append_range(carried, ahead.front().flatten());
    carried = b.forLoop(b.index(0), b.index(together), split, carried,
                        [&](Value first, ValueRange values) {
                          ValueRange own = values.drop_front(sums.size());
                          // Ahead of the loads, which its fence would wait for.
                          staged->finish();
                          staged->start(first, tiles());
                          Value tile = b.add(first, part);
                          Value later = b.add(tile, split);
                          SmallVector<Value> next =
                              b.ifElse(b.less(later, whole), own, [&] {
                                return load(later, inTile).flatten();
                              });
                          SmallVector<Value> result = addTile(
                              tile, ahead.front().with(own), inTile,
                              /*isFull=*/true, values.take_front(sums.size()));
                          llvm::append_range(result, next);
                          return result;
                        });
    ahead.front() =
        ahead.front().with(ValueRange(carried).drop_front(sums.size()));
    llvm::copy(ValueRange(carried).take_front(sums.size()), sums.begin());
  }
  if (together < tiles()) {
    staged->finish();
    sums = addLast(together, ahead, sums);
  }
  storeResult(sums);
  return success();
}

LogicalResult mlir::rotq::buildWgmma(KernelBuilder &b, KernelFunction &kernel,
                                     const MatmulProblem &problem,
                                     KernelAttr config) {
  return WgmmaEmitter(b, kernel, problem, config).emit();
}
