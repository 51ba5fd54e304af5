//===- Encode.cpp - From weights to a blob --------------------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The encoder is deterministic to the bit: it runs in f32 with sums in a fixed
// order (Kernels.h), and docs/formats/README.md describes it step by step.
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"
#include "Message.h"
#include "Parallel.h"
#include "rotq/Codec/PackedWeight.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <mutex>

using namespace rotq;

namespace {

constexpr uint16_t kMaxHalf = 0x7bff;    // 65504
constexpr uint16_t kFirstNormal = 0x400; // 2^-14

/// Below: a segment of zeros. Squares stay far from underflow.
constexpr float kTiny = 0x1p-40f;
/// From here on: beyond every f16 step. Squares stay far from overflow.
constexpr float kHuge = 0x1p32f;

constexpr int kGridSteps = 16;
/// Of codes for several weights, whose assignment takes longer.
constexpr int kFewGridSteps = 4;
constexpr int kMaxRefits = 8;

/// Weights that are worth a range of a thread: encoding them takes long.
constexpr int64_t kRangeWeights = 4096;

uint16_t toFiniteHalf(float value) {
  return toHalf(std::clamp(value, -65504.0f, 65504.0f));
}

/// Finds step, offset and codes of segments.
class SegmentEncoder {
public:
  SegmentEncoder(const Format &format, Codebook::Spread spread)
      : codebook(*format.codebook), hasOffset(format.scale.hasOffset),
        spread(spread) {}

  /// Fills the codes of `x` and its numbers (step, then offset if any).
  void encode(std::span<const float> x, std::span<uint32_t> codes,
              uint16_t *numbers);

private:
  using Moments = Codebook::Moments;

  /// A segment as the fit sees it.
  struct Target {
    std::span<const float> x;
    float sum, squares, largest;
  };
  struct Line {
    float step, offset;
  };

  Target makeTarget(std::span<const float> x) const;
  /// Reduction of the squared error by the best line through the moments.
  float gain(const Target &target, const Moments &m) const;
  /// That line.
  Line bestLine(const Target &target, const Moments &m) const;
  Line fit(const Target &target) const;
  uint16_t roundStep(const Target &target, float step, float offset) const;

  const Codebook &codebook;
  bool hasOffset;
  Codebook::Spread spread;
  std::vector<float> centred;
};

} // namespace

SegmentEncoder::Target
SegmentEncoder::makeTarget(std::span<const float> x) const {
  float out[3];
  kernels::active().statistics(x.data(), int64_t(x.size()), out);
  return {x, out[0], out[1], out[2]};
}

float SegmentEncoder::gain(const Target &target, const Moments &m) const {
  float a = m.xq, b = m.qq;
  if (hasOffset) {
    float n = float(target.x.size());
    a = n * m.xq - target.sum * m.q;
    b = n * m.qq - m.q * m.q;
  }
  return a > 0 && b > 0 ? a * a / b : 0;
}

SegmentEncoder::Line SegmentEncoder::bestLine(const Target &target,
                                              const Moments &m) const {
  if (!hasOffset)
    return {m.xq / m.qq, 0};
  float n = float(target.x.size());
  float step = (n * m.xq - target.sum * m.q) / (n * m.qq - m.q * m.q);
  return {step, (target.sum - step * m.q) / n};
}

SegmentEncoder::Line SegmentEncoder::fit(const Target &target) const {
  // Seventeen steps, from one that suits many outliers to one that clips
  // none, in equal ratios.
  float n = float(target.x.size());
  if (float step = codebook.gaussianStep(); step > 0)
    return {step * std::sqrt(target.squares / n), 0};
  float a = 0.85f * std::sqrt(target.squares / n) / spread.rms;
  float b = target.largest / spread.reach;
  float step = std::min(a, b), ratio = std::max(a, b) / step;
  int steps = codebook.dim() > 1 ? kFewGridSteps : kGridSteps;
  for (int i = steps; i > 1; i /= 2)
    ratio = std::sqrt(ratio);
  Moments best = {};
  float bestGain = 0;
  for (int i = 0; i <= steps; ++i, step = step * ratio) {
    Moments m = codebook.moments(target.x, step, 0);
    if (float g = gain(target, m); g > bestGain)
      best = m, bestGain = g;
  }
  if (bestGain == 0)
    return {0, 0};
  // Then fit and assign in turns for as long as it helps.
  Line line = bestLine(target, best);
  for (int i = 0; i < kMaxRefits; ++i) {
    Moments m = codebook.moments(target.x, line.step, line.offset);
    float g = gain(target, m);
    if (!(g > bestGain))
      break;
    bestGain = g;
    line = bestLine(target, m);
  }
  return line;
}

/// `step` as f16. Below 2^-14 f16 is coarse, so the neighbours compete.
uint16_t SegmentEncoder::roundStep(const Target &target, float step,
                                   float offset) const {
  uint16_t rounded = toFiniteHalf(step);
  if (rounded >= kFirstNormal)
    return rounded;
  float n = float(target.x.size());
  auto error = [&](uint16_t candidate) {
    float s = fromHalf(candidate);
    Moments m = {};
    if (candidate)
      m = codebook.moments(target.x, s, offset);
    return target.squares - 2 * s * m.xq + s * s * m.qq -
           2 * offset * (target.sum - s * m.q) + n * offset * offset;
  };
  uint16_t best = rounded;
  float least = error(rounded);
  if (rounded > 0)
    if (float e = error(uint16_t(rounded - 1)); e < least)
      best = uint16_t(rounded - 1), least = e;
  if (float e = error(uint16_t(rounded + 1)); e < least)
    best = uint16_t(rounded + 1);
  return best;
}

