//===- Parallel.h - Striping rows over threads ------------------*- C++ -*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_CODEC_PARALLEL_H
#define ROTQ_LIB_CODEC_PARALLEL_H

#include <cstdint>
#include <functional>

namespace rotq {

/// Calls `body(begin, end)` on disjoint ranges that cover [0, n), from up to
/// `threads` threads (0: one for every core). Ranges start in rising order and
/// hold about `grain` rows. Once a body returns false no further range starts.
void parallelRows(int64_t n, int64_t grain, unsigned threads,
                  const std::function<bool(int64_t begin, int64_t end)> &body);

/// Rows of `k` weights that are worth a range of their own, which some
/// `weights` are.
inline int64_t rowGrain(int64_t k, int64_t weights = 65536) {
  return weights / k + 1;
}

} // namespace rotq

#endif // ROTQ_LIB_CODEC_PARALLEL_H
