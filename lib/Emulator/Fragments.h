//===- Fragments.h - Which lane holds which element of a matrix
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_EMULATOR_FRAGMENTS_H
#define ROTQ_LIB_EMULATOR_FRAGMENTS_H

#include <array>
#include <cstdint>
#include <vector>

namespace mlir::rotq::emulator {

/// An element of a matrix.
struct Position {
  uint8_t row, col;
  bool operator==(const Position &) const = default;
};

/// The elements that every lane holds, in the order of its registers, low bits
/// first.
using Fragment = std::array<std::vector<Position>, 32>;

/// Operands of mma.sync.m16n8k<k> with elements of `bits` bits. A register has
/// 32 bits, so a lane holds 32 / bits neighbours along K in each.
const Fragment &fragmentA(unsigned k, unsigned bits);
const Fragment &fragmentB(unsigned k, unsigned bits);
/// The accumulator, one register of 32 bits for every element.
const Fragment &fragmentC();

/// One matrix of ldmatrix, 8 x 8 elements of 16 bits.
const Fragment &fragmentOfLdmatrix(bool transposed);

} // namespace mlir::rotq::emulator

#endif // ROTQ_LIB_EMULATOR_FRAGMENTS_H
