//===- PackedWeight.cpp - Layout and decoding of a weight -----------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Codec/PackedWeight.h"
#include "Message.h"
#include "Parallel.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>

using namespace rotq;

WeightLayout::WeightLayout(const Format &format, int64_t n, int64_t k)
    : n(n), k(k), scaleBlocking(k, format.scale.group) {
  int64_t end = 0;
  for (unsigned runBytes : format.coding->runBytes()) {
    int64_t rowBytes = storedLength(k) / kRowGranule * runBytes;
    planes.push_back({runBytes, roundUp(end, 16), rowBytes});
    end = planes.back().offset + n * rowBytes;
  }
  scalesOffset = roundUp(end, 16);
  numbersPerRow = scaleBlocking.size() * format.scale.numbers();
  totalBytes = scalesOffset + 2 * n * numbersPerRow;
}

Status rotq::checkParts(const Scale &scale, const Codebook &codebook,
                        const Coding &coding) {
  if (codebook.bits() != coding.bits())
    return failure(
        message("expected a coding of {} bits, as the codebook has, but got {}",
                codebook.bits(), coding.bits()));
  if (codebook.dim() != coding.dim())
    return failure(message("expected a coding of {} weights a code, as the "
                           "codebook has, but got {}",
                           codebook.dim(), coding.dim()));
  if (codebook.unpackedBits() != coding.unpackedBits())
    return failure(message("expected a coding for a {} codebook but got {}",
                           codebook.kind(), coding.kind()));
  if (coding.circle() && scale.group != kWholeRow)
    return failure(message("expected a scale for a row, as circles of {} "
                           "weights need, but got groups of {}",
                           coding.circle(), scale.group));
  return coding.accept(codebook);
}

Status rotq::checkShape(const Format &format, int64_t n, int64_t k) {
  if (!format.rotation || !format.codebook || !format.coding)
    return failure(message("format \"{}\" lacks a part", format.name));
  if (Status status =
          checkParts(format.scale, *format.codebook, *format.coding);
      !status)
    return status;
  for (int64_t length : {format.scale.group, format.rotation->block()})
    if (length && length != kWholeRow &&
        (length < kRowGranule || length > kMaxBlock ||
         !std::has_single_bit(uint64_t(length))))
      return failure(
          message("expected groups and blocks of a power of two from {} to {} "
                  "but got {}",
                  kRowGranule, kMaxBlock, length));
  if (format.scale.group == 0)
    return failure("expected a scale group but got 0");
  if (n < 1 || n > kMaxExtent)
    return failure(message("expected 1 to {} rows but got {}", kMaxExtent, n));
  if (k < 1 || k > kMaxExtent)
    return failure(
        message("expected 1 to {} weights a row but got {}", kMaxExtent, k));
  return {};
}

std::vector<std::vector<uint32_t>>
rotq::wordsOfRow(const Format &format, const WeightLayout &layout,
                 std::span<const std::byte> blob, int64_t row) {
  std::vector<std::vector<uint32_t>> result;
  for (const WeightLayout::Plane &plane : layout.planes) {
    std::vector<uint32_t> &words =
        result.emplace_back(size_t(roundUp(plane.rowBytes, 4) / 4));
    std::memcpy(words.data(), blob.data() + plane.offset + row * plane.rowBytes,
                size_t(plane.rowBytes));
  }
  if (int64_t circle = format.coding->circle()) {
    int64_t ofRun = layout.planes.front().runBytes / 4;
    std::vector<uint32_t> before;
    for (int64_t run = 0; run < storedLength(layout.k) / kRowGranule; ++run)
      before.push_back(result.front()[size_t(
          (runBefore(run, layout.k, circle) + 1) * ofRun - 1)]);
    result.push_back(std::move(before));
  }
  return result;
}

namespace {

/// Decodes rows of one blob, a row at a time. Not thread-safe.
class RowDecoder {
public:
  RowDecoder(const Format &format, const WeightLayout &layout,
             std::span<const std::byte> blob)
      : format(format), layout(layout), blob(blob) {}

  /// Points of the whole stored row, as int8 words; valid until the next call.
  std::span<const int8_t> points(int64_t row) {
    evaluator = EvalBuilder();
    std::vector<Expr> planes;
    for (const auto &words : wordsOfRow(format, layout, blob, row))
      planes.push_back(evaluator.input(words));
    Expr codes =
        format.coding->unpack(evaluator, planes, storedLength(layout.k));
    std::span<const uint32_t> result =
        evaluator.words(format.codebook->decode(evaluator, codes));
    assert(int64_t(result.size()) * 4 == storedLength(layout.k) &&
           "expected a value per stored weight");
    return {reinterpret_cast<const int8_t *>(result.data()), result.size() * 4};
  }

