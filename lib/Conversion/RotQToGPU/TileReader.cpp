//===- TileReader.cpp - A weight in tiles, as a lane sees it
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TileReader.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::rotq;
using ::rotq::TiledLayout;

SmallVector<Value> Fragments::flatten() const {
  SmallVector<Value> values;
  for (const RowFragments &rowTile : rowTiles) {
    llvm::append_range(values, rowTile.slots);
    llvm::append_range(values, rowTile.numbers);
  }
  return values;
}

Fragments Fragments::with(ValueRange values) const {
  Fragments result(*this);
  for (RowFragments &rowTile : result.rowTiles)
    for (auto *parts : {&rowTile.slots, &rowTile.numbers})
      for (Value &value : *parts) {
        value = values.front();
        values = values.drop_front();
      }
  return result;
}

Value TileReader::slotAt(Value strip, Value tile, int64_t slot) {
  Value record = b.mul(b.add(b.mul(strip, layout.tilesPerStrip), tile),
                       layout.tileBytes());
  return b.add(b.add(record, b.mul(lane, slotBytes(slot))),
               TiledLayout::kSlot * slot);
}

SmallVector<Value> TileReader::slots(Value strip, Value tile) {
  SmallVector<Value> result;
  for (int64_t slot = 0; slot < layout.slots; ++slot)
    result.push_back(
        b.loadStreamed(blob, slotAt(strip, tile, slot), slotBytes(slot) / 4));
  return result;
}

/// These bytes of what a lane has of a plane, filled up to words with what
/// follows them.
SmallVector<Value> TileReader::words(ArrayRef<Value> slots,
                                     const TiledLayout::Plane &plane,
                                     int64_t start, int64_t bytes) {
  auto word = [&](int64_t i) {
    i += plane.firstWord;
    return b.word(slots[i / 4], i % 4);
  };
  int64_t shift = 8 * (start % 4);
  SmallVector<Value> words;
  for (int64_t at = start; at < start + bytes; at += 4) {
    Value low = word(at / 4);
    if (shift != 0) {
      low = arith::ShRUIOp::create(b, low, b.i32(shift));
      if (at / 4 + 1 < plane.runBytes)
        low = arith::OrIOp::create(
            b, low,
            arith::ShLIOp::create(b, word(at / 4 + 1), b.i32(32 - shift)));
    }
    words.push_back(low);
  }
  return words;
}

SmallVector<Value> TileReader::bits(ArrayRef<Value> slots, int64_t half) {
  const TiledLayout::Plane &plane = layout.planes.front();
  int64_t bytes = 2 * plane.runBytes;
  return words(slots, plane, half * bytes, bytes);
}

/// The last word of the run before the lane's, which the lane before has: lane
/// 4g that of its other run in lane 4g + 3.
Value TileReader::wordBefore(ArrayRef<Value> slots, int64_t half, int64_t run) {
  const TiledLayout::Plane &plane = layout.planes.front();
  auto lastWord = [&](int64_t ofRun) {
    int64_t end = (2 * half + ofRun + 1) * plane.runBytes;
    return words(slots, plane, end - 4, 4).front();
  };
  Value t = b.rem(lane, 4), first = b.sub(lane, t);
  Value given =
      b.select(b.equal(t, b.index(3)), lastWord(1 - run), lastWord(run));
  return b.shuffleFrom(given, b.add(first, b.rem(b.add(t, 3), 4)));
}

Value TileReader::points(ArrayRef<Value> slots, int64_t half, int64_t run,
                         Type element) {
  FormatAttr format = type.getFormat();
  SmallVector<Value> planes;
  for (const TiledLayout::Plane &plane : layout.planes) {
    SmallVector<Value> ofRun =
        words(slots, plane, (2 * half + run) * plane.runBytes, plane.runBytes);
    planes.push_back(vector::FromElementsOp::create(
        b, VectorType::get({int64_t(ofRun.size())}, b.getI32Type()), ofRun));
  }
  auto coding = format.getCoding().getCoding();
  if (coding->circle())
    planes.push_back(vector::BroadcastOp::create(
        b, VectorType::get({1}, b.getI32Type()), wordBefore(slots, half, run)));
  auto codes = VectorType::get({TiledLayout::kRun / coding->dim()},
                               b.getIntegerType(coding->unpackedBits()));
  auto points = VectorType::get({TiledLayout::kRun}, element);
  return DecodeOp::create(
      b, points, format.getCodebook(),
      UnpackOp::create(b, codes, format.getCoding(), planes));
}

VectorType TileReader::numbersType() const {
  return VectorType::get({2 * layout.numbersPerSegment}, b.getF16Type());
}

Value TileReader::numbersAt(Value strip, Value segment) {
  Value group = b.add(b.mul(strip, layout.segments), segment);
  Value pair = b.add(b.mul(group, 8), b.div(lane, 4));
  return b.add(b.mul(pair, 4 * layout.numbersPerSegment), scalesOffset);
}

Value TileReader::numbers(Value strip, Value segment) {
  return b.load(blob, numbersAt(strip, segment), numbersType(),
                4 * layout.numbersPerSegment, /*isConstant=*/true);
}

Value TileReader::number(Value numbers, int64_t half, int64_t which) {
  return b.toF32(b.word(numbers, half * layout.numbersPerSegment + which));
}
