//===- PlaceRotations.cpp - Where the rotation of a weight is paid
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Transforms/Passes.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/ADT/MapVector.h"

namespace mlir::rotq {
#define GEN_PASS_DEF_PLACEROTATIONS
#include "rotq/Transforms/Passes.h.inc"
} // namespace mlir::rotq

using namespace mlir;
using namespace mlir::rotq;

static constexpr StringLiteral kCategory = "rotq-placement";

//===----------------------------------------------------------------------===//
// Placement on the activation
//===----------------------------------------------------------------------===//

namespace {
/// Matmuls of one activation by weights of one rotation.
using Consumers = llvm::MapVector<std::pair<Value, RotationAttrInterface>,
                                  SmallVector<MatmulOp>>;
} // namespace

/// Float matmuls by weights that still have their rotation.
static Consumers collectConsumers(func::FuncOp func) {
  Consumers consumers;
  func.walk([&](MatmulOp op) {
    FormatAttr format = op.getWeight().getType().getFormat();
    if (op.hasPureTensorSemantics() && !op.isQuantized() && format.isRotated())
      consumers[{op.getInputs()[0], format.getRotation()}].push_back(op);
  });
  return consumers;
}

/// rotate(x), right after x.
static Value createRotate(OpBuilder &builder, Value x,
                          RotationAttrInterface rotation) {
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointAfterValue(x);
  auto type = cast<RankedTensorType>(x.getType());
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, x.getLoc(), x);
  sizes[1] = builder.getIndexAttr(::rotq::paddedLength(type.getDimSize(1)));
  auto empty = tensor::EmptyOp::create(builder, x.getLoc(), sizes,
                                       type.getElementType());
  return RotateOp::create(builder, x.getLoc(), empty.getType(), rotation,
                          /*inverse=*/false, x, empty)
      .getResult();
}

/// x W^T = rotate(x) rotated_view(W)^T.
static void rotateActivation(OpBuilder &builder, MatmulOp op, Value rotated) {
  builder.setInsertionPoint(op);
  WeightType view = op.getWeight().getType().rotatedView();
  op.getWeightMutable().assign(
      RotatedViewOp::create(builder, op.getLoc(), view, op.getWeight()));
  op.getInputsMutable().assign(rotated);
}

/// Cancels inverse pairs of rotations and drops those left without use.
static LogicalResult cancelRotations(func::FuncOp func) {
  RewritePatternSet patterns(func.getContext());
  RotateOp::getCanonicalizationPatterns(patterns, func.getContext());
  SmallVector<Operation *> rotates;
  func.walk([&](RotateOp op) { rotates.push_back(op); });
  GreedyRewriteConfig config;
  config.setStrictness(GreedyRewriteStrictness::ExistingOps);
  return applyOpPatternsGreedily(rotates, std::move(patterns), config);
}

//===----------------------------------------------------------------------===//
// Verification
//===----------------------------------------------------------------------===//

/// The op that made `value`, seen through what keeps rows whole: casts, and
/// slices along M.
static Operation *getRowProducer(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (auto cast = dyn_cast<tensor::CastOp>(op)) {
      value = cast.getSource();
      continue;
    }
    auto slice = dyn_cast<tensor::ExtractSliceOp>(op);
    if (!slice ||
        slice.getType().getRank() != slice.getSourceType().getRank() ||
        slice.getType().getShape().back() !=
            slice.getSourceType().getShape().back())
      return op;
    value = slice.getSource();
  }
  return nullptr;
}

/// What rotated the activation of `op`, and how; null when nothing did.
static std::pair<Operation *, RotationAttrInterface>
getActivationRotation(MatmulOpInterface op) {
  Operation *producer = getRowProducer(op.getInputs()[0]);
  if (auto quantize = dyn_cast_or_null<QuantizeActivationOp>(producer)) {
    if (quantize.getRotation().getRotation()->block() != 0)
      return {quantize, quantize.getRotation()};
    producer = getRowProducer(quantize.getInput());
  }
  auto rotate = dyn_cast_or_null<RotateOp>(producer);
  if (!rotate || rotate.getInverse() ||
      rotate.getRotation().getRotation()->block() == 0)
    return {};
  return {rotate, rotate.getRotation()};
}

