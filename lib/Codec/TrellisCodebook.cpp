//===- TrellisCodebook.cpp - Weights along a path of states ---------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What two states in a row share, the overlap, has 16 - rate bits; the overlap
// before the first weight of a circle, the seam, is also the one behind the
// last. Viterbi's algorithm finds the best path through the weights from half a
// circle on, whatever it begins and ends with, which says what the seam is;
// then the best circle through that seam, which says what the overlap half a
// circle on is; then the best circle through that.
//
// A state is written with its newest bit lowest, so that the successors of an
// overlap are neighbours; `point` takes it the other way round.
//
//===----------------------------------------------------------------------===//

#include "rotq/Codec/TrellisCodebook.h"
#include "Kernels.h"
#include "Message.h"
#include "rotq/Codec/WindowCoding.h"

#include <algorithm>
#include <cassert>
#include <cmath>

using namespace rotq;

static constexpr unsigned kStates = 1u << TrellisCodebook::kStateBits;
static constexpr size_t kCircle = size_t(WindowCoding::kCircle);

/// The `width` lowest bits of `value`, the other way round.
static uint32_t mirrored(uint32_t value, unsigned width) {
  return __builtin_bitreverse32(value) >> (32 - width);
}

struct TrellisCodebook::Tables {
  /// With 8 bits behind the point, in the order of kernels::stateIndex.
  std::vector<int16_t> points;
  Spread spread;
};

Status TrellisCodebook::check(unsigned rate) {
  if (rate < 1 || rate > kMaxRate)
    return failure(
        message("expected a trellis of 1 to {} bits a weight but got {}",
                kMaxRate, rate));
  return {};
}

TrellisCodebook::TrellisCodebook(unsigned rate, uint32_t multiplier,
                                 uint32_t increment)
    : newBits(rate), factor(multiplier), term(increment) {
  assert(check(rate) && "expected a rate that fits");
}

TrellisCodebook::~TrellisCodebook() = default;

int8_t TrellisCodebook::pointOf(uint32_t state) const {
  uint32_t hash = state * factor + term;
  uint32_t sum =
      (hash & 255) + (hash >> 8 & 255) + (hash >> 16 & 255) + (hash >> 24);
  return int8_t(int(sum >> 2) - 128);
}

void TrellisCodebook::point(uint64_t code, std::span<int8_t> out) const {
  assert(out.size() == 1 && "expected room for a point");
  out[0] = pointOf(code);
}

// 64 times the sum has its quarter, rounded down, in the second byte, and less
// 128 is a flip of the top bit of that byte. What carries beyond 16 bits stays
// below the second byte of the sum above.
Expr TrellisCodebook::decode(ExprBuilder &builder, Expr codes) const {
  int64_t count = builder.numWords(codes);
  Expr hash = builder.multiply(codes, builder.splat(factor, count));
  if (term)
    hash = builder.add(hash, builder.splat(term, count));
  Expr sums = builder.sumBytes(hash, /*factor=*/64, /*start=*/0x8000);
  std::vector<int64_t> even, odd, bytes;
  for (int64_t i = 0; i < count; i += 2) {
    even.push_back(i);
    odd.push_back(i + 1);
    bytes.push_back(2 * i + 1);
    bytes.push_back(2 * i + 3);
  }
  std::vector<uint32_t> amounts(odd.size(), 16);
  Expr pairs =
      builder.add(builder.shuffle(sums, sums, even),
                  builder.shiftLeft(builder.shuffle(sums, sums, odd), amounts));
  return builder.shuffleBytes(pairs, bytes);
}

const TrellisCodebook::Tables &TrellisCodebook::tables() const {
  std::call_once(once, [&] {
    auto result = std::make_unique<Tables>();
    result->points.resize(kStates);
    int64_t squares = 0;
    int lowest = 0, highest = 0;
    unsigned overlapBits = kStateBits - newBits;
    for (uint32_t state = 0; state < kStates; ++state) {
      int point = pointOf(mirrored(state, kStateBits));
      squares += point * point;
      lowest = std::min(lowest, point);
      highest = std::max(highest, point);
      result->points[kernels::stateIndex(
          newBits, state & ((1u << overlapBits) - 1), state >> overlapBits)] =
          int16_t(point * 256);
    }
    result->spread = {std::sqrt(float(squares) / float(kStates)),
                      float(std::max(1, std::min(-lowest, highest)))};
    made = std::move(result);
  });
  return *made;
}

// The more bits, the more there is to gain from points farther out. Measured on
// N(0, 1).
float TrellisCodebook::gaussianStep() const {
  return (0.9f + 0.04f * float(newBits)) / spread().rms;
}

Codebook::Spread TrellisCodebook::spread() const { return tables().spread; }

