//===- Instructions.cpp - What NVVM intrinsics do
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Instructions.h"

#include "Fragments.h"

#include "rotq/Codec/PackedWeight.h"

#include "llvm/ADT/StringMap.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

using namespace mlir::rotq::emulator;

//===----------------------------------------------------------------------===//
// Chips
//===----------------------------------------------------------------------===//

Chip Chip::parse(llvm::StringRef text) {
  Chip chip;
  text.consume_front("sm_");
  text.consumeInteger(10, chip.number);
  if (!text.empty())
    chip.suffix = text.front();
  return chip;
}

std::string Chip::name() const {
  std::string text = "sm_" + std::to_string(number);
  if (suffix)
    text += suffix;
  return text;
}

bool Chip::supports(Chip required) const {
  if (required.suffix)
    return number == required.number && suffix == required.suffix;
  return number >= required.number;
}

uint64_t Chip::sharedBytes() const {
  switch (number) {
  case 80:
  case 87:
    return uint64_t(163) << 10;
  case 86:
  case 89:
  case 120:
    return uint64_t(99) << 10;
  default:
    return uint64_t(227) << 10;
  }
}

//===----------------------------------------------------------------------===//
// Bytes
//===----------------------------------------------------------------------===//

static uint32_t byteOf(uint32_t word, unsigned i) {
  return word >> (8 * i) & 0xff;
}

/// Byte 0 to 7 of b:a.
static uint32_t pickByte(const uint32_t *words, unsigned i) {
  return byteOf(words[i / 4 % 2], i % 4);
}

/// prmt in its default mode: bit 3 of a selector replicates the sign.
static void permute(uint32_t *words) {
  uint32_t result = 0;
  for (unsigned i = 0; i < 4; ++i) {
    uint32_t selector = words[2] >> (4 * i);
    uint32_t byte = pickByte(words, selector & 7);
    if (selector & 8)
      byte = byte & 0x80 ? 0xff : 0;
    result |= byte << (8 * i);
  }
  words[0] = result;
}

/// The other modes: byte i of the result is byte `Pick(control, i)` of b:a;
/// those of one source have the control in its second operand.
template <unsigned (*Pick)(unsigned, unsigned), bool HasTwoSources>
static void permuteMode(uint32_t *words) {
  unsigned control = words[HasTwoSources ? 2 : 1] & 3;
  uint32_t result = 0;
  for (unsigned i = 0; i < 4; ++i)
    result |= pickByte(words, Pick(control, i)) << (8 * i);
  words[0] = result;
}

static unsigned forward4(unsigned c, unsigned i) { return c + i; }
static unsigned backward4(unsigned c, unsigned i) { return (c - i) & 7; }
static unsigned replicate8(unsigned c, unsigned) { return c; }
static unsigned replicate16(unsigned c, unsigned i) {
  return (c & 1) * 2 + (i & 1);
}
static unsigned clampLeft(unsigned c, unsigned i) { return std::max(c, i); }
static unsigned clampRight(unsigned c, unsigned i) { return std::min(c, i); }

template <typename A, typename B> static void dot4(uint32_t *words) {
  uint32_t sum = words[2];
  for (unsigned i = 0; i < 4; ++i)
    sum += uint32_t(int32_t(A(byteOf(words[0], i))) *
                    int32_t(B(byteOf(words[1], i))));
  words[0] = sum;
}

template <typename A, typename B> static void dot2(uint32_t *words) {
  unsigned first = words[2] ? 2 : 0;
  uint32_t sum = words[3];
  for (unsigned i = 0; i < 2; ++i)
    sum += uint32_t(int32_t(A(words[0] >> (16 * i))) *
                    int32_t(B(byteOf(words[1], first + i))));
  words[0] = sum;
}

/// Operands: high word, low word, amount.
static void shiftLeftClamped(uint32_t *words) {
  unsigned amount = std::min(words[2], 32u);
  uint64_t both = uint64_t(words[0]) << 32 | words[1];
  words[0] = uint32_t(both << amount >> 32);
  if (amount == 32)
    words[0] = words[1];
}

static void shiftRightClamped(uint32_t *words) {
  uint64_t both = uint64_t(words[0]) << 32 | words[1];
  words[0] = uint32_t(both >> std::min(words[2], 32u));
}

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

/// Launches run one after another, and memory is coherent.
static void doNothing(uint32_t *) {}

