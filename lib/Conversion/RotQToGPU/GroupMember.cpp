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
  for (WeightType type : problem.weights) {
    firstBlocks.push_back(blocks);
    blocks += blocksOf(type, rowsPerBlock);
  }
}

Value GroupMember::choose(function_ref<Value(size_t)> ofMember) const {
  Value chosen = ofMember(0);
  for (size_t i = 1; i < firstBlocks.size(); ++i)
    chosen =
        b.select(b.less(blockOfLaunch, firstBlocks[i]), chosen, ofMember(i));
  return chosen;
}

Value GroupMember::pointer(StringRef name) const {
  return choose(
      [&](size_t i) { return kernel.argument(memberName(problem, name, i)); });
}

Value GroupMember::weight() const { return pointer("weight"); }

Value GroupMember::y() const { return pointer("y"); }

Value GroupMember::block() const {
  return b.sub(blockOfLaunch,
               choose([&](size_t i) { return b.index(firstBlocks[i]); }));
}

Value GroupMember::n() const {
  return choose([&](size_t i) { return b.index(problem.weights[i].getN()); });
}

Value GroupMember::lastStrip() const {
  return choose([&](size_t i) {
    return b.index(problem.weights[i].getTiledLayout().strips - 1);
  });
}

Value GroupMember::scalesOffset() const {
  return choose([&](size_t i) {
    return b.index(problem.weights[i].getTiledLayout().scalesOffset);
  });
}

std::string mlir::rotq::memberName(const MatmulProblem &problem, StringRef name,
                                   size_t i) {
  return problem.weights.size() == 1 ? name.str()
                                     : name.str() + std::to_string(i);
}

int64_t mlir::rotq::countBlocks(const MatmulProblem &problem,
                                int64_t rowsPerBlock) {
  int64_t blocks = 0;
  for (WeightType weight : problem.weights)
    blocks += blocksOf(weight, rowsPerBlock);
  return blocks;
}
