//===- Fragments.cpp - Which lane holds which element of a matrix
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Fragments.h"

#include <map>
#include <mutex>
#include <utility>

using namespace mlir::rotq::emulator;

/// Registers go over the rows g and g + 8 first (A only), then over runs of
/// K that the four lanes of a group share.
static Fragment buildOperand(unsigned k, unsigned bits, bool isA) {
  unsigned perRegister = 32 / bits, halves = isA ? 2 : 1;
  Fragment fragment;
  for (unsigned lane = 0; lane < 32; ++lane) {
    unsigned group = lane / 4, thread = lane % 4;
    for (unsigned run = 0; run < k; run += 4 * perRegister)
      for (unsigned half = 0; half < halves; ++half)
        for (unsigned e = 0; e < perRegister; ++e) {
          auto outer = uint8_t(group + 8 * half);
          auto inner = uint8_t(run + perRegister * thread + e);
          fragment[lane].push_back(isA ? Position{outer, inner}
                                       : Position{inner, outer});
        }
  }
  return fragment;
}

/// Built at first use, for good.
static const Fragment &lookup(unsigned k, unsigned bits, bool isA) {
  static std::mutex mutex;
  static std::map<std::tuple<unsigned, unsigned, bool>, Fragment> built;
  std::lock_guard lock(mutex);
  auto [it, isNew] = built.try_emplace({k, bits, isA});
  if (isNew)
    it->second = buildOperand(k, bits, isA);
  return it->second;
}

const Fragment &mlir::rotq::emulator::fragmentA(unsigned k, unsigned bits) {
  return lookup(k, bits, /*isA=*/true);
}

const Fragment &mlir::rotq::emulator::fragmentB(unsigned k, unsigned bits) {
  return lookup(k, bits, /*isA=*/false);
}

const Fragment &mlir::rotq::emulator::fragmentC() {
  static const Fragment fragment = [] {
    Fragment result;
    for (unsigned lane = 0; lane < 32; ++lane)
      for (unsigned half = 0; half < 2; ++half)
        for (unsigned e = 0; e < 2; ++e)
          result[lane].push_back(
              {uint8_t(lane / 4 + 8 * half), uint8_t(2 * (lane % 4) + e)});
    return result;
  }();
  return fragment;
}

const Fragment &mlir::rotq::emulator::fragmentOfLdmatrix(bool transposed) {
  auto build = [](bool swap) {
    Fragment result;
    for (unsigned lane = 0; lane < 32; ++lane)
      for (unsigned e = 0; e < 2; ++e) {
        auto outer = uint8_t(lane / 4), inner = uint8_t(2 * (lane % 4) + e);
        result[lane].push_back(swap ? Position{inner, outer}
                                    : Position{outer, inner});
      }
    return result;
  };
  static const Fragment straight = build(false), swapped = build(true);
  return transposed ? swapped : straight;
}
