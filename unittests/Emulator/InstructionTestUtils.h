//===- InstructionTestUtils.h - One instruction on many operands
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_UNITTESTS_EMULATOR_INSTRUCTIONTESTUTILS_H
#define ROTQ_UNITTESTS_EMULATOR_INSTRUCTIONTESTUTILS_H

#include "EmulatorTestUtils.h"

#include <functional>
#include <random>

namespace mlir::rotq::test {

using Words = std::vector<uint32_t>;
/// Operands or results of all threads of a block.
using Lanes = std::vector<Words>;

/// An intrinsic and the types of its operands and results. Each takes a word
/// of every thread, but operands that are constants ("i16 2").
struct Signature {
  std::string name;
  std::vector<std::string> results, operands;
};

/// Every thread executes the intrinsic once, and keeps its results.
Lanes execute(const Signature &signature, const Lanes &operands,
              uint64_t seed = 1, llvm::StringRef chip = "sm_90a",
              const Tolerance &tolerance = {});

/// `count` random words for every thread.
Lanes randomLanes(size_t count, size_t threads = 32);

/// Expects the result of every thread to follow from its own operands.
void expectPure(const Signature &signature, const Lanes &operands,
                std::function<uint32_t(const Words &)> expected,
                llvm::StringRef chip = "sm_90a");

} // namespace mlir::rotq::test

#endif // ROTQ_UNITTESTS_EMULATOR_INSTRUCTIONTESTUTILS_H
