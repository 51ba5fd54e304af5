//===- TiledLayout.cpp - The layout of a weight that GPU kernels read
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Codec/TiledLayout.h"
#include "Message.h"
#include "Parallel.h"

#include <cstring>

using namespace rotq;

TiledLayout::TiledLayout(const Format &format, int64_t n, int64_t k) {
  WeightLayout canonical(format, n, k);
  strips = (n + kRows - 1) / kRows;
  tilesPerStrip = (k + kColumns - 1) / kColumns;
  words = 0;
  for (const WeightLayout::Plane &plane : canonical.planes) {
    planes.push_back({plane.runBytes, words});
    words += plane.runBytes;
  }
  slots = (words + 3) / 4;
  scalesOffset = strips * tilesPerStrip * tileBytes();
  segments = canonical.scaleBlocking.size();
  numbersPerSegment = int64_t(format.scale.numbers());
  totalBytes = scalesOffset + 2 * strips * kRows * segments * numbersPerSegment;
}

namespace {
/// Copies the parts of one blob.
class Repacker {
public:
  Repacker(const Format &format, int64_t n, int64_t k,
           std::span<const std::byte> source, std::span<std::byte> target)
      : canonical(format, n, k), tiled(format, n, k), source(source),
        target(target), isCircular(format.coding->circle() != 0) {}

  void copyStrip(int64_t strip) {
    for (int64_t tile = 0; tile < tiled.tilesPerStrip; ++tile)
      copyTile(strip, tile);
    copyScales(strip);
  }

  const WeightLayout canonical;
  const TiledLayout tiled;

private:
  void copyTile(int64_t strip, int64_t tile);
  void copyScales(int64_t strip);

  std::span<const std::byte> source;
  std::span<std::byte> target;
  bool isCircular;
};
} // namespace

void Repacker::copyTile(int64_t strip, int64_t tile) {
  constexpr int64_t kRun = TiledLayout::kRun, kColumns = TiledLayout::kColumns;
  std::byte *record =
      target.data() + (strip * tiled.tilesPerStrip + tile) * tiled.tileBytes();
  std::memset(record, 0, size_t(tiled.tileBytes()));
  for (size_t p = 0; p < tiled.planes.size(); ++p) {
    const WeightLayout::Plane &plane = canonical.planes[p];
    for (int64_t lane = 0; lane < 32; ++lane)
      for (int64_t run = 0; run < 4; ++run) { // row half, then run
        int64_t row = strip * TiledLayout::kRows + lane / 4 + 8 * (run / 2);
        int64_t column = tile * kColumns + 128 * (run % 2) + kRun * (lane % 4);
        if (isCircular && column + kRun == tiled.tilesPerStrip * kColumns)
          column = paddedLength(canonical.k) - kRun;
        int64_t inRow = column / kRun * plane.runBytes;
        if (row >= canonical.n || inRow >= plane.rowBytes)
          continue;
        const std::byte *from =
            source.data() + plane.offset + row * plane.rowBytes + inRow;
        int64_t at = 4 * tiled.planes[p].firstWord + run * plane.runBytes;
        for (int64_t i = 0; i < plane.runBytes; ++i, ++at)
          record[TiledLayout::kSlot * (at / 16) +
                 tiled.slotBytes(at / 16) * lane + at % 16] = from[i];
      }
  }
}

void Repacker::copyScales(int64_t strip) {
  int64_t numbers = tiled.numbersPerSegment;
  std::byte *to = target.data() + tiled.scalesOffset +
                  2 * strip * TiledLayout::kRows * tiled.segments * numbers;
  for (int64_t segment = 0; segment < tiled.segments; ++segment)
    for (int64_t i = 0; i < TiledLayout::kRows; ++i, to += 2 * numbers) {
      int64_t row = strip * TiledLayout::kRows + i / 2 + 8 * (i % 2);
      if (row >= canonical.n) {
        std::memset(to, 0, size_t(2 * numbers));
        continue;
      }
      std::memcpy(to,
                  source.data() + canonical.scalesOffset +
                      2 * (row * canonical.numbersPerRow + segment * numbers),
                  size_t(2 * numbers));
    }
}

Status rotq::repack(const Format &format, int64_t n, int64_t k,
                    std::span<const std::byte> canonical,
                    std::span<std::byte> tiled) {
  if (Status valid = checkShape(format, n, k); !valid)
    return valid;
  Repacker repacker(format, n, k, canonical, tiled);
  if (int64_t(canonical.size()) != repacker.canonical.totalBytes)
    return failure(message("expected a blob of {} bytes but got {}",
                           repacker.canonical.totalBytes, canonical.size()));
  if (int64_t(tiled.size()) != repacker.tiled.totalBytes)
    return failure(message("expected a tiled blob of {} bytes but got {}",
                           repacker.tiled.totalBytes, tiled.size()));
  parallelRows(repacker.tiled.strips, rowGrain(k), /*threads=*/0,
               [&](int64_t begin, int64_t end) {
                 for (int64_t strip = begin; strip < end; ++strip)
                   repacker.copyStrip(strip);
                 return true;
               });
  return {};
}
