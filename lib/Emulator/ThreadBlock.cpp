//===- ThreadBlock.cpp - The threads of one block
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ThreadBlock.h"

#include "Instructions.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/ErrorHandling.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>

using namespace mlir::rotq::emulator;

//===----------------------------------------------------------------------===//
// Launch
//===----------------------------------------------------------------------===//

Index3 mlir::rotq::emulator::unflatten(uint64_t number, const Index3 &size) {
  return {uint32_t(number % size[0]), uint32_t(number / size[0] % size[1]),
          uint32_t(number / size[0] / size[1])};
}

std::string mlir::rotq::emulator::textOf(const Index3 &index) {
  return "(" + std::to_string(index[0]) + "," + std::to_string(index[1]) + "," +
         std::to_string(index[2]) + ")";
}

void LaunchState::fail(const std::string &text) {
  std::lock_guard lock(mutex);
  if (failed)
    return;
  message = text;
  failed = true;
}

//===----------------------------------------------------------------------===//
// Block
//===----------------------------------------------------------------------===//

/// Address space, not memory: pages come when they are touched.
static constexpr size_t kStackSize = size_t(256) << 10;

ThreadBlock::~ThreadBlock() {
  if (stacks)
    munmap(stacks, numStacks * kStackSize);
}

/// Below every stack lies a page that faults.
void ThreadBlock::allocateStacks(size_t count) {
  if (count <= numStacks)
    return;
  if (stacks)
    munmap(stacks, numStacks * kStackSize);
  void *memory = mmap(nullptr, count * kStackSize, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED)
    llvm::report_bad_alloc_error("cannot allocate the stacks of a block");
  stacks = static_cast<std::byte *>(memory);
  numStacks = count;
  auto page = size_t(sysconf(_SC_PAGESIZE));
  for (size_t i = 0; i < count; ++i)
    mprotect(stacks + i * kStackSize, page, PROT_NONE);
}

uint32_t ThreadBlock::lanesOf(unsigned warp) const {
  size_t count = std::min<size_t>(32, live - size_t(warp) * 32);
  return count == 32 ? ~0u : (1u << count) - 1;
}

std::string ThreadBlock::describe(unsigned thread) const {
  return "thread " + textOf(threads[thread]->getIndex());
}

std::string ThreadBlock::describeInLaunch(uint32_t thread,
                                          uint32_t site) const {
  auto count = uint32_t(live), number = thread / count;
  std::string text = describe(thread % count) + siteText(site);
  if (thread - clocks.getFirstThread() < count)
    return text;
  return "block " + textOf(unflatten(number, launch->grid)) + ", " + text;
}

std::string ThreadBlock::siteText(uint32_t site) const {
  const std::string &text = (*launch->sites)[site];
  return text.empty() ? "" : " at " + text;
}

void ThreadBlock::run(LaunchState &state, Index3 blockIndex) {
  launch = &state;
  index = blockIndex;
  live = state.threadsPerBlock();
  allocateStacks(live);
  while (threads.size() < live)
    threads.push_back(std::make_unique<Thread>());
  uint64_t number =
      blockIndex[0] +
      uint64_t(state.grid[0]) *
          (blockIndex[1] + uint64_t(state.grid[1]) * blockIndex[2]);
  barriers.clear();
  clocks.start(uint32_t(number), unsigned(live));
  hasWaited = triggersBeforeWait = false;
  shared.start(state.sharedBytes);
  warpOrder.resize((live + 31) / 32);
  std::iota(warpOrder.begin(), warpOrder.end(), 0u);
  laneOrder.resize(32);
  std::iota(laneOrder.begin(), laneOrder.end(), 0u);
  random.seed(state.seed + number * 0x9e3779b97f4a7c15);

  auto page = size_t(sysconf(_SC_PAGESIZE));
  for (size_t i = 0; i < live; ++i)
    threads[i]->start(*this, unsigned(i),
                      {stacks + i * kStackSize + page, kStackSize - page});
  auto isRunning = [&](const std::unique_ptr<Thread> &thread) {
    return thread->state != Thread::State::Exited;
  };
  auto inUse =
      llvm::make_range(threads.begin(), threads.begin() + std::ptrdiff_t(live));
  while (!state.hasFailed() && llvm::any_of(inUse, isRunning))
    if (!runRound() && !state.hasFailed())
      reportDeadlock();
  if (hasWaited && !triggersBeforeWait)
    state.triggersAfterWait = true;
  if (state.hasFailed())
    for (const std::unique_ptr<Thread> &thread : inUse)
      thread->abandon();
}

