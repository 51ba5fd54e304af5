//===- DenseProducts.cpp - Host kernels of products in f32
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HostKernels.h"

#include "rotq/Dialect/RotQ/Transforms/RowProduct.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::rotq;

/// Rows of x, and of w, whose products share what is loaded.
static constexpr int64_t kRowsOfX = 4, kRowsOfW = 4;

//===----------------------------------------------------------------------===//
// Products of rows
//===----------------------------------------------------------------------===//

namespace {
/// Lanes of the products of some rows of x with some of w.
class FloatTile {
public:
  FloatTile(HostBuilder &b, Value x, ArrayRef<Value> rowsOfX, Value w,
            ArrayRef<Value> rowsOfW)
      : b(b), x(x), w(w), rowsOfX(rowsOfX), rowsOfW(rowsOfW) {}

  /// The product of row i of x and row j of w is at i * rowsOfW.size() + j.
  SmallVector<Value> emit(int64_t k);

private:
  using LoadFn = function_ref<Value(Value memref, Value row)>;
  SmallVector<Value> multiply(ValueRange lanes, LoadFn load);
  Value loadMasked(Value memref, ValueRange indices, int64_t count);

  HostBuilder &b;
  Value x, w;
  ArrayRef<Value> rowsOfX, rowsOfW;
};
} // namespace

static Value widen(HostBuilder &b, Value vector) {
  auto type = VectorType::get({kFloats}, b.getF32Type());
  if (vector.getType() == type)
    return vector;
  return arith::ExtFOp::create(b, type, vector);
}

SmallVector<Value> FloatTile::multiply(ValueRange lanes, LoadFn load) {
  auto contract = arith::FastMathFlags::contract;
  SmallVector<Value> ws, next;
  for (Value row : rowsOfW)
    ws.push_back(widen(b, load(w, row)));
  for (Value row : rowsOfX) {
    Value a = widen(b, load(x, row));
    for (Value c : ws) {
      Value product = arith::MulFOp::create(b, a, c, contract);
      next.push_back(
          arith::AddFOp::create(b, lanes[next.size()], product, contract));
    }
  }
  return next;
}

/// `count` numbers, then zeros.
Value FloatTile::loadMasked(Value memref, ValueRange indices, int64_t count) {
  Type element = cast<MemRefType>(memref.getType()).getElementType();
  auto type = VectorType::get({kFloats}, element);
  Value mask = vector::ConstantMaskOp::create(
      b, VectorType::get({kFloats}, b.getI1Type()), ArrayRef<int64_t>{count});
  return vector::MaskedLoadOp::create(b, type, memref, indices, mask,
                                      b.zero(type));
}

SmallVector<Value> FloatTile::emit(int64_t k) {
  SmallVector<Value> lanes(rowsOfX.size() * rowsOfW.size(),
                           b.zero(VectorType::get({kFloats}, b.getF32Type())));
  int64_t whole = k / kFloats * kFloats;
  lanes = b.loop(b.index(0), b.index(whole), kFloats, lanes,
                 [&](Value i, ValueRange carried) {
                   return multiply(carried, [&](Value memref, Value row) {
                     return b.load(memref, {row, i}, kFloats);
                   });
                 });
  if (whole == k)
    return lanes;
  Value i = b.index(whole);
  return multiply(lanes, [&](Value memref, Value row) {
    return loadMasked(memref, {row, i}, k - whole);
  });
}

void mlir::rotq::emitFloatProducts(HostBuilder &b, Value x, ValueRange ws,
                                   Value begin, Value end, ResultFn result) {
  int64_t k = cast<MemRefType>(x.getType()).getDimSize(1);
  // The rows of w stay in the cache while those of x pass.
  b.tiles(b.index(0), b.rows(x), kRowsOfX, [&](ArrayRef<Value> ms) {
    b.tiles(begin, end, kRowsOfW, [&](ArrayRef<Value> ns) {
      SmallVector<Value> sums;
      for (Value w : ws)
        sums.push_back(b.sumLanes(FloatTile(b, x, ms, w, ns).emit(k)));
      emitElements(b, ms, ns, sums, result);
    });
  });
}

//===----------------------------------------------------------------------===//
// Contractions
//===----------------------------------------------------------------------===//

static bool isFloatMatrix(Value value) {
  auto type = dyn_cast<MemRefType>(value.getType());
  return type && type.getRank() == 2 && type.isLastDimUnitStride() &&
         isa<Float32Type, Float16Type, BFloat16Type>(type.getElementType());
}

/// A rounding within the sum, which kernels leave out.
static bool rounds(linalg::LinalgOp op) {
  return llvm::any_of(op.getBlock()->getOperations(),
                      llvm::IsaPred<arith::TruncFOp>);
}

bool mlir::rotq::isDenseProduct(Operation *candidate) {
  auto op = dyn_cast<linalg::LinalgOp>(candidate);
  if (!op || !op.hasPureBufferSemantics() ||
      matchRowProduct(op) != WeightOrder::NxK || rounds(op) ||
      !llvm::all_of(op->getOperands(), isFloatMatrix))
    return false;
  auto typeOf = [&](unsigned i) {
    return cast<MemRefType>(op->getOperand(i).getType());
  };
  return typeOf(2).getElementType().isF32() && !typeOf(0).isDynamicDim(1);
}

namespace {
/// linalg.matmul by a transposed weight  ->  tiles of vectors
struct LowerDenseProduct : public OpInterfaceRewritePattern<linalg::LinalgOp> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;

  LogicalResult matchAndRewrite(linalg::LinalgOp op,
                                PatternRewriter &rewriter) const override {
    if (!isDenseProduct(op))
      return rewriter.notifyMatchFailure(op, "not a dense product");
    HostBuilder b(op.getLoc(), rewriter);
    Value x = op->getOperand(0), w = op->getOperand(1), y = op->getOperand(2);
    int64_t k = cast<MemRefType>(x.getType()).getDimSize(1);
    Value work = arith::MulIOp::create(b, b.rows(x), b.index(k));
    auto addTo = [&](Value m, Value n, ValueRange sums) {
      Value old = memref::LoadOp::create(b, y, ValueRange{m, n});
      Value value = arith::AddFOp::create(b, old, sums[0]);
      memref::StoreOp::create(b, value, y, ValueRange{m, n});
    };
    b.parallel(b.rows(w), kGrain, work, [&](Value begin, Value end) {
      emitFloatProducts(b, x, w, begin, end, addTo);
    });
    rewriter.eraseOp(op);
    return success();
  }
};
} // namespace

void mlir::rotq::populateRotQToVectorDensePatterns(
    RewritePatternSet &patterns) {
  patterns.add<LowerDenseProduct>(patterns.getContext());
}