  /// step * point + offset on the padded row; two roundings.
  void rotated(int64_t row, std::span<float> out) {
    std::span<const int8_t> values = points(row);
    const std::byte *numbers =
        blob.data() + layout.scalesOffset + row * layout.numbersPerRow * 2;
    for (int64_t s = 0; s < layout.scaleBlocking.size(); ++s) {
      Segment segment = layout.scaleBlocking.segment(s);
      uint16_t bits[2] = {0, 0};
      std::memcpy(bits, numbers + s * format.scale.numbers() * 2,
                  size_t(format.scale.numbers()) * 2);
      float step = fromHalf(bits[0]), offset = fromHalf(bits[1]);
      const int8_t *source = values.data() + segment.offset;
      float *target = out.data() + segment.offset;
      if (format.scale.hasOffset)
        for (int64_t i = 0; i < segment.length; ++i)
          target[i] = step * float(source[i]) + offset;
      else
        for (int64_t i = 0; i < segment.length; ++i)
          target[i] = step * float(source[i]);
    }
  }

  /// The weights of a row.
  void weights(int64_t row, std::span<float> out) {
    padded.resize(size_t(layout.scaleBlocking.paddedSize()));
    rotated(row, padded);
    format.rotation->inverse(padded);
    std::copy_n(padded.begin(), layout.k, out.begin());
  }

private:
  const Format &format;
  const WeightLayout &layout;
  std::span<const std::byte> blob;
  EvalBuilder evaluator;
  std::vector<float> padded;
};

} // namespace

/// Checks sizes, then decodes `rows` rows of `length` elements each.
template <typename T, typename Body>
static Status decodeEach(const Format &format, std::span<const std::byte> blob,
                         int64_t n, int64_t k, int64_t rows, int64_t length,
                         std::span<T> out, unsigned threads, Body body) {
  WeightLayout layout(format, n, k);
  if (blob.size() != size_t(layout.totalBytes))
    return failure(message("expected a blob of {} bytes but got {}",
                           layout.totalBytes, blob.size()));
  if (out.size() != size_t(rows) * size_t(length))
    return failure(message("expected room for {} x {} values but got {}", rows,
                           length, out.size()));
  parallelRows(rows, rowGrain(k), threads, [&](int64_t first, int64_t last) {
    RowDecoder decoder(format, layout, blob);
    for (int64_t row = first; row < last; ++row)
      body(decoder, row,
           out.subspan(size_t(row) * size_t(length), size_t(length)));
    return true;
  });
  return {};
}

Status rotq::decode(const Format &format, std::span<const std::byte> blob,
                    int64_t n, int64_t k, std::span<float> weights,
                    unsigned threads) {
  if (Status status = checkShape(format, n, k); !status)
    return status;
  return decodeEach(format, blob, n, k, n, k, weights, threads,
                    [](RowDecoder &decoder, int64_t row, std::span<float> out) {
                      decoder.weights(row, out);
                    });
}

Status rotq::decodePoints(const Format &format, std::span<const std::byte> blob,
                          int64_t n, int64_t k, std::span<int8_t> points) {
  if (Status status = checkShape(format, n, k); !status)
    return status;
  return decodeEach(
      format, blob, n, k, n, storedLength(k), points, 0,
      [](RowDecoder &decoder, int64_t row, std::span<int8_t> out) {
        std::ranges::copy(decoder.points(row), out.begin());
      });
}

Status rotq::decodeRotated(const Format &format,
                           std::span<const std::byte> blob, int64_t n,
                           int64_t k, std::span<float> weights) {
  if (Status status = checkShape(format, n, k); !status)
    return status;
  return decodeEach(format, blob, n, k, n, paddedLength(k), weights, 0,
                    [](RowDecoder &decoder, int64_t row, std::span<float> out) {
                      decoder.rotated(row, out);
                    });
}

Status rotq::decodeRows(const Format &format, std::span<const std::byte> blob,
                        int64_t n, int64_t k, std::span<const int64_t> rows,
                        std::span<float> out) {
  if (Status status = checkShape(format, n, k); !status)
    return status;
  for (int64_t row : rows)
    if (row < 0 || row >= n)
      return failure(message("expected a row in [0, {}) but got {}", n, row));
  return decodeEach(
      format, blob, n, k, int64_t(rows.size()), k, out, 0,
      [rows](RowDecoder &decoder, int64_t i, std::span<float> values) {
        decoder.weights(rows[size_t(i)], values);
      });
}
