//===- VoronoiCodebook.cpp - Lattice points for eight weights -------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Codec/VoronoiCodebook.h"
#include "Message.h"

#include <algorithm>
#include <cassert>

// A product and a sum stay two roundings, whatever the flags.
#pragma STDC FP_CONTRACT OFF

using namespace rotq;

static constexpr uint32_t kOnes = 0x01010101;
static constexpr int8_t kMaxMultiplier = 31;

Status VoronoiCodebook::check(unsigned q, std::span<const int8_t> multipliers) {
  if (q != 8 && q != 16)
    return failure(message("expected 8 or 16 as q but got {}", q));
  if (multipliers.size() != 4)
    return failure(
        message("expected 4 multipliers but got {}", multipliers.size()));
  for (size_t i = 0; i < 4; ++i)
    if (multipliers[i] <= (i ? multipliers[i - 1] : 0) ||
        multipliers[i] > kMaxMultiplier)
      return failure(message("expected multipliers that rise from 1 to 31 "
                             "but got {} after {}",
                             int(multipliers[i]),
                             i ? int(multipliers[i - 1]) : 0));
  return {};
}

VoronoiCodebook::VoronoiCodebook(unsigned q, Multipliers multipliers)
    : fieldBits(q == 16 ? 4 : 3), factors(multipliers) {
  assert(check(q, multipliers) && "expected a code that fits");
}

/// The basis of L: 2 e_i + 2 e_6 for i < 6, 4 e_6, (1, ..., 1).
VoronoiCodebook::Vector VoronoiCodebook::fieldsOf(const Vector &vector) const {
  int32_t mask = int32_t(q()) - 1, sum = 0;
  Vector fields;
  for (size_t i = 0; i < 6; ++i) {
    int32_t field = (vector[i] - vector[7]) >> 1;
    sum += field;
    fields[i] = field & mask;
  }
  fields[6] = ((vector[6] - vector[7] - 2 * sum) >> 2) & mask;
  fields[7] = vector[7] & mask;
  return fields;
}

/// A representative, less the point of q L near to it. There are two to choose
/// from, with even and with odd multiples of q: the sum of the residuals'
/// lengths chooses (a length is |r + 1/2| - 1/2, for a residual r to the
/// nearest multiple of 2 q). Where the multiples have an odd sum, the longest
/// residual goes to its other neighbour.
VoronoiCodebook::Vector VoronoiCodebook::vectorOf(const Vector &fields) const {
  int32_t size = int32_t(q()), mask = 2 * size - 1;
  auto lengthOf = [](int32_t r) { return r >= 0 ? r : -r - 1; };
  Vector representative;
  int32_t sum = 0;
  for (size_t i = 0; i < 8; ++i) {
    representative[i] = fields[7] + (i < 6 ? 2 * fields[i] : 0);
    sum += i < 6 ? fields[i] : 0;
  }
  representative[6] += 2 * sum + 4 * fields[6];

  int32_t total = 0;
  for (int32_t c : representative)
    total += lengthOf(((c + size) & mask) - size);
  int32_t shift = total > 4 * size - 4 ? 0 : size;
  Vector result;
  int32_t parity = 0, longest = -1;
  size_t at = 0;
  for (size_t i = 0; i < 8; ++i) {
    int32_t base = representative[i] + shift;
    result[i] = (base & mask) - size;
    parity ^= (base / (2 * size)) & 1;
    if (int32_t length = lengthOf(result[i]); length >= longest) {
      longest = length;
      at = i;
    }
  }
  if (parity)
    result[at] += result[at] >= 0 ? -2 * size : 2 * size;
  return result;
}

// Products beyond an int8 borrow from the next byte, as `decode` has it; only
// codes that no encoder writes have such.
void VoronoiCodebook::point(uint64_t code, std::span<int8_t> out) const {
  assert(out.size() == 8 && "expected room for a point");
  Vector fields;
  for (unsigned i = 0; i < 8; ++i)
    fields[i] = int32_t(code >> (2 * (i % 4) + i / 4) * fieldBits & (q() - 1));
  Vector vector = vectorOf(fields);
  int32_t factor = factors[code >> 8 * fieldBits & 3];
  for (size_t half = 0; half < 2; ++half) {
    uint32_t word = 0;
    for (size_t i = 0; i < 4; ++i)
      word += uint32_t(factor * vector[4 * half + i] + 128) << 8 * i;
    word ^= 0x80 * kOnes;
    for (size_t i = 0; i < 4; ++i)
      out[4 * half + i] = int8_t(word >> 8 * i & 255);
  }
}

