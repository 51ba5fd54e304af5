//===- TestUtils.h - What tests of the codec share --------------*- C++ -*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_UNITTESTS_CODEC_TESTUTILS_H
#define ROTQ_UNITTESTS_CODEC_TESTUTILS_H

#include "rotq/Codec/PackedWeight.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

namespace rotq::test {

/// `count` numbers of N(0, deviation^2).
inline std::vector<float> gaussian(int64_t count, unsigned seed,
                                   float deviation = 0.02f) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, deviation);
  std::vector<float> result(static_cast<size_t>(count));
  for (float &value : result)
    value = normal(random);
  return result;
}

/// sum (a - b)^2 / sum a^2.
inline double relativeError(std::span<const float> a,
                            std::span<const float> b) {
  double error = 0, power = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    error += (double(a[i]) - b[i]) * (double(a[i]) - b[i]);
    power += double(a[i]) * a[i];
  }
  return error / power;
}

/// The blob of `weights`, which must encode.
inline std::vector<std::byte> encoded(const Format &format,
                                      std::span<const float> weights, int64_t n,
                                      int64_t k, unsigned threads = 1) {
  std::vector<std::byte> blob(size_t(WeightLayout(format, n, k).totalBytes),
                              std::byte(0xa5));
  Status status = encode(format, weights, n, k, blob, {threads, nullptr});
  EXPECT_TRUE(status.has_value()) << (status ? "" : status.error());
  return blob;
}

inline std::vector<float> decoded(const Format &format,
                                  std::span<const std::byte> blob, int64_t n,
                                  int64_t k, unsigned threads = 1) {
  std::vector<float> weights(size_t(n * k), -1);
  Status status = decode(format, blob, n, k, weights, threads);
  EXPECT_TRUE(status.has_value()) << (status ? "" : status.error());
  return weights;
}

/// The code of a weight in FixedCoding, read bit by bit from the definition of
/// the planes.
inline unsigned codeAt(const WeightLayout &layout,
                       std::span<const std::byte> blob, int64_t row,
                       int64_t i) {
  unsigned code = 0, low = 0;
  for (const WeightLayout::Plane &plane : layout.planes) {
    unsigned width = unsigned(plane.runBytes / 4);
    int64_t word = i * width / 32;
    for (unsigned b = 0; b < width; ++b) {
      int64_t bit = 8 * (plane.offset + row * plane.rowBytes) + 32 * word +
                    FixedCoding::bitOf(i, width) + b;
      code |= (unsigned(blob[size_t(bit / 8)]) >> (bit % 8) & 1) << (low + b);
    }
    low += width;
  }
  return code;
}

/// The code for weight `i` in FieldCoding, bit by bit.
inline uint64_t fieldAt(const Format &format, const WeightLayout &layout,
                        std::span<const std::byte> blob, int64_t row,
                        int64_t i) {
  uint64_t code = 0;
  unsigned low = 0;
  for (const WeightLayout::Plane &plane : layout.planes) {
    int64_t dim = format.coding->dim(), width = plane.runBytes * dim / 4;
    for (int64_t b = 0; b < width; ++b) {
      int64_t bit =
          8 * (plane.offset + row * plane.rowBytes) + i / dim * width + b;
      code |= uint64_t(blob[size_t(bit / 8)] >> (bit % 8) & std::byte(1))
              << (low + unsigned(b));
    }
    low += unsigned(width);
  }
  return code;
}

/// What the code for a weight stands for.
inline int8_t pointAt(const Format &format, const WeightLayout &layout,
                      std::span<const std::byte> blob, int64_t row, int64_t i) {
  std::vector<int8_t> point(size_t(format.codebook->dim()));
  bool isFixed = format.coding->kind() == "fixed";
  format.codebook->point(isFixed ? codeAt(layout, blob, row, i)
                                 : fieldAt(format, layout, blob, row, i),
                         point);
  return point[size_t(i) % point.size()];
}

/// The presets whose codes stand for one weight, in FixedCoding.
inline std::vector<Format> scalarPresets() {
  std::vector<Format> result;
  for (const Format &format : presets())
    if (format.coding->kind() == "fixed")
      result.push_back(format);
  return result;
}

/// Number `index` of a row's f16 numbers.
inline uint16_t numberAt(const WeightLayout &layout,
                         std::span<const std::byte> blob, int64_t row,
                         int64_t index) {
  uint16_t bits;
  std::memcpy(&bits,
              blob.data() + layout.scalesOffset +
                  2 * (row * layout.numbersPerRow + index),
              2);
  return bits;
}

inline Format preset(std::string_view name) {
  Expected<Format> format = lookupFormat(name);
  EXPECT_TRUE(format.has_value());
  return *format;
}

} // namespace rotq::test

#endif // ROTQ_UNITTESTS_CODEC_TESTUTILS_H
