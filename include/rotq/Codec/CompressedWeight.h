//===- CompressedWeight.h - What archives hold of a weight ------*- C++ -*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Archives hold the blob of a weight as it is, unless the coding of its format
// is compressed (Coding::isCompressed).
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_CODEC_COMPRESSEDWEIGHT_H
#define ROTQ_CODEC_COMPRESSEDWEIGHT_H

#include "rotq/Codec/Format.h"

namespace rotq {

/// The bytes that an archive holds of an N x K weight. `threads` as in
/// EncodeOptions; the bytes do not depend on it. Errors: as `decode`'s, and
/// codes that the format's encoder does not write.
Expected<std::vector<std::byte>> compress(const Format &format,
                                          std::span<const std::byte> blob,
                                          int64_t n, int64_t k,
                                          unsigned threads = 0);

/// No more bytes than these come from `compress`. Error: as checkShape's.
Expected<int64_t> maxCompressedBytes(const Format &format, int64_t n,
                                     int64_t k);

/// The blob of what an archive holds. Error: damage, as far as the coding can
/// tell; the blob has no particular bytes then.
Status decompress(const Format &format, std::span<const std::byte> compressed,
                  int64_t n, int64_t k, std::span<std::byte> blob,
                  unsigned threads = 0);

} // namespace rotq

#endif // ROTQ_CODEC_COMPRESSEDWEIGHT_H
