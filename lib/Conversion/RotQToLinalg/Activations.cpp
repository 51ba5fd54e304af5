//===- Activations.cpp - Reference lowering of rotate, quantize_activation
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Reference.h"

#include "rotq/Codec/ActivationLayout.h"
#include "rotq/Codec/E4M3.h"
#include "rotq/Conversion/SegmentIndex.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <cmath>

using namespace mlir;
using namespace mlir::rotq;
using ::rotq::Blocking;
using ::rotq::paddedLength;

static Value floatConstant(ImplicitLocOpBuilder &builder, float value) {
  return arith::ConstantOp::create(builder, builder.getF32FloatAttr(value));
}

//===----------------------------------------------------------------------===//
// Rotation
//===----------------------------------------------------------------------===//

/// One stage of butterflies: (a, b) -> (a + b, a - b) for positions that
/// differ in the bit `stride`, in segments longer than it.
static Value emitStage(ImplicitLocOpBuilder &builder, const Blocking &blocking,
                       Value x, int64_t stride) {
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, builder.getLoc(), x);
  return emitTensor(
      builder, sizes, builder.getF32Type(),
      [&](ImplicitLocOpBuilder &b, ValueRange indices) -> Value {
        Location loc = b.getLoc();
        Value row = indices[0], k = indices[1];
        Value length = emitSegmentLength(b, loc, blocking,
                                         emitSegmentIndex(b, loc, blocking, k));
        Value bit = arith::ConstantIndexOp::create(b, stride);
        Value zero = arith::ConstantIndexOp::create(b, 0);
        Value isActive =
            arith::CmpIOp::create(b, arith::CmpIPredicate::ult, bit, length);
        Value isUpper =
            arith::CmpIOp::create(b, arith::CmpIPredicate::ne,
                                  arith::AndIOp::create(b, k, bit), zero);
        Value partner = arith::SelectOp::create(
            b, isActive, arith::XOrIOp::create(b, k, bit), k);
        Value self = emitElement(b, x, {row, k});
        Value other = emitElement(b, x, {row, partner});
        Value result = arith::SelectOp::create(
            b, isUpper, arith::SubFOp::create(b, other, self),
            arith::AddFOp::create(b, self, other));
        return arith::SelectOp::create(b, isActive, result, self);
      });
}

Value mlir::rotq::emitRotation(ImplicitLocOpBuilder &builder,
                               const ::rotq::Rotation &rotation, Value x) {
  if (rotation.block() == 0)
    return x;
  if (rotation.kind() != "hadamard")
    return {};
  auto type = cast<RankedTensorType>(x.getType());
  Blocking blocking(type.getDimSize(1), rotation.block());
  // Segments get shorter along the row.
  for (int64_t stride = 1; stride < blocking.segment(0).length; stride *= 2)
    x = emitStage(builder, blocking, x, stride);
  SmallVector<float> factors;
  for (int64_t i = 0; i < blocking.size(); ++i)
    factors.push_back(
        float(1.0 / std::sqrt(double(blocking.segment(i).length))));
  Value table = emitTable(builder, factors);
  return emitTensor(
      builder, tensor::getMixedSizes(builder, builder.getLoc(), x),
      builder.getF32Type(),
      [&](ImplicitLocOpBuilder &b, ValueRange indices) -> Value {
        Value segment = emitSegmentIndex(b, b.getLoc(), blocking, indices[1]);
        return arith::MulFOp::create(b, emitElement(b, x, indices),
                                     emitElement(b, table, segment));
      });
}

namespace {
struct LowerRotate : public OpRewritePattern<RotateOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(RotateOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.hasPureTensorSemantics())
      return rewriter.notifyMatchFailure(op, "expected tensors");
    ImplicitLocOpBuilder builder(op.getLoc(), rewriter);
    auto inputType = cast<RankedTensorType>(op.getInput().getType());
    auto initType = cast<RankedTensorType>(op.getInits().getType());
    int64_t k = (op.getInverse() ? initType : inputType).getDimSize(1);
    Value x = emitPadded(builder, op.getInput(), paddedLength(k));
    // Every rotation so far is its own inverse.
    Value rotated = emitRotation(builder, *op.getRotation().getRotation(), x);
    if (!rotated)
      return rewriter.notifyMatchFailure(op, "the reference lacks a part");
    if (op.getInverse() && k != paddedLength(k)) {
      SmallVector<OpFoldResult> sizes =
          tensor::getMixedSizes(builder, op.getLoc(), rotated);
      sizes[1] = builder.getIndexAttr(k);
      SmallVector<OpFoldResult> zeros(2, builder.getIndexAttr(0));
      SmallVector<OpFoldResult> ones(2, builder.getIndexAttr(1));
      rotated =
          tensor::ExtractSliceOp::create(builder, rotated, zeros, sizes, ones);
    }
    rewriter.replaceOp(op, emitStore(builder, rotated, op.getInits()));
    return success();
  }
};

//===----------------------------------------------------------------------===//
// Quantization
//===----------------------------------------------------------------------===//

