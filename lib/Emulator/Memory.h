//===- Memory.h - What kernels address, and what is checked
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A kernel sees addresses of its own: every buffer, shared memory and local
// memory is the middle of a region of 2^40 bytes, so that an address that has
// run off one of them never lies in another. Every access is translated, and
// checked on the way.
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_EMULATOR_MEMORY_H
#define ROTQ_LIB_EMULATOR_MEMORY_H

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace mlir::rotq::emulator {

inline constexpr unsigned kRegionBits = 40;

/// Regions; buffers follow.
enum MemoryRegion : uint64_t {
  kNullRegion,
  kSharedRegion,
  kLocalRegion,
  kBuffers
};

/// The address of the first byte of a region. Its low 32 bits are zero, as
/// 32-bit addresses of shared memory want.
inline constexpr uint64_t baseOf(uint64_t region) {
  return region << kRegionBits | uint64_t(1) << (kRegionBits - 1);
}
inline constexpr uint64_t regionOf(uint64_t address) {
  return address >> kRegionBits;
}
inline constexpr int64_t offsetOf(uint64_t address) {
  return int64_t(address - baseOf(regionOf(address)));
}

/// One access of one thread.
struct Access {
  uint64_t address;
  uint64_t size;
  unsigned log2Alignment = 0;
  bool isWrite = false;
  bool isAtomic = false;
  bool isInvariant = false; ///< through the read-only path
  uint32_t site = 0;

  /// The last five as one word of the generated code.
  static uint32_t pack(unsigned log2Alignment, bool isWrite, bool isAtomic,
                       bool isInvariant) {
    return log2Alignment | unsigned(isWrite) << 8 | unsigned(isAtomic) << 9 |
           unsigned(isInvariant) << 10;
  }
  static Access unpack(uint64_t address, uint64_t size, uint32_t flags,
                       uint32_t site) {
    return {address,
            size,
            flags & 0xff,
            (flags >> 8 & 1) != 0,
            (flags >> 9 & 1) != 0,
            (flags >> 10 & 1) != 0,
            site};
  }
  /// "load of 4 bytes"
  std::string describe() const;
};

/// A result of a check: nothing, or what is wrong.
using Complaint = std::optional<std::string>;

/// Global memory of one launch.
class GlobalBuffer {
public:
  GlobalBuffer(std::byte *data, size_t size, std::string name, bool writable);

  std::byte *data() const { return bytes; }
  size_t size() const { return numBytes; }
  const std::string &name() const { return label; }
  bool isWritable() const { return writable; }

  /// Checks an access at `offset`; several threads may.
  Complaint check(const Access &access, int64_t offset);

private:
  std::byte *bytes;
  size_t numBytes;
  std::string label;
  bool writable;
  /// For every byte of what can be written: whether it was in this launch, and
  /// whether it was read as invariant.
  std::unique_ptr<std::atomic<uint8_t>[]> history;
};

/// Shared memory of a block. Accesses of two threads, one of them a write, race
/// unless a barrier orders them: vector clocks tell.
class SharedMemory {
public:
  /// Starts a block of `threads` threads.
  void start(size_t size, unsigned threads);

  std::byte *data() { return bytes.data(); }
  size_t size() const { return bytes.size(); }

  /// What an access by `thread` at `offset` gets wrong. `describe` turns a
  /// thread and a site into text.
  template <typename Describe>
  Complaint check(const Access &access, int64_t offset, unsigned thread,
                  Describe describe) {
    Conflict conflict;
    Complaint complaint = check(access, offset, thread, conflict);
    if (complaint && conflict.isSet)
      *complaint += describe(conflict.thread, conflict.site);
    return complaint;
  }

  /// What these threads did before comes before what they do next.
  void synchronize(const std::vector<unsigned> &threads);

  /// Marks bytes that an asynchronous copy will write, or has written.
  void setInFlight(int64_t offset, uint64_t size, bool isInFlight);

private:
  struct Conflict {
    bool isSet = false;
    unsigned thread = 0;
    uint32_t site = 0;
  };
  /// The last accesses to a byte, unless older than the last barrier of the
  /// whole block.
  struct Cell {
    uint64_t phase = 0;
    uint32_t writeClock = 0, readClock = 0; ///< 0: none
    uint32_t writeSite = 0, readSite = 0;
    uint16_t writer = 0, reader = 0;
    bool isAtomic = false, hasMoreReaders = false;
  };
  struct Reader {
    unsigned thread;
    uint32_t clock, site;
  };

  Complaint check(const Access &access, int64_t offset, unsigned thread,
                  Conflict &conflict);
  Complaint checkRaces(const Access &access, size_t at, unsigned thread,
                       Conflict &conflict);
  uint32_t &clock(unsigned thread, unsigned of) {
    return clocks[size_t(thread) * numThreads + of];
  }
  bool isBefore(unsigned other, uint32_t when, unsigned thread) {
    return other == thread || clock(thread, other) >= when;
  }

  std::vector<std::byte> bytes;
  std::vector<uint8_t> initialized, inFlight;
  std::vector<Cell> cells;
  std::unordered_map<size_t, std::vector<Reader>> moreReaders;
  std::vector<uint32_t> clocks; ///< [thread][of thread]
  unsigned numThreads = 0;
  uint64_t phase = 0;
};

/// Local memory of a thread: a stack of allocations.
class LocalMemory {
public:
  void clear();
  /// The address of a new allocation.
  uint64_t allocate(uint64_t size, uint64_t alignment);
  size_t mark() const { return allocations.size(); }
  void release(size_t mark);
  /// The bytes of an access, or null where no one allocation holds it.
  std::byte *find(int64_t offset, uint64_t size);

private:
  struct Allocation {
    int64_t offset;
    uint64_t size;
    std::unique_ptr<std::byte[]> bytes;
  };
  std::vector<Allocation> allocations;
};

} // namespace mlir::rotq::emulator

#endif // ROTQ_LIB_EMULATOR_MEMORY_H
