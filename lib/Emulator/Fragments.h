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
/// The accumulator, 16 x `cols` elements: those of a warp in wgmma too, whose
/// rows from 16 w on are warp w's.
const Fragment &fragmentC(unsigned cols);

/// The lane that holds the scales of a row of A, or of a column of B, in
/// mma.block_scale, by the choice of threads.
unsigned laneOfScaleA(unsigned row, unsigned thread);
unsigned laneOfScaleB(unsigned col, unsigned thread);

/// One matrix of ldmatrix: 8 x 8 elements of 16 bits (m8n8), 8 x 16 or 16 x 16
/// of 8 bits (m8n16, m16n16). The last comes transposed only.
const Fragment &fragmentOfM8N8(bool transposed);
const Fragment &fragmentOfM8N16();
const Fragment &fragmentOfM16N16();

} // namespace mlir::rotq::emulator

#endif // ROTQ_LIB_EMULATOR_FRAGMENTS_H
