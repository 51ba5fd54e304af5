//===- QuantizedProducts.cpp - Host kernels of int8 activations
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HostKernels.h"

#include "rotq/Conversion/SegmentIndex.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::rotq;
using ::rotq::Blocking;
using ::rotq::Segment;

/// Rows of the activation that share one decoding, where no kernel says.
static constexpr int64_t kDefaultTile = 4;
/// Rows of the weight that share the codes of one row of the activation, and of
/// a tile.
static constexpr int64_t kRowsOfFew = 8, kRowsOfMany = 4;
/// What the memory delivers while it lets wait.
static constexpr int64_t kBytesAhead = 16384;

/// The tile of the last kernel, that of many rows. Rows that fill no tile go
/// one by one, so it does for few rows too.
static int64_t tileOf(MatmulOpInterface op) {
  std::optional<ArrayAttr> kernels = op.getKernels();
  if (!kernels || kernels->empty())
    return kDefaultTile;
  return cast<KernelAttr>(kernels->getValue().back()).getCols();
}

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

/// What makes a point unsigned: 128 more is another sign bit.
static Value emitBias(HostBuilder &b, int64_t count) {
  auto type = VectorType::get({count}, b.getI8Type());
  return arith::ConstantOp::create(
      b, SplatElementsAttr::get(type, b.getI8IntegerAttr(-128)));
}

/// A vector of at most `piece` values as it is; of a longer one, even and odd
/// values apart: so nibbles of a byte need not become neighbours.
static SmallVector<Value> emitPieces(HostBuilder &b, Value vector,
                                     int64_t piece) {
  if (cast<VectorType>(vector.getType()).getDimSize(0) <= piece)
    return {vector};
  return llvm::to_vector_of<Value>(
      vector::DeinterleaveOp::create(b, vector).getResults());
}

namespace {
/// How rows of a weight are multiplied.
struct Tiling {
  int64_t rowsOfX, rowsOfW;
  int64_t piece; ///< points that an accumulator takes at a time
  int64_t most;  ///< points that are decoded at a time
};

/// y of a tile: some rows of the activation by some of the weight.
class QuantizedTile {
public:
  /// Biased points of row n, in pieces (see emitPieces).
  using PointsFn =
      function_ref<SmallVector<Value>(Value n, Value k, int64_t count)>;

  QuantizedTile(HostBuilder &b, MatmulOpInterface op,
                const WeightBuffers &weight, ArrayRef<Value> rowsOfX,
                ArrayRef<Value> rowsOfW, const Tiling &tiling, PointsFn points)
      : b(b), codes(op.getInputs()[0]), scales(op.getInputs()[1]),
        sums(op.getInputs()[2]), weight(weight), rowsOfX(rowsOfX),
        rowsOfW(rowsOfW), tiling(tiling), points(points),
        activationCut(
            activationBlocking(weight.layout.k, int64_t(*op.getGroup()))),
        cut(weight.layout.k,
            std::min(int64_t(*op.getGroup()), weight.format.scale.group)) {}

  /// A vector of f32 sums. That of row i of x and row j of w is at
  /// i * rowsOfW.size() + j.
  Value emit();

private:
  SmallVector<Value> emitDots(Value offset, int64_t length);
  Value emitSegment(Value offset, int64_t length, Value totals);
  Value forRowsOfX(Value matrix, Value group);
  Value forRowsOfW(Value offset, int64_t number);
  int64_t size() const { return int64_t(rowsOfX.size() * rowsOfW.size()); }
  Value widen(Value vector) {
    auto type = VectorType::get(cast<VectorType>(vector.getType()).getShape(),
                                b.getF32Type());
    if (isa<FloatType>(getElementTypeOrSelf(vector)))
      return arith::ExtFOp::create(b, type, vector);
    return arith::SIToFPOp::create(b, type, vector);
  }

  HostBuilder &b;
  Value codes, scales, sums;
  const WeightBuffers &weight;
  ArrayRef<Value> rowsOfX, rowsOfW;
  const Tiling &tiling;
  PointsFn points;
  Blocking activationCut;
  Blocking cut; ///< the finer one of weight and activation
};
} // namespace

