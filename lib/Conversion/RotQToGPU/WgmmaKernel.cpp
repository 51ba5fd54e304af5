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
  /// Products that are under way: of a piece of a tile, in a row tile and the
  /// `colTiles` of a unit from the first on.
  struct Unit {
    Piece piece;
    Value numbers; ///< of the rows
    int64_t rowTile, firstColTile;
    SmallVector<Value> products; ///< [colTile][row half][column], i32 or f32
  };
  /// What a lane has of a row tile.
  using LoadRowTile = function_ref<RowFragments(int64_t rowTile)>;

  int64_t unitColTiles() const;
  SmallVector<Value> addTile(Value tile, LoadRowTile loadRowTile,
                             ArrayRef<Piece> inTile, bool isFull,
                             ValueRange sums);
  SmallVector<Value> addWholeTile(Value tile, ValueRange sums);
  SmallVector<Value> addTail(Value tile, ValueRange sums);
  SmallVector<Value> addLast(int64_t first, ValueRange sums);
  /// Words of operand A: of every run of the piece, four an instruction.
  SmallVector<Value> decode(ArrayRef<Value> slots, const Piece &piece);
  SmallVector<Value> start(Value tile, const Piece &piece, ArrayRef<Value> a,
                           int64_t firstColTile);
  void settle(const Unit &unit, int64_t underWay, Value tile, bool isFull,
              MutableArrayRef<Value> sums);
};
} // namespace

/// Volatile assembly with results of a type of 32 bits, and operands of 32 or
/// 64 bits; of the operands, the first are tied to the results where there are
/// `ties`.
static SmallVector<Value> emitAssembly(KernelBuilder &b, std::string text,
                                       int64_t results, Type resultType,
                                       ValueRange operands, bool ties) {
  std::string constraints, result = resultType.isF32() ? "f," : "r,";
  for (int64_t i = 0; i < results; ++i)
    constraints += (ties ? "=" : "=&") + result;
  for (auto [i, operand] : llvm::enumerate(operands)) {
    if (ties && int64_t(i) < results)
      constraints += std::to_string(i) + ",";
    else
      constraints += operand.getType().isInteger(64) ? "l," : "r,";
  }
  constraints += "~{memory}";
  auto type = LLVM::LLVMStructType::getLiteral(
      b.getContext(), SmallVector<Type>(size_t(results), resultType));
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
                                       ArrayRef<Value> descriptors,
                                       Operand operand) {
  int64_t sums = cols / 2;
  bool isFloat = operand == Operand::E4M3;
  // Of floats, neither operand is negated.
  std::string types = isFloat ? "k32.f32.e4m3.e4m3 " : "k32.s32.s8.s8 ";
  std::string signs = isFloat ? ", 1, 1" : "";
  std::string text = "{\n.reg .pred p, q;\nsetp.ne.b32 p, 0, 0;\n"
                     "setp.ne.b32 q, 1, 0;\nwgmma.fence.sync.aligned;\n";
  for (int64_t i = 0; i < int64_t(descriptors.size()); ++i)
    text += "wgmma.mma_async.sync.aligned.m64n" + std::to_string(cols) + types +
            registers(0, sums) + ", " + registers(sums + 4 * i, 4) + ", $" +
            std::to_string(sums + int64_t(a.size()) + i) +
            (i == 0 ? ", p" : ", q") + signs + ";\n";
  text += "wgmma.commit_group.sync.aligned;\n}";
  SmallVector<Value> operands(a);
  llvm::append_range(operands, descriptors);
  Type type = isFloat ? Type(b.getF32Type()) : Type(b.getI32Type());
  return emitAssembly(b, text, sums, type, operands, /*ties=*/false);
}

/// The products once no more than `underWay` groups after theirs are.
static SmallVector<Value> emitWait(KernelBuilder &b, ArrayRef<Value> products,
                                   int64_t underWay) {
  return emitAssembly(
      b, "wgmma.wait_group.sync.aligned " + std::to_string(underWay) + ";",
      int64_t(products.size()), products[0].getType(), products,
      /*ties=*/true);
}

/// As many as registers allow beside all sums: a unit's products, those of a
/// second where there is more than one, and operand A of it.
int64_t WgmmaEmitter::unitColTiles() const {
  constexpr int64_t kRegisters = 224, kOperandA = 32;
  int64_t all = rowTiles() * colTiles();
  for (int64_t parts = 1; parts < colTiles(); ++parts) {
    int64_t unit = colTiles() / parts;
    // Columns of an instruction come in multiples of 16.
    if (colTiles() % parts != 0 || (parts > 1 && unit % 2 != 0))
      continue;
    int64_t products = std::min<int64_t>(all / unit, 2) * unit;
    int64_t operands = parts == 1 && rowTiles() > 1 ? 2 : 1;
    if (4 * (all + products) + operands * kOperandA <= kRegisters)
      return unit;
  }
  return colTiles() % 2 == 0 ? 2 : colTiles();
}

