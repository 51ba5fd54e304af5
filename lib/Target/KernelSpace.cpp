//===- KernelSpace.cpp - The configurations that a chip can run well
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Target/KernelSpace.h"

#include "rotq/Codec/ActivationLayout.h"
#include "rotq/Codec/LiftedActivation.h"
#include "rotq/Codec/TiledLayout.h"
#include "rotq/Dialect/RotQ/IR/StageLayout.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::rotq;
using ::rotq::TiledLayout;

static constexpr int64_t kRegisters = 64 << 10; // of a multiprocessor
static constexpr int64_t kMaxRegisters = 255;   // of a thread
static constexpr int64_t kMaxThreads = 1024;    // of a block

namespace {
/// Kinds of weights, by the registers that they take besides their tile: up to
/// two, three and more slots of a tile, several scales in it, an offset.
enum class Burden { Two, Three, More, SeveralScales, Offset };

/// A tile, and the fewest registers at which ptxas 13 spills for no chip, by
/// `Burden`; 0: for some it always does. Up to the burden `unbounded` it does
/// not spill either where nothing bounds registers, and up to `paired` as many
/// do for a pair of weights of one y.
struct Tile {
  KernelKind kind;
  bool isStaged;
  int64_t rows, cols, depth;
  int64_t registers[5];
  std::optional<Burden> unbounded = std::nullopt, paired = std::nullopt;
};
} // namespace

static constexpr KernelKind kMma = KernelKind::MmaS8;
static constexpr KernelKind kMmaB1 = KernelKind::MmaB1;
static constexpr KernelKind kWgmma = KernelKind::WgmmaS8;

// The space: edit here, and renew the tables.
static constexpr Tile kTiles[] = {
    {kMma, false, 16, 8, 1, {80, 80, 80, 96, 80}, Burden::More},
    {kMma, false, 16, 8, 2, {128, 128, 128, 128, 128}},
    {kMma, false, 16, 16, 1, {128, 128, 128, 128, 128}},
    {kMma, false, 16, 16, 2, {168, 168, 168, 168, 168}, Burden::Three},
    {kMma, false, 16, 32, 1, {168, 168, 168, 176, 224}},
    {kMma, false, 32, 8, 1, {128, 128, 168, 168, 168}},
    {kMma, false, 32, 16, 1, {176, 176, 208, 216, 208}},
    {kMma, false, 32, 32, 1, {255, 255, 255, 255, 0}, Burden::SeveralScales},
    {kMma, true, 16, 16, 1, {128, 128, 128, 128, 128}},
    {kMma, true, 16, 32, 1, {124, 124, 124, 136, 200}},
    {kMma, true, 16, 40, 1, {140, 140, 140, 160, 168}},
    {kMma, true, 16, 64, 1, {176, 176, 176, 184, 184}},
    {kMma, true, 32, 16, 1, {148, 148, 148, 148, 148}},
    {kMma, true, 32, 32, 1, {200, 200, 200, 200, 200}},
    {kMma, true, 32, 40, 1, {220, 220, 220, 232, 220}},
    {kMmaB1, false, 16, 1, 1, {80, 80, 80, 80, 0}, Burden::More},
    {kMmaB1, false, 16, 1, 2, {112, 112, 112, 112, 0}, Burden::More},
    {kMmaB1, false, 16, 2, 1, {96, 96, 96, 96, 0}, Burden::More},
    {kMmaB1, false, 16, 2, 2, {128, 128, 128, 128, 0}, Burden::More},
    {kMmaB1, false, 16, 4, 1, {112, 112, 112, 112, 0}, Burden::More},
    {kMmaB1, false, 16, 8, 1, {136, 136, 136, 136, 0}, Burden::More},
    {kMmaB1, false, 16, 16, 1, {200, 200, 200, 200, 0}},
    {kMmaB1, false, 32, 1, 1, {96, 96, 96, 96, 0}, Burden::More},
    {kMmaB1, false, 32, 2, 1, {112, 112, 112, 112, 0}, Burden::More},
    {kMmaB1, false, 32, 4, 1, {152, 152, 152, 152, 0}, Burden::More},
    {kMmaB1, false, 32, 8, 1, {200, 200, 200, 200, 0}, Burden::More},
    {kWgmma, true, 16, 16, 1, {96, 96, 96, 104, 96}},
    {kWgmma, true, 16, 32, 1, {112, 112, 116, 120, 112}},
    {kWgmma, true, 16, 64, 1, {144, 144, 148, 168, 144}},
    {kWgmma, true, 16, 96, 1, {168, 168, 168, 224, 168}},
    {kWgmma, true, 16, 128, 1, {208, 208, 212, 0, 208}},
    {kWgmma, true, 16, 192, 1, {255, 255, 250, 0, 0}, {}, Burden::More},
    {kWgmma, true, 16, 256, 1, {0, 255, 255, 0, 255}, {}, Burden::Three},
    {kWgmma, true, 32, 16, 1, {152, 152, 152, 152, 152}},
    {kWgmma, true, 32, 32, 1, {168, 168, 168, 192, 168}},
    {kWgmma, true, 32, 64, 1, {232, 232, 236, 255, 236}},
};

