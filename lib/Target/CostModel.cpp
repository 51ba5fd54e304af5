//===- CostModel.cpp - How long a kernel takes
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Target/CostModel.h"
#include "rotq/Target/KernelSpace.h"

#include "rotq/Codec/ActivationLayout.h"
#include "rotq/Codec/TiledLayout.h"

#include "llvm/Support/MathExtras.h"

#include <cmath>

using namespace mlir;
using namespace mlir::rotq;
using ::rotq::TiledLayout;

namespace {
/// Issue slots of a warp for a tile of K, cycles and microseconds, fitted to
/// what was measured on an H100.
struct Rates {
  double decode = 0;    ///< slots to decode 16 rows, for every bit of a code
  double operation = 0; ///< slots of an operation where decoding is described;
                        ///< a chip has some that are two of them
  double multiply = 0;  ///< to multiply 16 x 8 outputs, by mma.sync
  double scale = 0;     ///< to scale them, for every scale
  double load = 0;      ///< to load the activation of 8 columns
  double copy = 0;      ///< to copy 16 bytes to shared memory
  double issue = 0;     ///< slots a cycle of a multiprocessor
  double dependent = 0; ///< cycles from one to the next of a warp alone
  double l2Bytes = 0;   ///< a cycle and multiprocessor
  double wait = 0;      ///< us, for the warps of a block to wait for each other
  double block = 0;     ///< us of a block
  double reduce = 0;    ///< us to add up 16 x 8 outputs of warps that divide K
  double launch = 0;    ///< us of one that overlaps the launch before
};
} // namespace

// What kernels that load weights into registers wait for is latency; those that
// stage them share a block's time.
static constexpr Rates kUnstaged = {.decode = 68.7,
                                    .operation = 0.66,
                                    .multiply = 4.66,
                                    .scale = 19,
                                    .load = 43.1,
                                    .issue = 3.15,
                                    .dependent = 2.93,
                                    .l2Bytes = 140,
                                    .block = 0.244,
                                    .reduce = 0.124,
                                    .launch = 0.994};
static constexpr Rates kStaged = {.decode = 28.6,
                                  .operation = 0.39,
                                  .multiply = 0.957,
                                  .scale = 7.57,
                                  .load = 6.43,
                                  .copy = 3.83,
                                  .issue = 1.4,
                                  .dependent = 3.4,
                                  .l2Bytes = 37.2,
                                  .wait = 0.255,
                                  .block = 0.588,
                                  .reduce = 0.0524,
                                  .launch = 1.22};
// To correct 16 x 8 outputs by an offset once: by one that is loaded, or
// staged.
static constexpr double kOffsetIssue = 31.6, kStagedOffsetIssue = 4.28;
// Bytes a cycle that a multiprocessor gets from L1; microseconds from a load to
// its data under load; and how long a warpgroup waits for its products, over
// the time that they keep tensor cores busy.
static constexpr double kL1Rate = 64, kLoadLatency = 0.467,
                        kProductLatency = 0.949;
// Microseconds to the planes of a lifted activation, which are in L2.
static constexpr double kLiftedLatency = 0.35;

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
  bool isWgmma() const { return mlir::rotq::isWgmma(config.kind); }
  bool isB1() const { return config.kind == KernelKind::MmaB1; }
  /// Of a lifted activation, as of one with rests where it can have them.
  double liftedParts() const { return m <= ::rotq::kMaxRowsWithRests ? 2 : 1; }

  const Chip &chip;
  const MatmulShape &shape;
  const KernelConfig &config;
  const Rates &rates;
  int64_t m;
  double rowTiles, colTiles; ///< of 16 rows, of 8 columns
  int64_t turns;             ///< tiles of K of a warp
  int64_t rowBlocks, colBlocks;
};
} // namespace

Launch::Launch(const Chip &chip, const MatmulShape &shape, int64_t m,
               const KernelConfig &config)
    : chip(chip), shape(shape), config(config),
      rates(config.isStaged() ? kStaged : kUnstaged), m(m),
      rowTiles(double(config.rows) / 16), colTiles(double(config.cols) / 8),
      turns(int64_t(llvm::divideCeil(shape.tilesOfK(), config.split))),
      rowBlocks(int64_t(llvm::divideCeil(shape.n, config.blockRows()))),
      colBlocks(int64_t(llvm::divideCeil(m, config.cols))) {}

