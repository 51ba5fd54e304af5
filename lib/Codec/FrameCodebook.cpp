//===- FrameCodebook.cpp - Signed sums of vectors -------------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Codec/FrameCodebook.h"
#include "FrameSearch.h"
#include "Message.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdlib>

using namespace rotq;

static constexpr uint32_t kMiddle = 0x80808080;

Status FrameCodebook::check(int64_t dim, std::span<const int8_t> vectors,
                            int64_t deviation) {
  if (dim != 4 && dim != 8)
    return failure(
        message("expected vectors of 4 or 8 dimensions but got {}", dim));
  size_t width = size_t(dim), count = vectors.size() / width;
  if (count < 1 || count > FrameSearch::kMaxBits || vectors.size() % width != 0)
    return failure(message("expected 1 to {} vectors of {} coordinates but got "
                           "{} coordinates",
                           FrameSearch::kMaxBits, dim, vectors.size()));
  if (unsigned axes = FrameSearch::countAxes(dim, vectors);
      count - axes > FrameSearch::kMaxTried)
    return failure(message("expected at most {} vectors behind those along an "
                           "axis but got {} behind {}",
                           FrameSearch::kMaxTried, count - axes, axes));
  for (size_t i = 0; i < width; ++i) {
    int reach = 0;
    for (size_t at = i; at < vectors.size(); at += width)
      reach += std::abs(int(vectors[at]));
    if (reach > 127)
      return failure(message("expected magnitudes that add up to 127 at most "
                             "but got {} in dimension {}",
                             reach, i));
  }
  if (deviation < 1 || deviation > 127 * 16)
    return failure(
        message("expected a deviation of 1 to {} sixteenths but got {}",
                127 * 16, deviation));
  return {};
}

FrameCodebook::FrameCodebook(int64_t dim, std::vector<int8_t> vectors,
                             unsigned deviation)
    : codeDim(dim), columns(std::move(vectors)), stepsOfDeviation(deviation) {
  assert(check(dim, columns, deviation) && "expected a frame that fits");
  size_t width = size_t(dim);
  for (unsigned first = 0; first < bits(); first += 8) {
    unsigned count = std::min(bits() - first, 8u);
    for (unsigned value = 0; value < 1u << count; ++value)
      for (size_t i = 0; i < width; i += 4) {
        uint32_t word = first == 0 ? kMiddle : 0;
        for (unsigned j = 0; j < count; ++j)
          for (size_t byte = 0; byte < 4; ++byte) {
            int coordinate = columns[(first + j) * width + i + byte];
            word += uint32_t(value >> j & 1 ? coordinate : -coordinate)
                    << 8 * byte;
          }
        sums.push_back(word);
      }
  }
}

void FrameCodebook::point(uint64_t code, std::span<int8_t> out) const {
  assert(int64_t(out.size()) == codeDim && "expected room for a point");
  for (size_t i = 0; i < out.size(); ++i) {
    int sum = 0;
    for (unsigned j = 0; j < bits(); ++j) {
      int coordinate = columns[j * out.size() + i];
      sum += code >> j & 1 ? coordinate : -coordinate;
    }
    out[i] = int8_t(sum);
  }
}

// Words of four sums add up as numbers; what a coordinate below 0 borrows from
// the next comes back with the 128 that make all of them positive.
Expr FrameCodebook::decode(ExprBuilder &builder, Expr codes) const {
  int64_t count = builder.numWords(codes), width = codeDim / 4;
  auto amounts = [&](unsigned amount) {
    return std::vector<uint32_t>(size_t(count), amount);
  };
  std::vector<Expr> parts; // of a point, a word of every code
  for (unsigned first = 0; first < bits(); first += 8) {
    Expr index = codes;
    if (first != 0)
      index = builder.shiftRight(index, amounts(first));
    if (bits() - first > 8)
      index = builder.bitAnd(index, 0xff);
    if (width == 2)
      index = builder.shiftLeft(index, amounts(1));
    for (int64_t i = 0; i < width; ++i) {
      auto start = uint32_t(256 * width * first / 8 + i);
      Expr place = index;
      if (start != 0)
        place = builder.add(place, builder.splat(start, count));
      Expr sum = builder.gather(place, sums);
      if (first == 0)
        parts.push_back(sum);
      else
        parts[size_t(i)] = builder.add(parts[size_t(i)], sum);
    }
  }
  for (Expr &part : parts)
    part = builder.bitXor(part, builder.splat(kMiddle, count));
  if (width == 1)
    return parts[0];
  std::vector<int64_t> indices;
  for (int64_t i = 0; i < count; ++i)
    indices.insert(indices.end(), {i, count + i});
  return builder.shuffle(parts[0], parts[1], indices);
}

// Signs are as likely either way.
Codebook::Spread FrameCodebook::spread() const {
  size_t width = size_t(codeDim);
  std::vector<int> reaches(width);
  float squares = 0;
  for (size_t i = 0; i < columns.size(); ++i) {
    squares += float(columns[i] * columns[i]);
    reaches[i % width] += std::abs(int(columns[i]));
  }
  return {std::sqrt(squares / float(codeDim)),
          float(*std::ranges::min_element(reaches))};
}

/// Made for the encoder alone, in some microseconds.
const FrameSearch &FrameCodebook::search() const {
  std::call_once(hasFound, [&] {
    found = std::make_shared<FrameSearch>(codeDim, bits(), columns);
  });
  return *found;
}

void FrameCodebook::assign(std::span<const float> x, float step, float offset,
                           std::span<uint32_t> codes) const {
  size_t width = size_t(codeDim);
  assert(codes.size() * width == x.size() && "expected a code per point");
  const FrameSearch &points = search();
  float inverse = 1 / step;
  for (size_t at = 0; at < codes.size(); ++at) {
    float target[8];
    for (size_t i = 0; i < width; ++i)
      target[i] = (x[at * width + i] - offset) * inverse;
    codes[at] = uint32_t(points.nearest(target));
  }
}
