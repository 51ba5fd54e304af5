//===- WarpInstructions.cpp - Collectives of a warp
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "InstructionTable.h"

#include <algorithm>
#include <bit>
#include <cmath>

using namespace mlir::rotq::emulator;

enum class Shuffle { Up, Down, Butterfly, Index };

/// Operands: mask, value, lane operand, clamp and segment mask.
template <Shuffle Mode> static void shuffle(WarpCall &call) {
  std::array<uint32_t, 32> values{}, valid{};
  forLanes(call, [&](unsigned lane) {
    const uint32_t *words = call.words[lane];
    auto own = int(lane), offset = int(words[2] & 31);
    int clamp = int(words[3] & 31), segment = int(words[3] >> 8 & 31);
    int last = (own & segment) | (clamp & ~segment);
    int source = Mode == Shuffle::Up     ? own - offset
                 : Mode == Shuffle::Down ? own + offset
                 : Mode == Shuffle::Butterfly
                     ? own ^ offset
                     : (own & segment) | (offset & ~segment);
    bool isValid = Mode == Shuffle::Up ? source >= last : source <= last;
    if (!isValid)
      source = own;
    if (!(call.mask >> source & 1))
      call.threads[lane]->fail("shfl.sync reads lane " +
                                   std::to_string(source) +
                                   ", which is not in its mask",
                               call.site);
    values[lane] = call.words[size_t(source)][1];
    valid[lane] = isValid;
  });
  forLanes(call, [&](unsigned lane) {
    call.words[lane][0] = values[lane];
    call.words[lane][1] = valid[lane];
  });
}

/// Operands: mask, predicate.
static uint32_t ballotOf(const WarpCall &call) {
  uint32_t ballot = 0;
  for (unsigned lane = 0; lane < 32; ++lane)
    if (call.mask >> lane & 1 && call.words[lane][1])
      ballot |= 1u << lane;
  return ballot;
}
static void setAll(WarpCall &call, uint32_t value) {
  forLanes(call, [&](unsigned lane) { call.words[lane][0] = value; });
}
static void ballot(WarpCall &call) { setAll(call, ballotOf(call)); }
static void voteAll(WarpCall &call) {
  setAll(call, ballotOf(call) == call.mask);
}
static void voteAny(WarpCall &call) { setAll(call, ballotOf(call) != 0); }
static void voteUniform(WarpCall &call) {
  uint32_t value = ballotOf(call);
  setAll(call, value == 0 || value == call.mask);
}

/// Operands: value, mask.
template <typename T, T (*Combine)(T, T)> static void reduce(WarpCall &call) {
  T result{};
  bool isFirst = true;
  forLanes(call, [&](unsigned lane) {
    T value = std::bit_cast<T>(call.words[lane][0]);
    result = isFirst ? value : Combine(result, value);
    isFirst = false;
  });
  setAll(call, std::bit_cast<uint32_t>(result));
}
static uint32_t add(uint32_t a, uint32_t b) { return a + b; }
static uint32_t bitAnd(uint32_t a, uint32_t b) { return a & b; }
static uint32_t bitOr(uint32_t a, uint32_t b) { return a | b; }
static uint32_t bitXor(uint32_t a, uint32_t b) { return a ^ b; }
template <typename T> static T least(T a, T b) { return std::min(a, b); }
template <typename T> static T greatest(T a, T b) { return std::max(a, b); }
static float leastFloat(float a, float b) { return std::fmin(a, b); }
static float greatestFloat(float a, float b) { return std::fmax(a, b); }

