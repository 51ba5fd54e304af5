//===- TargetTestUtils.h - Shapes and chips for tests
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_UNITTESTS_TARGET_TARGETTESTUTILS_H
#define ROTQ_UNITTESTS_TARGET_TARGETTESTUTILS_H

#include "rotq/Target/KernelTable.h"

namespace mlir::rotq {

/// A weight of 3 bits, one scale a tile.
inline MatmulShape shapeOf(int64_t n, int64_t k) {
  MatmulShape shape;
  shape.n = n;
  shape.k = k;
  shape.slots = 3;
  shape.group = 256;
  return shape;
}

/// Two of them for one epilogue.
inline MatmulShape pairOf(int64_t n, int64_t k) {
  MatmulShape shape = shapeOf(2 * n, k);
  shape.members = shape.sums = 2;
  return shape;
}

inline const Chip &testChip() { return KernelTable::get("sm_90a").chip; }

inline KernelConfig config(StringRef text) {
  return *KernelConfig::parse(text);
}

} // namespace mlir::rotq

#endif // ROTQ_UNITTESTS_TARGET_TARGETTESTUTILS_H
