//===- CostModel.cpp - How long a kernel takes
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Target/CostModel.h"
#include "rotq/Target/KernelSpace.h"

#include "rotq/Codec/TiledLayout.h"

#include "llvm/Support/MathExtras.h"

#include <cmath>

using namespace mlir;
using namespace mlir::rotq;
using ::rotq::TiledLayout;

// Issue slots of a warp for a tile of K: of its own, to decode 16 rows for
// every bit of a code, and for 16 x 8 outputs to multiply, to scale once, to
// correct by an offset once; to load the activation of 8 columns, and to copy
// 16 bytes of it to shared memory.
static constexpr double kTileIssue = 50, kDecodeIssue = 76, kMultiplyIssue = 10,
                        kScaleIssue = 1.84, kOffsetIssue = 15.5, kLoadIssue = 6,
                        kCopyIssue = 3;
// Slots that the schedulers of a multiprocessor fill a cycle, and cycles from
// one to the next of a warp alone.
static constexpr double kIssueRate = 4 * 0.9, kDependentIssue = 3.64;
// Bytes a cycle that a multiprocessor gets from L1 and shared memory, and L2.
static constexpr double kL1Rate = 64, kL2Rate = 64;
// Microseconds: from a load to its data under load; for the warps of a block to
// wait for each other; of a block, for 16 x 8 outputs to be added up by the
// warps that divide K, and of a launch that overlaps the one before.
static constexpr double kLoadLatency = 0.66, kSyncLatency = 0.31,
                        kBlockLatency = 0.7, kReduceLatency = 0.175,
                        kLaunchLatency = 0.6;

/// What several limits come to together: a little more than the largest.
static double combine(std::initializer_list<double> times) {
  constexpr double kSharpness = 4;
  double sum = 0;
  for (double time : times)
    sum += std::pow(time, kSharpness);
  return std::pow(sum, 1 / kSharpness);
}

namespace {
/// The blocks of one launch.
class Launch {
public:
  Launch(const Chip &chip, const MatmulShape &shape, int64_t m,
         const KernelConfig &config);

  double microseconds() const;

private:
  double issueSlots() const;
  int64_t residentBlocks() const;
  /// Of as many blocks at a time on a multiprocessor.
  double residentMicroseconds(int64_t blocks) const;
  double dramBytes() const;
  double microsecondsOf(double cycles) const {
    return cycles * 1e-3 / chip.gigahertz;
  }
  bool isWgmma() const { return config.kind == KernelKind::WgmmaS8; }

  const Chip &chip;
  const MatmulShape &shape;
  const KernelConfig &config;
  int64_t m;
  double rowTiles, colTiles; ///< of 16 rows, of 8 columns
  int64_t turns;             ///< tiles of K of a warp
  int64_t rowBlocks, colBlocks;
};
} // namespace

Launch::Launch(const Chip &chip, const MatmulShape &shape, int64_t m,
               const KernelConfig &config)
    : chip(chip), shape(shape), config(config), m(m),
      rowTiles(double(config.rows) / 16), colTiles(double(config.cols) / 8),
      turns(int64_t(llvm::divideCeil(shape.tilesOfK(), config.split))),
      rowBlocks(int64_t(llvm::divideCeil(shape.n, config.blockRows()))),
      colBlocks(int64_t(llvm::divideCeil(m, config.cols))) {}

/// Of a warp for one tile of K.
double Launch::issueSlots() const {
  double tiles = rowTiles * colTiles, scales = double(shape.groupsOfTile());
  double slots = kTileIssue + rowTiles * kDecodeIssue * double(shape.slots) +
                 tiles * scales * kScaleIssue;
  if (shape.hasOffset)
    slots += tiles * scales * kOffsetIssue;
  if (!isWgmma())
    slots += tiles * kMultiplyIssue + colTiles * kLoadIssue;
  // wgmma's copies are of words.
  if (config.isStaged()) {
    double copyBytes = isWgmma() ? 4 : 16;
    slots += kCopyIssue * double(config.cols * TiledLayout::kColumns) /
             copyBytes / double(config.threads());
  }
  return slots;
}

