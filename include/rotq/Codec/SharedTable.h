//===- SharedTable.h - A table that lanes gather from -----------*- C++ -*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_CODEC_SHAREDTABLE_H
#define ROTQ_CODEC_SHAREDTABLE_H

#include <cstdint>
#include <span>
#include <vector>

namespace rotq {

/// How a table of words lies in the shared memory of a multiprocessor, whose 32
/// banks of 4 bytes serve a lane each at a time. Lanes that gather at random
/// meet in banks, and wait for each other. So every word is there `copies`
/// times, one behind the other, and lane l reads copy l mod copies: with 32 of
/// them a lane has a bank of its own. Where that makes room for more copies,
/// entries of 16 bits lie two in a word: entry i in the low half of word i, and
/// entry n / 2 + i of n in its high half.
class SharedTable {
public:
  explicit SharedTable(std::span<const uint32_t> entries);

  /// Without copies.
  std::span<const uint32_t> words() const { return packed; }
  bool hasHalves() const { return halves; }
  /// A power of two up to 32.
  int64_t copies() const { return numCopies; }
  int64_t bytes() const { return 4 * int64_t(packed.size()) * numCopies; }
  /// How often the banks take turns until 32 lanes have an entry each, on
  /// average.
  double wavefronts() const;

private:
  std::vector<uint32_t> packed;
  bool halves = false;
  int64_t numCopies;
};

} // namespace rotq

#endif // ROTQ_CODEC_SHAREDTABLE_H
