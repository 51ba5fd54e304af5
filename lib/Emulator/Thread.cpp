//===- Thread.cpp - One thread of the GPU
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Instructions.h"
#include "ThreadBlock.h"

#include "llvm/Support/ErrorHandling.h"

#include <new>

using namespace mlir::rotq::emulator;
namespace context = boost::context;

static thread_local Thread *currentThread = nullptr;

Thread &Thread::current() { return *currentThread; }

namespace {
/// Stacks belong to the block.
struct BorrowedStack {
  static void deallocate(context::stack_context &) {}
};
} // namespace

void Thread::start(ThreadBlock &owner, unsigned threadNumber,
                   FiberStack ownStack) {
  block = &owner;
  number = threadNumber;
  state = State::Ready;
  iterations = 0;
  hasWaited = !owner.getLaunch().isDependent;
  fenced = observed = nullptr;
  local.clear();
  copies.assign(1, {});
  products = {};
  stack = ownStack;
  clearStack(stack);
  context::stack_context where;
  where.sp = static_cast<std::byte *>(stack.bottom) + stack.size;
  where.size = stack.size;
  self = context::fiber(std::allocator_arg,
                        context::preallocated(where.sp, where.size, where),
                        BorrowedStack(), [this](context::fiber &&caller) {
                          scheduler = std::move(caller);
                          schedulerStack = finishSwitch(nullptr);
                          run();
                          startSwitch(schedulerStack, nullptr);
                          return std::move(scheduler);
                        });
}

void Thread::run() {
  block->getLaunch().entry(block->getLaunch().arguments.data());
  state = State::Exited;
}

void Thread::resume() {
  currentThread = this;
  void *kept = nullptr;
  startSwitch(stack, &kept);
  self = std::move(self).resume();
  finishSwitch(kept);
}

void Thread::suspend() {
  void *kept = nullptr;
  startSwitch(schedulerStack, &kept);
  scheduler = std::move(scheduler).resume();
  schedulerStack = finishSwitch(kept);
}

void Thread::abandon() {
  // Where a thread waits, its frames own nothing outside the stack. The fiber's
  // destructor would unwind them, which generated code is not made for.
  new (&self) context::fiber();
  state = State::Exited;
}

void Thread::fail(const std::string &text) {
  LaunchState &launch = block->getLaunch();
  launch.fail("kernel '" + launch.kernel + "', block " +
              textOf(block->getIndex()) + ", " + block->describe(number) +
              ": " + text);
  throw ThreadFailure();
}

void Thread::fail(const std::string &text, uint32_t where) {
  fail(text + block->siteText(where));
}

void Thread::stop() {
  suspend();
  llvm_unreachable("a thread that failed was resumed");
}

Index3 Thread::getIndex() const {
  return unflatten(number, block->getLaunch().blockSize);
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
  auto describe = [&](uint32_t thread, uint32_t where) {
    return block->describeInLaunch(thread, where);
  };
  Actor actor{block->clocks, number, hasWaited, describe};
  if (region == kNullRegion)
    return access.describe() + " through a null pointer (address " +
           hex(access.address) + ")";
  if (region == kSharedRegion) {
    if (Complaint complaint = checkAlignment("shared memory"))
      return complaint;
    result = block->getShared().data() + offset;
    return block->getShared().check(access, offset, actor);
  }
  if (region == kLocalRegion) {
    if (Complaint complaint = checkAlignment("local memory"))
      return complaint;
    return local.check(access, offset, result);
  }
  if (region - kBuffers >= launch.buffers.size())
    return access.describe() + " at address " + hex(access.address) +
           ", which is in no buffer";
  GlobalBuffer &buffer = *launch.buffers[region - kBuffers];
  result = buffer.data() + offset;
  if (Complaint complaint = buffer.check(access, offset, actor))
    return complaint;
  return checkAlignment("a buffer of " + std::to_string(buffer.size()) +
                        " bytes (" + buffer.name() + ")");
}

void *Thread::access(const Access &access) {
  void *result = nullptr;
  if (Complaint complaint = translate(access, result))
    fail(*complaint, access.site);
  if (access.isAtomic && access.isWrite)
    publish(access);
  return result;
}

void Thread::publish(const Access &access) {
  SharedKnowledge knowledge =
      access.isRelease ? block->clocks.publish(number) : fenced;
  uint64_t region = regionOf(access.address);
  auto offset = size_t(offsetOf(access.address));
  if (!knowledge || region == kLocalRegion)
    return;
  if (region == kSharedRegion)
    block->getShared().publish(offset, knowledge);
  else
    block->getLaunch().buffers[region - kBuffers]->publish(offset, knowledge);
}

void Thread::observe(const Access &access) {
  uint64_t region = regionOf(access.address);
  auto offset = size_t(offsetOf(access.address));
  if (region == kLocalRegion)
    return;
  SharedKnowledge knowledge =
      region == kSharedRegion
          ? block->getShared().observe(offset)
          : block->getLaunch().buffers[region - kBuffers]->observe(offset);
  if (access.isAcquire)
    block->clocks.learn(number, knowledge);
  else
    observed = merge(observed, knowledge);
}

void Thread::fence() {
  block->clocks.learn(number, observed);
  observed = nullptr;
  fenced = block->clocks.publish(number);
}

void Thread::waitForPredecessor() {
  hasWaited = block->hasWaited = true;
  block->getLaunch().hasWaited = true;
}

void Thread::launchDependents() {
  block->getLaunch().triggers = true;
  block->triggersBeforeWait |= !hasWaited;
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

bool Thread::isWith(const Thread &other) const {
  return state == State::AtCollective && instruction == other.instruction &&
         mask == other.mask &&
         (!other.instruction->isAligned || site == other.site);
}

void Thread::collective(const DeviceInstruction &what, uint32_t *operands,
                        uint32_t where) {
  uint32_t lanes = block->lanesOf(getWarp());
  mask = what.maskOperand < 0 ? ~0u : operands[what.maskOperand];
  if (!(mask >> getLane() & 1))
    fail(what.name() + " for lanes " + hex(mask) + ", which lane " +
             std::to_string(getLane()) + " is not one of",
         where);
  if (mask & ~lanes)
    fail(what.name() + " for lanes " + hex(mask) +
             " of a warp that has lanes " + hex(lanes),
         where);
  if (what.warpgroup && (getWarp() / 4 + 1) * 128 > block->numThreads())
    fail(what.name() + " in a warpgroup without its four warps", where);
  instruction = &what;
  words = operands;
  site = where;
  state = State::AtCollective;

  // The last lane of all warps that take part computes.
  std::array<WarpCall, 4> calls;
  unsigned count = what.numWarps(), first = getWarp() / count * count;
  auto warps = llvm::MutableArrayRef(calls).take_front(count);
  for (auto [warp, call] : llvm::enumerate(warps)) {
    call = {mask, {}, {}, where};
    for (unsigned lane = 0; lane < 32; ++lane) {
      if (!(mask >> lane & 1))
        continue;
      Thread &other = block->getThread((first + unsigned(warp)) * 32 + lane);
      if (!other.isWith(*this)) {
        suspend();
        return;
      }
      call.threads[lane] = &other;
      call.words[lane] = other.words;
    }
  }
  for (const WarpCall &call : warps)
    for (Thread *other : call.threads)
      if (other)
        other->state = State::Ready;
  if (what.warp)
    what.warp(warps.front());
  else
    what.warpgroup(warps);
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