/// As rotq::quantizeActivation does it, on the rotated row.
struct LowerQuantizeActivation : public OpRewritePattern<QuantizeActivationOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(QuantizeActivationOp op,
                                PatternRewriter &rewriter) const override;
};
} // namespace

/// max |x| of every segment; NaN does not count.
static Value emitLargest(ImplicitLocOpBuilder &builder,
                         const Blocking &blocking, Value x,
                         ArrayRef<OpFoldResult> sizes) {
  return emitTensor(
      builder, sizes, builder.getF32Type(),
      [&](ImplicitLocOpBuilder &b, ValueRange indices) {
        Value row = indices[0];
        return emitSegmentLoop(
            b, blocking, indices[1], floatConstant(b, 0),
            [&](ImplicitLocOpBuilder &b, Value k, Value largest) -> Value {
              Value magnitude =
                  math::AbsFOp::create(b, emitElement(b, x, {row, k}));
              Value isLarger = arith::CmpFOp::create(
                  b, arith::CmpFPredicate::OGT, magnitude, largest);
              return arith::SelectOp::create(b, isLarger, magnitude, largest);
            });
      });
}

/// x * inverse within [-most, most]; NaN becomes 0.
static Value emitSteps(ImplicitLocOpBuilder &b, Value x, Value inverse,
                       float most) {
  Value steps = arith::MulFOp::create(b, x, inverse);
  Value isNaN =
      arith::CmpFOp::create(b, arith::CmpFPredicate::UNO, steps, steps);
  steps = arith::SelectOp::create(b, isNaN, floatConstant(b, 0), steps);
  steps = arith::MinimumFOp::create(b, steps, floatConstant(b, most));
  return arith::MaximumFOp::create(b, steps, floatConstant(b, -most));
}

/// Steps of at most 448 to the nearest e4m3, as rotq::toE4M3: hosts have no
/// such conversion.
static Value emitE4M3(ImplicitLocOpBuilder &b, Value steps) {
  auto constant = [&](int32_t value) -> Value {
    return arith::ConstantIntOp::create(b, value, 32);
  };
  auto shifted = [&](Value value, int32_t amount) -> Value {
    return arith::ShRUIOp::create(b, value, constant(amount));
  };
  Value bits = arith::BitcastOp::create(b, b.getI32Type(), steps);
  Value sign = arith::AndIOp::create(b, shifted(bits, 24), constant(0x80));
  Value magnitude = arith::AndIOp::create(b, bits, constant(0x7fffffff));
  // The fraction loses 20 bits, and exponents differ by 120.
  Value odd = arith::AndIOp::create(b, shifted(magnitude, 20), constant(1));
  Value rounded = arith::AddIOp::create(
      b, arith::AddIOp::create(b, magnitude, constant(0x7ffff)), odd);
  Value normal =
      arith::SubIOp::create(b, shifted(rounded, 20), constant(120 << 3));
  // Below 2^-6 codes count parts.
  Value parts = arith::MulFOp::create(
      b, arith::BitcastOp::create(b, b.getF32Type(), magnitude),
      floatConstant(b, ::rotq::kE4M3Parts));
  Value small = arith::FPToSIOp::create(b, b.getI32Type(),
                                        math::RoundEvenOp::create(b, parts));
  Value isSmall = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, magnitude,
                                        constant((127 - 6) << 23));
  Value code = arith::OrIOp::create(
      b, arith::SelectOp::create(b, isSmall, small, normal), sign);
  return arith::BitcastOp::create(
      b, b.getType<Float8E4M3FNType>(),
      arith::TruncIOp::create(b, b.getI8Type(), code));
}

namespace {
/// A column of codes, scales or sums: of a row's own or of its rests.
struct PartColumn {
  Value column, isRest; ///< null where there are no rests

  PartColumn(ImplicitLocOpBuilder &b, Value inRow, int64_t width, bool hasRests)
      : column(inRow) {
    if (!hasRests)
      return;
    Value end = arith::ConstantIndexOp::create(b, width);
    isRest = arith::CmpIOp::create(b, arith::CmpIPredicate::uge, inRow, end);
    column = arith::RemUIOp::create(b, inRow, end);
  }

  Value choose(ImplicitLocOpBuilder &b, function_ref<Value()> ofRest,
               Value own) const {
    if (!isRest)
      return own;
    return arith::SelectOp::create(b, isRest, ofRest(), own);
  }
};
} // namespace

