//===- SharedMemory.cpp - Shared memory of a block
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SharedMemory.h"

#include <algorithm>

using namespace mlir::rotq::emulator;

void SharedMemory::start(size_t size) {
  bytes.resize(size);
  initialized.assign(size, 0);
  inFlight.assign(size, 0);
  history.start(size);
  published.clear();
}

Complaint SharedMemory::check(const Access &access, int64_t offset,
                              const Actor &actor) {
  auto where = [&](int64_t at) {
    return access.describe() + " at offset " + std::to_string(at) +
           " of shared memory";
  };
  if (isOutside(offset, access.size, bytes.size()))
    return where(offset) + " of " + std::to_string(bytes.size()) + " bytes";
  for (size_t at = size_t(offset), end = at + access.size; at < end; ++at) {
    if (inFlight[at])
      return where(int64_t(at)) +
             ", which an asynchronous copy has not been waited for";
    if (access.isRead() && !initialized[at])
      return where(int64_t(at)) + ", which was never written";
    if (Complaint complaint = history.add(access, at, 1, actor))
      return where(int64_t(at)) + *complaint;
    if (access.isWrite)
      initialized[at] = 1;
  }
  return std::nullopt;
}

void SharedMemory::setInFlight(int64_t offset, uint64_t size, bool isInFlight) {
  if (!isOutside(offset, size, bytes.size()))
    std::fill_n(inFlight.begin() + offset, size, uint8_t(isInFlight));
}

void SharedMemory::publish(size_t offset, const SharedKnowledge &knowledge) {
  SharedKnowledge &known = published[offset];
  known = merge(known, knowledge);
}

SharedKnowledge SharedMemory::observe(size_t offset) const {
  auto it = published.find(offset);
  return it == published.end() ? nullptr : it->second;
}
