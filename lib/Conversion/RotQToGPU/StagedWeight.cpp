//===- StagedWeight.cpp - A weight in shared memory
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "StagedWeight.h"

#include "StagedActivation.h"
#include "rotq/Conversion/SegmentIndex.h"

using namespace mlir;
using namespace mlir::rotq;
using ::rotq::TiledLayout;

StagedWeight::StagedWeight(KernelBuilder &b, KernelFunction &kernel,
                           TileReader &weight, WeightType type,
                           const StageLayout &layout, ArrayRef<Value> strips,
                           Value inPart, Value lane)
    : b(b), weight(weight), layout(layout),
      scales(type.getCanonicalLayout().scaleBlocking),
      slots(layout.slotBytes / TiledLayout::kSlot),
      segments((layout.fragmentBytes - layout.slotBytes) /
               (32 * layout.numberBytes)),
      strips(strips), shared(kernel.sharedMemory(b)), inPart(inPart),
      lane(lane) {}

// Numbers are found from the slots: addresses of their own would take registers
// beside them.
Value StagedWeight::slotAt(Value tile, int64_t rowTile, int64_t slot) {
  Value warp = b.add(b.mul(placeOf(b, layout, tile), layout.warps), inPart);
  Value start = b.add(b.mul(warp, layout.rowTiles * layout.fragmentBytes),
                      b.mul(lane, weight.slotBytes(slot)));
  start = b.add(start, layout.weightsStart + rowTile * layout.fragmentBytes);
  return b.add(start, slot * TiledLayout::kSlot);
}

Value StagedWeight::numbersAt(Value tile, int64_t rowTile, int64_t segment) {
  Value start = b.sub(slotAt(tile, rowTile, 0),
                      b.mul(lane, weight.slotBytes(0) - layout.numberBytes));
  return b.add(start, layout.slotBytes + segment * 32 * layout.numberBytes);
}

void StagedWeight::copy(Value tile) {
  Value firstScale = emitSegmentIndex(b, b.getLoc(), scales,
                                      b.mul(tile, TiledLayout::kColumns));
  for (auto [i, strip] : llvm::enumerate(strips)) {
    for (int64_t slot = 0; slot < slots; ++slot)
      b.copyToShared(shared, slotAt(tile, int64_t(i), slot), weight.getBlob(),
                     weight.slotAt(strip, tile, slot), weight.slotBytes(slot));
    for (int64_t segment = 0; segment < segments; ++segment)
      b.copyToShared(shared, numbersAt(tile, int64_t(i), segment),
                     weight.getBlob(),
                     weight.numbersAt(strip, b.add(firstScale, segment)),
                     layout.numberBytes);
  }
}

RowFragments StagedWeight::load(Value tile, int64_t rowTile) {
  RowFragments result;
  for (int64_t slot = 0; slot < slots; ++slot) {
    int64_t bytes = weight.slotBytes(slot);
    result.slots.push_back(b.load(shared, slotAt(tile, rowTile, slot),
                                  VectorType::get({bytes / 4}, b.getI32Type()),
                                  bytes));
  }
  for (int64_t segment = 0; segment < segments; ++segment)
    result.numbers.push_back(b.load(shared, numbersAt(tile, rowTile, segment),
                                    weight.numbersType(), layout.numberBytes));
  return result;
}

Fragments StagedWeight::load(Value tile) {
  Fragments result;
  for (int64_t i = 0; i < layout.rowTiles; ++i)
    result.rowTiles.push_back(load(tile, i));
  return result;
}
