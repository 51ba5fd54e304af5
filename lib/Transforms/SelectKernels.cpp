//===- SelectKernels.cpp - Which kernels compute a matmul
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Transforms/Passes.h"
#include "rotq/Transforms/Targets.h"

namespace mlir::rotq {
#define GEN_PASS_DEF_SELECTKERNELS
#include "rotq/Transforms/Passes.h.inc"
} // namespace mlir::rotq

using namespace mlir;
using namespace mlir::rotq;

namespace {

/// One row of the table; mMax 0 is no upper end.
struct KernelEntry {
  KernelKind kind;
  int64_t mMin, mMax;
  int64_t rows, cols, warps, split = 1;
};

// Tune here. Ranges of M rise, touch each other and cover every M.

// Four rows of the activation share one decoding of the weight.
constexpr KernelEntry kHostKernels[] = {
    {KernelKind::HostVector, 1, 3, 1, 1, 1},
    {KernelKind::HostVector, 4, 0, 1, 4, 1},
};

// A matvec for one row; from two on the tensor cores' int8, where a weight is
// decoded once for all rows. Small products divide K between the warps of a
// block, so that every multiprocessor has some.
constexpr KernelEntry kQuantizedGPUKernels[] = {
    {KernelKind::Dp4a, 1, 1, 2, 1, 4},
    {KernelKind::MmaS8, 2, 8, 16, 8, 8, 8},
    {KernelKind::MmaS8, 9, 16, 16, 16, 8, 8},
    {KernelKind::MmaS8, 17, 64, 16, 32, 8, 4},
    {KernelKind::MmaS8, 65, 0, 32, 32, 4},
};

constexpr KernelEntry kFloatGPUKernels[] = {
    {KernelKind::MmaF16, 1, 16, 16, 8, 4},
    {KernelKind::MmaF16, 17, 0, 16, 32, 4},
};

ArrayRef<KernelEntry> kernelsFor(const TargetInfo &target, bool isQuantized) {
  if (!target.isGPU())
    return kHostKernels;
  if (isQuantized)
    return kQuantizedGPUKernels;
  return kFloatGPUKernels;
}

bool covers(const KernelEntry &entry, int64_t m) {
  return entry.mMin <= m && (entry.mMax == 0 || m <= entry.mMax);
}

struct SelectKernels
    : public mlir::rotq::impl::SelectKernelsBase<SelectKernels> {
  using SelectKernelsBase::SelectKernelsBase;

  void runOnOperation() override {
    FailureOr<const TargetInfo *> info = lookupTarget(
        target, [&] { return emitError(getOperation().getLoc()); });
    if (failed(info))
      return signalPassFailure();
    getOperation().walk([&](MatmulOp op) {
      int64_t m = cast<ShapedType>(op.getInits().getType()).getDimSize(0);
      if (m == 0)
        return;
      SmallVector<Attribute> kernels;
      for (const KernelEntry &entry : kernelsFor(**info, op.isQuantized())) {
        if (ShapedType::isDynamic(m) || covers(entry, m))
          kernels.push_back(KernelAttr::get(
              &getContext(), entry.kind, entry.mMin, entry.mMax, entry.rows,
              entry.cols, entry.warps, entry.split));
      }
      op.setKernelsAttr(ArrayAttr::get(&getContext(), kernels));
    });
  }
};

} // namespace