static Burden burdenOf(const MatmulShape &shape) {
  if (shape.hasOffset)
    return Burden::Offset;
  if (shape.groupsOfTile() > 1)
    return Burden::SeveralScales;
  if (shape.slots > 3)
    return Burden::More;
  return shape.slots > 2 ? Burden::Three : Burden::Two;
}

static bool hasTail(const MatmulShape &shape) {
  return shape.k % TiledLayout::kColumns != 0;
}

/// Whether decoding computes points, and looks none up.
static bool computesPoints(const MatmulShape &shape) {
  return shape.decodeOperations != 0 && shape.tableBytes == 0;
}

/// What decoding and scaling take besides, where a format has more of it than
/// those that `kTiles` was found with: codes of four bits, tables of up to 16
/// levels, and one scale for every run of a row at least.
static int64_t extraRegistersOf(const Tile &tile, const MatmulShape &shape) {
  int64_t rowTiles = tile.rows / 16, colTiles = tile.cols / 8, extra = 0;
  if (shape.groupsOfTile() > 2 || (shape.hasOffset && shape.groupsOfTile() > 1))
    extra = 32;
  // Where groups share a run, mma.sync multiplies it once for each: the words
  // of the activation stay, and the weight has a copy without the other groups.
  if (shape.groupsOfTile() > 2 && tile.kind == kMma && tile.isStaged)
    extra = std::max(extra, 8 * colTiles + 16 * rowTiles);
  // Codes that are loaded ahead wait in registers.
  constexpr int64_t kSlots = 4, kSlotWords = 4;
  if (!tile.isStaged)
    extra += std::max<int64_t>(0, shape.slots - kSlots) * kSlotWords *
             rowTiles * tile.depth;
  // mma.sync decodes a run at a time, in the registers of those that follow;
  // loops that are a tile ahead gather, or work on a lattice, for a run of two
  // tiles at once. wgmma takes all runs in one instruction; what its widest
  // tiles spill of a word under way costs less than fewer columns do
  // (docs/performance.md).
  constexpr int64_t kManyOperations = 300; // of 32 weights
  bool isLong =
      shape.tableBytes != 0 || shape.decodeOperations > kManyOperations;
  if (isLong && tile.kind == kMma)
    extra += 16 * (tile.depth - 1);
  if (computesPoints(shape) && shape.hasEpilogue && tile.kind == kMma &&
      !tile.isStaged && tile.rows == 32)
    extra += 8;
  return extra;
}