/// The exact products of a segment, summed into lanes: those of biased points,
/// less those of the bias, which are the same for every row.
SmallVector<Value> QuantizedTile::emitDots(Value offset, int64_t length) {
  int64_t count = std::min(length, tiling.most);
  int64_t piece = std::min(length, tiling.piece);
  auto type = VectorType::get({piece / 4}, b.getI32Type());
  Value bias = emitBias(b, piece);
  // Those of the bias come last.
  SmallVector<Value> sums(size_t(size()) + rowsOfX.size(), b.zero(type));
  auto step = [&](Value k, ValueRange carried) {
    SmallVector<Value> next(carried);
    auto multiply = [&](size_t i, Value w, Value x) {
      next[i] = DotOp::create(b, type, w, x, next[i], /*unsignedLhs=*/true);
    };
    SmallVector<SmallVector<Value>> ws;
    for (Value n : rowsOfW)
      ws.push_back(points(n, k, count));
    for (auto [i, m] : llvm::enumerate(rowsOfX)) {
      auto xs = emitPieces(b, b.load(codes, {m, k}, count), piece);
      for (size_t j = 0; j < rowsOfW.size(); ++j)
        for (auto [w, x] : llvm::zip(ws[j], xs))
          multiply(i * rowsOfW.size() + j, w, x);
      for (Value x : xs)
        multiply(size_t(size()) + i, bias, x);
    }
    return next;
  };
  if (length == count)
    sums = step(offset, sums);
  else
    sums = b.loop(b.index(0), b.index(length), count, sums,
                  [&](Value i, ValueRange carried) {
                    return step(b.add(offset, i), carried);
                  });
  SmallVector<Value> dots;
  for (size_t i = 0; i < size_t(size()); ++i)
    dots.push_back(arith::SubIOp::create(
        b, sums[i], sums[size_t(size()) + i / rowsOfW.size()]));
  return dots;
}

/// matrix[m, group] at every place of row m of x.
Value QuantizedTile::forRowsOfX(Value matrix, Value group) {
  SmallVector<Value> values;
  SmallVector<int64_t> places;
  for (auto [i, m] : llvm::enumerate(rowsOfX)) {
    values.push_back(memref::LoadOp::create(b, matrix, ValueRange{m, group}));
    places.append(rowsOfW.size(), int64_t(i));
  }
  Value vector = b.fromElements(values);
  return vector::ShuffleOp::create(b, vector, vector, places);
}

/// The weight's number of a segment at every place of a row of w.
Value QuantizedTile::forRowsOfW(Value offset, int64_t number) {
  SmallVector<Value> values;
  SmallVector<int64_t> places;
  for (Value n : rowsOfW)
    values.push_back(
        b.number(weight, weight.rowOf(b, b.getLoc(), n), offset, number));
  for (int64_t i = 0; i < size(); ++i)
    places.push_back(i % int64_t(rowsOfW.size()));
  Value vector = widen(b.fromElements(values));
  return vector::ShuffleOp::create(b, vector, vector, places);
}

/// totals += step xscale dot + offset xscale xsum
Value QuantizedTile::emitSegment(Value offset, int64_t length, Value totals) {
  Value dots = b.sumLanes(emitDots(offset, length));
  Value group = emitSegmentIndex(b, b.getLoc(), activationCut, offset);
  Value scale = forRowsOfX(scales, group);
  auto scaled = [&](int64_t number, Value integers) -> Value {
    Value factor = arith::MulFOp::create(b, forRowsOfW(offset, number), scale);
    return arith::MulFOp::create(b, factor, widen(integers));
  };
  Value term = scaled(0, dots);
  // The verifier keeps the activation's cut the finer one here.
  if (weight.format.scale.hasOffset)
    term = arith::AddFOp::create(b, term, scaled(1, forRowsOfX(sums, group)));
  return arith::AddFOp::create(b, totals, term);
}

