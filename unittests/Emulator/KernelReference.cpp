//===- KernelReference.cpp - What kernels have to compute
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelReference.h"

#include "rotq/Codec/E4M3.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/ErrorHandling.h"

#include <algorithm>
#include <cmath>
#include <cstring>

using namespace mlir::rotq::test;
using ::rotq::Blocking;
using ::rotq::Segment;
using ::rotq::storedLength;

// Unit roundoffs.
static constexpr double kHalf = 0x1p-11, kBFloat = 0x1p-8, kFloat = 0x1p-24;

/// Relative error of that many roundings in f32.
static double roundings(double operations) {
  return operations * kFloat / (1 - operations * kFloat);
}

static float toHalf(float value) {
  return ::rotq::fromHalf(::rotq::toHalf(value));
}

PackedMatrix::PackedMatrix(const ::rotq::Format &format, int64_t n, int64_t k,
                           std::span<const float> values)
    : format(format), layout(format, n, k), blob(size_t(layout.totalBytes)),
      points(size_t(n * storedLength(k))) {
  if (!::rotq::encode(format, values, n, k, blob) ||
      !::rotq::decodePoints(format, blob, n, k, points))
    llvm_unreachable("expected a weight that can be packed");
}

double PackedMatrix::number(int64_t row, int64_t position,
                            int64_t which) const {
  uint16_t bits;
  int64_t at = row * layout.numbersPerRow +
               layout.scaleBlocking.indexOf(position) * format.scale.numbers() +
               which;
  std::memcpy(&bits, blob.data() + layout.scalesOffset + at * 2, 2);
  return double(::rotq::fromHalf(bits));
}

void BoundedProduct::roundTo(std::string_view type) {
  double unit = type == "f32" ? kFloat : type == "f16" ? kHalf : kBFloat;
  double smallest = type == "f16" ? 0x1p-25 : 0x1p-134;
  for (auto [value, bound] : llvm::zip(values, bounds))
    bound += unit * (std::abs(value) + bound) + smallest;
}

void BoundedProduct::addRests(int64_t n) {
  size_t width = size_t(n), rows = values.size() / width / 2;
  for (size_t row = 0; row < rows; ++row)
    for (size_t i = 0; i < width; ++i) {
      size_t codes = 2 * row * width + i, to = row * width + i;
      values[to] = values[codes] + values[codes + width];
      bounds[to] = bounds[codes] + bounds[codes + width];
    }
  values.resize(rows * width);
  bounds.resize(rows * width);
  roundTo("f32");
}

void BoundedProduct::multiply(const BoundedProduct &other) {
  for (size_t i = 0; i < values.size(); ++i) {
    bounds[i] = std::abs(values[i]) * other.bounds[i] +
                std::abs(other.values[i]) * bounds[i] +
                bounds[i] * other.bounds[i];
    values[i] *= other.values[i];
  }
  roundTo("f32");
}

/// Integer sums are exact: an f32 kernel errs by one rounding of step x scale
/// and one for every addition. Sums of e4m3 are those of tensor cores: at most
/// 8 instructions of 32 products, and what was there before, make that of a
/// piece.
BoundedProduct mlir::rotq::test::multiplyCodes(
    const PackedMatrix &weight, const ::rotq::QuantizedActivation &activation,
    int64_t m, int64_t group, std::optional<double> lostOfE4M3) {
  bool isE4M3 = lostOfE4M3.has_value();
  auto rounded = [&](int8_t point) {
    return double(isE4M3 ? ::rotq::fromE4M3(::rotq::toE4M3(point)) : point);
  };
  auto valueOf = [&](int8_t code) {
    return double(isE4M3 ? ::rotq::fromE4M3(uint8_t(code)) : code);
  };
  int64_t n = weight.layout.n, k = weight.layout.k, stored = storedLength(k);
  Blocking groups(k, group);
  Blocking cut(k, std::min({group, weight.format.scale.group, int64_t(256)}));
  BoundedProduct result;
  for (int64_t row = 0; row < m; ++row)
    for (int64_t col = 0; col < n; ++col) {
      double value = 0, magnitude = 0, inTensorCore = 0;
      auto add = [&](double term) {
        value += term;
        magnitude += std::abs(term);
      };
      // Lanes of a warp add up runs of at least 32 weights.
      for (int64_t start = 0; start < cut.paddedSize(); start += 32) {
        double dot = 0, sum = 0, absolute = 0;
        for (int64_t j = start; j < start + 32; ++j) {
          double code = valueOf(activation.codes[size_t(row * stored + j)]);
          double product =
              rounded(weight.points[size_t(col * stored + j)]) * code;
          dot += product;
          absolute += std::abs(product);
          sum += code;
        }
        double scale =
            activation
                .scales[size_t(row * groups.size() + groups.indexOf(start))];
        add(weight.number(col, start, 0) * scale * dot);
        if (weight.hasOffset())
          add(weight.number(col, start, 1) * scale * sum);
        inTensorCore += weight.number(col, start, 0) * scale * absolute;
      }
      result.values.push_back(value);
      double additions = double(cut.size()) * (weight.hasOffset() ? 2 : 1);
      // Five more add up the lanes of a warp.
      result.bounds.push_back(roundings(additions + 7) * magnitude);
      if (isE4M3)
        result.bounds.back() += (8 * 34 * *lostOfE4M3 + roundings(additions)) *
                                std::abs(inTensorCore);
    }
  return result;
}