/// The view that took the rotation off a weight; null when none did.
static RotatedViewOp getRotatedView(Value weight) {
  while (auto rows = weight.getDefiningOp<ExtractRowsOp>())
    weight = rows.getSource();
  auto view = weight.getDefiningOp<RotatedViewOp>();
  if (view && view.getSource().getType().getFormat().isRotated())
    return view;
  return {};
}

/// Both sides of a product are rotated alike, or neither is.
static LogicalResult verifyRotations(MatmulOpInterface op, Value weight) {
  auto [producer, activationRotation] = getActivationRotation(op);
  RotatedViewOp view = getRotatedView(weight);
  RotationAttrInterface weightRotation;
  if (view)
    weightRotation = view.getSource().getType().getFormat().getRotation();
  if (activationRotation == weightRotation)
    return success();
  if (view) {
    InFlightDiagnostic diag = op.emitOpError()
                              << "expected the activation to be rotated by "
                              << weightRotation << " as its weight is";
    diag.attachNote(view.getLoc())
        << "the weight leaves its rotation to the activation here";
    return diag;
  }
  InFlightDiagnostic diag =
      op.emitOpError() << "expected a rotated view of a weight rotated by "
                       << activationRotation << " as its activation is but got "
                       << weight.getType();
  diag.attachNote(producer->getLoc()) << "the activation is rotated here";
  return diag;
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

namespace {
struct PlaceRotations
    : public mlir::rotq::impl::PlaceRotationsBase<PlaceRotations> {
  using PlaceRotationsBase::PlaceRotationsBase;

  void runOnOperation() override {
    func::FuncOp func = getOperation();
    Consumers consumers = collectConsumers(func);
    if (placement == Placement::Load)
      leaveOnWeights(consumers);
    else
      placeOnActivations(consumers);
    // While every pair is explicit: afterwards an activation may be rotated
    // because nothing undid it.
    WalkResult result = func.walk([](MatmulOpInterface op) {
      return WalkResult(
          success(llvm::all_of(op.getWeightsMutable(), [&](OpOperand &weight) {
            return succeeded(verifyRotations(op, weight.get()));
          })));
    });
    if (result.wasInterrupted() || failed(cancelRotations(func)))
      signalPassFailure();
  }

private:
  /// Also what `auto` means: a rotation costs K log(256) operations a row of
  /// the activation, once for all its matmuls, and N K log(256) on the weight,
  /// every time a kernel reads it.
  void placeOnActivations(const Consumers &consumers) {
    OpBuilder builder(&getContext());
    for (auto &[key, matmuls] : consumers) {
      auto &[x, rotation] = key;
      Value rotated = createRotate(builder, x, rotation);
      for (MatmulOp op : matmuls)
        rotateActivation(builder, op, rotated);
      ++numRotations;
      numShared += matmuls.size() - 1;

      auto opts = remark::RemarkOpts::name("RotationOnActivation")
                      .category(kCategory)
                      .function(getOperation().getName());
      if (matmuls.size() > 1)
        remark::passed(rotated.getLoc(), opts)
            << remark::add("rotation shared by {0} matmuls", matmuls.size());
      else
        remark::passed(rotated.getLoc(), opts)
            << remark::add("rotation placed on the activation of one matmul");
      if (placement == Placement::Auto)
        remark::analysis(rotated.getLoc(), opts) << remark::add(
            "an activation is rotated once, a weight every time it is read");
    }
  }

  void leaveOnWeights(const Consumers &consumers) {
    for (auto &[key, matmuls] : consumers)
      for (MatmulOp op : matmuls)
        remark::passed(op.getLoc(), remark::RemarkOpts::name("RotationOnWeight")
                                        .category(kCategory)
                                        .function(getOperation().getName()))
            << remark::add("rotation left to the kernel that loads the weight");
  }
};
} // namespace
