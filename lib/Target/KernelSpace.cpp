//===- KernelSpace.cpp - The configurations that a chip can run well
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Target/KernelSpace.h"

#include "rotq/Codec/TiledLayout.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::rotq;
using ::rotq::TiledLayout;

static constexpr int64_t kRegisters = 64 << 10; // of a multiprocessor
static constexpr int64_t kMaxRegisters = 255;   // of a thread
static constexpr int64_t kMaxThreads = 1024;    // of a block

namespace {
/// Kinds of weights, by the registers that they take besides their tile.
enum class Burden { ShortCodes, LongCodes, SeveralScales, Offset };

/// A tile, and the fewest registers at which ptxas 13 spills for no chip, by
/// `Burden`; 0: for some it always does. Up to the burden `unbounded` it does
/// not spill either where nothing bounds registers.
struct Tile {
  KernelKind kind;
  bool isStaged;
  int64_t rows, cols, depth;
  int64_t registers[4];
  std::optional<Burden> unbounded = std::nullopt;
};
} // namespace

static constexpr KernelKind kMma = KernelKind::MmaS8;
static constexpr KernelKind kWgmma = KernelKind::WgmmaS8;

// The space: edit here, and renew the tables.
static constexpr Tile kTiles[] = {
    {kMma, false, 16, 8, 1, {80, 80, 96, 80}, Burden::LongCodes},
    {kMma, false, 16, 8, 2, {128, 128, 128, 128}},
    {kMma, false, 16, 16, 1, {128, 128, 128, 128}},
    {kMma, false, 16, 16, 2, {168, 168, 168, 168}, Burden::ShortCodes},
    {kMma, false, 16, 32, 1, {168, 168, 168, 224}},
    {kMma, false, 32, 8, 1, {128, 168, 168, 168}},
    {kMma, false, 32, 16, 1, {176, 208, 216, 208}},
    {kMma, false, 32, 32, 1, {255, 255, 255, 0}, Burden::SeveralScales},
    {kMma, true, 16, 16, 1, {128, 128, 128, 128}},
    {kMma, true, 16, 32, 1, {116, 116, 127, 160}},
    {kMma, true, 16, 40, 1, {140, 140, 160, 168}},
    {kMma, true, 16, 64, 1, {176, 176, 184, 240}},
    {kMma, true, 32, 16, 1, {148, 148, 137, 162}},
    {kMma, true, 32, 32, 1, {200, 200, 192, 224}},
    {kMma, true, 32, 40, 1, {220, 220, 232, 0}},
    {kWgmma, true, 16, 16, 1, {100, 111, 116, 120}},
    {kWgmma, true, 16, 32, 1, {116, 120, 136, 154}},
    {kWgmma, true, 16, 64, 1, {148, 152, 186, 214}},
    {kWgmma, true, 16, 96, 1, {208, 208, 229, 0}},
    {kWgmma, true, 16, 128, 1, {210, 215, 0, 0}},
    {kWgmma, true, 32, 16, 1, {166, 180, 185, 189}},
    {kWgmma, true, 32, 32, 1, {189, 202, 227, 245}},
    {kWgmma, true, 32, 64, 1, {254, 0, 0, 0}},
};

static Burden burdenOf(const MatmulShape &shape) {
  if (shape.hasOffset)
    return Burden::Offset;
  if (shape.groupsOfTile() > 1)
    return Burden::SeveralScales;
  return shape.slots > 3 ? Burden::LongCodes : Burden::ShortCodes;
}

static bool hasTail(const MatmulShape &shape) {
  return shape.k % TiledLayout::kColumns != 0;
}

/// 0 if the tile spills.
static int64_t registersOf(const Tile &tile, const MatmulShape &shape) {
  int64_t registers = tile.registers[size_t(burdenOf(shape))];
  // The finest scales of all were never tried with more.
  if (shape.groupsOfTile() > 2 || (shape.hasOffset && shape.groupsOfTile() > 1))
    registers = registers == 0 ? 0 : registers + 32;
  // To tell the members of a group apart, and what masks the tail of K.
  if (shape.members > 1 && registers != 0)
    registers += 8;
  if (hasTail(shape))
    registers += registers / 4;
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
  return registers == 0 ? left : std::min(left, registers);
}

std::pair<int64_t, int64_t> mlir::rotq::rowsTaken(KernelKind kind,
                                                  bool hasWarpgroups) {
  // On such a chip the codes of more rows come in the order that wgmma reads.
  constexpr int64_t kMaxRowsInOrder = 32;
  if (kind == kWgmma)
    return {kMaxRowsInOrder + 1, 0};
  return {1, hasWarpgroups ? kMaxRowsInOrder : 0};
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
  if (tile.kind == kWgmma && !hasWarpgroups)
    return;
  if (tile.isStaged)
    addStaged(tile);
  else
    addUnstaged(tile);
}

/// Warps share the activation.
void Enumeration::addStaged(const Tile &tile) {
  for (int64_t warps : {4, 8})
    for (int64_t stages : {tile.kind == kWgmma ? 3 : 2, 4})
      for (int64_t blocks : {1, 2, 3})
        add(tile, {tile.kind, tile.rows, tile.cols, warps, /*split=*/1,
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
  int64_t registers = ::registersOf(tile, shape);
  if (registers == 0 || registers > registersLeft(config))
    return;
  // Left alone, ptxas takes too few registers for many tiles, and spills.
  if (config.blocks == 0 &&
      (!hasWarpgroups || config.warps > 8 || hasTail(shape) ||
       !tile.unbounded || burdenOf(shape) > *tile.unbounded))
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
  int64_t columnBytes = TiledLayout::kColumns + 4 * shape.groupsOfTile();
  int64_t sharedBytes = config.stages * (config.cols + 1) * columnBytes;
  if (config.split != 1)
    sharedBytes = config.warps * config.rows * config.cols * 4;
  constexpr int64_t kMaxStatic = 48 << 10, kReserved = 1 << 10;
  if ((config.split != 1 && sharedBytes > kMaxStatic) ||
      std::max<int64_t>(1, config.blocks) * (sharedBytes + kReserved) >
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
