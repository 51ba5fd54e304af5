//===- StageLayout.cpp - The shared memory of a matmul kernel -------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Dialect/RotQ/IR/StageLayout.h"

#include "rotq/Codec/SharedTable.h"

using namespace mlir::rotq;

static constexpr int64_t kColumns = ::rotq::TiledLayout::kColumns;

StagedMatmul StagedMatmul::get(KernelAttr kernel, WeightType weight,
                               int64_t group, int64_t sums) {
  ScaleAttr scale = weight.getFormat().getScale();
  return {kernel.getKind(),
          kernel.getRows(),
          kernel.getCols(),
          kernel.getWarps(),
          kernel.getSplit(),
          kernel.getStages(),
          weight.getTiledLayout().slots,
          scale.getHasOffset(),
          scale.getGroup(),
          group,
          sums};
}

StageLayout::StageLayout(const StagedMatmul &matmul)
    : stages(matmul.stages), split(matmul.split), cols(matmul.cols),
      hasCoreMatrices(isWgmma(matmul.kind)), codeBytes(cols * kColumns),
      groupsPerTile(std::max<int64_t>(1, kColumns / matmul.group)),
      warps(matmul.warps / split), rowTiles(matmul.rows / 16) {
  int64_t segments = std::max<int64_t>(1, kColumns / matmul.scaleGroup);
  slotBytes = 512 * matmul.slots;
  // A scale, and an offset, of two rows in f16.
  numberBytes = 2 * (matmul.hasOffset ? 2 : 1) * int64_t(sizeof(uint16_t));
  fragmentBytes = slotBytes + segments * 32 * numberBytes;
  int64_t places = stages * split;
  int64_t scaleBytes = places * groupsPerTile * cols * int64_t(sizeof(float));
  scalesStart = places * codeBytes;
  sumsStart = scalesStart + scaleBytes;
  weightsStart = sumsStart + (matmul.hasOffset ? scaleBytes : 0);
  totalBytes = weightsStart + places * warps * rowTiles * fragmentBytes;
}

int64_t mlir::rotq::sharedMemoryOf(const StagedMatmul &matmul) {
  // Warps that share a tile bring theirs together, of whole mma tiles.
  int64_t columns = ::rotq::roundUp(matmul.cols, 8);
  int64_t sums =
      matmul.split * matmul.sums == 1
          ? 0
          : matmul.warps * matmul.rows * columns * int64_t(sizeof(float));
  return matmul.stages == 0 ? sums
                            : std::max(sums, StageLayout(matmul).totalBytes);
}

int64_t mlir::rotq::tableMemoryOf(const ::rotq::Format &format) {
  ::rotq::SharedTable table(format.codebook->gathered());
  return ::rotq::roundUp(table.bytes(), 1024);
}

int64_t mlir::rotq::mostSharedMemory(KernelKind kind) {
  return isWgmma(kind) ? 227 << 10 : 99 << 10;
}
