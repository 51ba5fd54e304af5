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
#include <new>
#include <numeric>

using namespace mlir::rotq::emulator;
namespace context = boost::context;

//===----------------------------------------------------------------------===//
// Launch
//===----------------------------------------------------------------------===//

static std::string textOf(const Index3 &index) {
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
// Thread
//===----------------------------------------------------------------------===//

static thread_local Thread *currentThread = nullptr;

Thread &Thread::current() { return *currentThread; }

namespace {
/// Stacks belong to the block.
struct BorrowedStack {
  static void deallocate(context::stack_context &) {}
};
} // namespace

void Thread::start(ThreadBlock &owner, unsigned threadNumber, void *stack,
                   size_t stackSize) {
  block = &owner;
  number = threadNumber;
  state = State::Ready;
  iterations = 0;
  local.clear();
  copies.assign(1, {});
  context::stack_context where;
  where.sp = static_cast<std::byte *>(stack) + stackSize;
  where.size = stackSize;
  self = context::fiber(std::allocator_arg,
                        context::preallocated(where.sp, where.size, where),
                        BorrowedStack(), [this](context::fiber &&caller) {
                          scheduler = std::move(caller);
                          run();
                          return std::move(scheduler);
                        });
}

void Thread::run() {
  block->getLaunch().entry(block->getLaunch().arguments.data());
  state = State::Exited;
}

void Thread::resume() {
  currentThread = this;
  self = std::move(self).resume();
}

void Thread::suspend() { scheduler = std::move(scheduler).resume(); }

void Thread::abandon() {
  // The frames on the stack own nothing outside it. The fiber's destructor
  // would unwind them, which generated code is not made for.
  new (&self) context::fiber();
  state = State::Exited;
}

void Thread::fail(const std::string &text) {
  LaunchState &launch = block->getLaunch();
  launch.fail("kernel '" + launch.kernel + "', block " +
              textOf(block->getIndex()) + ", " + block->describe(number) +
              ": " + text);
  // A warp's instruction runs on the last lane that came to it.
  current().suspend();
  llvm_unreachable("a thread that failed was resumed");
}

void Thread::fail(const std::string &text, uint32_t where) {
  fail(text + block->siteText(where));
}

Index3 Thread::getIndex() const {
  const Index3 &size = block->getLaunch().blockSize;
  return {number % size[0], number / size[0] % size[1],
          number / size[0] / size[1]};
}

static std::string hex(uint64_t value) {
  static const char digits[] = "0123456789abcdef";
  std::string text;
  do
    text.insert(text.begin(), digits[value % 16]);
  while (value /= 16);
  return "0x" + text;
}

/// The bytes of an access, or what is wrong with it.
Complaint Thread::translate(const Access &access, void *&result) {
  LaunchState &launch = block->getLaunch();
  uint64_t region = regionOf(access.address);
  int64_t offset = offsetOf(access.address);
  uint64_t alignment = uint64_t(1) << access.log2Alignment;
  auto checkAlignment = [&](const std::string &memory) -> Complaint {
    if (access.address % alignment == 0)
      return std::nullopt;
    return access.describe() + " at offset " + std::to_string(offset) + " of " +
           memory + " is not aligned to " + std::to_string(alignment) +
           " bytes";
  };
  if (region == kNullRegion)
    return access.describe() + " through a null pointer (address " +
           hex(access.address) + ")";
  if (region == kSharedRegion) {
    if (Complaint complaint = checkAlignment("shared memory"))
      return complaint;
    result = block->getShared().data() + offset;
    return block->getShared().check(
        access, offset, number, [&](unsigned other, uint32_t where) {
          return block->describe(other) + block->siteText(where);
        });
  }
  if (region == kLocalRegion) {
    result = local.find(offset, access.size);
    if (!result)
      return access.describe() + " at offset " + std::to_string(offset) +
             " of local memory, not within one allocation";
    return checkAlignment("local memory");
  }
  if (region - kBuffers >= launch.buffers.size())
    return access.describe() + " at address " + hex(access.address) +
           ", which is in no buffer";
  GlobalBuffer &buffer = *launch.buffers[region - kBuffers];
  if (Complaint complaint = buffer.check(access, offset))
    return complaint;
  result = buffer.data() + offset;
  return checkAlignment("a buffer of " + std::to_string(buffer.size()) +
                        " bytes (" + buffer.name() + ")");
}

void *Thread::access(const Access &access) {
  void *result = nullptr;
  if (Complaint complaint = translate(access, result))
    fail(*complaint, access.site);
  return result;
}

void Thread::iterate(uint32_t where) {
  if (++iterations > block->getLaunch().maxIterations)
    fail("more than " + std::to_string(block->getLaunch().maxIterations) +
             " iterations of loops: it seems to wait forever",
         where);
  // Others have to move for a loop that waits for them.
  if (iterations % 1024 == 0)
    suspend();
}

void Thread::preempt() {
  if (block->getLaunch().seed && block->random() % 8 == 0)
    suspend();
}

static std::string describeLanes(uint32_t mask) { return hex(mask); }

void Thread::collective(const DeviceInstruction &what, uint32_t *operands,
                        uint32_t where) {
  uint32_t lanes = block->lanesOf(getWarp());
  mask = what.maskOperand < 0 ? ~0u : operands[what.maskOperand];
  if (!(mask >> getLane() & 1))
    fail(what.name() + " for lanes " + describeLanes(mask) + ", which lane " +
             std::to_string(getLane()) + " is not one of",
         where);
  if (mask & ~lanes)
    fail(what.name() + " for lanes " + describeLanes(mask) +
             " of a warp that has lanes " + describeLanes(lanes),
         where);
  instruction = &what;
  words = operands;
  site = where;
  state = State::AtCollective;

  WarpCall call{mask, {}, {}, where};
  for (unsigned lane = 0; lane < 32; ++lane) {
    if (!(mask >> lane & 1))
      continue;
    Thread &other = block->getThread(getWarp() * 32 + lane);
    if (other.state != State::AtCollective || other.instruction != &what ||
        other.mask != mask || (what.isAligned && other.site != where)) {
      suspend();
      return;
    }
    call.threads[lane] = &other;
    call.words[lane] = other.words;
  }
  for (Thread *other : call.threads)
    if (other)
      other->state = State::Ready;
  what.warp(call);
}

uint32_t Thread::barrier(const BarrierUse &use, uint32_t where) {
  if (use.id >= 16)
    fail("expected one of 16 barriers but got number " + std::to_string(use.id),
         where);
  uint32_t expected = use.count ? use.count : block->numThreads();
  if (expected % 32 != 0 && use.count)
    fail("expected a barrier for a multiple of 32 threads but got " +
             std::to_string(expected),
         where);
  if (expected > block->numThreads())
    fail("barrier for " + std::to_string(expected) + " threads in a block of " +
             std::to_string(block->numThreads()),
         where);
  ThreadBlock::Barrier &barrier = block->barriers[use.id];
  if (!barrier.arrivals.empty() && barrier.expected != expected)
    fail("barrier " + std::to_string(use.id) + " for " +
             std::to_string(expected) + " threads where " +
             block->describe(barrier.arrivals.front().thread) + " expects " +
             std::to_string(barrier.expected) +
             block->siteText(barrier.arrivals.front().site),
         where);
  barrier.expected = expected;
  barrier.arrivals.push_back({number, where, use.waits, use.value});
  site = where;
  barrierId = use.id;
  if (barrier.arrivals.size() < expected) {
    if (!use.waits)
      return 0;
    state = State::AtBarrier;
    suspend();
    return barrierResult;
  }
  block->completeBarrier(barrier, use, *this);
  return barrierResult;
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
  barriers.clear();
  shared.start(state.sharedBytes, unsigned(live));
  warpOrder.resize((live + 31) / 32);
  std::iota(warpOrder.begin(), warpOrder.end(), 0u);
  laneOrder.resize(32);
  std::iota(laneOrder.begin(), laneOrder.end(), 0u);
  uint64_t number =
      blockIndex[0] +
      uint64_t(state.grid[0]) *
          (blockIndex[1] + uint64_t(state.grid[1]) * blockIndex[2]);
  random.seed(state.seed + number * 0x9e3779b97f4a7c15);

  auto page = size_t(sysconf(_SC_PAGESIZE));
  for (size_t i = 0; i < live; ++i)
    threads[i]->start(*this, unsigned(i), stacks + i * kStackSize + page,
                      kStackSize - page);
  auto isRunning = [&](const std::unique_ptr<Thread> &thread) {
    return thread->state != Thread::State::Exited;
  };
  auto inUse =
      llvm::make_range(threads.begin(), threads.begin() + std::ptrdiff_t(live));
  while (!state.hasFailed() && llvm::any_of(inUse, isRunning))
    if (!runRound() && !state.hasFailed())
      reportDeadlock();
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
           describeLanes(other.mask) + siteText(other.site);
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
           describeLanes(waiting->mask);
    for (unsigned lane = 0; lane < 32; ++lane) {
      missing = waiting->getWarp() * 32 + lane;
      if (!(waiting->mask >> lane & 1))
        continue;
      const Thread &other = *threads[missing];
      if (other.state != Thread::State::AtCollective ||
          other.instruction != waiting->instruction ||
          other.mask != waiting->mask ||
          (waiting->instruction->isAligned && other.site != waiting->site))
        break;
    }
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
  shared.synchronize(numbers);
  for (const Arrival &arrival : arrivals) {
    Thread &thread = *threads[arrival.thread];
    thread.barrierResult = result;
    if (thread.state == Thread::State::AtBarrier && arrival.waits)
      thread.state = Thread::State::Ready;
  }
}
