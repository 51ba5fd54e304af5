//===- Stream.cpp - Launches that overlap
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Stream.h"

using namespace mlir::rotq::emulator;

Predecessors::Predecessors(const std::shared_ptr<const LaunchRecord> &last) {
  if (!last)
    return;
  beforeWait = last->unfinishedAtTrigger;
  if (last->triggers)
    beforeWait.push_back(last);
  afterWait = last->unfinishedAtEnd;
}

Complaint Overlap::check(const Access &access, size_t offset) const {
  int64_t start = std::max<int64_t>(int64_t(offset) + shift, 0);
  int64_t end = std::min<int64_t>(int64_t(offset + access.size) + shift,
                                  int64_t(footprint->bytes.size()));
  if (start >= end)
    return std::nullopt;
  auto at = size_t(start), size = size_t(end - start);
  bool isWritten = footprint->written.containsAny(at, size);
  if (!isWritten && !(access.isWrite && footprint->read.containsAny(at, size)))
    return std::nullopt;
  return ", which kernel '" + launch->kernel + "' may still " +
         (isWritten ? "write" : "read") +
         (hasWaited ? ": the launch in between does not wait for it"
                    : ": griddepcontrol.wait has to come first");
}

std::vector<Overlap>
mlir::rotq::emulator::findOverlaps(const LaunchRecords &launches,
                                   std::span<std::byte> bytes, bool hasWaited) {
  std::vector<Overlap> overlaps;
  for (const auto &launch : launches)
    for (const auto &footprint : launch->footprints) {
      std::span<std::byte> other = footprint->bytes;
      if (bytes.data() < other.data() + other.size() &&
          other.data() < bytes.data() + bytes.size())
        overlaps.push_back(
            {launch, footprint, bytes.data() - other.data(), hasWaited});
    }
  return overlaps;
}
