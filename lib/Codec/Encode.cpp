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

#include "Feedback.h"
#include "Kernels.h"
#include "Message.h"
#include "Parallel.h"
#include "rotq/Codec/PackedWeight.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <mutex>
#include <optional>

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

  /// The numbers of the segment `x`: step, then offset if any.
  void fit(std::span<const float> x, std::span<uint16_t> numbers);
  /// Fills the codes of some weights `x` of a segment with these numbers.
  void assign(std::span<const float> x, std::span<const uint16_t> numbers,
              std::span<uint32_t> codes);

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
  Line bestLine(const Target &target) const;
  uint16_t roundStep(const Target &target, float step, float offset) const;

  const Codebook &codebook;
  bool hasOffset;
  Codebook::Spread spread;
  std::vector<float> centred, zeros;
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

SegmentEncoder::Line SegmentEncoder::bestLine(const Target &target) const {
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

/// `step` as f16. Below 2^-14 f16 is coarse, so the neighbours compete, unless
/// assigning takes too long.
uint16_t SegmentEncoder::roundStep(const Target &target, float step,
                                   float offset) const {
  uint16_t rounded = toFiniteHalf(step);
  if (rounded >= kFirstNormal || !codebook.comparesSmallSteps())
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

void SegmentEncoder::fit(std::span<const float> x,
                         std::span<uint16_t> numbers) {
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
      line = bestLine(shape);
    if (hasOffset)
      offset = toFiniteHalf(mean + line.offset);
    step = roundStep(target, line.step, fromHalf(offset));
  }
  numbers[0] = step;
  if (hasOffset)
    numbers[1] = offset;
}

void SegmentEncoder::assign(std::span<const float> x,
                            std::span<const uint16_t> numbers,
                            std::span<uint32_t> codes) {
  if (numbers[0]) {
    codebook.assign(x, fromHalf(numbers[0]),
                    hasOffset ? fromHalf(numbers[1]) : 0, codes);
    return;
  }
  zeros.resize(x.size());
  codebook.assign(zeros, 1, 0, codes);
}

namespace {

/// Encodes a few rows at a time. What feedback there is goes along all of them
/// in step, some columns at a time, so that they share what it reads.
class RowsEncoder {
public:
  RowsEncoder(const Format &format, const WeightLayout &layout,
              Codebook::Spread spread, const Feedback *feedback)
      : format(format), blocking(layout.scaleBlocking), feedback(feedback),
        segments(format, spread), length(size_t(blocking.paddedSize())),
        dim(size_t(format.codebook->dim())),
        words(size_t(format.codebook->codeWords())),
        numbers(size_t(format.scale.numbers())), values(dim) {}

  /// A row on the way.
  struct Row {
    std::vector<float> x;         ///< rotated
    std::vector<uint32_t> codes;  ///< of the stored length
    std::vector<uint16_t> scales; ///< the numbers of every segment
  };
  /// Fills codes and scales of `rows`. The row that feedback took beyond
  /// kMaxMagnitude, or the number of rows.
  size_t encode(std::span<Row> rows);

private:
  /// Whether feedback, if there is any, has left `x` within kMaxMagnitude.
  bool isWithin(std::span<const float> x) const {
    return !feedback || kernels::active().allWithin(x.data(), int64_t(x.size()),
                                                    kMaxMagnitude);
  }
  /// Columns `first` to `last` of a row. False where they are too large.
  bool encodeColumns(Row &row, size_t first, size_t last);
  /// Makes weights errors: takes off what their codes decode to.
  void takeOff(std::span<float> x, std::span<const uint16_t> scale,
               std::span<const uint32_t> codes);

  const Format &format;
  const Blocking &blocking;
  const Feedback *feedback;
  SegmentEncoder segments;
  size_t length, dim, words, numbers;
  std::vector<int8_t> values; ///< of a code
};

} // namespace

void RowsEncoder::takeOff(std::span<float> x, std::span<const uint16_t> scale,
                          std::span<const uint32_t> codes) {
  float step = fromHalf(scale[0]);
  float offset = format.scale.hasOffset ? fromHalf(scale[1]) : 0;
  for (size_t i = 0; i < x.size(); ++i) {
    if (i % dim == 0) {
      const uint32_t *code = codes.data() + i / dim * words;
      format.codebook->point(
          words > 1 ? code[0] | uint64_t(code[1]) << 32 : code[0], values);
    }
    float value = step * float(values[i % dim]);
    x[i] = x[i] - (value + offset);
  }
}

bool RowsEncoder::encodeColumns(Row &row, size_t first, size_t last) {
  for (int64_t s = blocking.indexOf(int64_t(first)); s < blocking.size(); ++s) {
    Segment segment = blocking.segment(s);
    size_t begin = size_t(segment.offset), end = begin + size_t(segment.length);
    if (begin >= last)
      break;
    std::span scale =
        std::span(row.scales).subspan(size_t(s) * numbers, numbers);
    if (begin >= first) {
      std::span x = std::span(row.x).subspan(begin, end - begin);
      if (!isWithin(x))
        return false;
      segments.fit(x, scale);
    }
    size_t stop = std::min(end, last);
    size_t group = feedback ? size_t(feedback->group()) : end - begin;
    for (size_t at = std::max(begin, first), next; at < stop; at = next) {
      next = std::min(at + group, stop);
      std::span x = std::span(row.x).subspan(at, next - at);
      std::span codes = std::span(row.codes).subspan(at / dim * words,
                                                     x.size() / dim * words);
      if (!isWithin(x))
        return false;
      segments.assign(x, scale, codes);
      if (!feedback)
        continue;
      takeOff(x, scale, codes);
      feedback->within(row.x, at, next, last);
    }
  }
  return true;
}

size_t RowsEncoder::encode(std::span<Row> rows) {
  size_t step = feedback ? size_t(feedback->columns()) : length;
  std::vector<float *> values;
  for (Row &row : rows)
    values.push_back(row.x.data());
  for (size_t first = 0; first < length; first += step) {
    size_t last = std::min(first + step, length);
    for (size_t r = 0; r < rows.size(); ++r)
      if (!encodeColumns(rows[r], first, last))
        return r;
    if (feedback)
      feedback->beyond(values, first, last);
  }
  return rows.size();
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
  return message("feedback grows beyond 2^64 at row {}", row);
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

  size_t padded = size_t(paddedLength(k)), stored = size_t(storedLength(k));
  size_t codesPerRow = stored / size_t(format.codebook->dim()) *
                       size_t(format.codebook->codeWords());
  Codebook::Spread spread = {};
  if (format.codebook->gaussianStep() == 0)
    spread = format.codebook->spread();
  std::optional<Feedback> feedback;
  if (!options.feedback.empty()) {
    if (Status status = Feedback::check(options.feedback, k); !status)
      return status;
    feedback.emplace(options.feedback, format, k);
  }
  int64_t grain = feedback ? Feedback::kRows : rowGrain(k, kRangeWeights);
  std::mutex mutex;
  int64_t badRow = n;

  parallelRows(n, grain, options.threads, [&](int64_t first, int64_t last) {
    auto stopAt = [&](int64_t row) {
      std::lock_guard lock(mutex);
      badRow = std::min(badRow, row);
      return false;
    };
    RowsEncoder encoder(format, layout, spread,
                        feedback ? &*feedback : nullptr);
    std::vector<RowsEncoder::Row> rows;
    for (int64_t r = first; r < last; ++r) {
      const float *source = weights.data() + r * k;
      if (!kernels::active().allWithin(source, k, kMaxMagnitude))
        return stopAt(r);
      RowsEncoder::Row &row = rows.emplace_back();
      row.x.assign(source, source + k);
      row.x.resize(padded);
      format.rotation->forward(row.x);
      row.codes.resize(codesPerRow);
      row.scales.resize(size_t(layout.numbersPerRow));
    }
    if (size_t bad = encoder.encode(rows); bad < rows.size())
      return stopAt(first + int64_t(bad));

    std::vector<std::span<std::byte>> planes(layout.planes.size());
    for (int64_t r = first; r < last; ++r) {
      const RowsEncoder::Row &row = rows[size_t(r - first)];
      for (size_t p = 0; p < planes.size(); ++p) {
        const WeightLayout::Plane &plane = layout.planes[p];
        planes[p] = blob.subspan(size_t(plane.offset + r * plane.rowBytes),
                                 size_t(plane.rowBytes));
      }
      format.coding->pack(row.codes, planes);
      std::memcpy(blob.data() + layout.scalesOffset +
                      r * layout.numbersPerRow * 2,
                  row.scales.data(), row.scales.size() * 2);
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
