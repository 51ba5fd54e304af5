//===- LiftedActivation.cpp - An activation to multiply with bits ---------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Codec/LiftedActivation.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>

using namespace rotq;

static constexpr int64_t kColumns = TiledLayout::kColumns;
static constexpr int64_t kRun = TiledLayout::kRun;

const FrameCodebook *LiftedLayout::frameOf(const Format &format) {
  if (format.coding->kind() != "field" || format.scale.hasOffset)
    return nullptr;
  return dynamic_cast<const FrameCodebook *>(format.codebook.get());
}

LiftedLayout::LiftedLayout(const FrameCodebook &frame, int64_t k, int64_t parts)
    : dim(frame.dim()), bits(frame.bits()),
      words((2 * kRun / dim * bits + 31) / 32),
      segments(Blocking(k, kColumns).size()), parts(parts),
      scalesOffset(segments * segmentBytes()),
      rowBytes(roundUp(scalesOffset + 8 * segments, 16)) {}

std::vector<LiftedLayout::Chunk> LiftedLayout::chunks() const {
  std::vector<Chunk> result;
  for (int64_t first = 0; first < words; first += result.back().size) {
    int64_t left = words - first;
    result.push_back({first, left >= 4 ? 4 : left >= 2 ? 2 : 1});
  }
  return result;
}

int64_t LiftedLayout::firstBit(int64_t position) const {
  int64_t run = position / (kColumns / 2), inRun = position % kRun;
  return (run * kRun + inRun) / dim * bits;
}

namespace {
/// Lifts one row at a time.
class Lifter {
public:
  Lifter(const FrameCodebook &frame, int64_t k, int64_t parts)
      : layout(frame, k, parts), frame(frame), blocking(k, kColumns),
        chunks(layout.chunks()) {}

  void lift(std::span<const float> row, std::byte *out);

  const LiftedLayout layout;

private:
  void lift(const Segment &segment, std::span<const float> row,
            std::byte *words, float *scales);
  void store(int64_t code, int64_t position, int64_t j, std::byte *words);

  const FrameCodebook &frame;
  const Blocking blocking;
  const std::vector<LiftedLayout::Chunk> chunks;
};
} // namespace

/// Sets the bits of a code that are 1.
void Lifter::store(int64_t code, int64_t position, int64_t j,
                   std::byte *words) {
  int64_t t = position % (kColumns / 2) / kRun;
  int64_t bit = layout.firstBit(position) + j, word = bit / 32;
  const LiftedLayout::Chunk &chunk =
      *std::ranges::find_if(chunks, [&](const LiftedLayout::Chunk &chunk) {
        return word < chunk.first + chunk.size;
      });
  for (int64_t plane = 0; plane < LiftedLayout::kPlanes * layout.parts;
       ++plane) {
    if (!(code >> plane & 1))
      continue;
    int64_t lane = 4 * (plane % LiftedLayout::kPlanes) + t;
    std::byte *at = words + plane / LiftedLayout::kPlanes * layout.partBytes() +
                    chunk.offset(lane) + 4 * (word - chunk.first);
    uint32_t value = 0;
    std::memcpy(&value, at, 4);
    value |= 1u << bit % 32;
    std::memcpy(at, &value, 4);
  }
}

void Lifter::lift(const Segment &segment, std::span<const float> row,
                  std::byte *words, float *scales) {
  std::vector<float> lifted;
  auto width = size_t(layout.dim);
  float largest = 0;
  for (int64_t at = segment.offset; at < segment.offset + segment.length;
       at += layout.dim)
    for (size_t j = 0; j < size_t(layout.bits); ++j) {
      float z = 0;
      for (size_t i = 0; i < width; ++i) {
        size_t place = size_t(at) + i;
        float x = place < row.size() ? row[place] : 0;
        z = std::fma(float(frame.vectors()[j * width + i]), x, z);
      }
      lifted.push_back(z);
      largest = std::abs(z) > largest ? std::abs(z) : largest;
    }
  auto most = float(layout.mostCode());
  float inverse = largest > 0 ? most / largest : 0, scale = largest / most;
  int64_t sum = 0;
  for (size_t i = 0; i < lifted.size(); ++i) {
    float steps = lifted[i] * inverse;
    if (std::isnan(steps))
      continue;
    auto code = int64_t(std::nearbyint(std::clamp(steps, -most, most)));
    sum += code;
    int64_t at = int64_t(i) / layout.bits * layout.dim;
    store(code, segment.offset % kColumns + at, int64_t(i) % layout.bits,
          words);
  }
  scales[0] = scale;
  scales[1] = scale * float(sum);
}

void Lifter::lift(std::span<const float> row, std::byte *out) {
  for (int64_t s = 0; s < layout.segments; ++s) {
    float scales[2];
    lift(blocking.segment(s), row, out + s * layout.segmentBytes(), scales);
    std::memcpy(out + layout.scalesOffset + 8 * s, scales, 8);
  }
}

std::vector<std::byte> rotq::liftActivation(const FrameCodebook &frame,
                                            std::span<const float> x, int64_t m,
                                            int64_t k, int64_t parts) {
  assert(int64_t(x.size()) == m * k && "expected M x K values");
  Lifter lifter(frame, k, parts);
  std::vector<std::byte> result(size_t(m * lifter.layout.rowBytes));
  for (int64_t row = 0; row < m; ++row)
    lifter.lift(x.subspan(size_t(row * k), size_t(k)),
                result.data() + row * lifter.layout.rowBytes);
  return result;
}
