//===- SelectKernels.cpp - Which kernels compute a matmul
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Transforms/Passes.h"
#include "rotq/Transforms/Targets.h"

#include <algorithm>

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
/// it is the activation's loads that cost, and a block shares them; then
/// products do, in tiles as wide as registers allow once there are enough of
/// them. `weights` share a launch, and `group` values of the activation a
/// scale. Chosen from `benchmarks/tune` on an H100.
SmallVector<KernelEntry> quantizedGPUKernels(const TargetInfo &target,
                                             ArrayRef<WeightType> weights,
                                             int64_t group) {
  constexpr KernelKind mma = KernelKind::MmaS8, wgmma = KernelKind::WgmmaS8;
  // Of 128 rows; some 132 multiprocessors take them.
  int64_t rowBlocks = 0;
  for (WeightType weight : weights)
    rowBlocks +=
        int64_t(llvm::divideCeil(weight.getTiledLayout().strips, int64_t(8)));
  bool isShort = rowBlocks <= 64, isLong = rowBlocks >= 192;
  // What else takes registers, so that larger tiles would spill: an offset,
  // more than one scale in a tile of K, long codes, and to tell the members of
  // a group apart.
  ScaleAttr scale = weights[0].getFormat().getScale();
  bool hasOffset = scale.getHasOffset();
  bool isLight = !hasOffset && std::min(scale.getGroup(), group) >= 256;
  bool hasShortCodes = weights[0].getTiledLayout().slots <= 3;
  int64_t rows = hasOffset || weights.size() > 1 ? 16 : 32;
  SmallVector<KernelEntry> kernels;
  // The entry covers the rows from those of the last on.
  auto upTo = [&](int64_t mMax, KernelEntry entry) {
    int64_t mMin = kernels.empty() ? 1 : kernels.back().mMax + 1;
    if (mMax != 0 && mMax < mMin)
      return;
    entry.mMin = mMin;
    entry.mMax = mMax;
    kernels.push_back(entry);
  };
  // kind, M, rows, cols, warps, split, depth, stages, blocks
  KernelEntry shared{mma, 0, 0, 16, 32, 8, 1, 1, 2, 1};
  // Left alone, ptxas takes 128 registers for narrow tiles, and spills.
  bool isNarrow = rows == 16;
  KernelEntry divided{mma, 0, 0, rows, 32, 4, 4, 1, 0, isNarrow ? 2 : 0};
  if (isShort) {
    upTo(8, {mma, 0, 0, 16, 8, 8, 8, 1, 0, 2});
    upTo(16, {mma, 0, 0, 16, 16, 8, 8, 1, 0, 2});
    upTo(32, {mma, 0, 0, rows, 32, 8, 8, 1, 0, isNarrow ? 1 : 0});
  } else {
    bool isFree = isLight && target.hasWarpgroups;
    upTo(8, {mma, 0, 0, 16, 8, 4, 4, 1, 0, isFree ? 0 : 3});
    upTo(16, {mma, 0, 0, 16, 16, 8, 8, isLight ? 2 : 1, 0, isLight ? 0 : 2});
    upTo(32, isLong ? shared : divided);
  }
  if (!target.hasWarpgroups) {
    upTo(64, isShort ? divided : shared);
    upTo(hasOffset ? 0 : 256, {mma, 0, 0, 32, 32, 4, 1, 1, 2, 2});
    if (!hasOffset)
      upTo(0, {mma, 0, 0, 32, 40, 4, 1, 1, 2, 2});
    return kernels;
  }
  bool isWide = isLight && hasShortCodes;
  upTo(isWide ? 256 : 0, {wgmma, 0, 0, 16, 64, 8, 1, 1, 4, 1});
  if (isWide)
    upTo(0, {wgmma, 0, 0, 16, 128, 8, 1, 1, 4, 1});
  return kernels;
}

SmallVector<KernelEntry> kernelsFor(const TargetInfo &target,
                                    MatmulOpInterface op) {
  if (!target.isGPU())
    return to_vector(ArrayRef(kHostKernels));
  if (op.isQuantized())
    return quantizedGPUKernels(target, op.getWeightTypes(),
                               int64_t(*op.getGroup()));
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
