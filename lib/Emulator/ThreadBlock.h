//===- ThreadBlock.h - The threads of one block
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_EMULATOR_THREADBLOCK_H
#define ROTQ_LIB_EMULATOR_THREADBLOCK_H

#include "FiberStack.h"
#include "GlobalBuffer.h"
#include "LocalMemory.h"
#include "SharedMemory.h"

#include <boost/context/fiber.hpp>

#include <array>
#include <map>
#include <mutex>
#include <random>
#include <string>

namespace mlir::rotq::emulator {

class ThreadBlock;
struct DeviceInstruction;

using Index3 = std::array<uint32_t, 3>;

/// Where a number is in a box of that size, the first index fastest.
Index3 unflatten(uint64_t number, const Index3 &size);
/// "(5,0,0)"
std::string textOf(const Index3 &index);

/// What all blocks of a launch share.
struct LaunchState {
  std::string kernel;
  Index3 grid, blockSize;
  uint64_t sharedBytes = 0, dynamicSharedBytes = 0;
  uint64_t seed = 0, maxIterations = 0;
  std::vector<std::unique_ptr<GlobalBuffer>> buffers;
  const std::vector<std::string> *sites = nullptr;
  void (*entry)(void **arguments) = nullptr;
  std::vector<void *> arguments;
  /// It may start before the launch before it has ended.
  bool isDependent = false;
  /// Whether a thread has waited for that, has let the next launch start, and
  /// whether a block lets it only after it has waited.
  std::atomic<bool> hasWaited = false, triggers = false,
                    triggersAfterWait = false;

  uint32_t threadsPerBlock() const {
    return blockSize[0] * blockSize[1] * blockSize[2];
  }
  /// Ends the launch; the first message stays.
  void fail(const std::string &text);
  bool hasFailed() const { return failed.load(std::memory_order_relaxed); }
  const std::string &getMessage() const { return message; }

private:
  std::atomic<bool> failed = false;
  std::mutex mutex;
  std::string message;
};

/// How a thread takes part in a barrier of its block.
struct BarrierUse {
  uint32_t id = 0;
  uint32_t count = 0; ///< of threads; 0: all of the block
  bool waits = true;
  bool isAligned = true; ///< all lanes of a warp execute the same instruction
  enum class Reduction { None, And, Or, Popcount } reduction = Reduction::None;
  uint32_t value = 0; ///< for the reduction
};

/// Thrown by Thread::fail, and caught before it reaches the code of a kernel,
/// which cannot be unwound.
struct ThreadFailure {};

class Thread {
public:
  /// Where a thread stands.
  enum class State { Ready, AtCollective, AtBarrier, Exited };

  /// Starts the kernel on a stack of this block.
  void start(ThreadBlock &block, unsigned number, FiberStack stack);
  /// Runs until the thread waits or ends.
  void resume();
  /// Leaves the stack as it is.
  void abandon();

  // For the code of the kernel.
  void *access(const Access &access);
  void collective(const DeviceInstruction &instruction, uint32_t *words,
                  uint32_t site);
  uint32_t barrier(const BarrierUse &use, uint32_t site);
  void iterate(uint32_t site);
  /// After an atomic read: what others did before what it has read.
  void observe(const Access &access);
  void fence();
  /// griddepcontrol.wait and griddepcontrol.launch_dependents.
  void waitForPredecessor();
  void launchDependents();
  /// Lets others go first, now and then, where the order is permuted.
  void preempt();
  void yield() { suspend(); }
  [[noreturn]] void fail(const std::string &text);
  [[noreturn]] void fail(const std::string &text, uint32_t site);
  /// Never goes on.
  [[noreturn]] void stop();

  ThreadBlock &getBlock() const { return *block; }
  unsigned getNumber() const { return number; }
  unsigned getLane() const { return number % 32; }
  unsigned getWarp() const { return number / 32; }
  Index3 getIndex() const;
  LocalMemory &getLocal() { return local; }

