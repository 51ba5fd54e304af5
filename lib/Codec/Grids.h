//===- Grids.h - The tables of grids ----------------------------*- C++ -*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_CODEC_GRIDS_H
#define ROTQ_LIB_CODEC_GRIDS_H

#include <cstdint>
#include <span>

namespace rotq {

/// Magnitudes for pairs of weights, for codes of 7 to 12 bits, two of which are
/// signs.
std::span<const int8_t> qamPoints(unsigned bits);

/// Magnitudes for four weights, for an index of 9 bits.
std::span<const int8_t> rq3vPoints();

} // namespace rotq

#endif // ROTQ_LIB_CODEC_GRIDS_H
