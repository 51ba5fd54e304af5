//===- Frames.h - The vectors of frames -------------------------*- C++ -*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_CODEC_FRAMES_H
#define ROTQ_LIB_CODEC_FRAMES_H

#include <cstdint>
#include <span>

namespace rotq {

/// As many vectors of 8 dimensions as codes have bits, and the deviation of the
/// weights that they lose least of, in 1/16.
struct Frame {
  std::span<const int8_t> vectors;
  unsigned deviation;
};

/// For codes of 12, 16, 18, 20 or 24 bits.
Frame frameOf(unsigned bits);

} // namespace rotq

#endif // ROTQ_LIB_CODEC_FRAMES_H