Value QuantizedTile::emit() {
  Value totals = b.zero(VectorType::get({size()}, b.getF32Type()));
  if (int64_t full = cut.fullBlocks())
    totals = b.loop(b.index(0), b.index(full * cut.block()), cut.block(),
                    totals, [&](Value offset, ValueRange carried) {
                      return SmallVector<Value>{
                          emitSegment(offset, cut.block(), carried[0])};
                    })[0];
  for (const Segment &segment : cut.tail())
    totals = emitSegment(b.index(segment.offset), segment.length, totals);
  return totals;
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

/// Biased points of row n of weight `w`, in pieces (see emitPieces).
using WeightPointsFn =
    function_ref<SmallVector<Value>(size_t w, Value n, Value k, int64_t count)>;

/// The rows [begin, end) of `weights`, a tile after the other.
static void emitTiles(HostBuilder &b, MatmulOpInterface op,
                      ArrayRef<WeightBuffers> weights, const Tiling &tiling,
                      Value begin, Value end, WeightPointsFn points,
                      ResultFn result) {
  auto emitTile = [&](ArrayRef<Value> ms, ArrayRef<Value> ns) {
    SmallVector<Value> sums;
    for (auto [w, weight] : llvm::enumerate(weights)) {
      auto pointsOf = [&](Value n, Value k, int64_t count) {
        return points(w, n, k, count);
      };
      QuantizedTile tile(b, op, weight, ms, ns, tiling, pointsOf);
      sums.push_back(tile.emit());
    }
    emitElements(b, ms, ns, sums, result);
  };
  b.tiles(b.index(0), b.rows(op.getInputs()[0]), tiling.rowsOfX,
          [&](ArrayRef<Value> ms) {
            b.tiles(begin, end, tiling.rowsOfW,
                    [&](ArrayRef<Value> ns) { emitTile(ms, ns); });
          });
}

/// How far ahead of a row others are brought into the cache.
static int64_t rowsAhead(const WeightBuffers &weight) {
  int64_t rowBytes = 0;
  for (const ::rotq::WeightLayout::Plane &plane : weight.layout.planes)
    rowBytes += plane.rowBytes;
  return llvm::divideCeil(kBytesAhead, rowBytes);
}

/// Few rows of the activation take points as they are decoded, more rows from
/// memory.
void mlir::rotq::emitQuantizedProducts(HostBuilder &b, MatmulOpInterface op,
                                       ArrayRef<WeightBuffers> weights,
                                       int64_t vectorBytes, Value begin,
                                       Value end, ResultFn result) {
  auto decode = [&](size_t w, Value n, Value k, int64_t count) {
    const WeightBuffers &weight = weights[w];
    Value row = weight.rowOf(b, b.getLoc(), n);
    // Rows are short and take turns: the hardware does not see them coming.
    Value later = arith::MinUIOp::create(b, b.add(row, rowsAhead(weight)),
                                         b.index(weight.layout.n - 1));
    b.prefetch(weight, later, k);
    auto pieces = emitPieces(b, b.points(weight, row, k, count), vectorBytes);
    for (Value &piece : pieces)
      piece = arith::XOrIOp::create(b, piece,
                                    emitBias(b, std::min(count, vectorBytes)));
    return pieces;
  };
  auto emitFew = [&] {
    emitTiles(b, op, weights, {1, kRowsOfFew, vectorBytes, 2 * vectorBytes},
              begin, end, decode, result);
  };
  auto emitMany = [&] {
    // The rows of a weight follow those of the one before.
    Value count = arith::SubIOp::create(b, end, begin);
    auto rowOf = [&](size_t w, Value n) {
      Value row = arith::SubIOp::create(b, n, begin);
      for (size_t i = 0; i < w; ++i)
        row = b.add(row, count);
      return row;
    };
    int64_t length = ::rotq::storedLength(weights[0].layout.k);
    auto type = MemRefType::get({ShapedType::kDynamic, length}, b.getI8Type());
    b.withScratch(type, rowOf(weights.size() - 1, end), [&](Value decoded) {
      for (size_t w = 0; w < weights.size(); ++w)
        b.tiles(begin, end, 1, [&](ArrayRef<Value> ns) {
          Value row = rowOf(w, ns[0]);
          b.loop(0, length, vectorBytes, [&](Value k) {
            b.store(decode(w, ns[0], k, vectorBytes)[0], decoded, {row, k});
          });
        });
      emitTiles(
          b, op, weights, {tileOf(op), kRowsOfMany, vectorBytes, vectorBytes},
          begin, end,
          [&](size_t w, Value n, Value k, int64_t count) -> SmallVector<Value> {
            return {b.load(decoded, {rowOf(w, n), k}, count)};
          },
          result);
    });
  };
  int64_t tile = tileOf(op);
  if (tile == 1)
    return emitFew();
  Value isFew = arith::CmpIOp::create(b, arith::CmpIPredicate::ult,
                                      b.rows(op.getInputs()[0]), b.index(tile));
  b.branch(isFew, emitFew, emitMany);
}