LogicalResult
LowerQuantizeActivation::matchAndRewrite(QuantizeActivationOp op,
                                         PatternRewriter &rewriter) const {
  if (!op.hasPureTensorSemantics())
    return rewriter.notifyMatchFailure(op, "expected tensors");
  ImplicitLocOpBuilder builder(op.getLoc(), rewriter);
  int64_t k = cast<RankedTensorType>(op.getInput().getType()).getDimSize(1);
  int64_t padded = paddedLength(k);
  Value x = emitPadded(builder, op.getInput(), padded);
  x = emitRotation(builder, *op.getRotation().getRotation(), x);
  if (!x)
    return rewriter.notifyMatchFailure(op, "the reference lacks a part");

  Blocking blocking = activationBlocking(k, op.getGroup());
  OpFoldResult m = tensor::getMixedSize(builder, op.getLoc(), x, 0);
  int64_t parts = op.getRests() ? 2 : 1, stored = ::rotq::storedLength(k);
  Operand operand = operandOf(op.getInits()[0]);
  Type element = elementTypeOf(op.getContext(), operand);
  float most = operand == Operand::E4M3 ? ::rotq::kLargestE4M3 : 127;
  auto perRow = [&](int64_t width) -> SmallVector<OpFoldResult> {
    return {m, builder.getIndexAttr(width)};
  };
  // Of more rows, rests are zero.
  Value isFew;
  if (op.getRests())
    isFew = arith::CmpIOp::create(
        builder, arith::CmpIPredicate::ule,
        getValueOrCreateConstantIndexOp(builder, op.getLoc(), m),
        arith::ConstantIndexOp::create(builder, ::rotq::kMaxRowsWithRests));
  Value largest = emitLargest(builder, blocking, x, perRow(blocking.size()));
  Value scales = emitTensor(
      builder, perRow(parts * blocking.size()), builder.getF32Type(),
      [&](ImplicitLocOpBuilder &b, ValueRange indices) -> Value {
        PartColumn part(b, indices[1], blocking.size(), op.getRests());
        Value scale = arith::DivFOp::create(
            b, emitElement(b, largest, {indices[0], part.column}),
            floatConstant(b, most));
        auto ofRest = [&]() -> Value {
          return arith::DivFOp::create(b, scale,
                                       floatConstant(b, ::rotq::kRests));
        };
        return part.choose(b, ofRest, scale);
      });
  Value codes = emitTensor(
      builder, perRow(parts * stored), element,
      [&](ImplicitLocOpBuilder &b, ValueRange indices) -> Value {
        PartColumn part(b, indices[1], stored, op.getRests());
        Value last = arith::ConstantIndexOp::create(b, padded - 1);
        Value isInside = arith::CmpIOp::create(b, arith::CmpIPredicate::ule,
                                               part.column, last);
        Value column = arith::MinUIOp::create(b, part.column, last);
        Value segment = emitSegmentIndex(b, b.getLoc(), blocking, column);
        Value bound = emitElement(b, largest, {indices[0], segment});
        Value isPositive = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT,
                                                 bound, floatConstant(b, 0));
        Value inverse = arith::SelectOp::create(
            b, isPositive,
            arith::DivFOp::create(b, floatConstant(b, most), bound),
            floatConstant(b, 0));
        Value steps = emitSteps(b, emitElement(b, x, {indices[0], column}),
                                inverse, most);
        Value zero = arith::ConstantOp::create(b, b.getZeroAttr(element));
        if (operand == Operand::E4M3)
          return arith::SelectOp::create(b, isInside, emitE4M3(b, steps), zero);
        Value code = math::RoundEvenOp::create(b, steps);
        auto ofRest = [&]() -> Value {
          Value left = arith::SubFOp::create(b, steps, code);
          Value rest = math::RoundEvenOp::create(
              b,
              arith::MulFOp::create(b, left, floatConstant(b, ::rotq::kRests)));
          return arith::SelectOp::create(b, isFew, rest, floatConstant(b, 0));
        };
        code = part.choose(b, ofRest, code);
        return arith::SelectOp::create(
            b, isInside, arith::FPToSIOp::create(b, element, code), zero);
      });
  Value sums = emitTensor(
      builder, perRow(parts * blocking.size()), builder.getI32Type(),
      [&](ImplicitLocOpBuilder &b, ValueRange indices) {
        PartColumn part(b, indices[1], blocking.size(), op.getRests());
        auto ofRest = [&]() -> Value {
          return arith::ConstantIndexOp::create(b, stored);
        };
        Value start =
            part.choose(b, ofRest, arith::ConstantIndexOp::create(b, 0));
        return emitSegmentLoop(
            b, blocking, part.column, arith::ConstantIntOp::create(b, 0, 32),
            [&](ImplicitLocOpBuilder &b, Value k, Value sum) -> Value {
              Value inRow = arith::AddIOp::create(b, start, k);
              Value code = emitElement(b, codes, {indices[0], inRow});
              if (operand == Operand::E4M3)
                code = arith::FPToSIOp::create(
                    b, b.getI32Type(),
                    arith::MulFOp::create(
                        b, emitValueOfE4M3(b, code),
                        floatConstant(b, ::rotq::kE4M3Parts)));
              else
                code = arith::ExtSIOp::create(b, b.getI32Type(), code);
              return arith::AddIOp::create(b, sum, code);
            });
      });
  SmallVector<Value> results;
  for (auto [value, init] :
       llvm::zip_equal(ArrayRef<Value>{codes, scales, sums}, op.getInits()))
    results.push_back(emitStore(builder, value, init));
  rewriter.replaceOp(op, results);
  return success();
}

void mlir::rotq::populateRotQToLinalgActivationPatterns(
    RewritePatternSet &patterns) {
  patterns.add<LowerRotate, LowerQuantizeActivation>(patterns.getContext());
}
