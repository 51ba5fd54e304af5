//===- WindowCoding.cpp - Codes that overlap ------------------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Codec/WindowCoding.h"
#include "BitString.h"
#include "Message.h"
#include "rotq/Codec/PathCodebook.h"

#include <cassert>

using namespace rotq;

Status WindowCoding::check(unsigned rate, int64_t dim) {
  if (dim != 1 && dim != 2)
    return failure(
        message("expected windows for 1 or 2 weights but got {}", dim));
  if (rate < 1 || rate > 8 / dim)
    return failure(message("expected windows of 1 to {} bits a weight but got "
                           "{}",
                           8 / dim, rate));
  return {};
}

WindowCoding::WindowCoding(unsigned rate, int64_t dim)
    : weightBits(rate), codeDim(dim), bytes(unsigned(kRowGranule) * rate / 8) {
  assert(check(rate, dim) && "expected windows that fit");
}

Status WindowCoding::accept(const Codebook &codebook) const {
  auto *trellis = dynamic_cast<const PathCodebook *>(&codebook);
  if (!trellis)
    return failure(
        message("expected a trellis codebook for a window coding but got {}",
                codebook.kind()));
  if (trellis->rate() != rate())
    return failure(message("expected a window coding of {} bits a weight, as "
                           "the trellis has, but got {}",
                           trellis->rate(), rate()));
  return {};
}

void WindowCoding::pack(std::span<const uint32_t> codes,
                        std::span<const std::span<std::byte>> planes) const {
  assert(planes[0].size() * 8 == codes.size() * step() &&
         "expected the bytes of the codes");
  BitString plane(planes[0]);
  for (uint32_t code : codes)
    plane.append(code >> (kWidth - step()), step());
  assert(plane.isComplete() && "expected whole runs");
}

Expr WindowCoding::unpack(ExprBuilder &builder, std::span<const Expr> planes,
                          int64_t n) const {
  // Of the run before, the last word is enough.
  int64_t runs = n / kRowGranule, words = weightBits;
  int64_t codes = n / codeDim, codesOfRun = kRowGranule / codeDim;
  std::vector<int64_t> indices;
  for (int64_t run = 0; run < runs; ++run) {
    indices.push_back(run);
    for (int64_t i = 0; i < words; ++i)
      indices.push_back(runs + run * words + i);
  }
  Expr strings = builder.shuffle(planes[1], planes[0], indices);
  // Of code `i`, in `strings`.
  auto offsetOf = [&](int64_t i) {
    int64_t run = i / codesOfRun, inRun = i % codesOfRun;
    return uint32_t(32 * (run * (words + 1) + 1) + (inRun + 1) * step() -
                    kWidth);
  };
  std::vector<uint32_t> offsets;
  // Where another code begins as one ends, 32 bits are both.
  int64_t apart = kWidth % step() == 0 ? kWidth / step() : 0;
  if (!apart) {
    for (int64_t i = 0; i < codes; ++i)
      offsets.push_back(offsetOf(i));
    return builder.bitField(strings, offsets, kWidth);
  }
  std::vector<int64_t> order;
  for (int64_t i = 0; i < codes; ++i) {
    bool isSecond = i / apart % 2 != 0;
    if (!isSecond)
      offsets.push_back(offsetOf(i));
    int64_t pair = i / (2 * apart) * apart + i % apart;
    order.push_back(isSecond ? codes / 2 + pair : pair);
  }
  Expr pairs = builder.bitField(strings, offsets, 2 * kWidth);
  std::vector<uint32_t> amounts(offsets.size(), kWidth);
  return builder.shuffle(builder.bitAnd(pairs, (1u << kWidth) - 1),
                         builder.shiftRight(pairs, amounts), order);
}
