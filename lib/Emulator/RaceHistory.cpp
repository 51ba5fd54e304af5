//===- RaceHistory.cpp - The last accesses to memory
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RaceHistory.h"

#include <algorithm>

using namespace mlir::rotq::emulator;

void RaceHistory::start(size_t size) {
  forget();
  if (cells.size() != size)
    cells.assign(size, {});
}

void RaceHistory::forget() {
  ++generation;
  moreReaders.clear();
}

Complaint RaceHistory::add(const Access &access, size_t at, size_t size,
                           const Actor &actor) {
  for (size_t end = at + size; at < end; ++at)
    if (Complaint complaint = addToByte(access, at, actor))
      return complaint;
  return std::nullopt;
}

Complaint RaceHistory::addToByte(const Access &access, size_t at,
                                 const Actor &actor) {
  Cell &cell = cells[at];
  if (cell.generation != generation) {
    cell = {};
    cell.generation = generation;
  }
  auto races = [&](const Event &event) {
    return event.stamp.clock && !(access.isAtomic && event.isAtomic) &&
           !actor.clocks.isBefore(event.stamp, actor.thread);
  };
  auto complain = [&](const char *what, const Event &event) {
    return std::string(" races with the ") + what + " by " +
           actor.describe(event.stamp.thread, event.site);
  };
  Event event = {actor.clocks.now(actor.thread), access.site, access.isAtomic};
  if (races(cell.write))
    return complain("write", cell.write);
  if (!access.isWrite) {
    addRead(cell, at, event, actor);
    return std::nullopt;
  }
  if (races(cell.read))
    return complain("read", cell.read);
  if (cell.hasMoreReaders) {
    auto readers = moreReaders.extract(at);
    for (const Event &read : readers.mapped())
      if (races(read))
        return complain("read", read);
  }
  cell.hasMoreReaders = false;
  cell.read = {};
  cell.write = event;
  return std::nullopt;
}

/// Keeps one read for every thread of one block. A thread that comes after two
/// blocks have read is in another one than either of them: two reads do.
void RaceHistory::addRead(Cell &cell, size_t at, const Event &event,
                          const Actor &actor) {
  const Event last = cell.read;
  cell.read = event;
  if (!last.stamp.clock || (last.isAtomic == event.isAtomic &&
                            actor.clocks.isBefore(last.stamp, actor.thread)))
    return;
  std::vector<Event> &readers = moreReaders[at];
  cell.hasMoreReaders = true;
  unsigned threads = actor.clocks.getNumThreads();
  auto isElsewhere = [&](const Event &read) {
    return read.isAtomic == last.isAtomic &&
           read.stamp.thread / threads != event.stamp.thread / threads;
  };
  auto isSame = [&](const Event &read) {
    return read.isAtomic == last.isAtomic &&
           read.stamp.thread == last.stamp.thread;
  };
  auto known = std::find_if(readers.begin(), readers.end(), isSame);
  if (known != readers.end())
    *known = last;
  else if (std::none_of(readers.begin(), readers.end(), isElsewhere))
    readers.push_back(last);
}
