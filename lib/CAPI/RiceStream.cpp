//===- RiceStream.cpp - C functions of lattice points as an entropy code --===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq-c/RiceStream.h"
#include "Buffer.h"
#include "LastError.h"
#include "rotq/Codec/RiceStream.h"

#include <algorithm>

using namespace rotq;

int rotqRiceStep(float bits, float *step) {
  return guarded([&] {
    if (!(bits >= 2 && bits <= 5))
      return reportError("expected 2 to 5 bits but got " +
                         std::to_string(bits));
    if (!step)
      return reportError("expected a place for the step but got null");
    *step = riceStep(bits);
    return 0;
  });
}

int rotqRiceEncode(const float *weights, int64_t numWeights, int64_t n,
                   int64_t k, float step, void *blob, int64_t capacity,
                   int64_t *size, uint32_t threads) {
  return guarded([&] {
    auto in = buffer(weights, numWeights, "weights");
    if (!in)
      return reportError(in.error());
    auto out = buffer(static_cast<std::byte *>(blob), capacity, "blob");
    if (!out)
      return reportError(out.error());
    if (!size)
      return reportError("expected a place for the size but got null");
    auto encoded = encodeRice(*in, n, k, step, /*rate=*/nullptr, threads);
    if (!encoded)
      return reportError(encoded.error());
    *size = int64_t(encoded->size());
    if (capacity >= *size)
      std::ranges::copy(*encoded, out->begin());
    return 0;
  });
}

int rotqRiceDecode(const void *blob, int64_t blobBytes, int64_t n, int64_t k,
                   int8_t *points, int64_t numPoints, float *step,
                   uint32_t threads) {
  return guarded([&] {
    auto in = buffer(static_cast<const std::byte *>(blob), blobBytes, "blob");
    if (!in)
      return reportError(in.error());
    auto out = buffer(points, numPoints, "points");
    if (!out)
      return reportError(out.error());
    if (!step)
      return reportError("expected a place for the step but got null");
    Status status = decodeRice(*in, n, k, *out, *step, threads);
    return status ? 0 : reportError(status.error());
  });
}
