//===- PathCodebook.h - Codes that follow each other ------------*- C++ -*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_CODEC_PATHCODEBOOK_H
#define ROTQ_CODEC_PATHCODEBOOK_H

#include "rotq/Codec/Format.h"

#include <mutex>

namespace rotq {

/// Trellis-coded quantization (Marcellin and Fischer, 1990) on a bit-shift
/// trellis. A code is a state of 16 bits, and stands for one weight or for two;
/// the next state drops the lowest bits, `rate` of them a weight, and takes as
/// many new ones on top. Every 256 weights, and what is left of a row, are a
/// circle: the first state follows the last. What points states have is up to
/// the codebook.
class PathCodebook : public Codebook {
public:
  static constexpr unsigned kStateBits = 16;
  /// Weights of a circle.
  static constexpr int64_t kCircle = 256;

  ~PathCodebook() override;
  unsigned bits() const override { return kStateBits; }
  int64_t dim() const override { return codeDim; }
  int64_t group() const override { return kCircle; }
  /// Of every circle the path of least squared error through a seam that the
  /// weights around it chose. `x` starts with a circle and has whole runs of 32
  /// weights. Ties do not go to any particular code.
  void assign(std::span<const float> x, float step, float offset,
              std::span<uint32_t> codes) const override;
  Spread spread() const override;
  bool comparesSmallSteps() const override { return false; }

  /// Bits of a weight.
  unsigned rate() const { return weightBits; }

protected:
  /// `rate` is 1 to 8 for a `dim` of 1, 1 to 4 for 2.
  PathCodebook(unsigned rate, int64_t dim);

private:
  struct Tables;
  const Tables &tables() const;

  unsigned weightBits;
  int64_t codeDim;
  /// Only encoders need them.
  mutable std::once_flag once;
  mutable std::unique_ptr<const Tables> made;
};

} // namespace rotq

#endif // ROTQ_CODEC_PATHCODEBOOK_H
