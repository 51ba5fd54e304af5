//===- Products.cpp - Reference lowering of matmul
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Reference.h"

#include "rotq/Codec/E4M3.h"
#include "rotq/Conversion/SegmentIndex.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::rotq;
using ::rotq::Blocking;

/// y[m, n] = sum_k x[m, k] w[n, k], summed in f32.
static Value emitFloatProduct(ImplicitLocOpBuilder &builder, Value x, Value w,
                              ArrayRef<OpFoldResult> sizes) {
  Type f32 = builder.getF32Type();
  Value zero = arith::ConstantOp::create(builder, builder.getF32FloatAttr(0));
  Value empty = tensor::EmptyOp::create(builder, sizes, f32);
  Value init = linalg::FillOp::create(builder, zero, empty).getResult(0);
  AffineExpr m, n, k;
  bindDims(builder.getContext(), m, n, k);
  auto maps = AffineMap::inferFromExprList(
      ArrayRef<ArrayRef<AffineExpr>>{{m, k}, {n, k}, {m, n}},
      builder.getContext());
  utils::IteratorType parallel = utils::IteratorType::parallel;
  auto body = [&](OpBuilder &nested, Location loc, ValueRange arguments) {
    ImplicitLocOpBuilder b(loc, nested);
    Value factor = arguments[0];
    if (factor.getType() != f32)
      factor = arith::ExtFOp::create(b, f32, factor);
    Value product = arith::MulFOp::create(b, factor, arguments[1]);
    linalg::YieldOp::create(
        b, arith::AddFOp::create(b, arguments[2], product).getResult());
  };
  return linalg::GenericOp::create(
             builder, init.getType(), ValueRange{x, w}, init, maps,
             ArrayRef<utils::IteratorType>{parallel, parallel,
                                           utils::IteratorType::reduction},
             body)
      .getResult(0);
}

namespace {
/// The operands of a product with a quantized activation.
struct QuantizedProduct {
  MatmulOp op;
  ReferenceWeight weight;
  Value points; ///< emitPoints
  Blocking activationCut;
  Blocking cut; ///< the finer one of weight and activation

  Value emitDot(ImplicitLocOpBuilder &builder, Value m, Value n, Value segment,
                int64_t part);
  Value emitElementOf(ImplicitLocOpBuilder &builder, Value m, Value n);
  Value emitTerm(ImplicitLocOpBuilder &builder, Value m, Value n, Value segment,
                 int64_t part);
};
} // namespace

/// The sum of points times codes, as f32.
Value QuantizedProduct::emitDot(ImplicitLocOpBuilder &builder, Value m, Value n,
                                Value segment, int64_t part) {
  Type i32 = builder.getI32Type(), f32 = builder.getF32Type();
  Value firstCode = arith::ConstantIndexOp::create(
      builder, part * ::rotq::storedLength(op.getWeight().getType().getK()));
  auto codeAt = [&](ImplicitLocOpBuilder &b, Value k) {
    Value inRow = arith::AddIOp::create(b, k, firstCode);
    return emitElement(b, op.getInputs()[0], {m, inRow});
  };
  auto pointAt = [&](ImplicitLocOpBuilder &b, Value k) {
    return ReferenceWeight::emitPoint(b, points, n, k);
  };
  if (op.getOperandKind() == Operand::E4M3)
    return emitSegmentLoop(
        builder, cut, segment,
        arith::ConstantOp::create(builder, builder.getF32FloatAttr(0)),
        [&](ImplicitLocOpBuilder &b, Value k, Value total) -> Value {
          Value product =
              arith::MulFOp::create(b, emitPointInE4M3(b, pointAt(b, k)),
                                    emitValueOfE4M3(b, codeAt(b, k)));
          return arith::AddFOp::create(b, total, product);
        });
  Value dot = emitSegmentLoop(
      builder, cut, segment, arith::ConstantIntOp::create(builder, 0, 32),
      [&](ImplicitLocOpBuilder &b, Value k, Value total) -> Value {
        Value point = arith::ExtSIOp::create(b, i32, pointAt(b, k));
        Value code = arith::ExtSIOp::create(b, i32, codeAt(b, k));
        return arith::AddIOp::create(b, total,
                                     arith::MulIOp::create(b, point, code));
      });
  return arith::SIToFPOp::create(builder, f32, dot);
}

