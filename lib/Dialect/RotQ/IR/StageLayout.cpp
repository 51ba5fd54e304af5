//===- StageLayout.cpp - The shared memory of a matmul kernel -------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Dialect/RotQ/IR/StageLayout.h"

using namespace mlir::rotq;

static constexpr int64_t kColumns = ::rotq::TiledLayout::kColumns;

StageLayout::StageLayout(KernelAttr kernel, WeightType weight, int64_t group)
    : stages(kernel.getStages()), split(kernel.getSplit()),
      cols(kernel.getCols()),
      hasCoreMatrices(kernel.getKind() == KernelKind::WgmmaS8),
      codeBytes(cols * kColumns),
      groupsPerTile(std::max<int64_t>(1, kColumns / group)),
      warps(kernel.getWarps() / split), rowTiles(kernel.getRows() / 16) {
  ::rotq::TiledLayout tiles = weight.getTiledLayout();
  int64_t segments =
      std::max<int64_t>(1, kColumns / weight.getFormat().getScale().getGroup());
  slotBytes = tiles.tileBytes();
  numberBytes = 2 * tiles.numbersPerSegment * int64_t(sizeof(uint16_t));
  fragmentBytes = slotBytes + segments * 32 * numberBytes;
  int64_t places = stages * split;
  scalesStart = places * codeBytes;
  int64_t scaleBytes = places * groupsPerTile * cols * int64_t(sizeof(float));
  bool hasOffset = weight.getFormat().getScale().getHasOffset();
  sumsStart = scalesStart + scaleBytes;
  weightsStart = sumsStart + (hasOffset ? scaleBytes : 0);
  totalBytes = weightsStart + places * warps * rowTiles * fragmentBytes;
}

int64_t mlir::rotq::sharedMemoryOf(KernelAttr kernel, WeightType weight,
                                   int64_t group) {
  int64_t sums = kernel.getSplit() == 1
                     ? 0
                     : kernel.getWarps() * kernel.getRows() * kernel.getCols() *
                           int64_t(sizeof(float));
  if (kernel.getStages() == 0)
    return sums;
  return std::max(sums, StageLayout(kernel, weight, group).totalBytes);
}

int64_t mlir::rotq::mostSharedMemory(KernelKind kind) {
  return kind == KernelKind::WgmmaS8 ? 227 << 10 : 99 << 10;
}
