//===- MmaBitsKernel.cpp - mma.sync matmul kernels on bits
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Codes of a frame are bits b_j of a product sum_j (2 b_j - 1) z_j with a
// lifted activation z. As they lie in a tile they are operand A; eight bit
// planes of a row of z are operand B (LiftedLayout). Lane (g, t) then has the
// counts of planes 2t and 2t + 1, which it adds up by their weights; the four
// lanes of a row add up at the end.
//
//===----------------------------------------------------------------------===//

#include "MatmulEmitter.h"

#include "rotq/Conversion/SegmentIndex.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace mlir::rotq;
using ::rotq::LiftedLayout;

namespace {
class BitsEmitter : MatmulEmitter {
public:
  BitsEmitter(KernelBuilder &b, KernelFunction &kernel,
              const MatmulProblem &problem, KernelAttr config)
      : MatmulEmitter(b, kernel, problem, config),
        lifted(liftedLayoutOf(problem, config)) {}

  LogicalResult emit();

private:
  SmallVector<Value> addTile(Value tile, const Fragments &fragments,
                             ArrayRef<Piece> inTile, ValueRange sums);
  SmallVector<Value> planeWords(Value address);
  SmallVector<Value> countBits(ArrayRef<Value> low, ArrayRef<Value> high,
                               ArrayRef<Value> planes);
  SmallVector<Value> byColumns(ValueRange sums);

  LiftedLayout lifted;
  Value signWeight;        ///< of plane 2t + 1 of the top part, over that of 2t
  Value planeWeight;       ///< 2 times that of plane 2t
  Value isFirst;           ///< t is 0
  SmallVector<Value> rows; ///< where the columns' rows start, in bytes
};
} // namespace

/// The lane's words of a part.
SmallVector<Value> BitsEmitter::planeWords(Value address) {
  SmallVector<Value> words;
  for (const auto &[first, size] : lifted.chunks()) {
    Value place = b.add(b.add(address, 32 * 4 * first), b.mul(lane, 4 * size));
    Value chunk = b.load(kernel.argument("planes"), place,
                         VectorType::get({size}, b.getI32Type()), 4 * size);
    for (int64_t i = 0; i < size; ++i)
      words.push_back(b.word(chunk, i));
  }
  return words;
}

/// How many bits rows g and g + 8 share with planes 2t and 2t + 1.
SmallVector<Value> BitsEmitter::countBits(ArrayRef<Value> low,
                                          ArrayRef<Value> high,
                                          ArrayRef<Value> planes) {
  auto type = LLVM::LLVMStructType::getLiteral(
      b.getContext(), SmallVector<Type>(4, b.getI32Type()));
  std::array<NVVM::MMATypes, 2> types = {NVVM::MMATypes::b1,
                                         NVVM::MMATypes::b1};
  std::array<NVVM::MMALayout, 2> layouts = {NVVM::MMALayout::row,
                                            NVVM::MMALayout::col};
  SmallVector<Value> counts(4, b.i32(0));
  for (size_t i = 0; i < planes.size(); i += 2) {
    auto second = [&](ArrayRef<Value> words) {
      return i + 1 < words.size() ? words[i + 1] : b.i32(0);
    };
    Value a[] = {low[i], high[i], second(low), second(high)};
    Value x[] = {planes[i], second(planes)};
    Value result = NVVM::MmaOp::create(
        b, type, ValueRange(a), ValueRange(x), ValueRange(counts),
        ArrayRef<int64_t>{16, 8, 256}, NVVM::MMAB1Op::and_popc,
        /*intOverflow=*/std::nullopt, types, layouts);
    for (int64_t e = 0; e < 4; ++e)
      counts[e] = LLVM::ExtractValueOp::create(b, result, e);
  }
  return counts;
}

