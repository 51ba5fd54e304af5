//===- Contraction.cpp - Matmuls of linalg
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Contraction.h"

#include "rotq/Dialect/RotQ/Transforms/RowProduct.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mlir::rotq;

//===----------------------------------------------------------------------===//
// Matching
//===----------------------------------------------------------------------===//

Value mlir::rotq::getMatrixSource(Operation *op, bool &isTranspose) {
  isTranspose = false;
  if (auto cast = dyn_cast_or_null<tensor::CastOp>(op))
    return cast.getSource();
  auto transpose = dyn_cast_or_null<linalg::TransposeOp>(op);
  if (!transpose || !transpose.hasPureTensorSemantics() ||
      transpose.getPermutation() != ArrayRef<int64_t>{1, 0})
    return {};
  isTranspose = true;
  return transpose.getInput();
}

static bool isFloatMatrix(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.getRank() == 2 &&
         (type.getElementType().isF32() || type.getElementType().isF16());
}

std::optional<Contraction> mlir::rotq::matchContraction(Operation *candidate) {
  auto op = dyn_cast<linalg::LinalgOp>(candidate);
  if (!op || !op.hasPureTensorSemantics())
    return {};
  std::optional<WeightOrder> order = matchRowProduct(op);
  if (!order || !isFloatMatrix(op.getDpsInputs()[0]) ||
      !isFloatMatrix(op.getDpsInits()[0]))
    return {};
  bool isKMajor = *order == WeightOrder::NxK;

  Value root = op.getDpsInputs()[1];
  bool isTranspose = false;
  while (Value source = getMatrixSource(root.getDefiningOp(), isTranspose)) {
    if (!isa<RankedTensorType>(source.getType()))
      break;
    root = source;
    isKMajor ^= isTranspose;
  }
  return Contraction{op, op.getDpsInputOperand(1), root, isKMajor};
}

std::pair<int64_t, int64_t> Contraction::getShape() const {
  ArrayRef<int64_t> shape = cast<RankedTensorType>(root.getType()).getShape();
  return isKMajor ? std::pair(shape[0], shape[1])
                  : std::pair(shape[1], shape[0]);
}

//===----------------------------------------------------------------------===//
// Replacement
//===----------------------------------------------------------------------===//

static bool isZero(Value init) {
  if (auto fill = init.getDefiningOp<linalg::FillOp>())
    return matchPattern(fill.getInputs()[0], m_AnyZeroFloat());
  return matchPattern(init, m_AnyZeroFloat());
}

/// `value` with the sizes that are known from elsewhere.
static Value castTo(OpBuilder &builder, Location loc, Value value,
                    ArrayRef<int64_t> shape) {
  auto type = cast<RankedTensorType>(value.getType()).clone(shape);
  if (type == value.getType())
    return value;
  return tensor::CastOp::create(builder, loc, type, value);
}

void mlir::rotq::replaceByMatmul(RewriterBase &rewriter,
                                 const Contraction &contraction, Value weight) {
  linalg::LinalgOp op = contraction.op;
  Location loc = op.getLoc();
  rewriter.setInsertionPoint(op);
  auto type = cast<WeightType>(weight.getType());
  // As it is now: it may be the result of a product that was replaced before.
  Value input = op.getDpsInputs()[0];
  Value init = op.getDpsInits()[0];
  auto initType = cast<RankedTensorType>(init.getType());

  // M may be known to the destination only, and K to the weight only.
  int64_t m = cast<RankedTensorType>(input.getType()).getDimSize(0);
  if (ShapedType::isDynamic(m))
    m = initType.getDimSize(0);
  Value x = castTo(rewriter, loc, input, {m, type.getK()});
  int64_t shape[] = {cast<RankedTensorType>(x.getType()).getDimSize(0),
                     type.getN()};
  // A destination that is filled with zeros may matter to others, as an
  // argument that the function writes to.
  Value out;
  if (auto fill = init.getDefiningOp<linalg::FillOp>();
      fill && !fill.getOutputs()[0].getDefiningOp<tensor::EmptyOp>()) {
    out = castTo(rewriter, loc, fill.getOutputs()[0], shape);
  } else {
    OpFoldResult rows = tensor::getMixedSize(rewriter, loc, x, 0);
    out = tensor::EmptyOp::create(
        rewriter, loc,
        ArrayRef<OpFoldResult>{rows, rewriter.getIndexAttr(type.getN())},
        initType.getElementType());
  }
  Value result = MatmulOp::create(rewriter, loc, out.getType(), x, weight,
                                  /*epilogueOperands=*/ValueRange(), out,
                                  /*group=*/nullptr, /*rests=*/nullptr,
                                  /*kernels=*/nullptr)
                     .getResult();
  if (!isZero(init)) {
    Value sum = castTo(rewriter, loc, init, shape);
    result = linalg::AddOp::create(rewriter, loc, ValueRange{result, sum}, sum)
                 .getResult(0);
  }
  rewriter.replaceOp(op, castTo(rewriter, loc, result, initType.getShape()));
}
