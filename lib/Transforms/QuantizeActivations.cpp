//===- QuantizeActivations.cpp - Activations of 8 bits
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Transforms/Passes.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Remarks.h"

namespace mlir::rotq {
#define GEN_PASS_DEF_QUANTIZEACTIVATIONS
#include "rotq/Transforms/Passes.h.inc"
} // namespace mlir::rotq

using namespace mlir;
using namespace mlir::rotq;

namespace {
struct QuantizeActivations
    : public mlir::rotq::impl::QuantizeActivationsBase<QuantizeActivations> {
  using QuantizeActivationsBase::QuantizeActivationsBase;

  void runOnOperation() override {
    if (group < 32 || group > 4096 || !llvm::isPowerOf2_64(group)) {
      emitError(getOperation().getLoc())
          << "expected 'group' to be a power of two from 32 to 4096 but got "
          << int64_t(group);
      return signalPassFailure();
    }
    if (rests && operand == Operand::E4M3) {
      emitError(getOperation().getLoc(), "expected no 'rests' of e4m3");
      return signalPassFailure();
    }
    quantized.clear();
    SmallVector<MatmulOp> matmuls;
    getOperation().walk([&](MatmulOp op) {
      if (op.hasPureTensorSemantics() && !op.isQuantized())
        matmuls.push_back(op);
    });
    for (MatmulOp op : matmuls)
      quantizeInput(op);
  }

private:
  void quantizeInput(MatmulOp op);
  ValueRange getQuantized(Value x, RotationAttrInterface rotation,
                          int64_t groupSize);

  /// Everything an activation was quantized as, so far.
  DenseMap<std::tuple<Value, RotationAttrInterface, int64_t>,
           QuantizeActivationOp>
      quantized;
};
} // namespace

void QuantizeActivations::quantizeInput(MatmulOp op) {
  FormatAttr format = op.getWeight().getType().getFormat();
  if (format.isRotated()) {
    remark::missed(op.getLoc(), remark::RemarkOpts::name("QuantizeActivation")
                                    .category("rotq-quantize-activations")
                                    .function(getOperation().getName()))
        << remark::add("the weight keeps its rotation");
    return;
  }

  // The rotation moves into the op that rounds: no rotated floats in memory.
  Value x = op.getInputs()[0];
  RotationAttrInterface rotation = IdentityAttr::get(&getContext());
  auto rotate = x.getDefiningOp<RotateOp>();
  if (rotate && !rotate.getInverse()) {
    x = rotate.getInput();
    rotation = rotate.getRotation();
  }
  // An offset is multiplied by sums of codes, which must not span two of it.
  ScaleAttr scale = format.getScale();
  int64_t groupSize = group;
  if (scale.getHasOffset())
    groupSize = std::min(groupSize, scale.getGroup());

  op.getInputsMutable().assign(getQuantized(x, rotation, groupSize));
  op.setGroup(groupSize);
  op.setRests(rests);
  if (rotate && rotate->use_empty())
    rotate.erase();
}

/// The codes, scales and sums of x, made right after it.
ValueRange QuantizeActivations::getQuantized(Value x,
                                             RotationAttrInterface rotation,
                                             int64_t groupSize) {
  QuantizeActivationOp &op = quantized[{x, rotation, groupSize}];
  if (op)
    return op.getResults();

  OpBuilder builder(&getContext());
  builder.setInsertionPointAfterValue(x);
  Location loc = x.getLoc();
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, x);
  int64_t k = cast<RankedTensorType>(x.getType()).getDimSize(1);
  SmallVector<Value> inits;
  auto addInit = [&](int64_t width, Type element) {
    sizes[1] = builder.getIndexAttr(width);
    inits.push_back(tensor::EmptyOp::create(builder, loc, sizes, element));
  };
  int64_t parts = rests ? 2 : 1;
  int64_t segments = parts * activationBlocking(k, groupSize).size();
  addInit(parts * ::rotq::storedLength(k),
          elementTypeOf(&getContext(), operand));
  addInit(segments, builder.getF32Type());
  addInit(segments, builder.getI32Type());
  op = QuantizeActivationOp::create(builder, loc, TypeRange(ValueRange(inits)),
                                    rotation, groupSize, rests,
                                    /*frame=*/FrameAttr(), x, inits);
  ++numQuantized;
  return op.getResults();
}
