//===- GridCodebook.cpp - Points for several weights at once --------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Codec/GridCodebook.h"
#include "Message.h"
#include "NearestPoint.h"

#include <cassert>
#include <map>
#include <memory>
#include <optional>
#include <tuple>

using namespace rotq;

Status GridCodebook::check(unsigned bits, int64_t dim, bool hasSigns,
                           std::span<const int8_t> points) {
  if (dim != 1 && dim != 2 && dim != 4)
    return failure(
        message("expected points of 1, 2 or 4 dimensions but got {}", dim));
  int64_t signs = hasSigns ? dim : 0;
  if (bits < signs + 1 || bits > 16)
    return failure(
        message("expected codes of {} to 16 bits but got {}", signs + 1, bits));
  int64_t count = dim << (bits - signs);
  if (int64_t(points.size()) != count)
    return failure(message("expected {} coordinates for codes of {} bits but "
                           "got {}",
                           count, bits, points.size()));
  for (int8_t value : points)
    if (hasSigns && value < 1)
      return failure(
          message("expected magnitudes from 1 to 127 but got {}", int(value)));
  return {};
}

GridCodebook::GridCodebook(unsigned bits, int64_t dim, bool hasSigns,
                           std::vector<int8_t> points)
    : codeBits(bits), codeDim(dim), signs(hasSigns), table(std::move(points)) {
  assert(check(bits, dim, hasSigns, table) && "expected a grid that fits");
  words.resize(size_t(1) << wordBits());
  std::vector<int8_t> values(static_cast<size_t>(dim));
  for (size_t code = 0; code < words.size(); ++code) {
    point(code, values);
    for (size_t i = 0; i < values.size(); ++i)
      words[code] |= uint32_t(uint8_t(values[i])) << (8 * i);
  }
}

void GridCodebook::point(uint64_t code, std::span<int8_t> out) const {
  assert(int64_t(out.size()) == codeDim && "expected room for a point");
  size_t index = code & ((1u << indexBits()) - 1);
  uint64_t negative = code >> indexBits();
  for (size_t i = 0; i < out.size(); ++i) {
    int8_t value = table[index * size_t(codeDim) + i];
    out[i] = signs && negative >> i & 1 ? int8_t(-value) : value;
  }
}

// The first bytes of several words become one. Magnitudes are above 0, so a
// byte is negated within itself: (v ^ 255) + 1 does not carry.
Expr GridCodebook::decode(ExprBuilder &builder, Expr codes) const {
  int64_t count = builder.numWords(codes), each = 4 / codeDim;
  auto splat = [&](uint32_t word) { return builder.splat(word, count / each); };
  bool isWhole = wordBits() == codeBits;
  Expr values = builder.gather(
      isWhole ? codes : builder.bitAnd(codes, (1u << wordBits()) - 1), words);
  if (codeDim != 4) {
    std::vector<int64_t> bytes;
    for (int64_t i = 0; i < count; ++i)
      for (int64_t j = 0; j < codeDim; ++j)
        bytes.push_back(4 * i + j);
    values = builder.shuffleBytes(values, bytes);
  }
  if (isWhole)
    return values;
  std::vector<uint32_t> shifts(size_t(count), indexBits());
  Expr signBits = builder.shiftRight(codes, shifts), negative = {};
  for (int64_t j = 0; j < each; ++j) {
    std::vector<int64_t> indices;
    for (int64_t i = j; i < count; i += each)
      indices.push_back(i);
    std::vector<uint32_t> amounts(indices.size(), uint32_t(j * codeDim));
    Expr part = builder.shiftLeft(builder.shuffle(signBits, signBits, indices),
                                  amounts);
    negative = j ? builder.bitOr(negative, part) : part;
  }
  // Bit i becomes 1 in byte i.
  Expr ones =
      builder.bitAnd(builder.multiply(negative, splat(0x00204081)), 0x01010101);
  Expr flips = builder.multiply(ones, splat(255));
  return builder.add(builder.bitXor(values, flips), ones);
}

//===----------------------------------------------------------------------===//
// Assignment
//===----------------------------------------------------------------------===//

namespace rotq {
/// Finds points; made once for a table, which takes a while.
class GridCodebook::Search {
public:
  Search(int64_t dim, bool hasSigns, std::span<const int8_t> points) {
    // Cells of 4 steps, of magnitudes or of both signs; of 16 in 4 dimensions.
    int low = hasSigns ? 0 : -128, levels = hasSigns ? 5 : 6;
    if (dim == 1)
      line.emplace(points, low, 2, levels);
    else if (dim == 2)
      plane.emplace(points, low, 2, levels);
    else
      space.emplace(points, low, 4, levels - 2);
  }

  uint32_t nearest(const float *x) const {
    return line    ? line->nearest(x)
           : plane ? plane->nearest(x)
                   : space->nearest(x);
  }

private:
  std::optional<NearestPoint<1>> line;
  std::optional<NearestPoint<2>> plane;
  std::optional<NearestPoint<4>> space;
};
} // namespace rotq

/// The search of a table, shared by all codebooks of it.
const GridCodebook::Search &GridCodebook::search() const {
  using Key = std::tuple<int64_t, bool, std::vector<int8_t>>;
  static std::mutex mutex;
  static std::map<Key, std::unique_ptr<Search>> made;
  std::call_once(hasFound, [&] {
    std::lock_guard lock(mutex);
    std::unique_ptr<Search> &entry = made[{codeDim, signs, table}];
    if (!entry)
      entry = std::make_unique<Search>(codeDim, signs, table);
    found = entry.get();
  });
  return *found;
}

void GridCodebook::assign(std::span<const float> x, float step, float offset,
                          std::span<uint32_t> codes) const {
  size_t dim = size_t(codeDim);
  assert(codes.size() * dim == x.size() && "expected a code per point");
  const Search &points = search();
  float inverse = 1 / step;
  for (size_t at = 0; at < codes.size(); ++at) {
    float target[4];
    uint32_t negative = 0;
    for (size_t i = 0; i < dim; ++i) {
      target[i] = (x[at * dim + i] - offset) * inverse;
      if (signs && target[i] < 0) {
        target[i] = -target[i];
        negative |= 1u << i;
      }
    }
    codes[at] = points.nearest(target) | negative << indexBits();
  }
}