SmallVector<Value> WgmmaEmitter::decode(ArrayRef<Value> slots,
                                        const Piece &piece) {
  SmallVector<Value> a;
  for (auto [run, isWithin] : runsOf(piece.segment)) {
    std::array<Value, 2> words;
    for (int64_t half = 0; half < 2; ++half) {
      Value ofRun = b.asWords(points(slots, half, run));
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

SmallVector<Value> WgmmaEmitter::start(Value tile, const Piece &piece,
                                       ArrayRef<Value> a,
                                       int64_t firstColTile) {
  SmallVector<Value> descriptors;
  for (auto [run, isWithin] : runsOf(piece.segment))
    for (int64_t step = 0; step < kRun / 8; ++step)
      descriptors.push_back(
          stagedActivation->descriptor(tile, firstColTile, run, step));
  return emitProducts(b, 8 * unitColTiles(), a, descriptors, problem.operand);
}

void WgmmaEmitter::settle(const Unit &unit, int64_t underWay, Value tile,
                          bool isFull, MutableArrayRef<Value> sums) {
  SmallVector<Value> products = emitWait(b, unit.products, underWay);
  const ::rotq::Segment &segment = unit.piece.segment;
  for (int64_t i = 0; i < unitColTiles(); ++i) {
    int64_t j = unit.firstColTile + i;
    SmallVector<Value> scales = columnScales(tile, segment, j, isFull);
    SmallVector<Value> shifts = corrections(tile, segment, j, scales, isFull);
    SmallVector<Value> ofTile;
    for (Value product : ArrayRef(products).slice(4 * i, 4))
      ofTile.push_back(hasFloatCodes() ? product
                                       : arith::SIToFPOp::create(
                                             b, b.getF32Type(), product));
    accumulate(sums.slice((unit.rowTile * colTiles() + j) * 4, 4), ofTile,
               unit.numbers, scales, shifts);
  }
}

// While one unit is multiplied, the one before is scaled, or rows are decoded.
// Where registers are short, operand A has some for one row tile.
SmallVector<Value> WgmmaEmitter::addTile(Value tile, LoadRowTile loadRowTile,
                                         ArrayRef<Piece> inTile, bool isFull,
                                         ValueRange carried) {
  SmallVector<Value> sums(carried);
  std::optional<Unit> before;
  auto settleBefore = [&](int64_t underWay) {
    if (before)
      settle(*before, underWay, tile, isFull, sums);
    before.reset();
  };
  for (int64_t i = 0; i < rowTiles(); ++i) {
    if (unitColTiles() < colTiles())
      settleBefore(/*underWay=*/0);
    RowFragments fragments = loadRowTile(i);
    for (const Piece &piece : inTile) {
      SmallVector<Value> a = decode(fragments.slots, piece);
      for (int64_t j = 0; j < colTiles(); j += unitColTiles()) {
        SmallVector<Value> products = start(tile, piece, a, j);
        settleBefore(/*underWay=*/1);
        before = Unit{piece, fragments.numbers[piece.scaleIndex], i, j,
                      std::move(products)};
      }
    }
  }
  settleBefore(/*underWay=*/0);
  return sums;
}

SmallVector<Value> WgmmaEmitter::addWholeTile(Value tile, ValueRange sums) {
  auto loadRowTile = [&](int64_t i) { return stagedWeight->load(tile, i); };
  return addTile(tile, loadRowTile, inTile, /*isFull=*/true, sums);
}

SmallVector<Value> WgmmaEmitter::addTail(Value tile, ValueRange sums) {
  Fragments fragments = load(tile, inTail);
  auto loadRowTile = [&](int64_t i) { return fragments.rowTiles[i]; };
  return addTile(tile, loadRowTile, inTail, /*isFull=*/false, sums);
}

/// Adds the tile of the warp among the `split` from `first` on, which may be
/// the one behind the whole tiles, or none.
SmallVector<Value> WgmmaEmitter::addLast(int64_t first, ValueRange sums) {
  Value tile = b.add(part, first);
  if (first == whole && config.getSplit() == 1)
    return addTail(tile, sums);
  SmallVector<Value> result(sums);
  if (tiles() > whole)
    result = b.ifElse(b.equal(tile, b.index(whole)), sums,
                      [&] { return addTail(tile, sums); });
  if (first == whole)
    return result;
  return b.ifElse(b.less(tile, whole), result,
                  [&] { return addWholeTile(tile, sums); });
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
                     return addWholeTile(b.add(first, part), carried);
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
