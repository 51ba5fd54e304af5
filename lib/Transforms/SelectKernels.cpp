//===- SelectKernels.cpp - Which kernels compute a matmul
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Target/KernelSelector.h"
#include "rotq/Target/KernelSpace.h"
#include "rotq/Transforms/Passes.h"
#include "rotq/Transforms/Targets.h"

namespace mlir::rotq {
#define GEN_PASS_DEF_SELECTKERNELS
#include "rotq/Transforms/Passes.h.inc"
} // namespace mlir::rotq

using namespace mlir;
using namespace mlir::rotq;

// What is not tuned: ranges of M rise, touch each other and cover every M.

// Four rows of the activation share one decoding of the weight.
static constexpr KernelChoice kHostKernels[] = {
    {{KernelKind::HostVector, 1, 1, 1}, 1, 3},
    {{KernelKind::HostVector, 1, 4, 1}, 4, 0},
};

static constexpr KernelChoice kFloatGPUKernels[] = {
    {{KernelKind::MmaF16, 16, 8, 4}, 1, 16},
    {{KernelKind::MmaF16, 16, 32, 4}, 17, 0},
};

namespace {
struct SelectKernels
    : public mlir::rotq::impl::SelectKernelsBase<SelectKernels> {
  using SelectKernelsBase::SelectKernelsBase;

  void runOnOperation() override {
    FailureOr<const TargetInfo *> found = lookupTarget(
        target, [&] { return emitError(getOperation().getLoc()); });
    if (failed(found))
      return signalPassFailure();
    info = *found;
    WalkResult result = getOperation().walk(
        [&](MatmulOpInterface op) -> WalkResult { return choose(op); });
    if (result.wasInterrupted())
      signalPassFailure();
  }

private:
  LogicalResult choose(MatmulOpInterface op);
  void listCandidates(MatmulOpInterface op, const KernelSelector &selector,
                      int64_t m, const KernelConfig &chosen);

  const TargetInfo *info = nullptr;
};
} // namespace

/// What makes the quantized activation, where it can lift it by the frame of
/// the weight: for other products it does not by another.
static QuantizeActivationOp lifter(MatmulOpInterface op) {
  auto activation = op.getInputs()[0].getDefiningOp<QuantizeActivationOp>();
  FormatAttr format = op.getWeightTypes()[0].getFormat();
  if (!activation || op.getOperandKind() != Operand::Int8 ||
      !canLift(format.getFormat(), int64_t(op.getGroup().value_or(0))) ||
      (activation.getFrameAttr() &&
       activation.getFrameAttr() != format.getCodebook()))
    return {};
  return activation;
}

/// Has the activation lifted where a kernel reads that.
static void lift(MatmulOpInterface op) {
  auto readsThat = [](KernelAttr kernel) {
    return kernel.getKind() == KernelKind::MmaB1;
  };
  if (!llvm::any_of(op.getKernels()->getAsRange<KernelAttr>(), readsThat))
    return;
  if (QuantizeActivationOp activation = lifter(op))
    activation.setFrameAttr(
        cast<FrameAttr>(op.getWeightTypes()[0].getFormat().getCodebook()));
}

/// The configuration for the codes that the op has: those of int8 are what was
/// measured. Tensor cores multiply e4m3 at the same rate, from the same bytes.
static KernelConfig withOperand(MatmulOpInterface op, KernelConfig config) {
  if (!op.isQuantized() || op.getOperandKind() == Operand::Int8)
    return config;
  config.kind =
      isWgmma(config.kind) ? KernelKind::WgmmaE4M3 : KernelKind::MmaE4M3;
  return config;
}

LogicalResult SelectKernels::choose(MatmulOpInterface op) {
  int64_t m = cast<ShapedType>(op.getDpsInits()[0].getType()).getDimSize(0);
  if (m == 0)
    return success();
  if (op.getKernels()) {
    lift(op);
    return success();
  }
  if (op.isQuantized() && op.getOperandKind() == Operand::E4M3 &&
      !info->hasE4M3())
    return op.emitOpError() << "expected int8 codes, since " << info->name
                            << " has no products of e4m3";
  // More leave no warps for large tiles.
  constexpr int64_t kMaxSums = 2;
  if (info->isGPU() && op.getNumSums() > kMaxSums)
    return op.emitOpError()
           << "expected at most " << kMaxSums
           << " sums of an element on GPUs but got " << op.getNumSums();
  SmallVector<KernelChoice> choices;
  if (!info->isGPU()) {
    choices = to_vector(ArrayRef(kHostKernels));
  } else if (!op.isQuantized()) {
    choices = to_vector(ArrayRef(kFloatGPUKernels));
  } else {
    auto shape = MatmulShape::get(op.getWeightTypes(), int64_t(*op.getGroup()),
                                  op.getNumSums(), !op.getEpilogue().empty());
    shape.operand = op.getOperandKind();
    if (!lifter(op))
      shape.liftedWords = 0;
    KernelSelector selector(KernelTable::get(info->name), info->hasWarpgroups,
                            shape, op.getRests());
    choices = selector.choose();
    if (candidates != 0 && !ShapedType::isDynamic(m))
      listCandidates(op, selector, m,
                     llvm::find_if(choices, [&](const KernelChoice &choice) {
                       return choice.takes(m);
                     })->config);
  }
  SmallVector<Attribute> kernels;
  for (const KernelChoice &choice : choices)
    if (ShapedType::isDynamic(m) || choice.takes(m))
      kernels.push_back(withOperand(op, choice.config)
                            .getAttr(&getContext(), choice.mMin, choice.mMax));
  op.setKernelsAttr(ArrayAttr::get(&getContext(), kernels));
  lift(op);
  return success();
}

void SelectKernels::listCandidates(MatmulOpInterface op,
                                   const KernelSelector &selector, int64_t m,
                                   const KernelConfig &chosen) {
  Builder b(&getContext());
  SmallVector<Attribute> kernels;
  SmallVector<double> times;
  for (const MeasuredKernel &kernel :
       selector.candidates(m, candidates, chosen)) {
    auto [mMin, mMax] = rowsTaken(kernel.config, info->hasWarpgroups);
    kernels.push_back(
        withOperand(op, kernel.config).getAttr(&getContext(), mMin, mMax));
    times.push_back(kernel.microseconds);
  }
  op->setAttr("rotq.candidates", b.getArrayAttr(kernels));
  op->setAttr("rotq.predicted_us", b.getDenseF64ArrayAttr(times));
  op->setAttr("rotq.space",
              b.getI64IntegerAttr(int64_t(selector.predict(m).size())));
}
