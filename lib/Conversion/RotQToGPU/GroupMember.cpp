//===- GroupMember.cpp - Which matmul of a group a block computes
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GroupMember.h"

using namespace mlir;
using namespace mlir::rotq;

static int64_t blocksOf(WeightType weight, int64_t rowsPerBlock) {
  return int64_t(llvm::divideCeil(weight.getN(), rowsPerBlock));
}

GroupMember::GroupMember(KernelBuilder &b, const KernelFunction &kernel,
                         const MatmulProblem &problem, Value block,
                         int64_t rowsPerBlock)
    : b(b), kernel(kernel), problem(problem), blockOfLaunch(block) {
  int64_t blocks = 0;
  for (size_t member = 0; member < problem.members(); ++member) {
    firstBlocks.push_back(blocks);
    blocks += blocksOf(firstWeight(member), rowsPerBlock);
  }
}

Value GroupMember::choose(function_ref<Value(size_t)> ofMember) const {
  Value chosen = ofMember(0);
  for (size_t i = 1; i < firstBlocks.size(); ++i)
    chosen =
        b.select(b.less(blockOfLaunch, firstBlocks[i]), chosen, ofMember(i));
  return chosen;
}

WeightType GroupMember::firstWeight(size_t member) const {
  return problem.weights[member * size_t(problem.sums)];
}

Value GroupMember::pointer(StringRef name, size_t i, size_t perMember) const {
  return choose([&](size_t member) {
    return kernel.argument(numberedName(name, member * perMember + i,
                                        problem.members() * perMember));
  });
}

Value GroupMember::weight(Value sum) const {
  auto ofSum = [&](int64_t i) {
    return pointer("weight", size_t(i), size_t(problem.sums));
  };
  Value chosen = ofSum(0);
  for (int64_t i = 1; i < problem.sums; ++i)
    chosen = b.select(b.less(sum, i), chosen, ofSum(i));
  return chosen;
}

Value GroupMember::epilogueOperand(size_t i) const {
  return pointer("epilogue", i, problem.operands());
}

Value GroupMember::y() const { return pointer("y", 0, 1); }

Value GroupMember::block() const {
  return b.sub(blockOfLaunch,
               choose([&](size_t i) { return b.index(firstBlocks[i]); }));
}

Value GroupMember::n() const {
  return choose([&](size_t i) { return b.index(firstWeight(i).getN()); });
}

Value GroupMember::lastStrip() const {
  return choose([&](size_t i) {
    return b.index(firstWeight(i).getTiledLayout().strips - 1);
  });
}

Value GroupMember::scalesOffset() const {
  return choose([&](size_t i) {
    return b.index(firstWeight(i).getTiledLayout().scalesOffset);
  });
}

std::string mlir::rotq::numberedName(StringRef name, size_t i, size_t count) {
  return count == 1 ? name.str() : name.str() + std::to_string(i);
}

int64_t mlir::rotq::countBlocks(const MatmulProblem &problem,
                                int64_t rowsPerBlock) {
  int64_t blocks = 0;
  for (size_t i = 0; i < problem.weights.size(); i += size_t(problem.sums))
    blocks += blocksOf(problem.weights[i], rowsPerBlock);
  return blocks;
}
