//===- Clocks.h - What the threads of a block know to have happened
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_EMULATOR_CLOCKS_H
#define ROTQ_LIB_EMULATOR_CLOCKS_H

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace mlir::rotq::emulator {

/// A moment of a thread: its number in the launch, and how often it had been
/// synchronized. Clock 0: no moment.
struct Stamp {
  uint32_t thread = 0, clock = 0;
};

/// For blocks of a launch: up to which clock of each of their threads
/// everything is known to have happened.
using Knowledge =
    std::map<uint32_t, std::shared_ptr<const std::vector<uint32_t>>>;
using SharedKnowledge = std::shared_ptr<const Knowledge>; ///< null: none

/// What two threads know together.
SharedKnowledge merge(const SharedKnowledge &a, const SharedKnowledge &b);

/// Vector clocks of the threads of a block: which of two accesses comes first
/// in every order that the threads may run in.
class Clocks {
public:
  /// Starts block number `block`, of `threads` threads.
  void start(uint32_t block, unsigned threads);

  /// The moment at which a thread is.
  Stamp now(unsigned thread) const {
    return {firstThread + thread, own[thread]};
  }
  /// Whether `thread` knows that a moment has passed.
  bool isBefore(Stamp moment, unsigned thread) const;

  /// What these threads did before comes before what they do next.
  void synchronize(const std::vector<unsigned> &threads);

  /// What a thread knows, itself included; what it does next is not part of it.
  SharedKnowledge publish(unsigned thread);
  /// What others knew when they published it.
  void learn(unsigned thread, const SharedKnowledge &knowledge);

  uint32_t getFirstThread() const { return firstThread; }
  unsigned getNumThreads() const { return numThreads; }

private:
  uint32_t &seenBy(unsigned thread, unsigned of);

  uint32_t firstThread = 0;
  unsigned numThreads = 0;
  std::vector<uint32_t> own;
  /// All threads know what each did before this clock of it.
  std::vector<uint32_t> common;
  /// [thread][of thread]: up to this clock. Empty until a part of the block
  /// synchronizes.
  std::vector<uint32_t> seen;
  /// Of other blocks, by thread. Empty until one learns something.
  std::vector<SharedKnowledge> foreign;
};

} // namespace mlir::rotq::emulator

#endif // ROTQ_LIB_EMULATOR_CLOCKS_H