void SegmentEncoder::encode(std::span<const float> x, std::span<uint32_t> codes,
                            uint16_t *numbers) {
  Target target = makeTarget(x);
  uint16_t step = 0, offset = 0;
  if (target.largest >= kHuge) {
    step = kMaxHalf;
  } else if (target.largest >= kTiny) {
    Target shape = target;
    float mean = 0;
    if (hasOffset) {
      mean = target.sum / float(x.size());
      centred.resize(x.size());
      kernels::active().subtract(x.data(), int64_t(x.size()), mean,
                                 centred.data());
      shape = makeTarget(centred);
    }
    Line line = {0, 0};
    if (shape.largest >= kTiny)
      line = fit(shape);
    if (hasOffset)
      offset = toFiniteHalf(mean + line.offset);
    step = roundStep(target, line.step, fromHalf(offset));
  }
  numbers[0] = step;
  if (hasOffset)
    numbers[1] = offset;
  if (step)
    codebook.assign(x, fromHalf(step), fromHalf(offset), codes);
  else
    codebook.assign(std::vector<float>(x.size()), 1, 0, codes);
}

/// Names the first weight of row `row` that cannot be encoded.
static std::string describeBadWeight(std::span<const float> weights,
                                     int64_t row) {
  for (size_t column = 0; column < weights.size(); ++column) {
    float w = weights[column];
    if (std::isnan(w))
      return message("weight is nan at row {}, column {}", row, column);
    if (std::isinf(w))
      return message("weight is {} at row {}, column {}",
                     w > 0 ? "inf" : "-inf", row, column);
    if (std::abs(w) > kMaxMagnitude)
      return message("expected weights below 2^64 in magnitude but got {} "
                     "at row {}, column {}",
                     w, row, column);
  }
  return message("weight is not finite in row {}", row);
}

Status rotq::encode(const Format &format, std::span<const float> weights,
                    int64_t n, int64_t k, std::span<std::byte> blob,
                    const EncodeOptions &options) {
  if (Status status = checkShape(format, n, k); !status)
    return status;
  if (weights.size() != size_t(n) * size_t(k))
    return failure(
        message("expected {} x {} weights but got {}", n, k, weights.size()));
  WeightLayout layout(format, n, k);
  if (blob.size() != size_t(layout.totalBytes))
    return failure(message("expected a blob of {} bytes but got {}",
                           layout.totalBytes, blob.size()));

  // Gaps between the parts.
  int64_t end = 0;
  for (const WeightLayout::Plane &plane : layout.planes) {
    std::memset(blob.data() + end, 0, size_t(plane.offset - end));
    end = plane.offset + n * plane.rowBytes;
  }
  std::memset(blob.data() + end, 0, size_t(layout.scalesOffset - end));

  const Blocking &blocking = layout.scaleBlocking;
  size_t padded = size_t(blocking.paddedSize()),
         stored = size_t(storedLength(k));
  size_t dim = size_t(format.codebook->dim()),
         words = size_t(format.codebook->codeWords());
  int64_t numbers = format.scale.numbers();
  Codebook::Spread spread = {};
  if (format.codebook->gaussianStep() == 0)
    spread = format.codebook->spread();
  std::mutex mutex;
  int64_t badRow = n;

  parallelRows(
      n, rowGrain(k, kRangeWeights), options.threads,
      [&](int64_t first, int64_t last) {
        SegmentEncoder segments(format, spread);
        std::vector<float> row(padded);
        std::vector<uint32_t> codes(stored / dim * words);
        std::vector<uint16_t> steps(size_t(layout.numbersPerRow));
        std::vector<std::span<std::byte>> planes(layout.planes.size());

        for (int64_t r = first; r < last; ++r) {
          const float *source = weights.data() + r * k;
          if (!kernels::active().allWithin(source, k, kMaxMagnitude)) {
            std::lock_guard lock(mutex);
            badRow = std::min(badRow, r);
            return false;
          }
          std::copy_n(source, k, row.begin());
          std::fill(row.begin() + k, row.end(), 0.0f);
          format.rotation->forward(row);
          for (int64_t s = 0; s < blocking.size(); ++s) {
            Segment segment = blocking.segment(s);
            size_t offset = size_t(segment.offset),
                   length = size_t(segment.length);
            segments.encode(std::span(row).subspan(offset, length),
                            std::span(codes).subspan(offset / dim * words,
                                                     length / dim * words),
                            steps.data() + s * numbers);
          }
          for (size_t p = 0; p < planes.size(); ++p) {
            const WeightLayout::Plane &plane = layout.planes[p];
            planes[p] = blob.subspan(size_t(plane.offset + r * plane.rowBytes),
                                     size_t(plane.rowBytes));
          }
          format.coding->pack(codes, planes);
          std::memcpy(blob.data() + layout.scalesOffset +
                          r * layout.numbersPerRow * 2,
                      steps.data(), steps.size() * 2);
        }
        if (options.progress) {
          std::lock_guard lock(mutex);
          options.progress(last - first);
        }
        return true;
      });
  if (badRow < n)
    return failure(describeBadWeight(
        weights.subspan(size_t(badRow) * size_t(k), size_t(k)), badRow));
  return {};
}