/// What segment `segment` of the finer cut adds to y[m, n], by codes (part 0)
/// or rests (1).
Value QuantizedProduct::emitTerm(ImplicitLocOpBuilder &builder, Value m,
                                 Value n, Value segment, int64_t part) {
  Location loc = builder.getLoc();
  Value scales = op.getInputs()[1], sums = op.getInputs()[2];
  Value dot = emitDot(builder, m, n, segment, part);
  Value start = emitSegmentOffset(builder, loc, cut, segment);
  Value group = arith::AddIOp::create(
      builder, emitSegmentIndex(builder, loc, activationCut, start),
      arith::ConstantIndexOp::create(builder, part * activationCut.size()));
  Value scale = emitElement(builder, scales, {m, group});
  Value term = arith::MulFOp::create(
      builder,
      arith::MulFOp::create(builder, weight.emitNumber(builder, n, start, 0),
                            scale),
      dot);
  if (!weight.hasOffset())
    return term;
  // The verifier keeps the activation's cut the finer one here.
  Value sum = arith::SIToFPOp::create(builder, builder.getF32Type(),
                                      emitElement(builder, sums, {m, group}));
  if (op.getOperandKind() == Operand::E4M3)
    sum = arith::MulFOp::create(
        builder, sum,
        arith::ConstantOp::create(
            builder, builder.getF32FloatAttr(1 / ::rotq::kE4M3Parts)));
  Value shift = arith::MulFOp::create(
      builder,
      arith::MulFOp::create(builder, weight.emitNumber(builder, n, start, 1),
                            scale),
      sum);
  return arith::AddFOp::create(builder, term, shift);
}

Value QuantizedProduct::emitElementOf(ImplicitLocOpBuilder &builder, Value m,
                                      Value n) {
  Value zero = arith::ConstantIndexOp::create(builder, 0);
  Value one = arith::ConstantIndexOp::create(builder, 1);
  Value count = arith::ConstantIndexOp::create(builder, cut.size());
  Value initial =
      arith::ConstantOp::create(builder, builder.getF32FloatAttr(0));
  auto body = [&](OpBuilder &nested, Location loc, Value segment,
                  ValueRange total) {
    ImplicitLocOpBuilder b(loc, nested);
    Value sum = total[0];
    for (int64_t part = 0; part < (op.getRests() ? 2 : 1); ++part)
      sum = arith::AddFOp::create(b, sum, emitTerm(b, m, n, segment, part));
    scf::YieldOp::create(b, sum);
  };
  return scf::ForOp::create(builder, zero, count, one, initial, body)
      .getResult(0);
}

/// y[m, n] = epilogue(product[m, n], elements of the epilogue's operands)
static Value emitEpilogue(ImplicitLocOpBuilder &builder, MatmulOp op,
                          Value product) {
  auto type = cast<RankedTensorType>(op.getInits().getType());
  SmallVector<Value> inputs = {product};
  llvm::append_range(inputs, op.getEpilogueOperands());
  SmallVector<AffineMap> maps;
  for (Value input : inputs)
    maps.push_back(AffineMap::getMinorIdentityMap(
        2, unsigned(cast<ShapedType>(input.getType()).getRank()),
        builder.getContext()));
  maps.push_back(builder.getMultiDimIdentityMap(2));
  auto body = [&](OpBuilder &nested, Location loc, ValueRange arguments) {
    linalg::YieldOp::create(nested, loc,
                            inlineEpilogue(nested, loc, op.getEpilogue(),
                                           type.getElementType(),
                                           arguments.drop_back()));
  };
  return linalg::GenericOp::create(
             builder, type, inputs, op.getInits(), maps,
             SmallVector<utils::IteratorType>(2, utils::IteratorType::parallel),
             body)
      .getResult(0);
}

namespace {
struct LowerMatmul : public OpRewritePattern<MatmulOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(MatmulOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.hasPureTensorSemantics())
      return rewriter.notifyMatchFailure(op, "expected tensors");
    ImplicitLocOpBuilder builder(op.getLoc(), rewriter);
    SmallVector<OpFoldResult> sizes =
        tensor::getMixedSizes(builder, op.getLoc(), op.getInits());
    Value product = op.isQuantized() ? emitQuantized(builder, op, sizes)
                                     : emitFloat(builder, op, sizes);
    if (!product)
      return rewriter.notifyMatchFailure(op, "the reference lacks a part");
    rewriter.replaceOp(op, emitEpilogue(builder, op, product));
    return success();
  }

private:
  static Value emitFloat(ImplicitLocOpBuilder &builder, MatmulOp op,
                         ArrayRef<OpFoldResult> sizes) {
    Value weight = emitWeight(builder, op.getWeight());
    if (!weight)
      return {};
    return emitFloatProduct(builder, op.getInputs()[0], weight, sizes);
  }

  static Value emitQuantized(ImplicitLocOpBuilder &builder, MatmulOp op,
                             ArrayRef<OpFoldResult> sizes) {
    ReferenceWeight weight(builder, op.getWeight());
    WeightType type = op.getWeight().getType();
    int64_t k = type.getK();
    int64_t group = *op.getGroup();
    int64_t finest = std::min(group, type.getFormat().getScale().getGroup());
    Value points = weight.emitPoints(
        builder, builder.getIndexAttr(type.getN()),
        [](ImplicitLocOpBuilder &, Value row) { return row; });
    QuantizedProduct product{op, weight, points, activationBlocking(k, group),
                             Blocking(k, finest)};
    return emitTensor(builder, sizes, builder.getF32Type(),
                      [&](ImplicitLocOpBuilder &b, ValueRange indices) {
                        return product.emitElementOf(b, indices[0], indices[1]);
                      });
  }
};
} // namespace

void mlir::rotq::populateRotQToLinalgProductPatterns(
    RewritePatternSet &patterns) {
  patterns.add<LowerMatmul>(patterns.getContext());
}