static void sleep(Thread &thread, uint32_t *, uint32_t) { thread.yield(); }

//===----------------------------------------------------------------------===//
// Collectives of a warp
//===----------------------------------------------------------------------===//

template <typename Body> static void forLanes(WarpCall &call, Body body) {
  for (unsigned lane = 0; lane < 32; ++lane)
    if (call.mask >> lane & 1)
      body(lane);
}

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
  Thread::current().getBlock().getShared().synchronize(threads);
}

//===----------------------------------------------------------------------===//
// Matrix products
//===----------------------------------------------------------------------===//

namespace {
// How the bits of an element are a number.
struct S8 {
  using Value = int32_t;
  static constexpr unsigned kBits = 8;
  static Value decode(uint32_t bits) { return int8_t(bits); }
};
struct U8 {
  using Value = int32_t;
  static constexpr unsigned kBits = 8;
  static Value decode(uint32_t bits) { return Value(bits); }
};
struct F16 {
  using Value = float;
  static constexpr unsigned kBits = 16;
  static Value decode(uint32_t bits) {
    return ::rotq::fromHalf(uint16_t(bits));
  }
};
struct BF16 {
  using Value = float;
  static constexpr unsigned kBits = 16;
  static Value decode(uint32_t bits) {
    return std::bit_cast<float>(bits << 16);
  }
};
struct E4M3 {
  using Value = float;
  static constexpr unsigned kBits = 8;
  static Value decode(uint32_t bits) {
    auto exponent = int(bits >> 3 & 15), fraction = int(bits & 7);
    float magnitude =
        (bits & 0x7f) == 0x7f ? std::numeric_limits<float>::quiet_NaN()
        : exponent            ? std::ldexp(float(8 + fraction), exponent - 10)
                              : std::ldexp(float(fraction), -9);
    return bits & 0x80 ? -magnitude : magnitude;
  }
};
struct E5M2 {
  using Value = float;
  static constexpr unsigned kBits = 8;
  static Value decode(uint32_t bits) {
    return ::rotq::fromHalf(uint16_t(bits << 8));
  }
};
} // namespace

/// Element `i` of the registers of a lane.
template <typename Element>
static typename Element::Value elementOf(const uint32_t *words, size_t i) {
  constexpr size_t kPerWord = 32 / Element::kBits;
  uint32_t bits = words[i / kPerWord] >> (Element::kBits * (i % kPerWord));
  return Element::decode(bits & ((uint64_t(1) << Element::kBits) - 1));
}

/// c + sum of a b: integers exactly, then wrapped or saturated.
template <unsigned K, bool Saturates>
static uint32_t accumulate(uint32_t c, const int32_t *a, const int32_t *b) {
  int64_t sum = int32_t(c);
  for (unsigned k = 0; k < K; ++k)
    sum += int64_t(a[k]) * b[k];
  if (Saturates)
    sum = std::clamp<int64_t>(sum, std::numeric_limits<int32_t>::min(),
                              std::numeric_limits<int32_t>::max());
  return uint32_t(sum);
}

/// Floats: exact products, added to c in order of k with a rounding each.
template <unsigned K, bool Saturates>
static uint32_t accumulate(uint32_t c, const float *a, const float *b) {
  auto sum = std::bit_cast<float>(c);
  for (unsigned k = 0; k < K; ++k)
    sum += a[k] * b[k];
  return std::bit_cast<uint32_t>(sum);
}

/// mma.sync.aligned.m16n8k<K>.row.col. Operands: the registers of A, B and C.
template <typename A, typename B, unsigned K, bool Saturates = false>
static void multiply(WarpCall &call) {
  static_assert(A::kBits == B::kBits);
  constexpr unsigned kWordsA = K * A::kBits / 64, kWordsB = kWordsA / 2;
  typename A::Value a[16][K];
  typename B::Value b[8][K];
  uint32_t d[16][8];
  static const Fragment &layoutA = fragmentA(K, A::kBits);
  static const Fragment &layoutB = fragmentB(K, B::kBits);
  static const Fragment &layoutC = fragmentC();
  for (unsigned lane = 0; lane < 32; ++lane) {
    const uint32_t *words = call.words[lane];
    for (size_t i = 0; i < layoutA[lane].size(); ++i)
      a[layoutA[lane][i].row][layoutA[lane][i].col] = elementOf<A>(words, i);
    for (size_t i = 0; i < layoutB[lane].size(); ++i)
      b[layoutB[lane][i].col][layoutB[lane][i].row] =
          elementOf<B>(words + kWordsA, i);
    for (size_t i = 0; i < 4; ++i)
      d[layoutC[lane][i].row][layoutC[lane][i].col] =
          words[kWordsA + kWordsB + i];
  }
  for (unsigned row = 0; row < 16; ++row)
    for (unsigned col = 0; col < 8; ++col)
      d[row][col] = accumulate<K, Saturates>(d[row][col], a[row], b[col]);
  for (unsigned lane = 0; lane < 32; ++lane)
    for (size_t i = 0; i < 4; ++i)
      call.words[lane][i] = d[layoutC[lane][i].row][layoutC[lane][i].col];
}

