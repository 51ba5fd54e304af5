//===- PlantedBugs.h - Kernels with bugs, and what is said of them
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_UNITTESTS_EMULATOR_PLANTEDBUGS_H
#define ROTQ_UNITTESTS_EMULATOR_PLANTEDBUGS_H

#include "EmulatorTestUtils.h"

namespace mlir::rotq::test {

/// A part of a message.
struct Part {
  std::string text;
  bool isStart;
};

inline Part contains(std::string text) { return {std::move(text), false}; }
inline Part startsWith(std::string text) { return {std::move(text), true}; }

/// For EXPECT_PRED_FORMAT2.
testing::AssertionResult says(const char *, const char *,
                              const std::string &message, const Part &part);

/// Thread 5 does `body` in a block of 32 threads; %i is its number.
std::string byThread5(const std::string &body);

/// Every thread does `body` with 256 bytes of shared memory: %own is the word
/// of thread %i, %next that of its neighbor.
std::string withShared(const std::string &body);

/// The message for a kernel of a pointer to 4096 bytes and a number.
std::string messageOf(const std::string &assembly, uint32_t threads = 32,
                      uint64_t seed = 0, bool writable = true,
                      llvm::StringRef chip = "sm_90a");

/// Where byThread5 goes wrong.
inline constexpr const char *kThread5 =
    "kernel 'k', block (0,0,0), thread (5,0,0): ";

} // namespace mlir::rotq::test

#endif // ROTQ_UNITTESTS_EMULATOR_PLANTEDBUGS_H
