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

/// A fragment with one formula for all lanes: `position` takes the group of
/// four lanes, the lane in it, and the element.
template <typename Formula>
static Fragment buildFragment(unsigned count, Formula position) {
  Fragment fragment;
  for (unsigned lane = 0; lane < 32; ++lane)
    for (unsigned i = 0; i < count; ++i) {
      std::pair<unsigned, unsigned> at = position(lane / 4, lane % 4, i);
      fragment[lane].push_back({uint8_t(at.first), uint8_t(at.second)});
    }
  return fragment;
}

const Fragment &mlir::rotq::emulator::fragmentC(unsigned cols) {
  static const std::vector<Fragment> built = [] {
    std::vector<Fragment> result;
    for (unsigned tiles = 0; tiles <= 32; ++tiles)
      result.push_back(
          buildFragment(4 * tiles, [](unsigned g, unsigned t, unsigned i) {
            return std::pair(g + 8 * (i / 2 % 2), 8 * (i / 4) + 2 * t + i % 2);
          }));
    return result;
  }();
  return built[cols / 8];
}

unsigned mlir::rotq::emulator::laneOfScaleA(unsigned row, unsigned thread) {
  return row % 8 * 4 + 2 * thread + row / 8;
}

unsigned mlir::rotq::emulator::laneOfScaleB(unsigned col, unsigned thread) {
  return col * 4 + thread;
}

const Fragment &mlir::rotq::emulator::fragmentOfM8N8(bool transposed) {
  static const Fragment straight =
      buildFragment(2, [](unsigned g, unsigned t, unsigned i) {
        return std::pair(g, 2 * t + i);
      });
  static const Fragment swapped =
      buildFragment(2, [](unsigned g, unsigned t, unsigned i) {
        return std::pair(2 * t + i, g);
      });
  return transposed ? swapped : straight;
}

const Fragment &mlir::rotq::emulator::fragmentOfM8N16() {
  static const Fragment fragment =
      buildFragment(4, [](unsigned g, unsigned t, unsigned i) {
        return std::pair(g, 4 * t + i);
      });
  return fragment;
}

const Fragment &mlir::rotq::emulator::fragmentOfM16N16() {
  static const Fragment fragment =
      buildFragment(8, [](unsigned g, unsigned t, unsigned i) {
        return std::pair(4 * t + i % 4, g + 8 * (i / 4));
      });
  return fragment;
}
