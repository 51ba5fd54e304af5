//===- ByteSet.h - A set of bytes of memory
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_EMULATOR_BYTESET_H
#define ROTQ_LIB_EMULATOR_BYTESET_H

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace mlir::rotq::emulator {

/// A set of bytes of a piece of memory, to which several threads may add.
class ByteSet {
public:
  explicit ByteSet(size_t size) : words((size + 63) / 64) {}

  void insert(size_t at, size_t size) {
    visit(at, size, [&](std::atomic<uint64_t> &word, uint64_t mask) {
      // Most are there already.
      if ((word & mask) != mask)
        word |= mask;
      return true;
    });
  }
  bool containsAll(size_t at, size_t size) const {
    return visit(at, size, [](const auto &word, uint64_t mask) {
      return (word & mask) == mask;
    });
  }
  bool containsAny(size_t at, size_t size) const {
    return !visit(at, size, [](const auto &word, uint64_t mask) {
      return (word & mask) == 0;
    });
  }

private:
  /// Calls `visitor` with words and masks until it returns false.
  template <typename Visitor>
  bool visit(size_t at, size_t size, Visitor visitor) const {
    for (size_t end = at + size; at < end;) {
      size_t count = std::min(end - at, 64 - at % 64);
      uint64_t mask = ~uint64_t(0) >> (64 - count) << at % 64;
      if (!visitor(words[at / 64], mask))
        return false;
      at += count;
    }
    return true;
  }

  mutable std::vector<std::atomic<uint64_t>> words;
};

} // namespace mlir::rotq::emulator

#endif // ROTQ_LIB_EMULATOR_BYTESET_H
