//===- E4M3.h - Floats of 8 bits --------------------------------*- C++ -*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Four bits of exponent (bias 7), three of fraction, no infinity: E4M3FN of
// APFloat, e4m3 of PTX.
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_CODEC_E4M3_H
#define ROTQ_CODEC_E4M3_H

#include <cstdint>

namespace rotq {

/// The largest number.
inline constexpr float kLargestE4M3 = 448;

/// All numbers are whole multiples of the smallest one, 1 / kE4M3Parts.
inline constexpr float kE4M3Parts = 512;

/// Rounds to nearest even; what is beyond the largest number becomes it.
uint8_t toE4M3(float value);
float fromE4M3(uint8_t bits);

} // namespace rotq

#endif // ROTQ_CODEC_E4M3_H
