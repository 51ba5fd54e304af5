//===- Kernels.cpp - Choice among the hot loops ---------------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"

#include <atomic>
#include <vector>

// A product and a sum stay two roundings, whatever the flags.
#pragma STDC FP_CONTRACT OFF

namespace rotq::kernels {

namespace baseline {
#include "Kernels.inc"
static constexpr Table table = {"baseline",  allWithin, statistics, subtract,
                                feed,        moments,   assign,     hadamard,
                                trellisStep, frameLeast};
} // namespace baseline

#if defined(__x86_64__) && defined(__clang__)

#pragma clang attribute push(__attribute__((target("avx2"))),                  \
                             apply_to = function)
namespace avx2 {
#include "Kernels.inc"
static constexpr Table table = {"avx2",      allWithin, statistics, subtract,
                                feed,        moments,   assign,     hadamard,
                                trellisStep, frameLeast};
} // namespace avx2
#pragma clang attribute pop

#pragma clang attribute push(                                                  \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))),             \
    apply_to = function)
namespace avx512 {
#include "Kernels.inc"
static constexpr Table table = {"avx512",    allWithin, statistics, subtract,
                                feed,        moments,   assign,     hadamard,
                                trellisStep, frameLeast};
} // namespace avx512
#pragma clang attribute pop

#endif

static std::vector<const Table *> detect() {
  std::vector<const Table *> tables = {&baseline::table};
#if defined(__x86_64__) && defined(__clang__)
  if (__builtin_cpu_supports("avx2"))
    tables.push_back(&avx2::table);
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
    tables.push_back(&avx512::table);
#endif
  return tables;
}

std::span<const Table *const> available() {
  static const std::vector<const Table *> tables = detect();
  return tables;
}

static std::atomic<const Table *> chosen = nullptr;

const Table &active() {
  const Table *table = chosen.load(std::memory_order_relaxed);
  return table ? *table : *available().back();
}

void select(const Table *table) { chosen = table; }

} // namespace rotq::kernels