//===----------------------------------------------------------------------===//
// Shared memory
//===----------------------------------------------------------------------===//

static uint64_t addressOf(const uint32_t *words) {
  return uint64_t(words[1]) << 32 | words[0];
}

static void requireShared(Thread &thread, uint64_t address, uint32_t site) {
  if (regionOf(address) != kSharedRegion)
    thread.fail("expected an address of shared memory", site);
}

/// ldmatrix.sync.aligned.m8n8.x<Count>.b16: lane 8 i + r has the address of
/// row r of matrix i.
template <unsigned Count, bool IsTransposed>
static void loadMatrices(WarpCall &call) {
  uint16_t matrices[Count][8][8];
  for (unsigned lane = 0; lane < 8 * Count; ++lane) {
    Thread &thread = *call.threads[lane];
    uint64_t address = addressOf(call.words[lane]);
    requireShared(thread, address, call.site);
    Access access{address, 16};
    access.log2Alignment = 4;
    access.site = call.site;
    std::memcpy(matrices[lane / 8][lane % 8], thread.access(access), 16);
  }
  const Fragment &layout = fragmentOfLdmatrix(IsTransposed);
  for (unsigned lane = 0; lane < 32; ++lane)
    for (unsigned i = 0; i < Count; ++i) {
      Position low = layout[lane][0], high = layout[lane][1];
      call.words[lane][i] = matrices[i][low.row][low.col] |
                            uint32_t(matrices[i][high.row][high.col]) << 16;
    }
}

/// cp.async: the bytes arrive when they are waited for, never before. Operands:
/// target, source, and how many bytes of the source count.
template <unsigned Size, bool HasSourceSize>
static void copyAsync(Thread &thread, uint32_t *words, uint32_t site) {
  Thread::Copy copy{addressOf(words), addressOf(words + 2), Size,
                    HasSourceSize ? words[4] : Size, site};
  requireShared(thread, copy.target, site);
  if (copy.sourceSize > Size)
    thread.fail("cp.async of " + std::to_string(copy.sourceSize) +
                    " bytes of a source to " + std::to_string(Size) + " bytes",
                site);
  Access target{copy.target, Size};
  target.log2Alignment = unsigned(std::countr_zero(Size));
  target.isWrite = true;
  target.site = site;
  thread.access(target);
  Access source{copy.source, copy.sourceSize};
  source.log2Alignment = target.log2Alignment;
  source.site = site;
  if (copy.sourceSize)
    thread.access(source);
  thread.getBlock().getShared().setInFlight(offsetOf(copy.target), Size, true);
  thread.copies.back().push_back(copy);
}

static void finish(Thread &thread, const Thread::Copy &copy) {
  thread.getBlock().getShared().setInFlight(offsetOf(copy.target), copy.size,
                                            false);
  Access target{copy.target, copy.size};
  target.isWrite = true;
  target.site = copy.site;
  auto *bytes = static_cast<std::byte *>(thread.access(target));
  std::memset(bytes, 0, copy.size);
  if (copy.sourceSize)
    std::memcpy(bytes, thread.access({copy.source, copy.sourceSize}),
                copy.sourceSize);
}

static void commitCopies(Thread &thread, uint32_t *, uint32_t) {
  thread.copies.emplace_back();
}

/// Operand: how many of the newest groups may still be under way.
static void waitForCopies(Thread &thread, uint32_t *words, uint32_t) {
  size_t committed = thread.copies.size() - 1, kept = words[0];
  size_t finished = committed > kept ? committed - kept : 0;
  for (size_t i = 0; i < finished; ++i)
    for (const Thread::Copy &copy : thread.copies[i])
      finish(thread, copy);
  thread.copies.erase(thread.copies.begin(),
                      thread.copies.begin() + std::ptrdiff_t(finished));
}

