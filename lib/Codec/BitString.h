//===- BitString.h - Codes one behind the other, as bytes -------*- C++ -*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_CODEC_BITSTRING_H
#define ROTQ_LIB_CODEC_BITSTRING_H

#include <cstddef>
#include <cstdint>
#include <span>

namespace rotq {

/// Fills bytes with codes, from the lowest bit of the first byte on.
class BitString {
public:
  explicit BitString(std::span<std::byte> bytes) : bytes(bytes) {}

  /// `code` < 2^width, `width` at most 32.
  void append(uint32_t code, unsigned width) {
    pending |= uint64_t(code) << count;
    for (count += width; count >= 8; count -= 8, pending >>= 8)
      bytes[at++] = std::byte(pending & 255);
  }

  /// Whether all bytes are full and nothing is left over.
  bool isComplete() const { return count == 0 && at == bytes.size(); }

private:
  std::span<std::byte> bytes;
  uint64_t pending = 0; ///< the bits that do not fill a byte yet
  unsigned count = 0;
  size_t at = 0;
};

} // namespace rotq

#endif // ROTQ_LIB_CODEC_BITSTRING_H
