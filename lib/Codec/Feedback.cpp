//===- Feedback.cpp - Errors that later columns make good -----------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Feedback.h"
#include "Kernels.h"
#include "Message.h"

#include <limits>

using namespace rotq;

Feedback::Feedback(std::span<const float> factor, const Format &format,
                   int64_t k)
    : factor(factor), length(size_t(paddedLength(k))),
      groupSize(format.codebook->group()) {}

Status Feedback::check(std::span<const float> factor, int64_t k) {
  size_t length = size_t(paddedLength(k));
  if (factor.size() / length != length || factor.size() % length)
    return failure(message("expected feedback of {} x {} numbers but got {}",
                           length, length, factor.size()));
  float most = std::numeric_limits<float>::max();
  for (size_t i = 0; i < length; ++i)
    if (!kernels::active().allWithin(factor.data() + i * length + i + 1,
                                     int64_t(length - i - 1), most))
      return failure(message("feedback is not finite in row {}", i));
  return {};
}

void Feedback::within(std::span<float> row, size_t first, size_t last,
                      size_t end) const {
  for (size_t i = first; i < last; ++i)
    kernels::active().feed(&row[i], 1, from(i, i + 1), int64_t(length),
                           row.data() + i + 1, int64_t(end - i - 1));
}

void Feedback::beyond(std::span<float *const> rows, size_t first,
                      size_t last) const {
  // Of the factor what all rows read stays in a cache.
  constexpr size_t kTile = 64;
  for (size_t j = last; j < length; j += kTile)
    for (float *row : rows)
      kernels::active().feed(row + first, int64_t(last - first), from(first, j),
                             int64_t(length), row + j,
                             int64_t(std::min(kTile, length - j)));
}
