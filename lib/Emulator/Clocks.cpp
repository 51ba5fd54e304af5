//===- Clocks.cpp - What the threads of a block know to have happened
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Clocks.h"

#include <algorithm>

using namespace mlir::rotq::emulator;

SharedKnowledge mlir::rotq::emulator::merge(const SharedKnowledge &a,
                                            const SharedKnowledge &b) {
  if (!a || a == b)
    return b;
  if (!b)
    return a;
  auto result = std::make_shared<Knowledge>(*a);
  for (const auto &[block, clocks] : *b) {
    auto &known = (*result)[block];
    if (!known) {
      known = clocks;
    } else if (known != clocks) {
      auto joined = std::make_shared<std::vector<uint32_t>>(*known);
      for (size_t i = 0; i < joined->size(); ++i)
        (*joined)[i] = std::max((*joined)[i], (*clocks)[i]);
      known = std::move(joined);
    }
  }
  return result;
}

void Clocks::start(uint32_t block, unsigned threads) {
  firstThread = block * threads;
  numThreads = threads;
  own.assign(threads, 1);
  common.assign(threads, 1);
  seen.clear();
  foreign.clear();
}

uint32_t &Clocks::seenBy(unsigned thread, unsigned of) {
  if (seen.empty())
    seen.resize(size_t(numThreads) * numThreads);
  return seen[size_t(thread) * numThreads + of];
}

bool Clocks::isBefore(Stamp moment, unsigned thread) const {
  uint32_t of = moment.thread - firstThread;
  if (of < numThreads)
    return of == thread || moment.clock < common[of] ||
           (!seen.empty() &&
            moment.clock <= seen[size_t(thread) * numThreads + of]);
  if (foreign.empty() || !foreign[thread])
    return false;
  auto it = foreign[thread]->find(moment.thread / numThreads);
  return it != foreign[thread]->end() &&
         moment.clock <= (*it->second)[moment.thread % numThreads];
}

void Clocks::synchronize(const std::vector<unsigned> &threads) {
  if (!foreign.empty()) {
    SharedKnowledge joined;
    for (unsigned thread : threads)
      joined = merge(joined, foreign[thread]);
    for (unsigned thread : threads)
      foreign[thread] = joined;
  }
  if (threads.size() == numThreads) {
    for (unsigned thread = 0; thread < numThreads; ++thread)
      common[thread] = ++own[thread];
    return;
  }
  std::vector<uint32_t> joined(numThreads);
  for (unsigned thread : threads) {
    for (unsigned of = 0; of < numThreads; ++of)
      joined[of] = std::max(joined[of], seenBy(thread, of));
    joined[thread] = std::max(joined[thread], own[thread]);
  }
  for (unsigned thread : threads) {
    std::copy(joined.begin(), joined.end(), &seenBy(thread, 0));
    ++own[thread];
  }
}

SharedKnowledge Clocks::publish(unsigned thread) {
  auto clocks = std::make_shared<std::vector<uint32_t>>(common);
  for (unsigned of = 0; of < numThreads; ++of) {
    --(*clocks)[of];
    if (!seen.empty())
      (*clocks)[of] = std::max((*clocks)[of], seenBy(thread, of));
  }
  (*clocks)[thread] = own[thread]++;
  auto result = std::make_shared<Knowledge>();
  if (!foreign.empty() && foreign[thread])
    *result = *foreign[thread];
  (*result)[firstThread / numThreads] = std::move(clocks);
  return result;
}

void Clocks::learn(unsigned thread, const SharedKnowledge &knowledge) {
  if (!knowledge)
    return;
  if (auto it = knowledge->find(firstThread / numThreads);
      it != knowledge->end())
    for (unsigned of = 0; of < numThreads; ++of)
      seenBy(thread, of) = std::max(seenBy(thread, of), (*it->second)[of]);
  foreign.resize(numThreads);
  foreign[thread] = merge(foreign[thread], knowledge);
}
