//===- RaceHistory.h - The last accesses to memory
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_EMULATOR_RACEHISTORY_H
#define ROTQ_LIB_EMULATOR_RACEHISTORY_H

#include "Memory.h"

#include "llvm/ADT/SmallVector.h"

#include <unordered_map>

namespace mlir::rotq::emulator {

/// The last accesses to every byte of a piece of memory. Two accesses of
/// different threads, one of them a plain write, or one a write and not both
/// atomic, race unless one is known to come before the other.
class RaceHistory {
public:
  /// Forgets everything.
  void start(size_t size);
  /// Forgets what all threads know to have happened.
  void forget();

  /// Adds an access of `actor` to the bytes from `at` on; what it races with.
  Complaint add(const Access &access, size_t at, size_t size,
                const Actor &actor);

private:
  struct Event {
    Stamp stamp;
    uint32_t site = 0;
    bool isAtomic = false;
  };
  struct Cell {
    uint32_t generation = 0; ///< an older one is empty
    bool hasMoreReaders = false;
    Event write, read; ///< the last ones
  };

  Complaint addToByte(const Access &access, size_t at, const Actor &actor);
  void addRead(Cell &cell, size_t at, const Event &event, const Actor &actor);

  std::vector<Cell> cells;
  /// Reads that neither the last one nor a write is known to come after.
  std::unordered_map<size_t, std::vector<Event>> moreReaders;
  uint32_t generation = 0;
};

} // namespace mlir::rotq::emulator

#endif // ROTQ_LIB_EMULATOR_RACEHISTORY_H
