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

/// The relative error of what `format` makes of `weights`.
inline double lossOf(const Format &format, std::span<const float> weights,
                     int64_t n, int64_t k) {
  auto blob = encoded(format, weights, n, k, /*threads=*/0);
  return relativeError(weights, decoded(format, blob, n, k));
}

/// Code `index` of a row, read bit by bit from the definition of its coding.
inline uint32_t codeAt(const Format &format, const WeightLayout &layout,
                       std::span<const std::byte> blob, int64_t row,
                       int64_t index) {
  uint32_t code = 0;
  unsigned count = 0;
  auto take = [&](const WeightLayout::Plane &plane, int64_t bit) {
    bit += 8 * (plane.offset + row * plane.rowBytes);
    code |= (uint32_t(blob[size_t(bit / 8)]) >> (bit % 8) & 1) << count++;
  };
  if (format.coding->kind() == "fixed") {
    for (const WeightLayout::Plane &plane : layout.planes) {
      unsigned width = unsigned(plane.runBytes / 4);
      for (unsigned b = 0; b < width; ++b)
        take(plane,
             32 * (index * width / 32) + FixedCoding::bitOf(index, width) + b);
    }
  } else if (format.coding->kind() == "field") {
    for (unsigned b = 0; b < format.coding->bits(); ++b)
      take(layout.planes[0], index * format.coding->bits() + b);
  } else if (format.coding->kind() == "window") {
    int64_t rate = layout.planes[0].runBytes / 4, first = index - index % 256;
    int64_t bits =
        rate * std::min<int64_t>(256, paddedLength(layout.k) - first);
    int64_t start = (index - first + 1) * rate - 16 + bits;
    for (int64_t b = start; b < start + 16; ++b)
      take(layout.planes[0], first * rate + b % bits);
  } else {
    ADD_FAILURE() << "no definition of coding " << format.coding->kind();
  }
  return code;
}

/// The unpacked codes of a row.
inline std::vector<uint64_t> codesOf(const Format &format,
                                     const WeightLayout &layout,
                                     std::span<const std::byte> blob,
                                     int64_t row) {
  EvalBuilder builder;
  std::vector<Expr> planes;
  for (const auto &ofPlane : wordsOfRow(format, layout, blob, row))
    planes.push_back(builder.input(ofPlane));
  std::span<const uint32_t> words = builder.words(
      format.coding->unpack(builder, planes, storedLength(layout.k)));
  if (format.coding->unpackedBits() == 32)
    return {words.begin(), words.end()};
  std::vector<uint64_t> codes;
  if (format.coding->unpackedBits() == 64) {
    for (size_t i = 0; i < words.size(); i += 2)
      codes.push_back(words[i] | uint64_t(words[i + 1]) << 32);
    return codes;
  }
  for (uint32_t word : words)
    for (unsigned i = 0; i < 8; ++i)
      codes.push_back(word >> (4 * i) & 15);
  return codes;
}

/// The points of a row, code by code.
inline std::vector<int8_t> pointsOf(const Format &format,
                                    const WeightLayout &layout,
                                    std::span<const std::byte> blob,
                                    int64_t row) {
  size_t dim = size_t(format.codebook->dim());
  std::vector<int8_t> points(static_cast<size_t>(storedLength(layout.k)));
  size_t at = 0;
  for (uint64_t code : codesOf(format, layout, blob, row)) {
    format.codebook->point(code, std::span(points).subspan(at, dim));
    at += dim;
  }
  return points;
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