namespace {
/// Reads the planes of a row of a lifted activation, as LiftedLayout has them.
class LiftedRow {
public:
  LiftedRow(const ::rotq::LiftedLayout &layout, const std::byte *row)
      : layout(layout), row(row) {}

  /// Code `j` of the weights from `position` on, in a segment.
  int64_t code(int64_t segment, int64_t position, int64_t j) const {
    int64_t inTile = position % 256, t = inTile / 32 % 4;
    int64_t run = inTile / 128, place = inTile % 32 / layout.dim;
    int64_t bit = (run * (32 / layout.dim) + place) * layout.bits + j;
    int64_t word = bit / 32, chunk = 0, size = 4;
    // Chunks of 4 words, then 2, then 1.
    while (layout.words - chunk < size || word >= chunk + size)
      if (layout.words - chunk < size)
        size /= 2;
      else
        chunk += size;
    int64_t value = 0, planes = 8 * layout.parts;
    for (int64_t plane = 0; plane < planes; ++plane) {
      int64_t lane = 4 * (plane % 8) + t;
      uint32_t bits = 0;
      std::memcpy(&bits,
                  row + segment * layout.segmentBytes() +
                      plane / 8 * layout.partBytes() +
                      4 * (32 * chunk + size * lane + word - chunk),
                  4);
      if (bits >> bit % 32 & 1)
        value +=
            plane + 1 == planes ? -(int64_t(1) << plane) : int64_t(1) << plane;
    }
    return value;
  }
  double scale(int64_t segment, int64_t which) const {
    float value = 0;
    std::memcpy(&value, row + layout.scalesOffset + 8 * segment + 4 * which, 4);
    return double(value);
  }

private:
  const ::rotq::LiftedLayout &layout;
  const std::byte *row;
};
} // namespace

/// Whether bit `j` of the code of the weights from `position` on is 1.
static bool bitOfCode(const PackedMatrix &weight, int64_t row, int64_t position,
                      int64_t j) {
  const ::rotq::WeightLayout::Plane &plane = weight.layout.planes.front();
  int64_t bits = weight.format.codebook->bits();
  int64_t bit = position % 32 / weight.format.codebook->dim() * bits + j;
  int64_t at = plane.offset + row * plane.rowBytes +
               position / 32 * plane.runBytes + bit / 8;
  return (uint8_t(weight.blob[size_t(at)]) >> bit % 8 & 1) != 0;
}

