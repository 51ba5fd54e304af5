//===- Rotation.cpp - Rotations of a row ----------------------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"
#include "rotq/Codec/Format.h"

#include <cmath>

using namespace rotq;

void HadamardRotation::forward(std::span<float> row) const {
  if (row.empty())
    return;
  const kernels::Table &kernel = kernels::active();
  Blocking blocking(int64_t(row.size()), blockLength);
  for (int64_t i = 0, e = blocking.size(); i < e; ++i) {
    Segment segment = blocking.segment(i);
    // Both the root and the quotient round correctly in f64, so that the
    // factor is n^-1/2 rounded to f32 everywhere.
    float factor = float(1.0 / std::sqrt(double(segment.length)));
    kernel.hadamard(row.data() + segment.offset, segment.length, factor);
  }
}