namespace {

/// Passes over a circle. A fourth one gains 0.02 % of the error.
constexpr int kPasses = 3;
/// What no path costs that begins elsewhere.
constexpr uint16_t kElsewhere = 65535;

/// Finds circles.
class CircleSearch {
public:
  CircleSearch(unsigned rate, const int16_t *points)
      : rate(rate), overlapBits(TrellisCodebook::kStateBits - rate),
        overlaps(1u << overlapBits), points(points), costs(scratch()) {
    costs.resize((kCircle + 1) * overlaps);
  }

  /// The states of a circle for `x`, in units of 1/256 of a step.
  void run(std::span<const int16_t> x, std::span<uint32_t> states);

private:
  /// Least costs of the paths to every overlap before weight `i`.
  uint16_t *costsBefore(size_t i) const { return costs.data() + i * overlaps; }
  /// Fills the costs for `x`; those before its first weight are there.
  void advance(std::span<const int16_t> x);
  /// The state of weight `i`, which is `x`, on the best path to the overlap
  /// behind it.
  uint32_t stateBefore(size_t i, int16_t x, uint32_t overlap) const;
  /// Megabytes, which a thread keeps.
  static std::vector<uint16_t> &scratch() {
    static thread_local std::vector<uint16_t> shared;
    return shared;
  }
  unsigned rate, overlapBits;
  uint32_t overlaps;
  const int16_t *points;
  std::vector<uint16_t> &costs;
};

} // namespace

void CircleSearch::advance(std::span<const int16_t> x) {
  auto step = kernels::active().trellisStep;
  uint16_t least = 0;
  for (size_t i = 0; i < x.size(); ++i)
    least = step(rate, points, x[i], costsBefore(i), least, costsBefore(i + 1));
}

uint32_t CircleSearch::stateBefore(size_t i, int16_t x,
                                   uint32_t overlap) const {
  uint32_t best = 0, least = UINT32_MAX;
  for (uint32_t oldest = 0; oldest < 1u << rate; ++oldest) {
    uint32_t state = oldest << overlapBits | overlap;
    int16_t point = points[kernels::stateIndex(rate, overlap, oldest)];
    uint32_t cost =
        costsBefore(i)[state >> rate] + kernels::trellisDistance(point, x);
    if (cost < least)
      best = state, least = cost;
  }
  return best;
}

void CircleSearch::run(std::span<const int16_t> x, std::span<uint32_t> states) {
  size_t n = x.size(), start = 0;
  std::vector<int16_t> turned(n);
  uint32_t overlap = 0, half = 0;
  for (int pass = 0; pass < kPasses; ++pass) {
    bool isOpen = pass == 0;
    start = (start + n / 2) % n;
    std::ranges::rotate_copy(x, x.begin() + ptrdiff_t(start), turned.begin());
    std::fill_n(costsBefore(0), overlaps, isOpen ? uint16_t(0) : kElsewhere);
    costsBefore(0)[half] = 0;
    advance(turned);
    const uint16_t *end = costsBefore(n);
    overlap =
        isOpen ? uint32_t(std::min_element(end, end + overlaps) - end) : half;
    for (size_t i = n; i-- > 0;) {
      uint32_t state = stateBefore(i, turned[i], overlap);
      states[(start + i) % n] = state;
      overlap = state >> rate;
      if (i == n / 2)
        half = overlap;
    }
  }
  // Beyond every point all costs are the same, and a path may begin elsewhere.
  // Its new bits are a circle all the same.
  uint32_t state = 0, mask = (1u << rate) - 1;
  for (size_t i = 0; i < 2 * n; ++i) {
    state = (state << rate | (states[i % n] & mask)) & (kStates - 1);
    if (i >= n)
      states[i - n] = mirrored(state, TrellisCodebook::kStateBits);
  }
}

void TrellisCodebook::assign(std::span<const float> x, float step, float offset,
                             std::span<uint32_t> codes) const {
  assert(codes.size() == x.size() && "expected a code for a weight");
  CircleSearch search(newBits, tables().points.data());
  float inverse = 256 / step;
  std::vector<int16_t> target, last;
  for (size_t at = 0; at < x.size(); at += kCircle) {
    size_t length = std::min(kCircle, x.size() - at);
    target.clear();
    for (float value : x.subspan(at, length))
      target.push_back(int16_t(std::nearbyint(
          std::clamp((value - offset) * inverse, -32767.0f, 32767.0f))));
    // Zeros come many at a time.
    if (target == last) {
      std::copy_n(codes.data() + at - length, length, codes.data() + at);
      continue;
    }
    search.run(target, codes.subspan(at, length));
    last = target;
  }
}
