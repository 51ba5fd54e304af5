//===- RiceStreamFuzzer.cpp - Hostile weights in Rice codes ---------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A libFuzzer target, with checksums that are always 0. The shape is what the
// header says, brought within bounds. What decodes is encoded again: codes with
// another k than the best are accepted, but points are those of the lattice.
//
//===----------------------------------------------------------------------===//

#include "rotq/Codec/RiceCoding.h"
#include "rotq/Codec/RiceStream.h"

#include <cstdlib>
#include <cstring>

using namespace rotq;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  uint32_t shape[2] = {1, 8};
  if (size >= 12)
    std::memcpy(shape, data + 4, 8);
  Format format;
  format.scale.group = kWholeRow;
  format.coding = std::make_shared<RiceCoding>();
  WeightLayout layout(format, 1 + (shape[0] - 1) % 4,
                      1 + (shape[1] - 1) % 2048);
  std::vector<std::byte> blob(size_t(layout.totalBytes));
  std::span<const std::byte> codes(reinterpret_cast<const std::byte *>(data),
                                   size);
  if (!decodeRice(layout, codes, blob, /*threads=*/1))
    return 0;
  auto again = encodeRice(layout, blob, /*threads=*/1);
  std::vector<std::byte> back(blob.size());
  if (!again || !decodeRice(layout, *again, back, /*threads=*/1) ||
      back != blob)
    std::abort();
  return 0;
}