int64_t Launch::residentBlocks() const {
  constexpr int64_t kRegisters = 64 << 10, kMaxBlocks = 24;
  int64_t registers =
      int64_t(llvm::alignTo(uint64_t(registersOf(config, shape)), 8));
  int64_t most = std::min({kRegisters / (config.threads() * registers),
                           chip.warps / config.warps, kMaxBlocks});
  if (config.isStaged()) {
    int64_t bytes = config.stages * config.cols *
                    (TiledLayout::kColumns + 4 * shape.groupsOfTile());
    most = std::min(most, (chip.sharedKilobytes << 10) / (bytes + 1024));
  }
  return std::max<int64_t>(1, most);
}

double Launch::residentMicroseconds(int64_t blocks) const {
  double warps = double(blocks * config.warps);
  // A scheduler that has one warp more is the last to end.
  double perScheduler = std::ceil(warps / 4);
  double issue = microsecondsOf(double(turns) * issueSlots() * 4 *
                                perScheduler / kIssueRate);
  double turn = std::max(kLoadLatency / double(config.depth),
                         microsecondsOf(issueSlots() * kDependentIssue));
  // The fewer stages, the less time copies have to arrive.
  double sync = config.isStaged()
                    ? kSyncLatency * (1 + 0.5 / double(config.stages - 1))
                    : 0;
  double latency = double(turns) * (turn + sync);
  double columnBytes = double(config.cols * TiledLayout::kColumns * turns);
  // wgmma reads shared memory without passing through L1.
  double l1 = isWgmma() ? 0 : columnBytes * warps / kL1Rate;
  if (config.isStaged())
    l1 /= 2;
  double weightBytes =
      double(TiledLayout::kColumns * 2 * shape.slots * turns) * rowTiles;
  double readers = config.isStaged() ? 1 : double(config.split);
  double l2 =
      (weightBytes * warps + columnBytes * double(blocks) * readers) / kL2Rate;
  double products = warps * double(config.rows * config.cols) *
                    double(TiledLayout::kColumns * turns);
  double tensor =
      products / double(isWgmma() ? chip.wgmmaProducts : chip.mmaProducts);
  double sums = config.split == 1 ? 0 : kReduceLatency * rowTiles * colTiles;
  return combine({issue, latency, microsecondsOf(l1), microsecondsOf(l2),
                  microsecondsOf(tensor)}) +
         kBlockLatency + sums;
}

double Launch::dramBytes() const {
  double scaleBytes = shape.hasOffset ? 4 : 2;
  double weight = double(shape.n) * double(shape.k) *
                  (double(shape.slots) / 8 + scaleBytes / double(shape.group));
  // Blocks of the same rows follow each other only where they are staged.
  bool isKept =
      config.isStaged() || weight < double(chip.l2Megabytes) * 0.6 * (1 << 20);
  return weight * double(isKept ? 1 : colBlocks) +
         double(m) * double(shape.k + 2 * shape.n);
}

double Launch::microseconds() const {
  auto blocks =
      int64_t(llvm::divideCeil(rowBlocks * colBlocks, chip.multiprocessors));
  int64_t resident = std::min(blocks, residentBlocks());
  double time = double(blocks / resident) * residentMicroseconds(resident);
  if (int64_t rest = blocks % resident)
    time += residentMicroseconds(rest);
  double dram = dramBytes() / chip.gigabytesPerSecond * 1e-3;
  return kLaunchLatency + combine({time, dram});
}

double mlir::rotq::predictMicroseconds(const Chip &chip,
                                       const MatmulShape &shape, int64_t m,
                                       const KernelConfig &config) {
  return Launch(chip, shape, m, config).microseconds();
}
