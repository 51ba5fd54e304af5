//===- RiceStreamFuzzer.cpp - Hostile blobs of Rice codes -----------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A libFuzzer target, with checksums that are always 0. The shape is what the
// header says, brought within bounds; what decodes must be points.
//
//===----------------------------------------------------------------------===//

#include "rotq/Codec/RiceStream.h"

#include <cstdlib>
#include <cstring>

using namespace rotq;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  uint32_t shape[2] = {1, 8};
  if (size >= 12)
    std::memcpy(shape, data + 4, 8);
  int64_t n = 1 + (shape[0] - 1) % 4, k = 8 + (shape[1] - 8) % 2048 / 8 * 8;
  std::vector<int8_t> points(size_t(n * k));
  float step = 0;
  std::span<const std::byte> blob(reinterpret_cast<const std::byte *>(data),
                                  size);
  if (!decodeRice(blob, n, k, points, step, /*threads=*/1))
    return 0;
  std::vector<uint8_t> symbols(8);
  for (size_t i = 0; i < points.size(); i += 8) {
    int8_t back[8];
    std::span<const int8_t, 8> point(points.data() + i, 8);
    stripE8(point, std::span(symbols).first<8>());
    if (!unstripE8(std::span<const uint8_t, 8>(symbols.data(), 8), back) ||
        std::memcmp(back, points.data() + i, 8) != 0)
      std::abort();
  }
  return 0;
}
