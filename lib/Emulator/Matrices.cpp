//===- Matrices.cpp - Matrices as numbers
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Matrices.h"

#include "llvm/ADT/StringSwitch.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

using namespace mlir::rotq::emulator;

/// What tensor cores give for a not-a-number in f32.
static constexpr uint32_t kNan = 0x7fffffff;

SumFormat mlir::rotq::emulator::sumFormat(llvm::StringRef name) {
  return llvm::StringSwitch<SumFormat>(name)
      .Case("s32", SumFormat::S32)
      .Case("f16", SumFormat::F16)
      .Default(SumFormat::F32);
}

/// Element `i` of the registers of a lane.
static uint32_t bitsAt(const uint32_t *words, size_t i, unsigned bits) {
  size_t at = i * bits;
  return uint32_t(words[at / 32] >> at % 32 & ((uint64_t(1) << bits) - 1));
}

static double decodeSum(SumFormat format, uint32_t bits) {
  switch (format) {
  case SumFormat::S32:
  case SumFormat::S32Saturated:
    return int32_t(bits);
  case SumFormat::F16:
    return elementFormat("f16").values[bits];
  case SumFormat::F32:
    break;
  }
  return double(std::bit_cast<float>(bits));
}

static uint32_t encodeSum(SumFormat format, double value) {
  switch (format) {
  case SumFormat::S32:
    return uint32_t(int64_t(value));
  case SumFormat::S32Saturated:
    return uint32_t(std::clamp<int64_t>(int64_t(value),
                                        std::numeric_limits<int32_t>::min(),
                                        std::numeric_limits<int32_t>::max()));
  case SumFormat::F16:
    return encodeFloat(floatFormat("f16"), float(value));
  case SumFormat::F32:
    break;
  }
  return std::isnan(value) ? kNan : std::bit_cast<uint32_t>(float(value));
}

void mlir::rotq::emulator::readOperand(Matrix &matrix, const Fragment &layout,
                                       const ElementFormat &format,
                                       llvm::ArrayRef<uint32_t *> lanes,
                                       unsigned first) {
  for (unsigned lane = 0; lane < 32; ++lane)
    for (auto [i, position] : llvm::enumerate(layout[lane]))
      matrix.at(position.row, position.col) =
          format.values[bitsAt(lanes[lane] + first, i, format.bits)];
}

void mlir::rotq::emulator::readSums(Matrix &matrix, const Fragment &layout,
                                    SumFormat format,
                                    llvm::ArrayRef<uint32_t *> lanes,
                                    unsigned first) {
  for (unsigned lane = 0; lane < 32; ++lane)
    for (auto [i, position] : llvm::enumerate(layout[lane]))
      matrix.at(position.row, position.col) =
          decodeSum(format, bitsAt(lanes[lane] + first, i, bitsOf(format)));
}

void mlir::rotq::emulator::writeSums(const Matrix &matrix,
                                     const Fragment &layout, SumFormat format,
                                     llvm::ArrayRef<uint32_t *> lanes) {
  unsigned bits = bitsOf(format);
  for (unsigned lane = 0; lane < 32; ++lane)
    for (auto [i, position] : llvm::enumerate(layout[lane])) {
      uint32_t &word = lanes[lane][i * bits / 32];
      if (i * bits % 32 == 0)
        word = 0;
      word |= encodeSum(format, matrix.at(position.row, position.col))
              << i * bits % 32;
    }
}

void mlir::rotq::emulator::multiplyAdd(SumFormat format, const Matrix &a,
                                       const Matrix &b, Matrix &c) {
  auto add = [&](auto round) {
    for (unsigned row = 0; row < c.rows; ++row)
      for (unsigned k = 0; k < a.cols; ++k) {
        double left = a.at(row, k);
        const double *right = &b.values[size_t(k) * b.cols];
        double *sums = &c.at(row, 0);
        for (unsigned col = 0; col < c.cols; ++col)
          sums[col] = round(sums[col] + left * right[col]);
      }
  };
  if (format == SumFormat::S32 || format == SumFormat::S32Saturated)
    add([](double sum) { return sum; });
  else
    add([](double sum) { return double(float(sum)); });
}
