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
  int64_t rows, cols, warps, split = 1, depth = 1, stages = 0, blocks = 0;
};

// Tune here. Ranges of M rise, touch each other and cover every M.

// Four rows of the activation share one decoding of the weight.
constexpr KernelEntry kHostKernels[] = {
    {KernelKind::HostVector, 1, 3, 1, 1, 1},
    {KernelKind::HostVector, 4, 0, 1, 4, 1},
};

constexpr KernelEntry kFloatGPUKernels[] = {
    {KernelKind::MmaF16, 1, 16, 16, 8, 4},
    {KernelKind::MmaF16, 17, 0, 16, 32, 4},
};

/// Few rows of the activation cost the time to read the weight: it takes enough
/// warps under way, and short weights get them by dividing K. From some rows on
/// it is the activation's loads that cost, and a block shares them. `weights`
/// share a launch.
SmallVector<KernelEntry> quantizedGPUKernels(const TargetInfo &target,
                                             ArrayRef<WeightType> weights) {
  // Some 16 warps on each of some 132 multiprocessors.
  constexpr int64_t kWarps = 2048;
  int64_t strips = 0;
  for (WeightType weight : weights)
    strips += weight.getTiledLayout().strips;
  bool isShort = strips * 4 < kWarps;
  // An offset takes registers: wider tiles would spill.
  bool hasOffset = weights[0].getFormat().getScale().getHasOffset();
  constexpr KernelKind kind = KernelKind::MmaS8;
  // kind, M, rows, cols, warps, split, depth, stages, blocks
  SmallVector<KernelEntry> kernels;
  if (isShort) {
    kernels.push_back({kind, 1, 8, 16, 8, 16, 8, 1, 0, 1});
    kernels.push_back({kind, 9, 16, 16, 16, 8, 8, 1, 0, 1});
    kernels.push_back({kind, 17, 64, hasOffset ? 16 : 32, 32, 4, 4});
  } else {
    kernels.push_back({kind, 1, 8, 16, 8, 4, 4, 1, 0, 3});
    kernels.push_back({kind, 9, 16, 32, 16, 4, 4, 1, 0, 2});
    kernels.push_back({kind, 17, 64, 16, 32, 4, 1, 1, 2, 3});
  }
  // Wider tiles once they fill the multiprocessors.
  if (target.hasWarpgroups) {
    kernels.push_back({KernelKind::WgmmaS8, 65, 0, 16, 128, 8, 1, 1, 3});
  } else if (hasOffset) {
    kernels.push_back({kind, 65, 0, 32, 32, 4, 1, 1, 2, 2});
  } else {
    kernels.push_back({kind, 65, 256, 32, 32, 4, 1, 1, 2, 2});
    kernels.push_back({kind, 257, 0, 32, 40, 4, 1, 1, 2, 2});
  }
  return kernels;
}

SmallVector<KernelEntry> kernelsFor(const TargetInfo &target,
                                    MatmulOpInterface op) {
  if (!target.isGPU())
    return to_vector(ArrayRef(kHostKernels));
  if (op.isQuantized())
    return quantizedGPUKernels(target, op.getWeightTypes());
  return to_vector(ArrayRef(kFloatGPUKernels));
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
    getOperation().walk([&](MatmulOpInterface op) {
      int64_t m = cast<ShapedType>(op.getDpsInits()[0].getType()).getDimSize(0);
      if (m == 0 || op.getKernels())
        return;
      SmallVector<Attribute> kernels;
      for (const KernelEntry &entry : kernelsFor(**info, op)) {
        if (ShapedType::isDynamic(m) || covers(entry, m))
          kernels.push_back(
              KernelAttr::get(&getContext(), entry.kind, entry.mMin, entry.mMax,
                              entry.rows, entry.cols, entry.warps, entry.split,
                              entry.depth, entry.stages, entry.blocks));
      }
      op.setKernelsAttr(ArrayAttr::get(&getContext(), kernels));
    });
  }
};

} // namespace