  /// A copy that cp.async started.
  struct Copy {
    uint64_t target, source;
    uint32_t size, sourceSize, site;
  };
  /// Committed groups, the oldest first; the last one is open.
  std::vector<std::vector<Copy>> copies;

  /// 16 bytes that wgmma reads, as they were when it was executed.
  struct ProductRead {
    const std::byte *bytes;
    std::array<std::byte, 16> seen;
    uint32_t site;
  };
  /// What a warpgroup has of wgmma under way; its first thread keeps it.
  struct Products {
    /// Since the registers were free for other instructions.
    bool isFenced = false;
    /// Committed groups, the oldest first; the last one is open.
    std::vector<std::vector<ProductRead>> groups{1};
  } products;

  /// The thread that runs on this thread of the host.
  static Thread &current();

private:
  friend class ThreadBlock;
  void suspend();
  void run();
  /// Whether this thread waits in the collective that `other` is in.
  bool isWith(const Thread &other) const;
  Complaint translate(const Access &access, void *&result);
  void publish(const Access &access);

  boost::context::fiber self, scheduler;
  FiberStack stack, schedulerStack;
  ThreadBlock *block = nullptr;
  unsigned number = 0;
  State state = State::Exited;
  LocalMemory local;
  uint64_t iterations = 0;
  bool hasWaited = false;
  /// What it knew at its last fence, and what it will know after the next.
  SharedKnowledge fenced, observed;
  // What the thread waits for.
  const DeviceInstruction *instruction = nullptr;
  uint32_t *words = nullptr;
  uint32_t mask = 0, site = 0, barrierId = 0, barrierResult = 0;
};

/// A block as it runs on one thread of the host; used for one after another.
class ThreadBlock {
public:
  ThreadBlock() = default;
  ThreadBlock(const ThreadBlock &) = delete;
  ThreadBlock &operator=(const ThreadBlock &) = delete;
  ~ThreadBlock();

  /// Runs a block to its end, or until the launch has failed.
  void run(LaunchState &launch, Index3 index);

  LaunchState &getLaunch() const { return *launch; }
  Index3 getIndex() const { return index; }
  SharedMemory &getShared() { return shared; }
  /// What these threads did before comes before what they do next.
  void synchronize(const std::vector<unsigned> &numbers);
  Thread &getThread(unsigned number) { return *threads[number]; }
  unsigned numThreads() const { return unsigned(live); }
  /// The lanes that a warp has.
  uint32_t lanesOf(unsigned warp) const;
  /// "thread (5,0,0)"
  std::string describe(unsigned thread) const;
  /// "thread (5,0,0) at f.mlir:3:7", by its number in the launch.
  std::string describeInLaunch(uint32_t thread, uint32_t site) const;
  std::string siteText(uint32_t site) const;

private:
  friend class Thread;
  struct Arrival {
    unsigned thread;
    uint32_t site;
    bool waits;
    uint32_t value;
  };
  struct Barrier {
    uint32_t expected = 0;
    std::vector<Arrival> arrivals;
  };

  void allocateStacks(size_t count);
  bool runRound();
  void reportDeadlock();
  std::string whereabouts(unsigned thread) const;
  void completeBarrier(Barrier &barrier, const BarrierUse &use, Thread &last);

  LaunchState *launch = nullptr;
  Index3 index = {};
  size_t live = 0;
  std::vector<std::unique_ptr<Thread>> threads;
  std::vector<unsigned> warpOrder, laneOrder;
  std::map<uint32_t, Barrier> barriers;
  SharedMemory shared;
  Clocks clocks;
  bool hasWaited = false, triggersBeforeWait = false;
  std::mt19937_64 random;
  std::byte *stacks = nullptr;
  size_t numStacks = 0;
};

} // namespace mlir::rotq::emulator

#endif // ROTQ_LIB_EMULATOR_THREADBLOCK_H
