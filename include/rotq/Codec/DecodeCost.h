//===- DecodeCost.h - What decoding takes -----------------------*- C++ -*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_CODEC_DECODECOST_H
#define ROTQ_CODEC_DECODECOST_H

#include "rotq/Codec/Format.h"

namespace rotq {

/// What unpacking and decoding of 32 weights takes, word by word, as their
/// descriptions have it.
struct DecodeCost {
  int64_t operations = 0; ///< arithmetic; shuffles and constants are free
  /// How often banks of memory take turns to hand out the words that 32 lanes
  /// gather from tables (SharedTable).
  double wavefronts = 0;

  static DecodeCost of(const Codebook &codebook, const Coding &coding);
};

} // namespace rotq

#endif // ROTQ_CODEC_DECODECOST_H