/// Operands: mask, value.
static void matchAny(WarpCall &call) {
  std::array<uint32_t, 32> results{};
  forLanes(call, [&](unsigned lane) {
    forLanes(call, [&](unsigned other) {
      if (call.words[lane][1] == call.words[other][1])
        results[lane] |= 1u << other;
    });
  });
  forLanes(call, [&](unsigned lane) { call.words[lane][0] = results[lane]; });
}
static void matchAll(WarpCall &call) {
  unsigned first = unsigned(std::countr_zero(call.mask));
  uint32_t value = call.words[first][1];
  bool isSame = true;
  forLanes(call,
           [&](unsigned lane) { isSame &= call.words[lane][1] == value; });
  forLanes(call, [&](unsigned lane) {
    call.words[lane][0] = isSame ? call.mask : 0;
    call.words[lane][1] = isSame;
  });
}

/// The lowest lane is elected; PTX leaves the choice open.
static void elect(WarpCall &call) {
  auto leader = unsigned(std::countr_zero(call.mask));
  forLanes(call, [&](unsigned lane) {
    call.words[lane][0] = leader;
    call.words[lane][1] = lane == leader;
  });
}

static void syncWarp(WarpCall &call) {
  std::vector<unsigned> threads;
  forLanes(call, [&](unsigned lane) {
    threads.push_back(call.threads[lane]->getNumber());
  });
  Thread::current().getBlock().synchronize(threads);
}

//===----------------------------------------------------------------------===//
// The table
//===----------------------------------------------------------------------===//

#define SHUFFLE(name, mode)                                                    \
  perLanes("llvm.nvvm.shfl.sync." name ".i32", shuffle<mode>, 0),              \
      perLanes("llvm.nvvm.shfl.sync." name ".f32", shuffle<mode>, 0),          \
      perLanes("llvm.nvvm.shfl.sync." name ".i32p", shuffle<mode>, 0),         \
      perLanes("llvm.nvvm.shfl.sync." name ".f32p", shuffle<mode>, 0)

void mlir::rotq::emulator::addWarpInstructions(Instructions &table) {
  table.append({
      SHUFFLE("up", Shuffle::Up),
      SHUFFLE("down", Shuffle::Down),
      SHUFFLE("bfly", Shuffle::Butterfly),
      SHUFFLE("idx", Shuffle::Index),
      perLanes("llvm.nvvm.vote.ballot.sync", ballot, 0),
      perLanes("llvm.nvvm.vote.all.sync", voteAll, 0),
      perLanes("llvm.nvvm.vote.any.sync", voteAny, 0),
      perLanes("llvm.nvvm.vote.uni.sync", voteUniform, 0),
      perLanes("llvm.nvvm.match.any.sync.i32", matchAny, 0),
      perLanes("llvm.nvvm.match.all.sync.i32p", matchAll, 0),
      perLanes("llvm.nvvm.elect.sync", elect, 0, kSm90),
      perLanes("llvm.nvvm.bar.warp.sync", syncWarp, 0),
      perLanes("llvm.nvvm.redux.sync.add", reduce<uint32_t, add>, 1, kSm80),
      perLanes("llvm.nvvm.redux.sync.and", reduce<uint32_t, bitAnd>, 1, kSm80),
      perLanes("llvm.nvvm.redux.sync.or", reduce<uint32_t, bitOr>, 1, kSm80),
      perLanes("llvm.nvvm.redux.sync.xor", reduce<uint32_t, bitXor>, 1, kSm80),
      perLanes("llvm.nvvm.redux.sync.min", reduce<int32_t, least>, 1, kSm80),
      perLanes("llvm.nvvm.redux.sync.max", reduce<int32_t, greatest>, 1, kSm80),
      perLanes("llvm.nvvm.redux.sync.umin", reduce<uint32_t, least>, 1, kSm80),
      perLanes("llvm.nvvm.redux.sync.umax", reduce<uint32_t, greatest>, 1,
               kSm80),
      perLanes("llvm.nvvm.redux.sync.fmin", reduce<float, leastFloat>, 1,
               kSm100f),
      perLanes("llvm.nvvm.redux.sync.fmax", reduce<float, greatestFloat>, 1,
               kSm100f),
  });
}