/// 0 if the tile spills.
static int64_t registersOf(const Tile &tile, const MatmulShape &shape) {
  int64_t registers = tile.registers[size_t(burdenOf(shape))];
  if (registers != 0)
    registers += extraRegistersOf(tile, shape);
  // To tell the members of a group apart, and what masks the tail of K. Ahead
  // of an epilogue mma.sync has more of that left to do, unless sums meet
  // first.
  bool isPaired = shape.members == shape.sums && tile.paired &&
                  burdenOf(shape) <= *tile.paired;
  if (shape.members > 1 && registers != 0 && !isPaired)
    registers += 8;
  bool isCostly = tile.kind == kWgmma || (shape.hasEpilogue && shape.sums == 1);
  if (hasTail(shape))
    registers = registers * (isCostly ? 16 : 13) / 10;
  return registers > kMaxRegisters ? 0 : registers;
}

/// That the bound of a configuration leaves a thread; ptxas rounds down to 8.
static int64_t registersLeft(const KernelConfig &config) {
  int64_t blocks = std::max<int64_t>(1, config.blocks);
  int64_t left = kRegisters / (config.threads() * blocks) / 8 * 8;
  return std::min(kMaxRegisters, left);
}

static bool isOf(const Tile &tile, const KernelConfig &config) {
  return tile.kind == config.kind && tile.isStaged == config.isStaged() &&
         tile.rows == config.rows && tile.cols == config.cols &&
         tile.depth == config.depth;
}

int64_t mlir::rotq::registersOf(const KernelConfig &config,
                                const MatmulShape &shape) {
  const auto *tile = llvm::find_if(
      kTiles, [&](const Tile &tile) { return isOf(tile, config); });
  int64_t left = registersLeft(config);
  if (tile == std::end(kTiles))
    return left;
  int64_t registers = ::registersOf(*tile, shape);
  // ptxas takes more than the fewest where a bound admits it: loads come
  // earlier.
  if (config.blocks != 0 && !config.isStaged())
    registers += registers / 10;
  return registers == 0 ? left : std::min(left, registers);
}

int64_t mlir::rotq::sharedMemoryOf(const KernelConfig &config,
                                   const MatmulShape &shape) {
  return sharedMemoryOf(StagedMatmul{config.kind, config.rows, config.cols,
                                     config.warps, config.split, config.stages,
                                     shape.slots, shape.hasOffset, shape.group,
                                     shape.group, shape.sums});
}

std::pair<int64_t, int64_t> mlir::rotq::rowsTaken(const KernelConfig &config,
                                                  bool hasWarpgroups) {
  if (config.kind == kMmaB1)
    return {1, config.cols < 8 ? config.cols : ::rotq::kMaxRowsLifted};
  // On such a chip the codes of more rows come in the order that wgmma reads.
  if (config.kind == kWgmma)
    return {::rotq::kMaxRowsInOrder + 1, 0};
  return {1, hasWarpgroups ? ::rotq::kMaxRowsInOrder : 0};
}

namespace {
/// Collects what fits.
class Enumeration {
public:
  Enumeration(const Chip &chip, bool hasWarpgroups, const MatmulShape &shape)
      : chip(chip), hasWarpgroups(hasWarpgroups), shape(shape) {}

  void addTile(const Tile &tile);

  SmallVector<KernelConfig> configs;

private:
  void addStaged(const Tile &tile);
  void addUnstaged(const Tile &tile);
  void add(const Tile &tile, KernelConfig config);

  const Chip &chip;
  bool hasWarpgroups;
  const MatmulShape &shape;
};
} // namespace

void Enumeration::addTile(const Tile &tile) {
  if ((tile.kind == kWgmma && !hasWarpgroups) ||
      (tile.kind == kMmaB1 && shape.liftedWords == 0))
    return;
  if (tile.isStaged)
    addStaged(tile);
  else
    addUnstaged(tile);
}