namespace {
/// A builder with constants that know how many words they need.
class Words {
public:
  Words(ExprBuilder &builder, int64_t count) : builder(builder), count(count) {}

  Expr left(Expr value, unsigned amount) {
    return builder.shiftLeft(value, amounts(amount));
  }
  Expr right(Expr value, unsigned amount) {
    return builder.shiftRight(value, amounts(amount));
  }
  Expr plus(Expr value, uint32_t word) {
    return word ? builder.add(value, splat(word)) : value;
  }
  Expr times(Expr value, uint32_t word) {
    return word == 1 ? value : builder.multiply(value, splat(word));
  }
  Expr exclusive(Expr value, uint32_t word) {
    return builder.bitXor(value, splat(word));
  }
  Expr splat(uint32_t word) { return builder.splat(word, count); }

private:
  std::vector<uint32_t> amounts(unsigned amount) {
    return std::vector<uint32_t>(size_t(count), amount);
  }

  ExprBuilder &builder;
  int64_t count;
};
} // namespace

/// Four numbers chosen by two bits a word.
static Expr choose(ExprBuilder &builder, Words &words, Expr choice,
                   const VoronoiCodebook::Multipliers &numbers) {
  auto at = [&](size_t i) { return int32_t(numbers[i]); };
  // n0 + (n1 - n0) low + (n2 - n0) high + (n3 - n2 - n1 + n0) both, with
  // low = choice - 2 high.
  int32_t each = at(1) - at(0), high = at(2) - at(0) - 2 * each,
          both = at(3) - at(2) - at(1) + at(0);
  Expr top = words.right(choice, 1);
  Expr result = words.times(choice, uint32_t(each));
  if (high)
    result = builder.add(result, words.times(top, uint32_t(high)));
  if (both)
    result = builder.add(
        result, words.times(builder.bitAnd(choice, top), uint32_t(both)));
  return words.plus(result, uint32_t(at(0)));
}

