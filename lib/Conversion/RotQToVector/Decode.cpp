//===- Decode.cpp - Rows of weights and their rotation on the host
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HostKernels.h"

#include "rotq/Conversion/SegmentIndex.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <cmath>

using namespace mlir;
using namespace mlir::rotq;
using ::rotq::Blocking;

//===----------------------------------------------------------------------===//
// Rotation
//===----------------------------------------------------------------------===//

void HostBuilder::rotate(Value scratch, const ::rotq::Rotation &rotation,
                         int64_t padded) {
  if (rotation.block() == 0)
    return;
  forSegments(Blocking(padded, rotation.block()),
              [&](Value offset, int64_t length) {
                rotateSegment(scratch, offset, length);
              });
}

/// Strides below kChunk run in registers, the others in memory; the last
/// stage multiplies by length^-1/2.
void HostBuilder::rotateSegment(Value scratch, Value offset, int64_t length) {
  float factor = float(1.0 / std::sqrt(double(length)));
  auto scaled = [&](Value vector) -> Value {
    int64_t count = cast<VectorType>(vector.getType()).getDimSize(0);
    return arith::MulFOp::create(*this, vector, splat(f32(factor), count));
  };
  int64_t chunk = std::min(length, kChunk);
  loop(0, length, chunk, [&](Value start) {
    Value position = add(offset, start);
    Value vector = load(scratch, position, chunk);
    vector = FwhtOp::create(*this, vector.getType(), vector, /*length=*/Value(),
                            chunk, /*lanes=*/1);
    store(chunk == length ? scaled(vector) : vector, scratch, position);
  });
  for (int64_t stride = chunk; stride < length; stride *= 2) {
    bool isLast = 2 * stride == length;
    loop(0, length, 2 * stride, [&](Value start) {
      loop(0, stride, kFloats, [&](Value i) {
        Value low = add(add(offset, start), i), high = add(low, stride);
        Value a = load(scratch, low, kFloats);
        Value b = load(scratch, high, kFloats);
        Value sum = arith::AddFOp::create(*this, a, b);
        Value difference = arith::SubFOp::create(*this, a, b);
        store(isLast ? scaled(sum) : sum, scratch, low);
        store(isLast ? scaled(difference) : difference, scratch, high);
      });
    });
  }
}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

/// Where the bytes of the run that holds position `k` start in a row.
Value HostBuilder::byteOf(const ::rotq::WeightLayout::Plane &plane, Value k) {
  constexpr int64_t run = ::rotq::kRowGranule;
  if (plane.runBytes <= run && run % plane.runBytes == 0)
    return arith::DivUIOp::create(*this, k, index(run / plane.runBytes));
  return arith::MulIOp::create(*this,
                               arith::DivUIOp::create(*this, k, index(run)),
                               index(plane.runBytes));
}

/// Bytes as words, filled up with zeros.
Value HostBuilder::words(Value bytes) {
  int64_t count = cast<VectorType>(bytes.getType()).getDimSize(0);
  int64_t full = llvm::alignTo(count, 4);
  if (full != count) {
    SmallVector<int64_t> indices;
    for (int64_t i = 0; i < full; ++i)
      indices.push_back(std::min(i, count));
    bytes = vector::ShuffleOp::create(
        *this, bytes, splat(arith::ConstantIntOp::create(*this, 0, 8), count),
        indices);
  }
  return vector::BitCastOp::create(
      *this, VectorType::get({full / 4}, getI32Type()), bytes);
}

void HostBuilder::prefetch(const WeightBuffers &weight, Value row, Value k) {
  for (auto [view, plane] : llvm::zip(weight.planes, weight.layout.planes)) {
    memref::PrefetchOp::create(*this, view, ValueRange{row, byteOf(plane, k)},
                               /*isWrite=*/false, /*localityHint=*/3,
                               /*isDataCache=*/true);
  }
}

/// The last word of the run before each of `count / 32`, given their words. Of
/// all but the first one it is among them: `k` is a multiple of `count`.
Value HostBuilder::wordsBefore(const WeightBuffers &weight, Value row, Value k,
                               int64_t count, Value words) {
  constexpr int64_t run = ::rotq::kRowGranule;
  const ::rotq::WeightLayout::Plane &plane = weight.layout.planes.front();
  Value before = emitRunBefore(*this, getLoc(),
                               arith::DivUIOp::create(*this, k, index(run)),
                               weight.layout.k, weight.format.coding->circle());
  Value start = arith::MulIOp::create(*this, before, index(plane.runBytes));
  Value first = this->words(
      load(weight.planes.front(), {row, add(start, plane.runBytes - 4)}, 4));
  SmallVector<int64_t> indices = {0};
  for (int64_t i = 1; i < count / run; ++i)
    indices.push_back(i * plane.runBytes / 4);
  return vector::ShuffleOp::create(*this, first, words, indices);
}

Value HostBuilder::points(const WeightBuffers &weight, Value row, Value k,
                          int64_t count) {
  SmallVector<Value> planes;
  for (auto [view, plane] : llvm::zip(weight.planes, weight.layout.planes)) {
    planes.push_back(words(load(view, {row, byteOf(plane, k)},
                                count / ::rotq::kRowGranule * plane.runBytes)));
  }
  if (weight.format.coding->circle())
    planes.push_back(wordsBefore(weight, row, k, count, planes.front()));
  FormatAttr format = weight.formatAttr;
  const ::rotq::Coding &coding = *weight.format.coding;
  Value codes =
      UnpackOp::create(*this,
                       VectorType::get({count / coding.dim()},
                                       getIntegerType(coding.unpackedBits())),
                       format.getCoding(), planes);
  return DecodeOp::create(*this, VectorType::get({count}, getI8Type()),
                          format.getCodebook(), codes);
}

Value HostBuilder::number(const WeightBuffers &weight, Value row, Value k,
                          int64_t number) {
  Value segment =
      emitSegmentIndex(*this, getLoc(), weight.layout.scaleBlocking, k);
  int64_t numbers = weight.format.scale.numbers();
  if (numbers > 1)
    segment = arith::MulIOp::create(*this, segment, index(numbers));
  return memref::LoadOp::create(*this, weight.scales,
                                ValueRange{row, add(segment, number)});
}

void HostBuilder::decodeRow(const WeightBuffers &weight, Value row,
                            Value scratch) {
  int64_t padded = weight.layout.scaleBlocking.paddedSize();
  bool hasOffset = weight.format.scale.hasOffset;
  // Chunks need powers of two, which a group of a whole row is not.
  Blocking blocking(padded,
                    std::min(weight.format.scale.group, ::rotq::kMaxBlock));
  forSegments(blocking, [&](Value offset, int64_t length) {
    int64_t chunk = std::min(length, kChunk);
    auto splatNumber = [&](int64_t i) {
      Value half = number(weight, row, offset, i);
      return splat(arith::ExtFOp::create(*this, getF32Type(), half), chunk);
    };
    Value step = splatNumber(0), shift;
    if (hasOffset)
      shift = splatNumber(1);
    loop(0, length, chunk, [&](Value start) {
      Value k = add(offset, start);
      Value value = arith::SIToFPOp::create(*this, step.getType(),
                                            points(weight, row, k, chunk));
      value = arith::MulFOp::create(*this, step, value);
      if (hasOffset)
        value = arith::AddFOp::create(*this, value, shift);
      store(value, scratch, k);
    });
  });
  // Every rotation so far is its own inverse.
  rotate(scratch, *weight.format.rotation, padded);
}