/// Warps share the activation; warpgroups may divide K.
void Enumeration::addStaged(const Tile &tile) {
  for (int64_t warps : {4, 8, 16})
    for (int64_t split : {1, 2, 4})
      for (int64_t stages : {2, 3, 4})
        for (int64_t blocks : {1, 2, 3})
          if (split == 1 || tile.kind == kWgmma)
            add(tile, {tile.kind, tile.rows, tile.cols, warps, split,
                       tile.depth, stages, blocks});
}

/// Warps divide K, or not.
void Enumeration::addUnstaged(const Tile &tile) {
  for (int64_t warps : {4, 8, 16})
    for (int64_t split : {warps, warps / 2, int64_t(1)})
      for (int64_t blocks : {0, 1, 2, 3, 4, 6})
        add(tile, {tile.kind, tile.rows, tile.cols, warps, split, tile.depth,
                   /*stages=*/0, blocks});
}

void Enumeration::add(const Tile &tile, KernelConfig config) {
  // Every weight whose sums an element takes has as many warps.
  if (config.warps % (warpsAtOnce(tile.kind) * config.split * shape.sums) != 0)
    return;
  int64_t registers = ::registersOf(tile, shape);
  // The exchange of what warpgroups divide comes on top of several scales.
  if (tile.isStaged && config.split != 1 && registers != 0 &&
      burdenOf(shape) == Burden::SeveralScales)
    registers += 16;
  // Hopper has no mma.sync of e4m3: ptxas makes pairs of f16 of both operands.
  // The smallest tile has room for them, or there would be none.
  if (shape.operand == Operand::E4M3 && tile.kind == kMma && registers != 0) {
    registers += 2 * tile.rows + tile.cols;
    if (registers > kMaxRegisters && tile.rows * tile.cols > 16 * 8)
      return;
    registers = std::min(registers, kMaxRegisters);
  }
  // Of several scales, ptxas holds more of large tiles where products are no
  // integers.
  if (shape.operand == Operand::E4M3 && tile.kind == kWgmma &&
      burdenOf(shape) == Burden::SeveralScales && registers != 0 &&
      tile.rows * tile.cols >= 16 * 64)
    registers += 40;
  // Of what the warps divide, ptxas spills a word or two more for other chips.
  if (!hasWarpgroups && !tile.isStaged && registers != 0)
    registers = std::min(registers + 8, kMaxRegisters);
  if (registers == 0 || registers > registersLeft(config))
    return;
  // Left alone, ptxas takes too few registers for many tiles, and spills.
  if (config.blocks == 0 &&
      (!hasWarpgroups || config.warps > 8 || hasTail(shape) ||
       (computesPoints(shape) && shape.sums > 1) || !tile.unbounded ||
       burdenOf(shape) > *tile.unbounded))
    return;
  // Fewer blocks than would fit anyway, or as many registers for one block
  // more, are no bound.
  KernelConfig more = config;
  ++more.blocks;
  if (config.blocks != 0 &&
      (config.threads() * config.blocks > kMaxThreads ||
       3 * config.threads() * config.blocks * registers <= kRegisters ||
       (!config.isStaged() && registersLeft(more) == registersLeft(config))))
    return;
  // More parts than there are tiles of K have nothing to do.
  if (config.split > shape.tilesOfK())
    return;
  int64_t bytes = sharedMemoryOf(config, shape);
  if (config.kind != kMmaB1)
    bytes += shape.tableBytes;
  constexpr int64_t kReserved = 1 << 10;
  if (bytes > mostSharedMemory(config.kind) ||
      std::max<int64_t>(1, config.blocks) * (bytes + kReserved) >
          chip.sharedKilobytes << 10)
    return;
  configs.push_back(config);
}

SmallVector<KernelConfig> mlir::rotq::kernelSpace(const Chip &chip,
                                                  bool hasWarpgroups,
                                                  const MatmulShape &shape) {
  Enumeration space(chip, hasWarpgroups, shape);
  for (const Tile &tile : kTiles)
    space.addTile(tile);
  return std::move(space.configs);
}