/// Gives every thread that can run a turn; false if none can.
bool ThreadBlock::runRound() {
  bool moved = false;
  if (launch->seed)
    std::shuffle(warpOrder.begin(), warpOrder.end(), random);
  for (unsigned warp : warpOrder) {
    if (launch->seed)
      std::shuffle(laneOrder.begin(), laneOrder.end(), random);
    for (unsigned lane : laneOrder) {
      size_t number = size_t(warp) * 32 + lane;
      if (number >= live || threads[number]->state != Thread::State::Ready)
        continue;
      moved = true;
      threads[number]->resume();
      if (launch->hasFailed())
        return true;
    }
  }
  return moved;
}

std::string ThreadBlock::whereabouts(unsigned thread) const {
  const Thread &other = *threads[thread];
  switch (other.state) {
  case Thread::State::Exited:
    return "has exited";
  case Thread::State::AtBarrier:
    return "waits at barrier " + std::to_string(other.barrierId) +
           siteText(other.site);
  case Thread::State::AtCollective:
    return "waits in " + other.instruction->name() + " for lanes " +
           hex(other.mask) + siteText(other.site);
  case Thread::State::Ready:
    break;
  }
  return "runs";
}

/// No thread can run, and some have not ended.
void ThreadBlock::reportDeadlock() {
  // A collective is the more precise report: a barrier may wait for it.
  auto waitsIn = [&](Thread::State state) -> Thread * {
    for (size_t i = 0; i < live; ++i)
      if (threads[i]->state == state)
        return threads[i].get();
    return nullptr;
  };
  Thread *waiting = waitsIn(Thread::State::AtCollective);
  unsigned missing = 0;
  std::string what;
  if (waiting) {
    what = "waits forever in " + waiting->instruction->name() + " for lanes " +
           hex(waiting->mask);
    unsigned count = 32 * waiting->instruction->numWarps();
    missing = waiting->getNumber() / count * count;
    for (unsigned end = missing + count; missing + 1 < end; ++missing)
      if (waiting->mask >> missing % 32 & 1 &&
          !threads[missing]->isWith(*waiting))
        break;
  } else {
    waiting = waitsIn(Thread::State::AtBarrier);
    const Barrier &barrier = barriers[waiting->barrierId];
    what = "waits forever at barrier " + std::to_string(waiting->barrierId) +
           ", where " + std::to_string(barrier.arrivals.size()) + " of " +
           std::to_string(barrier.expected) + " threads are";
    for (missing = 0; missing + 1 < live; ++missing)
      if (threads[missing]->state != Thread::State::AtBarrier ||
          threads[missing]->barrierId != waiting->barrierId)
        break;
  }
  launch->fail("kernel '" + launch->kernel + "', block " + textOf(index) +
               ", " + describe(waiting->number) + ": " + what +
               siteText(waiting->site) + ": " + describe(missing) + " " +
               whereabouts(missing));
}

void ThreadBlock::synchronize(const std::vector<unsigned> &numbers) {
  clocks.synchronize(numbers);
  if (numbers.size() == live)
    shared.forgetAccesses();
  // What one has waited for is there for all.
  bool anyHasWaited = llvm::any_of(
      numbers, [&](unsigned number) { return threads[number]->hasWaited; });
  for (unsigned number : numbers)
    threads[number]->hasWaited = anyHasWaited;
}

void ThreadBlock::completeBarrier(Barrier &barrier, const BarrierUse &use,
                                  Thread &last) {
  std::vector<Arrival> arrivals = std::move(barrier.arrivals);
  barrier.arrivals.clear();
  if (use.isAligned) {
    std::map<unsigned, Arrival> first;
    for (const Arrival &arrival : arrivals) {
      auto [it, isNew] = first.try_emplace(arrival.thread / 32, arrival);
      if (isNew || it->second.site == arrival.site)
        continue;
      last.fail("divergent barrier " + std::to_string(use.id) + ": " +
                describe(it->second.thread) + " reached it" +
                siteText(it->second.site) + ", " + describe(arrival.thread) +
                siteText(arrival.site));
    }
  }
  uint32_t count = 0;
  std::vector<unsigned> numbers;
  for (const Arrival &arrival : arrivals) {
    count += arrival.value != 0;
    numbers.push_back(arrival.thread);
  }
  uint32_t result = 0;
  switch (use.reduction) {
  case BarrierUse::Reduction::None:
    break;
  case BarrierUse::Reduction::And:
    result = count == arrivals.size();
    break;
  case BarrierUse::Reduction::Or:
    result = count != 0;
    break;
  case BarrierUse::Reduction::Popcount:
    result = count;
    break;
  }
  synchronize(numbers);
  for (const Arrival &arrival : arrivals) {
    Thread &thread = *threads[arrival.thread];
    thread.barrierResult = result;
    if (thread.state == Thread::State::AtBarrier && arrival.waits)
      thread.state = Thread::State::Ready;
  }
}