// The coordinates are bytes of two words, those of weights 0 to 3 and 4 to 7.
// No byte carries into the next: all are below 128 but for the last step.
Expr VoronoiCodebook::decode(ExprBuilder &builder, Expr codes) const {
  uint32_t size = q(), mask = size - 1;
  Expr low = codes, choice;
  int64_t count = builder.numWords(codes);
  if (fieldBits == 4) {
    count /= 2;
    std::vector<int64_t> evens, odds;
    for (int64_t i = 0; i < count; ++i) {
      evens.push_back(2 * i);
      odds.push_back(2 * i + 1);
    }
    low = builder.shuffle(codes, codes, evens);
    choice = builder.shuffle(codes, codes, odds);
  }
  Words words(builder, count);
  if (fieldBits == 3) {
    choice = words.right(codes, 24);
    // Six bits become a byte: first two pairs of them apart, then each.
    low = builder.bitAnd(codes, 0xffffff);
    low = builder.add(low, words.times(builder.bitAnd(low, 0xfff000), 15));
    low = builder.add(low, words.times(builder.bitAnd(low, 0x0fc00fc0), 3));
  }

  // The representative and q: fields 0 to 3, 4 and 5, 7, then coordinate 6,
  // which matters modulo 4 q only.
  Expr first = builder.bitAnd(low, mask * kOnes);
  Expr second = builder.bitAnd(words.right(low, fieldBits), mask * 0x0101);
  Expr common = words.plus(words.times(words.right(low, 24 + fieldBits), kOnes),
                           size * kOnes);
  Expr sixth = builder.bitAnd(words.right(low, 14 + fieldBits), 4 * mask);
  sixth = builder.add(
      sixth, words.left(builder.sumBytes(builder.add(first, second)), 1));
  sixth = words.left(builder.bitAnd(sixth, 4 * size - 1), 16);
  std::array<Expr, 2> base = {
      builder.add(words.left(first, 1), common),
      builder.add(builder.add(words.left(second, 1), common), sixth)};

  // Lengths, as if the multiples of q were even ones.
  std::array<Expr, 2> lengths;
  for (size_t i = 0; i < 2; ++i) {
    Expr negative =
        words.exclusive(builder.bitAnd(base[i], size * kOnes), size * kOnes);
    Expr flips = builder.subtract(negative, words.right(negative, fieldBits));
    lengths[i] = builder.bitAnd(builder.bitXor(base[i], flips), mask * kOnes);
  }
  Expr total = builder.sumBytes(builder.add(lengths[0], lengths[1]));
  Expr isOdd =
      words.right(builder.subtract(words.splat(4 * size - 4), total), 31);
  Expr shift = words.times(isOdd, size * kOnes);
  Expr flips = words.times(isOdd, mask * kOnes);

  // The longest residual: bytes of length and position, the greatest on top of
  // a word.
  std::array<Expr, 2> keys;
  Expr greatest = {};
  for (size_t i = 0; i < 2; ++i) {
    base[i] = builder.subtract(base[i], shift);
    keys[i] = words.plus(words.left(builder.bitXor(lengths[i], flips), 3),
                         i ? 0x07060504 : 0x03020100);
    for (unsigned byte = 0; byte < 4; ++byte) {
      Expr key = byte < 3 ? words.left(keys[i], 24 - 8 * byte) : keys[i];
      greatest = i || byte ? builder.maximum(greatest, key) : key;
    }
  }
  greatest = words.times(words.right(greatest, 24), kOnes);

  // Where the multiples have an odd sum, bit 2 q of every byte.
  Expr parity = builder.sumBytes(builder.bitAnd(
      words.right(builder.bitXor(base[0], base[1]), fieldBits + 1), kOnes));
  parity = words.times(builder.bitAnd(parity, 1), 2 * size * kOnes);

  Expr factor = choose(builder, words, choice, factors);
  std::array<Expr, 2> points;
  for (size_t i = 0; i < 2; ++i) {
    // 128 - (key ^ greatest) has the top bit of its byte only for the longest.
    // Its other neighbour is 2 q away, in the top bit of a residual + 2 q.
    Expr isLongest = builder.subtract(words.splat(0x80 * kOnes),
                                      builder.bitXor(keys[i], greatest));
    Expr move = builder.bitAnd(words.right(isLongest, 6 - fieldBits), parity);
    Expr residual = words.plus(builder.bitAnd(base[i], (2 * size - 1) * kOnes),
                               size * kOnes);
    residual = builder.bitXor(residual, move);
    residual = words.plus(residual, 0u - 2 * size * kOnes);
    // With 128 more no byte of the product borrows.
    points[i] = words.exclusive(
        words.plus(builder.multiply(residual, factor), 0x80 * kOnes),
        0x80 * kOnes);
  }
  std::vector<int64_t> indices;
  for (int64_t i = 0; i < count; ++i)
    indices.insert(indices.end(), {i, count + i});
  return builder.shuffle(points[0], points[1], indices);
}

//===----------------------------------------------------------------------===//
// Encoding
//===----------------------------------------------------------------------===//

// Integers but for a product and the rounding of it: the same everywhere.

/// Weights are in 1/64 of the lattice's unit.
static constexpr int32_t kUnit = 64;
/// Weights whose nearest points are not in the code move towards 0 by 1/16 at a
/// time. As often brings everything within 127 to a vector that is.
static constexpr int kMaxPulls = 48;

/// To the nearest integer, ties to even, for |x| < 2^22.
static float roundEven(float x) {
  constexpr float kMagic = 0x1.8p23f;
  return (x + kMagic) - kMagic;
}

/// The vector of L with coordinates of parity `odd` that is nearest to `x`
/// times `inverse`.
static VoronoiCodebook::Vector nearestOf(const VoronoiCodebook::Vector &x,
                                         float inverse, int32_t odd) {
  VoronoiCodebook::Vector result;
  float rests[8], magnitudes[8];
  int32_t sum = 0;
  for (size_t i = 0; i < 8; ++i) {
    float value = float(x[i]) * inverse - 0.5f * float(odd);
    float rounded = roundEven(value);
    rests[i] = value - rounded;
    magnitudes[i] = rests[i] < 0 ? -rests[i] : rests[i];
    int32_t half = int32_t(rounded);
    sum += half;
    result[i] = 2 * half + odd;
  }
  if (sum & 1) {
    size_t at = 0;
    for (size_t i = 1; i < 8; ++i)
      if (magnitudes[i] > magnitudes[at])
        at = i;
    result[at] += rests[at] >= 0 ? 2 : -2;
  }
  return result;
}