static void waitForAllCopies(Thread &thread, uint32_t *, uint32_t) {
  for (const auto &group : thread.copies)
    for (const Thread::Copy &copy : group)
      finish(thread, copy);
  thread.copies.assign(1, {});
}

//===----------------------------------------------------------------------===//
// The table
//===----------------------------------------------------------------------===//

namespace {
using Pure = void (*)(uint32_t *);
using PerThread = void (*)(Thread &, uint32_t *, uint32_t);
using PerWarp = void (*)(WarpCall &);

constexpr Chip kAny{0, 0}, kSm75{75, 0}, kSm80{80, 0}, kSm89{89, 0},
    kSm90{90, 0}, kSm100a{100, 'a'};

DeviceInstruction pure(llvm::StringRef name, Pure function, Chip chip = kAny) {
  return {name, chip, function};
}
DeviceInstruction perThread(llvm::StringRef name, PerThread function,
                            Chip chip = kAny) {
  return {name, chip, nullptr, function};
}
/// With the mask in operand `mask`.
DeviceInstruction perLanes(llvm::StringRef name, PerWarp function, int mask,
                           Chip chip = kAny) {
  return {name, chip, nullptr, nullptr, function, mask};
}
/// All 32 lanes execute one instruction.
DeviceInstruction aligned(llvm::StringRef name, PerWarp function, Chip chip) {
  return {name, chip, nullptr, nullptr, function, -1, true};
}
} // namespace

#define FOR_EACH_DIMENSION(name, function)                                     \
  perThread("llvm.nvvm.read.ptx.sreg." name ".x", function<0>),                \
      perThread("llvm.nvvm.read.ptx.sreg." name ".y", function<1>),            \
      perThread("llvm.nvvm.read.ptx.sreg." name ".z", function<2>)
#define SHUFFLE(name, mode)                                                    \
  perLanes("llvm.nvvm.shfl.sync." name ".i32", shuffle<mode>, 0),              \
      perLanes("llvm.nvvm.shfl.sync." name ".f32", shuffle<mode>, 0),          \
      perLanes("llvm.nvvm.shfl.sync." name ".i32p", shuffle<mode>, 0),         \
      perLanes("llvm.nvvm.shfl.sync." name ".f32p", shuffle<mode>, 0)
#define DOT(name, a, b, wideA)                                                 \
  pure("llvm.nvvm.idp4a." name, dot4<a, b>),                                   \
      pure("llvm.nvvm.idp2a." name, dot2<wideA, b>)
#define MMA_S8(k, name, a, b)                                                  \
  aligned("llvm.nvvm.mma.m16n8k" #k ".row.col." name, multiply<a, b, k>,       \
          kSm80),                                                              \
      aligned("llvm.nvvm.mma.m16n8k" #k ".row.col.satfinite." name,            \
              multiply<a, b, k, true>, kSm80)
#define LDMATRIX(count)                                                        \
  aligned("llvm.nvvm.ldmatrix.sync.aligned.m8n8.x" #count ".b16",              \
          loadMatrices<count, false>, kSm75),                                  \
      aligned("llvm.nvvm.ldmatrix.sync.aligned.m8n8.x" #count ".trans.b16",    \
              loadMatrices<count, true>, kSm75)
#define CP_ASYNC(name, size)                                                   \
  perThread("llvm.nvvm.cp.async." name ".shared.global." #size,                \
            copyAsync<size, false>, kSm80),                                    \
      perThread("llvm.nvvm.cp.async." name ".shared.global." #size ".s",       \
                copyAsync<size, true>, kSm80)

