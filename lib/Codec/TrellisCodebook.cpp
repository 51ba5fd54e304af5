//===- TrellisCodebook.cpp - Weights along a path of states ---------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A circle is found by branch and bound. What two states in a row share, the
// overlap, has 16 - rate bits; the overlap before the first weight, the seam,
// is also the one behind the last. With M the first weight that sees nothing of
// the seam:
//
// 1. Viterbi's algorithm backward from M gives, for every seam, the least cost
//    of the weights before M, whatever the overlap at M.
// 2. Viterbi's algorithm forward from M gives, for every overlap behind a
//    weight, the least cost from M to there, whatever the overlap at M. Both
//    together bound the cost of the circles through a seam from below.
// 3. From every seam whose bound is small enough, the weights from the last one
//    down to M are walked back along the overlaps whose bound still is, and
//    from M on the seam leaves no choice. What is small enough grows until a
//    circle is found.
//
// A state is written with its newest bit lowest, so that the successors of an
// overlap are neighbours; `point` takes it the other way round.
//
//===----------------------------------------------------------------------===//

#include "rotq/Codec/TrellisCodebook.h"
#include "Kernels.h"
#include "Message.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <tuple>

using namespace rotq;

static constexpr unsigned kStates = 1u << TrellisCodebook::kStateBits;
static constexpr int kRun = int(kRowGranule);

/// The `width` lowest bits of `value`, the other way round.
static uint32_t mirrored(uint32_t value, unsigned width) {
  return __builtin_bitreverse32(value) >> (32 - width);
}

