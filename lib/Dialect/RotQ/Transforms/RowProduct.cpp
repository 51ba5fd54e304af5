//===- RowProduct.cpp - Products with the rows of a matrix in linalg
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Dialect/RotQ/Transforms/RowProduct.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mlir::rotq;

static bool hasPlainBody(linalg::LinalgOp op) {
  return llvm::all_of(op.getBlock()->getOperations(), [](Operation &inner) {
    return isa<arith::MulFOp, arith::AddFOp, arith::ExtFOp, arith::TruncFOp,
               linalg::YieldOp>(inner);
  });
}

std::optional<WeightOrder> mlir::rotq::matchRowProduct(linalg::LinalgOp op) {
  if (op.getNumLoops() != 3 || !linalg::isaContractionOpInterface(op) ||
      !hasPlainBody(op))
    return {};
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  AffineMap x = maps[0], w = maps[1], y = maps[2];
  if (llvm::any_of(maps,
                   [](AffineMap map) { return map.getNumResults() != 2; }))
    return {};
  AffineExpr m = y.getResult(0), n = y.getResult(1), k = x.getResult(1);
  if (x.getResult(0) != m || m == n || k == m || k == n)
    return {};
  auto isMap = [&](ArrayRef<AffineExpr> results) {
    return w == AffineMap::get(3, 0, results, op.getContext());
  };
  if (isMap({n, k}))
    return WeightOrder::NxK;
  if (isMap({k, n}))
    return WeightOrder::KxN;
  return {};
}
