//===- LocalMemory.h - Local memory of a thread
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_EMULATOR_LOCALMEMORY_H
#define ROTQ_LIB_EMULATOR_LOCALMEMORY_H

#include "Memory.h"

namespace mlir::rotq::emulator {

/// Local memory of a thread: a stack of allocations.
class LocalMemory {
public:
  void clear() { allocations.clear(); }
  /// The address of a new allocation.
  uint64_t allocate(uint64_t size, uint64_t alignment);
  size_t mark() const { return allocations.size(); }
  void release(size_t mark);
  /// The bytes of an access, or what it gets wrong.
  Complaint check(const Access &access, int64_t offset, void *&result);

private:
  struct Allocation {
    int64_t offset;
    uint64_t size;
    std::unique_ptr<std::byte[]> bytes;
    std::vector<bool> isInitialized;
  };
  std::vector<Allocation> allocations;
};

} // namespace mlir::rotq::emulator

#endif // ROTQ_LIB_EMULATOR_LOCALMEMORY_H