/// Squared, in (1 / kUnit)^2.
static uint32_t distance(const VoronoiCodebook::Vector &x,
                         const VoronoiCodebook::Vector &vector,
                         int32_t factor) {
  uint32_t sum = 0;
  for (size_t i = 0; i < 8; ++i) {
    int32_t difference = x[i] - kUnit * factor * vector[i];
    sum += uint32_t(difference * difference);
  }
  return sum;
}

uint64_t VoronoiCodebook::nearest(const Vector &x) const {
  uint32_t least = distance(x, Vector(), 0);
  uint64_t best = 0;
  // Twice the squared distance from the middle of the coarsest cells to their
  // corners.
  uint32_t enough = 8u * uint32_t(factors[3] * factors[3] * kUnit * kUnit);
  Vector pulled;
  for (size_t i = 0; i < 8; ++i)
    pulled[i] = 16 * x[i];
  // What every size could come to; it is out of the race once that is reached.
  std::array<uint32_t, 4> bounds = {};
  bool found = false;
  for (int pull = 0; pull < kMaxPulls; ++pull) {
    bool isOpen = false;
    for (unsigned choice = 0; choice < 4; ++choice) {
      if (bounds[choice] >= least)
        continue;
      int32_t factor = factors[choice];
      float inverse = 1.0f / float(2 * 16 * kUnit * factor);
      std::array<Vector, 2> near = {nearestOf(pulled, inverse, 0),
                                    nearestOf(pulled, inverse, 1)};
      std::array<uint32_t, 2> distances = {};
      size_t first = 0;
      if (pull == 0) {
        distances = {distance(x, near[0], factor),
                     distance(x, near[1], factor)};
        first = distances[1] < distances[0];
        bounds[choice] = distances[first];
      }
      for (size_t odd : {first, 1 - first}) {
        // A vector of the class of the nearest one has its parity.
        if (distances[odd] >= least)
          continue;
        Vector fields = fieldsOf(near[odd]), vector = vectorOf(fields);
        // Far from the weights, a vector by chance is not one to look for.
        if (pull > 1 && vector != near[odd])
          continue;
        if (std::ranges::any_of(
                vector, [&](int32_t v) { return std::abs(v) * factor > 127; }))
          continue;
        found |= pull > 1;
        uint32_t d = distance(x, vector, factor);
        if (d >= least)
          continue;
        least = d;
        best = uint64_t(choice) << 8 * fieldBits;
        for (unsigned i = 0; i < 8; ++i)
          best |= uint64_t(fields[i]) << (2 * (i % 4) + i / 4) * fieldBits;
      }
      isOpen |= bounds[choice] < least;
    }
    if (!isOpen || (pull > 0 && (least <= enough || found)))
      break;
    for (int32_t &value : pulled)
      value -= value / 16;
  }
  return best;
}

void VoronoiCodebook::assign(std::span<const float> x, float step, float offset,
                             std::span<uint32_t> codes) const {
  size_t words = size_t(codeWords());
  assert(codes.size() * 8 == x.size() * words && "expected a code per point");
  float inverse = 1 / step;
  for (size_t at = 0; at < x.size() / 8; ++at) {
    Vector target;
    for (size_t i = 0; i < 8; ++i) {
      float value = (x[8 * at + i] - offset) * inverse;
      value = std::clamp(value, -127.0f, 127.0f);
      target[i] = int32_t(roundEven(value * float(kUnit)));
    }
    uint64_t code = nearest(target);
    codes[words * at] = uint32_t(code);
    if (words > 1)
      codes[words * at + 1] = uint32_t(code >> 32);
  }
}

/// At the best step for weights of unit variance the smallest cells reach 1.493
/// deviations, for q = 8 and for q = 16: found by search on 160000 vectors.
float VoronoiCodebook::gaussianStep() const {
  return 1.49283f / float(int32_t(q()) * factors[0]);
}
