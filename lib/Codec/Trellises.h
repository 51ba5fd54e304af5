//===- Trellises.h - The pairs of trellises ---------------------*- C++ -*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_CODEC_TRELLISES_H
#define ROTQ_LIB_CODEC_TRELLISES_H

#include <cstdint>
#include <span>

namespace rotq {

/// The 512 pairs of weights of a trellis of 2 or 3 bits a weight, whose
/// deviation is 37.
std::span<const int8_t> pairsOf(unsigned rate);

} // namespace rotq

#endif // ROTQ_LIB_CODEC_TRELLISES_H