/// Counts are exact. A lane weights them, corrects them by the sum of all codes
/// and adds them up; lanes add up at the end.
BoundedProduct
mlir::rotq::test::multiplyLifted(const PackedMatrix &weight,
                                 std::span<const std::byte> lifted, int64_t m,
                                 int64_t parts) {
  int64_t n = weight.layout.n, k = weight.layout.k;
  const ::rotq::LiftedLayout layout(
      *::rotq::LiftedLayout::frameOf(weight.format), k, parts);
  Blocking segments(k, 256);
  auto top = int64_t(1) << (8 * parts - 1);
  BoundedProduct result;
  for (int64_t row = 0; row < m; ++row) {
    LiftedRow source(layout, lifted.data() + row * layout.rowBytes);
    // Every code, in order.
    std::vector<int64_t> codes;
    for (int64_t s = 0; s < segments.size(); ++s) {
      Segment segment = segments.segment(s);
      for (int64_t i = 0; i < segment.length; i += layout.dim)
        for (int64_t j = 0; j < layout.bits; ++j)
          codes.push_back(source.code(s, segment.offset + i, j));
    }
    for (int64_t col = 0; col < n; ++col) {
      double value = 0, magnitude = 0;
      const int64_t *code = codes.data();
      for (int64_t s = 0; s < segments.size(); ++s) {
        Segment segment = segments.segment(s);
        double step = weight.number(col, segment.offset, 0);
        int64_t counted = 0, planes = 0;
        for (int64_t i = 0; i < segment.length; i += layout.dim)
          for (int64_t j = 0; j < layout.bits; ++j, ++code)
            if (bitOfCode(weight, col, segment.offset + i, j)) {
              counted += *code;
              planes += (*code < 0 ? *code + 2 * top : *code) % top +
                        (*code < 0 ? top : 0);
            }
        double scale = source.scale(s, 0), shift = source.scale(s, 1);
        value += step * (2 * scale * double(counted) - shift);
        magnitude += step * (2 * scale * double(planes) + std::abs(shift));
      }
      result.values.push_back(value);
      result.bounds.push_back(roundings(2 * double(segments.size()) + 12) *
                              magnitude);
    }
  }
  return result;
}

/// Unnormalized butterflies of one segment, rounded to f16 after each.
static void transformInHalf(std::span<float> values) {
  for (size_t stride = 1; stride < values.size(); stride *= 2)
    for (size_t i = 0; i < values.size(); ++i)
      if (!(i & stride)) {
        float a = values[i], b = values[i + stride];
        values[i] = toHalf(a + b);
        values[i + stride] = toHalf(a - b);
      }
}

/// The kernel that undoes the rotation of the weight in f16. At most 16
/// instructions of 16 products and what was there before make the product of a
/// piece; then step x length^-1/2 x product is added.
BoundedProduct mlir::rotq::test::multiplyInHalf(const PackedMatrix &weight,
                                                std::span<const float> x,
                                                int64_t m) {
  int64_t n = weight.layout.n, k = weight.layout.k, stored = storedLength(k);
  int64_t rotation = weight.format.rotation->block();
  Blocking pieces(k, rotation ? rotation : weight.format.scale.group);
  int64_t padded = pieces.paddedSize();
  std::vector<double> factors(size_t(n * pieces.size()));
  std::vector<float> values(size_t(n * padded));
  for (int64_t col = 0; col < n; ++col)
    for (int64_t i = 0; i < pieces.size(); ++i) {
      Segment segment = pieces.segment(i);
      auto part = std::span(values).subspan(
          size_t(col * padded + segment.offset), size_t(segment.length));
      for (size_t j = 0; j < part.size(); ++j)
        part[j] = weight.points[size_t(col * stored + segment.offset) + j];
      double factor = weight.number(col, segment.offset, 0);
      if (rotation) {
        transformInHalf(part);
        factor /= std::sqrt(double(segment.length));
      }
      factors[size_t(col * pieces.size() + i)] = factor;
    }
  BoundedProduct result;
  for (int64_t row = 0; row < m; ++row)
    for (int64_t col = 0; col < n; ++col) {
      double value = 0, magnitude = 0, shift = 0;
      for (int64_t i = 0; i < pieces.size(); ++i) {
        Segment segment = pieces.segment(i);
        double dot = 0, absolute = 0;
        for (int64_t j = segment.offset;
             j < std::min(k, segment.offset + segment.length); ++j) {
          double term = double(toHalf(x[size_t(row * k + j)])) *
                        double(values[size_t(col * padded + j)]);
          dot += term;
          absolute += std::abs(term);
        }
        double factor = factors[size_t(col * pieces.size() + i)];
        value += dot * factor;
        magnitude += absolute * factor;
        if (!weight.hasOffset())
          continue;
        // The first entry of the inverse rotation of x is length^1/2 x[first].
        double term = weight.number(col, segment.offset, 1) *
                      std::sqrt(double(segment.length)) *
                      double(x[size_t(row * k + segment.offset)]);
        value += term;
        shift += std::abs(term);
      }
      double rounded =
          roundings(double(pieces.size()) * (weight.hasOffset() ? 2 : 1) + 4);
      result.values.push_back(value);
      result.bounds.push_back((16 * 18 * kTensorCore + rounded) * magnitude +
                              rounded * shift);
    }
  return result;
}
