//===- GlobalBuffer.h - Global memory of one launch
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_EMULATOR_GLOBALBUFFER_H
#define ROTQ_LIB_EMULATOR_GLOBALBUFFER_H

#include "RaceHistory.h"
#include "Stream.h"

#include <mutex>

namespace mlir::rotq::emulator {

/// A buffer that a launch was lent.
class GlobalBuffer {
public:
  enum class Contents { ReadOnly, Initialized, Undefined };

  GlobalBuffer(std::span<std::byte> bytes, std::string name, Contents contents,
               const Predecessors &predecessors);

  std::byte *data() const { return footprint->bytes.data(); }
  size_t size() const { return footprint->bytes.size(); }
  const std::string &name() const { return footprint->name; }

  /// What an access at `offset` gets wrong; several threads may ask.
  Complaint check(const Access &access, int64_t offset, const Actor &actor);

  /// An atomic write at `offset` shows what the writer knows.
  void publish(size_t offset, const SharedKnowledge &knowledge);
  /// What an atomic read at `offset` shows.
  SharedKnowledge observe(size_t offset);

  /// What launches that overlap with this one have to know.
  std::shared_ptr<const Footprint> getFootprint() const { return footprint; }

private:
  /// A part of the memory, with a lock of its own.
  struct Shard {
    std::mutex mutex;
    bool isStarted = false;
    RaceHistory history;
    std::unordered_map<size_t, SharedKnowledge> published;
  };

  Complaint checkRaces(const Access &access, size_t at, const Actor &actor);

  Contents contents;
  std::shared_ptr<Footprint> footprint;
  std::vector<Overlap> beforeWait, afterWait;
  ByteSet invariant;         ///< what was read as invariant
  std::vector<Shard> shards; ///< none where nothing can be written
};

} // namespace mlir::rotq::emulator

#endif // ROTQ_LIB_EMULATOR_GLOBALBUFFER_H