struct TrellisCodebook::Tables {
  /// With 8 bits behind the point, in the order of kernels::stateIndex; of
  /// states with the newest bit lowest, and with it highest.
  std::vector<int16_t> newestLow, newestHigh;
  /// Points and 128, of states that have the overlap behind them in common side
  /// by side, the newest bit lowest.
  std::vector<uint8_t> leadingTo;
  Spread spread;
  uint32_t firstSlack;
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

// Less 128 is a flip of the top bit.
Expr TrellisCodebook::decode(ExprBuilder &builder, Expr codes) const {
  int64_t count = builder.numWords(codes);
  Expr hash = builder.multiply(codes, builder.splat(factor, count));
  if (term)
    hash = builder.add(hash, builder.splat(term, count));
  std::vector<uint32_t> amounts(size_t(count), 2);
  Expr bytes =
      builder.narrow(builder.shiftRight(builder.sumBytes(hash), amounts));
  return builder.bitXor(bytes, builder.splat(0x80808080, count / 4));
}

const TrellisCodebook::Tables &TrellisCodebook::tables() const {
  std::call_once(once, [&] {
    auto result = std::make_unique<Tables>();
    result->newestLow.resize(kStates);
    result->newestHigh.resize(kStates);
    result->leadingTo.resize(kStates);
    int64_t squares = 0;
    int lowest = 0, highest = 0;
    unsigned overlapBits = kStateBits - newBits;
    for (uint32_t state = 0; state < kStates; ++state) {
      int point = pointOf(state);
      squares += point * point;
      lowest = std::min(lowest, point);
      highest = std::max(highest, point);
      auto index = [&](uint32_t s) {
        return kernels::stateIndex(newBits, s & ((1u << overlapBits) - 1),
                                   s >> overlapBits);
      };
      result->newestHigh[index(state)] = int16_t(point * 256);
      uint32_t turned = mirrored(state, kStateBits);
      result->newestLow[index(turned)] = int16_t(point * 256);
      result->leadingTo[(turned << newBits & (kStates - 1)) |
                        turned >> overlapBits] = uint8_t(point + 128);
    }
    result->spread = {std::sqrt(float(squares) / float(kStates)),
                      float(std::max(1, std::min(-lowest, highest)))};
    // About a tenth of the cost of a circle for Gaussian weights.
    result->firstSlack =
        std::max(8u, uint32_t(10 * squares / kStates) >> (2 * newBits));
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

/// Slack for paths, in eighths of that for circles: what a seam costs shows
/// late, so a path that ends well rarely comes near its limit before.
constexpr uint32_t kPathEighths = 6;
/// Overlaps that a search may see. One that would see more takes the best
/// kWidth >> rate before every weight instead.
constexpr size_t kMaxNodes = size_t(1) << 19, kWidth = size_t(1) << 14;

/// Finds circles. Costs are those of kernels::trellisDistance.
class CircleSearch {
public:
  CircleSearch(unsigned rate, uint32_t firstSlack, const int16_t *newestLow,
               const int16_t *newestHigh, const uint8_t *leadingTo);

  /// The states of a circle for `x`, in units of 1/256 of a step.
  void run(const int16_t *x, uint32_t *states);

private:
  /// An overlap before a weight, on the way back from a seam.
  struct Node {
    uint32_t cost;   ///< of the weights behind it
    uint32_t parent; ///< the overlap behind the weight
    uint16_t overlap, seam;
  };
  /// What the searches of a thread share.
  struct Scratch {
    std::vector<uint16_t> forward, turn;
    std::vector<uint32_t> backward, bounds; ///< by seam
    std::vector<uint32_t> blockBounds;      ///< the least of kTrellisLanes
    std::vector<Node> nodes;
    uint16_t distances[kRun][256]; ///< of weights and points
  };

  void bound();
  /// Looks for the best circle of a cost below `limit` through the first
  /// `count` nodes, along overlaps whose bound is below `pathLimit`, at most
  /// `width` before every weight. Its last node, or 0. Sets `overflow` where
  /// there are too many nodes.
  size_t walk(size_t count, uint32_t pathLimit, uint32_t limit, size_t width);
  /// Moves the best `width` of the nodes from `first` on to the front.
  size_t narrow(size_t first, size_t end, const uint16_t *rest, size_t width);
  /// Least costs from M to the overlaps before weight `i`, less base[i].
  uint16_t *forward(int i) const {
    return scratch.forward.data() + size_t(i - middle) * classes;
  }

  unsigned rate, overlapBits;
  uint32_t classes, choices; ///< overlaps; states that lead to each
  int middle;                ///< M
  uint32_t firstSlack;
  const int16_t *newestLow, *newestHigh;
  const uint8_t *leadingTo;
  Scratch &scratch;
  const int16_t *target = nullptr;
  uint32_t base[kRun + 1];
  bool overflow = false;
};

} // namespace

CircleSearch::CircleSearch(unsigned rate, uint32_t firstSlack,
                           const int16_t *newestLow, const int16_t *newestHigh,
                           const uint8_t *leadingTo)
    : rate(rate), overlapBits(TrellisCodebook::kStateBits - rate),
      classes(1u << overlapBits), choices(1u << rate),
      middle(int((overlapBits + rate - 1) / rate)), firstSlack(firstSlack),
      newestLow(newestLow), newestHigh(newestHigh), leadingTo(leadingTo),
      scratch([]() -> Scratch & {
        static thread_local Scratch shared;
        return shared;
      }()) {
  scratch.forward.resize(size_t(kRun - middle + 1) * classes);
  scratch.turn.resize(2 * classes);
  scratch.backward.resize(classes);
  scratch.bounds.resize(classes);
  scratch.blockBounds.resize(classes / kernels::kTrellisLanes);
  scratch.nodes.resize(kMaxNodes + 256);
}

void CircleSearch::bound() {
  auto step = kernels::active().trellisStep;
  // From M down to the seam the trellis is its own mirror image.
  uint16_t *now = scratch.turn.data(), *next = now + classes;
  std::fill_n(now, classes, uint16_t(0));
  uint16_t least = 0;
  uint32_t total = 0;
  for (int i = middle; i-- > 0;) {
    total += least;
    least = step(rate, newestHigh, target[i], now, least, next);
    std::swap(now, next);
  }
  for (uint32_t seam = 0; seam < classes; ++seam)
    scratch.backward[seam] = now[mirrored(seam, overlapBits)] + total;

  std::fill_n(forward(middle), classes, uint16_t(0));
  base[middle] = least = 0;
  for (int i = middle; i < kRun; ++i) {
    base[i + 1] = base[i] + least;
    least = step(rate, newestLow, target[i], forward(i), least, forward(i + 1));
  }
  const uint16_t *last = forward(kRun);
  for (uint32_t block = 0; block < scratch.blockBounds.size(); ++block) {
    uint32_t lowest = UINT32_MAX;
    for (uint32_t j = 0; j < kernels::kTrellisLanes; ++j) {
      uint32_t seam = block * kernels::kTrellisLanes + j;
      scratch.bounds[seam] = last[seam] + base[kRun] + scratch.backward[seam];
      lowest = std::min(lowest, scratch.bounds[seam]);
    }
    scratch.blockBounds[block] = lowest;
  }
  for (int i = 0; i < kRun; ++i)
    for (int point = -128; point < 128; ++point)
      scratch.distances[i][point + 128] =
          uint16_t(kernels::trellisDistance(int16_t(point * 256), target[i]));
}

size_t CircleSearch::narrow(size_t first, size_t end, const uint16_t *rest,
                            size_t width) {
  if (end - first <= width)
    return end;
  auto key = [&](const Node &node) {
    return std::tuple(node.cost + rest[node.overlap] +
                          scratch.backward[node.seam],
                      node.parent, node.overlap);
  };
  Node *nodes = scratch.nodes.data();
  std::nth_element(
      nodes + first, nodes + first + width, nodes + end,
      [&](const Node &a, const Node &b) { return key(a) < key(b); });
  return first + width;
}

// Two ways to one overlap hardly ever are both good enough, so they stay two
// nodes.
size_t CircleSearch::walk(size_t count, uint32_t pathLimit, uint32_t limit,
                          size_t width) {
  Node *nodes = scratch.nodes.data();
  overflow = false;
  size_t begin = 0, end = count;
  for (int i = kRun; i-- > 0;) {
    const uint16_t *distances = scratch.distances[i];
    const uint16_t *rest = i >= middle ? forward(i) : nullptr;
    // How many of the oldest bits before the weight are the newest ones of the
    // seam.
    unsigned known = i >= middle ? 0 : overlapBits - rate * unsigned(i);
    size_t size = end;
    for (size_t n = begin; n < end; ++n) {
      Node node = nodes[n];
      const uint8_t *points = leadingTo + (size_t(node.overlap) << rate);
      auto visit = [&](uint32_t oldest, uint32_t cost) {
        nodes[size++] = {
            cost, uint32_t(n),
            uint16_t(oldest << (overlapBits - rate) | node.overlap >> rate),
            node.seam};
      };
      if (rest) {
        uint32_t spent = node.cost + base[i] + scratch.backward[node.seam];
        const uint16_t *costs = rest + (node.overlap >> rate);
        for (uint32_t oldest = 0; oldest < choices; ++oldest) {
          uint32_t cost = distances[points[oldest]];
          if (spent + cost + costs[oldest << (overlapBits - rate)] < pathLimit)
            visit(oldest, node.cost + cost);
        }
      } else {
        uint32_t low = known < rate ? uint32_t(node.seam) << (rate - known)
                                    : node.seam >> (known - rate);
        low &= choices - 1;
        uint32_t some = known < rate ? 1u << (rate - known) : 1;
        for (uint32_t oldest = low; oldest < low + some; ++oldest)
          if (uint32_t cost = node.cost + distances[points[oldest]];
              cost < limit)
            visit(oldest, cost);
      }
      if (size > kMaxNodes) {
        overflow = true;
        return 0;
      }
    }
    begin = end;
    end = rest ? narrow(begin, size, rest, width) : size;
  }
  size_t best = 0;
  for (size_t n = begin; n < end; ++n)
    if (nodes[n].cost < limit) {
      limit = nodes[n].cost;
      best = n;
    }
  return best;
}

void CircleSearch::run(const int16_t *x, uint32_t *states) {
  target = x;
  bound();
  Node *nodes = scratch.nodes.data();
  uint32_t lowest = *std::ranges::min_element(scratch.blockBounds);
  size_t best = 0;
  for (uint32_t slack = firstSlack; !best; slack += slack / 4) {
    uint32_t pathLimit = lowest + slack / 8 * kPathEighths;
    size_t count = 0;
    for (uint32_t seam = 0; seam < classes; ++seam) {
      if (seam % kernels::kTrellisLanes == 0 &&
          scratch.blockBounds[seam / kernels::kTrellisLanes] >= pathLimit) {
        seam += kernels::kTrellisLanes - 1;
        continue;
      }
      if (scratch.bounds[seam] < pathLimit)
        nodes[count++] = {0, 0, uint16_t(seam), uint16_t(seam)};
    }
    best = walk(count, pathLimit, lowest + slack, SIZE_MAX);
    if (overflow)
      best = walk(count, pathLimit, UINT32_MAX, kWidth >> rate);
  }
  for (int i = 0; i < kRun; ++i) {
    // A state is the overlap before it and the newest bits of the one behind.
    uint32_t parent = nodes[best].parent;
    uint32_t newest = nodes[parent].overlap & (choices - 1);
    states[i] = mirrored(uint32_t(nodes[best].overlap) << rate | newest,
                         TrellisCodebook::kStateBits);
    best = parent;
  }
}

void TrellisCodebook::assign(std::span<const float> x, float step, float offset,
                             std::span<uint32_t> codes) const {
  assert(x.size() % size_t(kRun) == 0 && codes.size() == x.size() &&
         "expected whole runs");
  const Tables &t = tables();
  CircleSearch search(newBits, t.firstSlack, t.newestLow.data(),
                      t.newestHigh.data(), t.leadingTo.data());
  float inverse = 256 / step;
  int16_t target[kRun], last[kRun];
  for (size_t at = 0; at < x.size(); at += size_t(kRun)) {
    for (size_t i = 0; i < size_t(kRun); ++i)
      target[i] = int16_t(std::nearbyint(
          std::clamp((x[at + i] - offset) * inverse, -32767.0f, 32767.0f)));
    // Zeros come many at a time.
    if (at && std::ranges::equal(target, last)) {
      std::copy_n(codes.data() + at - kRun, kRun, codes.data() + at);
      continue;
    }
    search.run(target, codes.data() + at);
    std::ranges::copy(target, last);
  }
}
