//===- Parallel.cpp - Striping rows over threads --------------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Parallel.h"

#include <algorithm>
#include <atomic>
#include <system_error>
#include <thread>
#include <vector>

using namespace rotq;

void rotq::parallelRows(
    int64_t n, int64_t grain, unsigned threads,
    const std::function<bool(int64_t begin, int64_t end)> &body) {
  if (threads == 0)
    threads = std::max(1u, std::thread::hardware_concurrency());
  int64_t ranges = (n + grain - 1) / grain;
  threads = unsigned(std::min<int64_t>({threads, ranges, 1024}));

  std::atomic<int64_t> next = 0;
  std::atomic<bool> stop = false;
  auto work = [&] {
    while (!stop) {
      int64_t begin = next.fetch_add(1) * grain;
      if (begin >= n)
        return;
      if (!body(begin, std::min(begin + grain, n)))
        stop = true;
    }
  };
  std::vector<std::jthread> others;
  for (unsigned i = 1; i < threads; ++i) {
    try {
      others.emplace_back(work);
    } catch (const std::system_error &) {
      break; // no more threads to be had: those that run do the work
    }
  }
  work();
}