/// Of a warp for one tile of K.
double Launch::issueSlots() const {
  if (isB1()) {
    // Loads; of a column, and of 16 rows of it: products and their sums.
    auto words = double(shape.liftedWords), cols = double(config.cols);
    return rowTiles * 6 * double(shape.slots) +
           cols * (liftedParts() * words + 10) +
           rowTiles * cols * 2.5 * (liftedParts() * (words / 2 + 4) + 8);
  }
  double tiles = rowTiles * colTiles, scales = double(shape.groupsOfTile());
  // A lane has four runs of 32 weights in a tile.
  double decode = shape.decodeOperations != 0
                      ? 4 * double(shape.decodeOperations) * rates.operation
                      : rates.decode * double(shape.slots);
  double slots = rowTiles * decode + tiles * scales * rates.scale;
  if (shape.hasOffset)
    slots += tiles * scales *
             (config.isStaged() ? kStagedOffsetIssue : kOffsetIssue);
  if (!isWgmma())
    slots += tiles * rates.multiply + colTiles * rates.load;
  if (config.isStaged()) {
    // A column has 16 chunks of 16 bytes.
    double chunks = double(config.cols * config.split) * 16;
    slots += rates.copy * (chunks / double(config.threads()) +
                           rowTiles * double(shape.slots + 1));
  }
  return slots;
}

int64_t Launch::residentBlocks() const {
  constexpr int64_t kRegisters = 64 << 10, kMaxBlocks = 24;
  int64_t registers =
      int64_t(llvm::alignTo(uint64_t(registersOf(config, shape)), 8));
  int64_t most = std::min({kRegisters / (config.threads() * registers),
                           chip.warps / config.warps, kMaxBlocks});
  if (int64_t bytes = sharedMemoryOf(config, shape) + shape.tableBytes)
    most = std::min(most, (chip.sharedKilobytes << 10) / (bytes + 1024));
  return std::max<int64_t>(1, most);
}

double Launch::residentMicroseconds(int64_t blocks) const {
  double warps = double(blocks * config.warps);
  // A scheduler that has one warp more is the last to end.
  double perScheduler = std::ceil(warps / 4);
  double issue = microsecondsOf(double(turns) * issueSlots() * 4 *
                                perScheduler / rates.issue);
  double products = double(config.rows * config.cols * TiledLayout::kColumns);
  double columnBytes = double(config.cols * TiledLayout::kColumns * turns);
  if (isB1()) {
    // A column of eight planes; 256 bits take as long as 32 int8.
    auto words = double(shape.liftedWords) * liftedParts();
    products = double(config.rows * config.cols * 8) * words / 2 * 32;
    columnBytes = double(config.cols) * words * 128 * double(turns);
  }
  double rate = double(isWgmma() ? chip.wgmmaProducts : chip.mmaProducts);
  double tensor = products * double(turns) * warps / rate;
  double turn = microsecondsOf(issueSlots() * rates.dependent);
  if (isB1()) // What a lane multiplies it loads after the weights.
    turn += kLoadLatency / double(config.depth) + kLiftedLatency;
  else if (!config.isStaged())
    turn = std::max(turn, kLoadLatency / double(config.depth));
  else // The fewer stages, the less time copies have to arrive.
    turn += rates.wait * (1 + 0.5 / double(config.stages - 1));
  if (isWgmma())
    turn += microsecondsOf(products * double(config.warps) / rate *
                           kProductLatency);
  double l1 = config.isStaged() ? 0 : columnBytes * warps / kL1Rate;
  double weightBytes =
      double(TiledLayout::kColumns * 2 * shape.slots * turns) * rowTiles;
  double l2 = (weightBytes * warps +
               columnBytes * double(blocks) * double(config.split)) /
              rates.l2Bytes;
  double sums =
      config.split * shape.sums == 1 ? 0 : rates.reduce * rowTiles * colTiles;
  if (isB1() && sums != 0) // Of whole mma tiles, warp by warp.
    sums = rates.reduce * rowTiles * std::ceil(colTiles) *
           double(config.split) / 4;
  return combine({issue, double(turns) * turn, microsecondsOf(l1),
                  microsecondsOf(l2), microsecondsOf(tensor)}) +
         rates.block + sums;
}

double Launch::dramBytes() const {
  double scaleBytes = shape.hasOffset ? 4 : 2;
  double weight = double(shape.n) * double(shape.k) *
                  (double(shape.slots) / 8 + scaleBytes / double(shape.group));
  // Blocks of the same rows follow each other only where they are staged.
  bool isKept =
      config.isStaged() || weight < double(chip.l2Megabytes) * 0.6 * (1 << 20);
  return weight * double(isKept ? 1 : colBlocks) +
         double(m) * double(shape.k + 2 * shape.n / shape.sums);
}

double Launch::microseconds() const {
  auto blocks =
      int64_t(llvm::divideCeil(rowBlocks * colBlocks, chip.multiprocessors));
  int64_t resident = std::min(blocks, residentBlocks());
  double time = double(blocks / resident) * residentMicroseconds(resident);
  if (int64_t rest = blocks % resident)
    time += residentMicroseconds(rest);
  double dram = dramBytes() / chip.gigabytesPerSecond * 1e-3;
  return rates.launch + combine({time, dram});
}

double mlir::rotq::predictMicroseconds(const Chip &chip,
                                       const MatmulShape &shape, int64_t m,
                                       const KernelConfig &config) {
  return Launch(chip, shape, m, config).microseconds();
}
