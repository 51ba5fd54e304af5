//===- LocalMemory.cpp - Local memory of a thread
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LocalMemory.h"

#include <algorithm>

using namespace mlir::rotq::emulator;

uint64_t LocalMemory::allocate(uint64_t size, uint64_t alignment) {
  // A gap of 64 bytes, so that a small overrun meets nothing.
  int64_t start = 0;
  if (!allocations.empty())
    start = allocations.back().offset + int64_t(allocations.back().size) + 64;
  auto mask = int64_t(std::max<uint64_t>(alignment, 16)) - 1;
  start = (start + mask) & ~mask;
  allocations.push_back({start, size, std::make_unique<std::byte[]>(size),
                         std::vector<bool>(size)});
  return baseOf(kLocalRegion) + uint64_t(start);
}

void LocalMemory::release(size_t mark) {
  allocations.erase(allocations.begin() + std::ptrdiff_t(mark),
                    allocations.end());
}

Complaint LocalMemory::check(const Access &access, int64_t offset,
                             void *&result) {
  auto where = [&] {
    return access.describe() + " at offset " + std::to_string(offset) +
           " of local memory";
  };
  auto holder = std::find_if(
      allocations.begin(), allocations.end(), [&](const Allocation &a) {
        return !isOutside(offset - a.offset, access.size, a.size);
      });
  if (holder == allocations.end())
    return where() + ", not within one allocation";
  result = holder->bytes.get() + (offset - holder->offset);
  auto first = holder->isInitialized.begin() + (offset - holder->offset);
  auto last = first + std::ptrdiff_t(access.size);
  if (access.isRead() && std::find(first, last, false) != last)
    return where() + ", which was never written";
  if (access.isWrite)
    std::fill(first, last, true);
  return std::nullopt;
}
