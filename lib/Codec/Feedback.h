//===- Feedback.h - Errors that later columns make good ---------*- C++ -*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A row is encoded in groups of columns, from the first to the last, and the
// error of a group is taken off the columns behind it so that what is left errs
// least, for inputs of covariance H (GPTQ, Frantar et al., arXiv 2210.17323).
// With the inverse of H as V^T D V, V unit upper triangular, column i tells j
// behind it
//
//   x_j = x_j - e_i V_ij
//
// where e_i is its error. Within a group columns hear of each other's errors
// when all of them are encoded, in the same way: that makes of V the block
// factor, of blocks on the diagonal as large as groups (QuIP#, Tseng et al.,
// arXiv 2402.04396).
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_CODEC_FEEDBACK_H
#define ROTQ_LIB_CODEC_FEEDBACK_H

#include "rotq/Codec/Format.h"

namespace rotq {

/// The feedback of a weight. Sums run in the order of the columns that feed.
class Feedback {
public:
  /// Rows that go in step.
  static constexpr int64_t kRows = 32;

  /// `factor` is V, padded columns of `k` weights squared, of which what is
  /// above the diagonal is read.
  Feedback(std::span<const float> factor, const Format &format, int64_t k);
  /// Whether the constructor takes that.
  static Status check(std::span<const float> factor, int64_t k);

  /// Columns that are encoded together: those of a code, or of a circle.
  int64_t group() const { return groupSize; }
  /// Columns after which those behind them hear of all their errors at once.
  int64_t columns() const { return roundUp(256, groupSize); }

  /// Tells columns up to `end` of a row of the errors in `first` to `last`.
  void within(std::span<float> row, size_t first, size_t last,
              size_t end) const;
  /// Tells all columns from `last` on of `rows`, which have been told of each
  /// other's errors up to there.
  void beyond(std::span<float *const> rows, size_t first, size_t last) const;

private:
  const float *from(size_t i, size_t j) const {
    return factor.data() + i * length + j;
  }

  std::span<const float> factor;
  size_t length;
  int64_t groupSize;
};

} // namespace rotq

#endif // ROTQ_LIB_CODEC_FEEDBACK_H
