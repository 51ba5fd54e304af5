//===- ThreadInstructions.cpp - Special registers and barriers
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "InstructionTable.h"

using namespace mlir::rotq::emulator;

//===----------------------------------------------------------------------===//
// Special registers
//===----------------------------------------------------------------------===//

template <unsigned I>
static void readTid(Thread &thread, uint32_t *words, uint32_t) {
  words[0] = thread.getIndex()[I];
}
template <unsigned I>
static void readNtid(Thread &thread, uint32_t *words, uint32_t) {
  words[0] = thread.getBlock().getLaunch().blockSize[I];
}
template <unsigned I>
static void readCtaid(Thread &thread, uint32_t *words, uint32_t) {
  words[0] = thread.getBlock().getIndex()[I];
}
template <unsigned I>
static void readNctaid(Thread &thread, uint32_t *words, uint32_t) {
  words[0] = thread.getBlock().getLaunch().grid[I];
}
static void readLane(Thread &thread, uint32_t *words, uint32_t) {
  words[0] = thread.getLane();
}
static void readWarp(Thread &thread, uint32_t *words, uint32_t) {
  words[0] = thread.getWarp();
}
static void readWarpSize(uint32_t *words) { words[0] = 32; }
static void readDynamicShared(Thread &thread, uint32_t *words, uint32_t) {
  words[0] = uint32_t(thread.getBlock().getLaunch().dynamicSharedBytes);
}
static void readTotalShared(Thread &thread, uint32_t *words, uint32_t) {
  words[0] = uint32_t(thread.getBlock().getLaunch().sharedBytes);
}

/// The lanes below, at and above this one, where asked for.
template <bool Below, bool At, bool Above>
static void readLaneMask(Thread &thread, uint32_t *words, uint32_t) {
  uint32_t at = 1u << thread.getLane();
  words[0] = (Below ? at - 1 : 0) | (At ? at : 0) | (Above ? ~at & -at : 0);
}

//===----------------------------------------------------------------------===//
// Barriers
//===----------------------------------------------------------------------===//

using Reduction = BarrierUse::Reduction;

/// Operands: the number, the count of threads, the predicate.
template <bool IsAligned, bool HasCount, bool Waits = true,
          Reduction Reduces = Reduction::None>
static void barrier(Thread &thread, uint32_t *words, uint32_t site) {
  BarrierUse use;
  use.id = words[0];
  use.count = HasCount ? words[1] : 0;
  use.waits = Waits;
  use.isAligned = IsAligned;
  use.reduction = Reduces;
  if (Reduces != Reduction::None)
    use.value = words[HasCount ? 2 : 1];
  if (HasCount && use.count == 0)
    thread.fail("barrier for 0 threads", site);
  words[0] = thread.barrier(use, site);
}

/// Barrier 0 of the whole block.
static void barrier0(Thread &thread, uint32_t *, uint32_t site) {
  thread.barrier({}, site);
}

/// Memory has one proxy.
static void doNothing(uint32_t *) {}

static void fence(Thread &thread, uint32_t *, uint32_t) { thread.fence(); }
static void waitForPredecessor(Thread &thread, uint32_t *, uint32_t) {
  thread.waitForPredecessor();
}
static void launchDependents(Thread &thread, uint32_t *, uint32_t) {
  thread.launchDependents();
}

static void letOthersRun(Thread &thread, uint32_t *, uint32_t) {
  thread.yield();
}

//===----------------------------------------------------------------------===//
// The table
//===----------------------------------------------------------------------===//

#define FOR_EACH_DIMENSION(name, function)                                     \
  perThread("llvm.nvvm.read.ptx.sreg." name ".x", function<0>),                \
      perThread("llvm.nvvm.read.ptx.sreg." name ".y", function<1>),            \
      perThread("llvm.nvvm.read.ptx.sreg." name ".z", function<2>)

void mlir::rotq::emulator::addThreadInstructions(Instructions &table) {
  table.append({
      FOR_EACH_DIMENSION("tid", readTid),
      FOR_EACH_DIMENSION("ntid", readNtid),
      FOR_EACH_DIMENSION("ctaid", readCtaid),
      FOR_EACH_DIMENSION("nctaid", readNctaid),
      perThread("llvm.nvvm.read.ptx.sreg.laneid", readLane),
      perThread("llvm.nvvm.read.ptx.sreg.warpid", readWarp),
      pure("llvm.nvvm.read.ptx.sreg.warpsize", readWarpSize),
      perThread("llvm.nvvm.read.ptx.sreg.dynamic.smem.size", readDynamicShared),
      perThread("llvm.nvvm.read.ptx.sreg.total.smem.size", readTotalShared),
      perThread("llvm.nvvm.read.ptx.sreg.lanemask.eq",
                readLaneMask<false, true, false>),
      perThread("llvm.nvvm.read.ptx.sreg.lanemask.lt",
                readLaneMask<true, false, false>),
      perThread("llvm.nvvm.read.ptx.sreg.lanemask.le",
                readLaneMask<true, true, false>),
      perThread("llvm.nvvm.read.ptx.sreg.lanemask.gt",
                readLaneMask<false, false, true>),
      perThread("llvm.nvvm.read.ptx.sreg.lanemask.ge",
                readLaneMask<false, true, true>),
      perThread("llvm.nvvm.barrier0", barrier0),
      perThread("llvm.nvvm.barrier.cta.sync.aligned.all", barrier<true, false>),
      perThread("llvm.nvvm.barrier.cta.sync.aligned.count",
                barrier<true, true>),
      perThread("llvm.nvvm.barrier.cta.sync.all", barrier<false, false>),
      perThread("llvm.nvvm.barrier.cta.sync.count", barrier<false, true>),
      perThread("llvm.nvvm.barrier.cta.arrive.aligned.count",
                barrier<true, true, false>),
      perThread("llvm.nvvm.barrier.cta.arrive.count",
                barrier<false, true, false>),
      perThread("llvm.nvvm.barrier.cta.red.and.aligned.all",
                barrier<true, false, true, Reduction::And>),
      perThread("llvm.nvvm.barrier.cta.red.or.aligned.all",
                barrier<true, false, true, Reduction::Or>),
      perThread("llvm.nvvm.barrier.cta.red.popc.aligned.all",
                barrier<true, false, true, Reduction::Popcount>),
      pure("llvm.nvvm.fence.proxy.async", doNothing, kSm90),
      pure("llvm.nvvm.fence.proxy.async.shared_cta", doNothing, kSm90),
      pure("llvm.nvvm.fence.proxy.async.global", doNothing, kSm90),
      perThread("llvm.nvvm.membar.cta", fence),
      perThread("llvm.nvvm.membar.gl", fence),
      perThread("llvm.nvvm.membar.sys", fence),
      perThread("llvm.nvvm.griddepcontrol.wait", waitForPredecessor, kSm90),
      perThread("llvm.nvvm.griddepcontrol.launch.dependents", launchDependents,
                kSm90),
      perThread("llvm.nvvm.nanosleep", letOthersRun),
  });
}
