//===- Blocking.cpp - How a row of weights is cut -------------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Codec/Blocking.h"

#include <algorithm>
#include <bit>
#include <cassert>

using namespace rotq;

Blocking::Blocking(int64_t k, int64_t block)
    : padded(paddedLength(k)),
      blockLength(block == kWholeRow ? padded : block) {
  assert(k > 0 && "expected a row of at least one weight");
  assert(block >= kRowGranule && std::has_single_bit(uint64_t(block)) &&
         "expected a block that is a power of two of at least 32");
  int64_t offset = fullBlocks() * blockLength;
  for (int64_t length = blockLength / 2; length >= kRowGranule; length /= 2) {
    if (padded - offset < length)
      continue;
    tailSegments.push_back({offset, length});
    offset += length;
  }
  assert(offset == padded && "expected the segments to cover the row");
}

Segment Blocking::segment(int64_t index) const {
  assert(index >= 0 && index < size() && "segment out of range");
  int64_t full = fullBlocks();
  if (index < full)
    return {index * blockLength, blockLength};
  return tailSegments[size_t(index - full)];
}

int64_t Blocking::indexOf(int64_t k) const {
  assert(k >= 0 && k < roundUp(padded, kPitchGranule) &&
         "position out of range");
  int64_t full = fullBlocks();
  if (k < full * blockLength)
    return k / blockLength;
  // The tail is at most seven segments long.
  for (size_t i = 0; i < tailSegments.size(); ++i)
    if (k < tailSegments[i].offset + tailSegments[i].length)
      return full + int64_t(i);
  return size() - 1;
}
