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
  int64_t unitColTiles() const;

  /// Products that are under way: of a piece of a tile, in a row tile and the
  /// `colTiles` of a unit from the first on.
  struct Unit {
    Piece piece;
    int64_t rowTile, firstColTile;
    SmallVector<Value> products; ///< [colTile][row half][column], i32
  };

  SmallVector<Value> addTile(Value tile, const Fragments &fragments,
                             ArrayRef<Piece> inTile, bool isFull,
                             ValueRange sums);
  SmallVector<Value> addLast(int64_t first, ValueRange sums);
  /// Words of operand A: of every run of the piece, four an instruction.
  SmallVector<Value> decode(const Fragments &fragments, const Piece &piece,
                            int64_t rowTile);
  Unit start(Value tile, const Piece &piece, ArrayRef<Value> a, int64_t rowTile,
             int64_t firstColTile);
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

/// One unit is scaled while the next is multiplied: a row tile alone is two.
int64_t WgmmaEmitter::unitColTiles() const {
  if (const char *e = getenv("ROTQ_UNIT"))
    if (int64_t u = atoi(e) / 8; u > 0 && colTiles() % u == 0)
      return u;
  return colTiles();
}

SmallVector<Value> WgmmaEmitter::decode(const Fragments &fragments,
                                        const Piece &piece, int64_t rowTile) {
  SmallVector<Value> a;
  for (auto [run, isWithin] : runsOf(piece.segment)) {
    std::array<Value, 2> words;
    for (int64_t half = 0; half < 2; ++half) {
      Value ofRun =
          b.asWords(weight->points(fragments.slots[rowTile], half, run));
      if (isWithin)
        ofRun = b.select(isWithin, ofRun, b.zero(ofRun.getType()));
      words[size_t(half)] = ofRun;
    }
    for (int64_t word = 0; word < kRun / 4; ++word)
      for (Value ofRow : words)
        a.push_back(b.word(ofRow, word));
  }
  return a;
}

WgmmaEmitter::Unit WgmmaEmitter::start(Value tile, const Piece &piece,
                                       ArrayRef<Value> a, int64_t rowTile,
                                       int64_t firstColTile) {
  SmallVector<Value> descriptors;
  for (auto [run, isWithin] : runsOf(piece.segment))
    for (int64_t step = 0; step < kRun / 8; ++step)
      descriptors.push_back(
          stagedActivation->descriptor(tile, firstColTile, run, step));
  return {piece, rowTile, firstColTile,
          emitProducts(b, 8 * unitColTiles(), a, descriptors)};
}

void WgmmaEmitter::settle(Unit &unit, int64_t underWay, Value tile,
                          const Fragments &fragments, bool isFull,
                          MutableArrayRef<Value> sums) {
  SmallVector<Value> products = emitWait(b, unit.products, underWay);
  Value numbers = fragments.numbers[unit.rowTile][unit.piece.scaleIndex];
  for (int64_t i = 0; i < unitColTiles(); ++i) {
    const ::rotq::Segment &segment = unit.piece.segment;
    int64_t j = unit.firstColTile + i;
    SmallVector<Value> scales = columnScales(tile, segment, j, isFull);
    SmallVector<Value> shifts = corrections(tile, segment, j, scales);
    SmallVector<Value> ofTile;
    for (Value product : ArrayRef(products).slice(4 * i, 4))
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
      SmallVector<Value> a = decode(fragments, piece, i);
      for (int64_t j = 0; j < colTiles(); j += unitColTiles()) {
        Unit unit = start(tile, piece, a, i, j);
        if (before)
          settle(*before, /*underWay=*/1, tile, fragments, isFull, sums);
        before = std::move(unit);
      }
    }
  settle(*before, /*underWay=*/0, tile, fragments, isFull, sums);
  return sums;
}

/// Adds the tile of the warp among the `split` from `first` on, which may be
/// the one behind the whole tiles, or none.
SmallVector<Value> WgmmaEmitter::addLast(int64_t first, ValueRange sums) {
  Value tile = b.add(part, first);
  auto addTail = [&] {
    return addTile(tile, load(tile, inTail), inTail, /*isFull=*/false, sums);
  };
  auto addWhole = [&] {
    return addTile(tile, stagedWeight->load(tile), inTile, /*isFull=*/true,
                   sums);
  };
  int64_t last = tiles() - 1;
  if (first == whole && config.getSplit() == 1)
    return addTail();
  SmallVector<Value> result(sums);
  if (last == whole)
    result = b.ifElse(b.equal(tile, b.index(last)), sums, addTail);
  if (first == whole)
    return result;
  return b.ifElse(b.less(tile, whole), result, addWhole);
}

LogicalResult WgmmaEmitter::emit() {
  if (failed(prepare()))
    return failure();
  startStages();
  // Warpgroups that divide K take a tile each in a turn; all of them come to
  // every barrier.
  int64_t split = config.getSplit(), together = whole / split * split;
  SmallVector<Value> sums(rowTiles() * colTiles() * 4, b.f32(0));
  sums = b.forLoop(b.index(0), b.index(together), split, sums,
                   [&](Value first, ValueRange carried) {
                     takeStage(first);
                     Value tile = b.add(first, part);
                     return addTile(tile, stagedWeight->load(tile), inTile,
                                    /*isFull=*/true, carried);
                   });
  if (together < tiles()) {
    takeStage(b.index(together));
    sums = addLast(together, sums);
  }
  storeResult(sums);
  return success();
}

LogicalResult mlir::rotq::buildWgmma(KernelBuilder &b, KernelFunction &kernel,
                                     const MatmulProblem &problem,
                                     KernelAttr config) {
  return WgmmaEmitter(b, kernel, problem, config).emit();
}
