//===- SharedMemory.h - Shared memory of a block
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_EMULATOR_SHAREDMEMORY_H
#define ROTQ_LIB_EMULATOR_SHAREDMEMORY_H

#include "RaceHistory.h"

namespace mlir::rotq::emulator {

/// Shared memory of the block that runs.
class SharedMemory {
public:
  /// Starts another block.
  void start(size_t size);

  std::byte *data() { return bytes.data(); }
  size_t size() const { return bytes.size(); }

  /// What an access at `offset` gets wrong.
  Complaint check(const Access &access, int64_t offset, const Actor &actor);

  /// All threads of the block have met at a barrier.
  void forgetAccesses() { history.forget(); }

  /// Marks bytes that an asynchronous copy will write, or has written.
  void setInFlight(int64_t offset, uint64_t size, bool isInFlight);

  /// An atomic write at `offset` shows what the writer knows.
  void publish(size_t offset, const SharedKnowledge &knowledge);
  /// What an atomic read at `offset` shows.
  SharedKnowledge observe(size_t offset) const;

private:
  std::vector<std::byte> bytes;
  std::vector<uint8_t> initialized, inFlight;
  RaceHistory history;
  std::unordered_map<size_t, SharedKnowledge> published;
};

} // namespace mlir::rotq::emulator

#endif // ROTQ_LIB_EMULATOR_SHAREDMEMORY_H