static const DeviceInstruction kInstructions[] = {
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

    pure("llvm.nvvm.prmt", permute),
    pure("llvm.nvvm.prmt.f4e", permuteMode<forward4, true>),
    pure("llvm.nvvm.prmt.b4e", permuteMode<backward4, true>),
    pure("llvm.nvvm.prmt.rc8", permuteMode<replicate8, false>),
    pure("llvm.nvvm.prmt.rc16", permuteMode<replicate16, false>),
    pure("llvm.nvvm.prmt.ecl", permuteMode<clampLeft, false>),
    pure("llvm.nvvm.prmt.ecr", permuteMode<clampRight, false>),
    DOT("s.s", int8_t, int8_t, int16_t),
    DOT("s.u", int8_t, uint8_t, int16_t),
    DOT("u.s", uint8_t, int8_t, uint16_t),
    DOT("u.u", uint8_t, uint8_t, uint16_t),
    pure("llvm.nvvm.fshl.clamp", shiftLeftClamped),
    pure("llvm.nvvm.fshr.clamp", shiftRightClamped),

    perThread("llvm.nvvm.barrier0", barrier0),
    perThread("llvm.nvvm.barrier.cta.sync.aligned.all", barrier<true, false>),
    perThread("llvm.nvvm.barrier.cta.sync.aligned.count", barrier<true, true>),
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
    pure("llvm.nvvm.membar.cta", doNothing),
    pure("llvm.nvvm.membar.gl", doNothing),
    pure("llvm.nvvm.membar.sys", doNothing),
    pure("llvm.nvvm.griddepcontrol.wait", doNothing, kSm90),
    pure("llvm.nvvm.griddepcontrol.launch.dependents", doNothing, kSm90),
    perThread("llvm.nvvm.nanosleep", sleep),

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
    perLanes("llvm.nvvm.redux.sync.umax", reduce<uint32_t, greatest>, 1, kSm80),
    perLanes("llvm.nvvm.redux.sync.fmin", reduce<float, leastFloat>, 1,
             kSm100a),
    perLanes("llvm.nvvm.redux.sync.fmax", reduce<float, greatestFloat>, 1,
             kSm100a),

    MMA_S8(16, "s8", S8, S8),
    MMA_S8(16, "s8.u8", S8, U8),
    MMA_S8(16, "u8.s8", U8, S8),
    MMA_S8(16, "u8", U8, U8),
    MMA_S8(32, "s8", S8, S8),
    MMA_S8(32, "s8.u8", S8, U8),
    MMA_S8(32, "u8.s8", U8, S8),
    MMA_S8(32, "u8", U8, U8),
    aligned("llvm.nvvm.mma.m16n8k8.row.col.f32.f32", multiply<F16, F16, 8>,
            kSm75),
    aligned("llvm.nvvm.mma.m16n8k16.row.col.f32.f32", multiply<F16, F16, 16>,
            kSm80),
    aligned("llvm.nvvm.mma.m16n8k8.row.col.bf16", multiply<BF16, BF16, 8>,
            kSm80),
    aligned("llvm.nvvm.mma.m16n8k16.row.col.bf16", multiply<BF16, BF16, 16>,
            kSm80),
    aligned("llvm.nvvm.mma.m16n8k32.row.col.f32.e4m3.e4m3.f32",
            multiply<E4M3, E4M3, 32>, kSm89),
    aligned("llvm.nvvm.mma.m16n8k32.row.col.f32.e4m3.e5m2.f32",
            multiply<E4M3, E5M2, 32>, kSm89),
    aligned("llvm.nvvm.mma.m16n8k32.row.col.f32.e5m2.e4m3.f32",
            multiply<E5M2, E4M3, 32>, kSm89),
    aligned("llvm.nvvm.mma.m16n8k32.row.col.f32.e5m2.e5m2.f32",
            multiply<E5M2, E5M2, 32>, kSm89),

    LDMATRIX(1),
    LDMATRIX(2),
    LDMATRIX(4),
    CP_ASYNC("ca", 4),
    CP_ASYNC("ca", 8),
    CP_ASYNC("ca", 16),
    CP_ASYNC("cg", 16),
    perThread("llvm.nvvm.cp.async.commit.group", commitCopies, kSm80),
    perThread("llvm.nvvm.cp.async.wait.group", waitForCopies, kSm80),
    perThread("llvm.nvvm.cp.async.wait.all", waitForAllCopies, kSm80),
};

llvm::ArrayRef<DeviceInstruction> mlir::rotq::emulator::allInstructions() {
  return kInstructions;
}

int mlir::rotq::emulator::findInstruction(llvm::StringRef intrinsic) {
  static const llvm::StringMap<int> indices = [] {
    llvm::StringMap<int> result;
    for (const DeviceInstruction &instruction : kInstructions)
      result[instruction.intrinsic] = int(&instruction - kInstructions);
    return result;
  }();
  auto it = indices.find(intrinsic);
  return it == indices.end() ? -1 : it->second;
}
