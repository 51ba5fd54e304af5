//===- Memory.h - What kernels address
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

#include "Clocks.h"

#include "llvm/ADT/STLFunctionalExtras.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

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

/// "0x1f"
std::string hex(uint64_t value);

/// What an access does, beside log2 of its alignment: one word of the generated
/// code.
enum AccessFlag : uint32_t {
  kWrite = 1u << 8,
  kModify = 1u << 9, ///< reads what it overwrites
  kAtomic = 1u << 10,
  kInvariant = 1u << 11, ///< through the read-only path
  kAcquire = 1u << 12,
  kRelease = 1u << 13
};

/// One access of one thread.
struct Access {
  uint64_t address;
  uint64_t size;
  unsigned log2Alignment = 0;
  bool isWrite = false;
  bool isModify = false;
  bool isAtomic = false;
  bool isInvariant = false;
  bool isAcquire = false;
  bool isRelease = false;
  uint32_t site = 0;

  static Access unpack(uint64_t address, uint64_t size, uint32_t flags,
                       uint32_t site) {
    return {address,
            size,
            flags & 0xff,
            (flags & kWrite) != 0,
            (flags & kModify) != 0,
            (flags & kAtomic) != 0,
            (flags & kInvariant) != 0,
            (flags & kAcquire) != 0,
            (flags & kRelease) != 0,
            site};
  }
  bool isRead() const { return !isWrite || isModify; }
  /// "load of 4 bytes"
  std::string describe() const;
};

/// Whether an access leaves a memory of `available` bytes.
bool isOutside(int64_t offset, uint64_t size, size_t available);

/// A result of a check: nothing, or what is wrong.
using Complaint = std::optional<std::string>;

/// Who makes an access.
struct Actor {
  const Clocks &clocks;
  unsigned thread; ///< in its block
  bool hasWaited;  ///< for the launch before
  /// Text for a thread of the launch and the location of what it does.
  llvm::function_ref<std::string(uint32_t thread, uint32_t site)> describe;
};

} // namespace mlir::rotq::emulator

#endif // ROTQ_LIB_EMULATOR_MEMORY_H
