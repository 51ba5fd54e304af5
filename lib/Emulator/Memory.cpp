//===- Memory.cpp - What kernels address, and what is checked
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Memory.h"

#include <algorithm>

using namespace mlir::rotq::emulator;

std::string Access::describe() const {
  return std::string(isAtomic  ? "atomic access"
                     : isWrite ? "store"
                               : "load") +
         " of " + std::to_string(size) + (size == 1 ? " byte" : " bytes");
}

static bool isOutside(int64_t offset, uint64_t size, size_t available) {
  return offset < 0 || uint64_t(offset) > available ||
         size > available - uint64_t(offset);
}

//===----------------------------------------------------------------------===//
// Global memory
//===----------------------------------------------------------------------===//

static constexpr uint8_t kWritten = 1, kReadAsInvariant = 2;

GlobalBuffer::GlobalBuffer(std::byte *data, size_t size, std::string name,
                           bool writable)
    : bytes(data), numBytes(size), label(std::move(name)), writable(writable) {
  if (writable)
    history = std::make_unique<std::atomic<uint8_t>[]>(size);
}

Complaint GlobalBuffer::check(const Access &access, int64_t offset) {
  auto complain = [&](const std::string &text) {
    return access.describe() + " at offset " + std::to_string(offset) +
           " of a buffer of " + std::to_string(numBytes) + " bytes (" + label +
           ")" + text;
  };
  if (isOutside(offset, access.size, numBytes))
    return complain("");
  if (access.isWrite && !writable)
    return complain(", which is read-only");
  if (!writable || (!access.isWrite && !access.isInvariant))
    return std::nullopt;
  uint8_t mark = access.isWrite ? kWritten : kReadAsInvariant;
  uint8_t other = kWritten | kReadAsInvariant;
  other &= uint8_t(~mark);
  for (uint64_t i = 0; i < access.size; ++i)
    if (history[size_t(offset) + i].fetch_or(mark, std::memory_order_relaxed) &
        other)
      return complain(access.isWrite
                          ? ", which the launch reads as invariant"
                          : " as invariant, which the launch writes");
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Shared memory
//===----------------------------------------------------------------------===//

void SharedMemory::start(size_t size, unsigned threads) {
  ++phase;
  moreReaders.clear();
  numThreads = threads;
  if (bytes.size() != size) {
    bytes.resize(size);
    cells.assign(size, {});
  }
  initialized.assign(size, 0);
  inFlight.assign(size, 0);
  clocks.clear();
  if (size == 0)
    return;
  clocks.resize(size_t(threads) * threads);
  for (unsigned i = 0; i < threads; ++i)
    clock(i, i) = 1;
}

Complaint SharedMemory::check(const Access &access, int64_t offset,
                              unsigned thread, Conflict &conflict) {
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
    if ((!access.isWrite || access.isAtomic) && !initialized[at])
      return where(int64_t(at)) + ", which was never written";
    if (Complaint complaint = checkRaces(access, at, thread, conflict))
      return where(int64_t(at)) + *complaint;
    if (access.isWrite)
      initialized[at] = 1;
  }
  return std::nullopt;
}

Complaint SharedMemory::checkRaces(const Access &access, size_t at,
                                   unsigned thread, Conflict &conflict) {
  Cell &cell = cells[at];
  if (cell.phase != phase) {
    cell = {};
    cell.phase = phase;
  }
  if (cell.writeClock && !(access.isAtomic && cell.isAtomic) &&
      !isBefore(cell.writer, cell.writeClock, thread)) {
    conflict = {true, cell.writer, cell.writeSite};
    return " races with the write by ";
  }
  uint32_t now = clock(thread, thread);
  if (!access.isWrite) {
    if (cell.readClock && !isBefore(cell.reader, cell.readClock, thread)) {
      auto &readers = moreReaders[at];
      cell.hasMoreReaders = true;
      auto known = std::find_if(readers.begin(), readers.end(), [&](auto &r) {
        return r.thread == cell.reader;
      });
      Reader last = {cell.reader, cell.readClock, cell.readSite};
      if (known == readers.end())
        readers.push_back(last);
      else
        *known = last;
    }
    cell.reader = uint16_t(thread);
    cell.readClock = now;
    cell.readSite = access.site;
    return std::nullopt;
  }
  // An atomic access also reads, but those do not race with each other.
  auto isRead = [&](unsigned reader, uint32_t when, uint32_t site) {
    if (isBefore(reader, when, thread))
      return false;
    conflict = {true, reader, site};
    return true;
  };
  if (cell.readClock && isRead(cell.reader, cell.readClock, cell.readSite))
    return " races with the read by ";
  if (cell.hasMoreReaders)
    for (const Reader &reader : moreReaders[at])
      if (isRead(reader.thread, reader.clock, reader.site))
        return " races with the read by ";
  if (cell.hasMoreReaders)
    moreReaders.erase(at);
  cell.hasMoreReaders = false;
  cell.readClock = 0;
  cell.writer = uint16_t(thread);
  cell.writeClock = now;
  cell.writeSite = access.site;
  cell.isAtomic = access.isAtomic;
  return std::nullopt;
}

void SharedMemory::synchronize(const std::vector<unsigned> &threads) {
  if (clocks.empty())
    return;
  // Everything before a barrier of all threads is in the past of all of them.
  if (threads.size() == numThreads) {
    ++phase;
    moreReaders.clear();
    for (unsigned thread : threads)
      ++clock(thread, thread);
    return;
  }
  std::vector<uint32_t> joined(numThreads);
  for (unsigned thread : threads)
    for (unsigned of = 0; of < numThreads; ++of)
      joined[of] = std::max(joined[of], clock(thread, of));
  for (unsigned thread : threads) {
    std::copy(joined.begin(), joined.end(), &clock(thread, 0));
    ++clock(thread, thread);
  }
}

void SharedMemory::setInFlight(int64_t offset, uint64_t size, bool isInFlight) {
  if (!isOutside(offset, size, bytes.size()))
    std::fill_n(inFlight.begin() + offset, size, uint8_t(isInFlight));
}

//===----------------------------------------------------------------------===//
// Local memory
//===----------------------------------------------------------------------===//

void LocalMemory::clear() { allocations.clear(); }

uint64_t LocalMemory::allocate(uint64_t size, uint64_t alignment) {
  // A gap of 64 bytes, so that a small overrun meets nothing.
  int64_t start = 0;
  if (!allocations.empty())
    start = allocations.back().offset + int64_t(allocations.back().size) + 64;
  auto mask = int64_t(std::max<uint64_t>(alignment, 16)) - 1;
  start = (start + mask) & ~mask;
  allocations.push_back({start, size, std::make_unique<std::byte[]>(size)});
  return baseOf(kLocalRegion) + uint64_t(start);
}

void LocalMemory::release(size_t mark) {
  allocations.erase(allocations.begin() + std::ptrdiff_t(mark),
                    allocations.end());
}

std::byte *LocalMemory::find(int64_t offset, uint64_t size) {
  for (Allocation &allocation : allocations)
    if (!isOutside(offset - allocation.offset, size, allocation.size))
      return allocation.bytes.get() + (offset - allocation.offset);
  return nullptr;
}
