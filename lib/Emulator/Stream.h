//===- Stream.h - Launches that overlap
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_EMULATOR_STREAM_H
#define ROTQ_LIB_EMULATOR_STREAM_H

#include "ByteSet.h"
#include "Memory.h"

#include "llvm/ADT/ArrayRef.h"

#include <memory>
#include <span>

namespace mlir::rotq::emulator {

/// What a launch did to a buffer.
struct Footprint {
  Footprint(std::span<std::byte> bytes, std::string name)
      : bytes(bytes), name(std::move(name)), read(bytes.size()),
        written(bytes.size()) {}

  std::span<std::byte> bytes;
  std::string name;
  ByteSet read, written;
};

struct LaunchRecord;
using LaunchRecords = std::vector<std::shared_ptr<const LaunchRecord>>;

/// What a launch leaves to those after it.
struct LaunchRecord {
  std::string kernel;
  std::vector<std::shared_ptr<const Footprint>> footprints;
  /// Its dependents start before it has ended.
  bool triggers = false;
  /// Launches before it that may still run when its dependents start, and when
  /// it has ended.
  LaunchRecords unfinishedAtTrigger, unfinishedAtEnd;
};

/// The launches that may still run while a thread of a new one does, before it
/// waits for the launch before and after that.
struct Predecessors {
  LaunchRecords beforeWait, afterWait;

  Predecessors() = default;
  /// Those of a launch that depends on `last`.
  explicit Predecessors(const std::shared_ptr<const LaunchRecord> &last);
};

/// Memory that a launch shares with one that may still run.
struct Overlap {
  std::shared_ptr<const LaunchRecord> launch;
  std::shared_ptr<const Footprint> footprint;
  int64_t shift;  ///< from offsets in a buffer to those in the other launch's
  bool hasWaited; ///< the thread, but not the launch in between

  Complaint check(const Access &access, size_t offset) const;
};

std::vector<Overlap> findOverlaps(const LaunchRecords &launches,
                                  std::span<std::byte> bytes, bool hasWaited);

} // namespace mlir::rotq::emulator

#endif // ROTQ_LIB_EMULATOR_STREAM_H
