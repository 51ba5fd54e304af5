//===- CompressedWeight.cpp - What archives hold of a weight --------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Codec/CompressedWeight.h"
#include "Message.h"
#include "rotq/Codec/RiceStream.h"

#include <algorithm>

using namespace rotq;

static Status checkBlob(const WeightLayout &layout,
                        std::span<const std::byte> blob) {
  if (blob.size() != size_t(layout.totalBytes))
    return failure(message("expected a blob of {} bytes but got {}",
                           layout.totalBytes, blob.size()));
  return {};
}

Expected<std::vector<std::byte>> rotq::compress(const Format &format,
                                                std::span<const std::byte> blob,
                                                int64_t n, int64_t k,
                                                unsigned threads) {
  if (Status status = checkShape(format, n, k); !status)
    return failure(status.error());
  WeightLayout layout(format, n, k);
  if (Status status = checkBlob(layout, blob); !status)
    return failure(status.error());
  if (format.coding->isCompressed())
    return encodeRice(layout, blob, threads);
  return std::vector(blob.begin(), blob.end());
}

Expected<int64_t> rotq::maxCompressedBytes(const Format &format, int64_t n,
                                           int64_t k) {
  if (Status status = checkShape(format, n, k); !status)
    return failure(status.error());
  WeightLayout layout(format, n, k);
  return format.coding->isCompressed() ? RiceLayout(layout).maxBytes
                                       : layout.totalBytes;
}

Status rotq::decompress(const Format &format,
                        std::span<const std::byte> compressed, int64_t n,
                        int64_t k, std::span<std::byte> blob,
                        unsigned threads) {
  if (Status status = checkShape(format, n, k); !status)
    return status;
  WeightLayout layout(format, n, k);
  if (Status status = checkBlob(layout, blob); !status)
    return status;
  if (format.coding->isCompressed())
    return decodeRice(layout, compressed, blob, threads);
  if (compressed.size() != blob.size())
    return failure(message("expected {} bytes but got {}", blob.size(),
                           compressed.size()));
  std::ranges::copy(compressed, blob.begin());
  return {};
}