/// Sums are [rowTile][column][row half].
SmallVector<Value> BitsEmitter::addTile(Value tile, const Fragments &fragments,
                                        ArrayRef<Piece> inTile,
                                        ValueRange carried) {
  SmallVector<Value> sums(carried);
  SmallVector<std::array<SmallVector<Value>, 2>> bits;
  for (const RowFragments &rowTile : fragments.rowTiles)
    bits.push_back(
        {weight->bits(rowTile.slots, 0), weight->bits(rowTile.slots, 1)});
  for (const auto &[segment, scaleIndex] : inTile) {
    Value index = emitSegmentIndex(
        b, b.getLoc(), groups, b.add(b.mul(tile, kColumns), segment.offset));
    for (int64_t col = 0; col < config.getCols(); ++col) {
      Value address = b.add(rows[col], b.mul(index, lifted.segmentBytes()));
      SmallVector<SmallVector<Value>> planes;
      for (int64_t part = 0; part < lifted.parts; ++part)
        planes.push_back(planeWords(b.add(address, part * lifted.partBytes())));
      Value scales =
          b.load(kernel.argument("planes"),
                 b.add(b.add(rows[col], lifted.scalesOffset), b.mul(index, 8)),
                 VectorType::get({2}, b.getF32Type()), 8);
      Value factor = b.mulF(b.word(scales, 0), planeWeight);
      // What bits that are 0 take off, once.
      Value shift = b.select(
          isFirst, arith::NegFOp::create(b, b.word(scales, 1)), b.f32(0));
      for (int64_t i = 0; i < rowTiles(); ++i) {
        std::array<Value, 2> totals;
        for (int64_t part = 0; part < lifted.parts; ++part) {
          SmallVector<Value> counts =
              countBits(bits[i][0], bits[i][1], planes[part]);
          bool isTop = part + 1 == lifted.parts;
          for (int64_t half = 0; half < 2; ++half) {
            Value pair =
                b.add(counts[2 * half], b.mul(counts[2 * half + 1],
                                              isTop ? signWeight : b.i32(2)));
            totals[half] =
                part == 0 ? pair : b.add(totals[half], b.mul(pair, b.i32(256)));
          }
        }
        for (int64_t half = 0; half < 2; ++half) {
          Value total =
              arith::SIToFPOp::create(b, b.getF32Type(), totals[half]);
          Value &sum = sums[(i * config.getCols() + col) * 2 + half];
          sum = b.fma(
              b.fma(total, factor, shift),
              weight->step(fragments.rowTiles[i].numbers[scaleIndex], half),
              sum);
        }
      }
    }
  }
  return sums;
}

/// What the lanes of a row have, added up, as storeResult takes it.
SmallVector<Value> BitsEmitter::byColumns(ValueRange sums) {
  SmallVector<Value> totals(sums);
  for (Value &total : totals)
    for (int64_t mask : {1, 2})
      total = b.addF(total, b.shuffleXor(total, mask));
  SmallVector<Value> result;
  for (int64_t i = 0; i < rowTiles(); ++i)
    for (int64_t j = 0; j < colTiles(); ++j)
      for (int64_t half = 0; half < 2; ++half)
        for (int64_t c = 0; c < 2; ++c) {
          Value own = b.f32(0);
          for (int64_t of = 0; of < 4; ++of)
            if (int64_t col = 8 * j + 2 * of + c; col < config.getCols())
              own = b.select(b.equal(t, b.index(of)),
                             totals[(i * config.getCols() + col) * 2 + half],
                             own);
          result.push_back(own);
        }
  return result;
}

LogicalResult BitsEmitter::emit() {
  if (failed(prepare()))
    return failure();
  Value lane2t = arith::IndexCastOp::create(b, b.getI32Type(), b.mul(t, 2));
  isFirst = b.equal(t, b.index(0));
  signWeight = b.select(b.equal(t, b.index(3)), b.i32(-2), b.i32(2));
  // 2^(2t + 1), by its bits.
  planeWeight = arith::BitcastOp::create(
      b, b.getF32Type(),
      arith::ShLIOp::create(b, b.add(lane2t, b.i32(128)), b.i32(23)));
  Value lastRow = b.sub(m, b.index(1));
  for (int64_t col = 0; col < config.getCols(); ++col)
    rows.push_back(
        b.mul(b.min(b.add(firstCol, col), lastRow), lifted.rowBytes));

  SmallVector<Value> sums(rowTiles() * config.getCols() * 2, b.f32(0));
  sums = addWholeTiles(
      sums, [&](Value tile, const Fragments &fragments, ValueRange carried) {
        return addTile(tile, fragments, inTile, carried);
      });
  sums = addTail(
      sums, [&](Value tile, const Fragments &fragments, ValueRange carried) {
        return addTile(tile, fragments, inTail, carried);
      });
  storeResult(byColumns(sums));
  return success();
}

LogicalResult mlir::rotq::buildMmaBits(KernelBuilder &b, KernelFunction &kernel,
                                       const MatmulProblem &problem,
                                       KernelAttr config) {
  return BitsEmitter(b, kernel, problem, config).emit();
}
