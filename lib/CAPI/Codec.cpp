//===- Codec.cpp - C functions of the codec -------------------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq-c/Codec.h"
#include "Buffer.h"
#include "LastError.h"
#include "rotq/Codec/ActivationLayout.h"
#include "rotq/Codec/CompressedWeight.h"
#include "rotq/Codec/PackedWeight.h"
#include "rotq/Codec/RiceStream.h"
#include "rotq/Codec/TiledLayout.h"

#include <algorithm>
#include <bit>
#include <cstring>

using namespace rotq;

/// A preset by name, or a declaration: names do not start with a brace.
static Expected<Format> resolve(const char *format) {
  if (!format)
    return failure("expected a format but got null");
  std::string_view text(format);
  size_t start = text.find_first_not_of(" \t\r\n");
  if (start != text.npos && text[start] == '{')
    return Format::fromJson(text);
  return lookupFormat(text);
}

static int finish(const Status &status) {
  return status ? 0 : reportError(status.error());
}

static Expected<std::span<const std::byte>> bytes(const void *data,
                                                  int64_t size) {
  return buffer(static_cast<const std::byte *>(data), size, "blob");
}

static Status checkLength(const char *name, int64_t expected, int64_t got) {
  if (expected == got)
    return {};
  return failure(std::string("expected ") + std::to_string(expected) +
                 " elements in " + name + " but got " + std::to_string(got));
}

static bool isBlock(int64_t length) {
  return length >= kRowGranule && length <= kMaxBlock &&
         std::has_single_bit(uint64_t(length));
}

static Status checkBlock(const char *name, int64_t length) {
  if (isBlock(length))
    return {};
  return failure(std::string("expected a power of two from 32 to 4096 as ") +
                 name + " but got " + std::to_string(length));
}

static Status checkExtent(const char *name, int64_t extent) {
  if (extent >= 1 && extent <= kMaxExtent)
    return {};
  return failure(std::string("expected 1 to ") + std::to_string(kMaxExtent) +
                 " as " + name + " but got " + std::to_string(extent));
}

int64_t rotqPresetCount(void) { return int64_t(presets().size()); }

const char *rotqPresetName(int64_t index) {
  if (index < 0 || index >= rotqPresetCount())
    return nullptr;
  return presets()[size_t(index)].name.c_str();
}

int rotqFormatToJson(const char *format, char *text, int64_t capacity,
                     int64_t *size) {
  return guarded([&] {
    Expected<Format> parsed = resolve(format);
    if (!parsed)
      return reportError(parsed.error());
    auto out = buffer(text, capacity, "buffer");
    if (!out)
      return reportError(out.error());
    if (!size)
      return reportError("expected a place for the size but got null");
    std::string json = parsed->toJson();
    *size = int64_t(json.size());
    if (capacity > *size)
      std::memcpy(text, json.c_str(), json.size() + 1);
    return 0;
  });
}

int rotqFormatsEqual(const char *a, const char *b, int32_t *equal) {
  return guarded([&] {
    Expected<Format> left = resolve(a), right = resolve(b);
    if (!left)
      return reportError(left.error());
    if (!right)
      return reportError(right.error());
    if (!equal)
      return reportError("expected a place for the answer but got null");
    *equal = left->equals(*right);
    return 0;
  });
}

int rotqWeightLayout(const char *format, int64_t n, int64_t k,
                     RotqLayout *out) {
  return guarded([&] {
    Expected<Format> parsed = resolve(format);
    if (!parsed)
      return reportError(parsed.error());
    if (Status status = checkShape(*parsed, n, k); !status)
      return finish(status);
    if (!out)
      return reportError("expected a place for the layout but got null");
    WeightLayout layout(*parsed, n, k);
    if (layout.planes.size() > ROTQ_MAX_PLANES)
      return reportError("expected at most 4 planes");
    *out = {};
    out->totalBytes = layout.totalBytes;
    out->paddedLength = paddedLength(k);
    out->storedLength = storedLength(k);
    out->numPlanes = int64_t(layout.planes.size());
    for (size_t p = 0; p < layout.planes.size(); ++p)
      out->planes[p] = {layout.planes[p].runBytes, layout.planes[p].offset,
                        layout.planes[p].rowBytes};
    out->scalesOffset = layout.scalesOffset;
    out->segments = layout.scaleBlocking.size();
    out->numbersPerSegment = parsed->scale.numbers();
    out->numbersPerRow = layout.numbersPerRow;
    out->rotationBlock = parsed->rotation->block();
    out->scaleGroup = parsed->scale.group;
    if (parsed->coding->isCompressed()) {
      out->maxCompressedBytes = *maxCompressedBytes(*parsed, n, k);
      out->streams = RiceLayout(layout).streams;
    }
    return 0;
  });
}

int rotqSegments(int64_t k, int64_t block, int64_t *offsets, int64_t *lengths,
                 int64_t capacity, int64_t *count) {
  return guarded([&] {
    if (Status status = checkExtent("k", k); !status)
      return finish(status);
    if (Status status = checkBlock("block", block); !status)
      return finish(status);
    if (!count)
      return reportError("expected a place for the count but got null");
    Blocking blocking(k, block);
    *count = blocking.size();
    if (capacity < *count)
      return 0;
    if (!offsets || !lengths)
      return reportError("expected buffers for the segments but got null");
    for (int64_t i = 0; i < *count; ++i) {
      Segment segment = blocking.segment(i);
      offsets[i] = segment.offset;
      lengths[i] = segment.length;
    }
    return 0;
  });
}

int rotqEncode(const char *format, const float *weights, int64_t numWeights,
               int64_t n, int64_t k, void *blob, int64_t blobBytes,
               uint32_t threads, RotqProgress progress, void *user) {
  return rotqEncodeWithFeedback(format, weights, numWeights, n, k, nullptr, 0,
                                blob, blobBytes, threads, progress, user);
}

int rotqEncodeWithFeedback(const char *format, const float *weights,
                           int64_t numWeights, int64_t n, int64_t k,
                           const float *feedback, int64_t numFeedback,
                           void *blob, int64_t blobBytes, uint32_t threads,
                           RotqProgress progress, void *user) {
  return guarded([&] {
    Expected<Format> parsed = resolve(format);
    if (!parsed)
      return reportError(parsed.error());
    auto in = buffer(weights, numWeights, "weights");
    if (!in)
      return reportError(in.error());
    auto factor = buffer(feedback, numFeedback, "feedback");
    if (!factor)
      return reportError(factor.error());
    auto out = buffer(static_cast<std::byte *>(blob), blobBytes, "blob");
    if (!out)
      return reportError(out.error());
    EncodeOptions options;
    options.threads = threads;
    options.feedback = *factor;
    if (progress)
      options.progress = [=](int64_t rows) { progress(rows, user); };
    return finish(encode(*parsed, *in, n, k, *out, options));
  });
}

/// The common part of the decoding functions.
template <typename T, typename Body>
static int decodeWith(const char *format, const void *blob, int64_t blobBytes,
                      T *out, int64_t numOut, Body body) {
  return guarded([&] {
    Expected<Format> parsed = resolve(format);
    if (!parsed)
      return reportError(parsed.error());
    auto in = bytes(blob, blobBytes);
    if (!in)
      return reportError(in.error());
    auto target = buffer(out, numOut, "output");
    if (!target)
      return reportError(target.error());
    return finish(body(*parsed, *in, *target));
  });
}

int rotqDecode(const char *format, const void *blob, int64_t blobBytes,
               int64_t n, int64_t k, float *weights, int64_t numWeights,
               uint32_t threads) {
  return decodeWith(format, blob, blobBytes, weights, numWeights,
                    [&](const Format &parsed, auto in, auto out) {
                      return decode(parsed, in, n, k, out, threads);
                    });
}

int rotqDecodeRows(const char *format, const void *blob, int64_t blobBytes,
                   int64_t n, int64_t k, const int64_t *rows, int64_t numRows,
                   float *out, int64_t numOut) {
  return decodeWith(format, blob, blobBytes, out, numOut,
                    [&](const Format &parsed, auto in, auto target) -> Status {
                      auto indices = buffer(rows, numRows, "rows");
                      if (!indices)
                        return failure(indices.error());
                      return decodeRows(parsed, in, n, k, *indices, target);
                    });
}

int rotqDecodePoints(const char *format, const void *blob, int64_t blobBytes,
                     int64_t n, int64_t k, int8_t *points, int64_t numPoints) {
  return decodeWith(format, blob, blobBytes, points, numPoints,
                    [&](const Format &parsed, auto in, auto out) {
                      return decodePoints(parsed, in, n, k, out);
                    });
}

int rotqDecodeRotated(const char *format, const void *blob, int64_t blobBytes,
                      int64_t n, int64_t k, float *weights,
                      int64_t numWeights) {
  return decodeWith(format, blob, blobBytes, weights, numWeights,
                    [&](const Format &parsed, auto in, auto out) {
                      return decodeRotated(parsed, in, n, k, out);
                    });
}

int rotqCompress(const char *format, const void *blob, int64_t blobBytes,
                 int64_t n, int64_t k, void *compressed, int64_t capacity,
                 int64_t *size, uint32_t threads) {
  return decodeWith(
      format, blob, blobBytes, static_cast<std::byte *>(compressed), capacity,
      [&](const Format &parsed, auto in, auto out) -> Status {
        if (!size)
          return failure("expected a place for the size but got null");
        auto result = compress(parsed, in, n, k, threads);
        if (!result)
          return failure(result.error());
        *size = int64_t(result->size());
        if (capacity < *size)
          return failure("expected room for " + std::to_string(*size) +
                         " bytes but got " + std::to_string(capacity));
        std::ranges::copy(*result, out.begin());
        return {};
      });
}

int rotqDecompress(const char *format, const void *compressed,
                   int64_t compressedBytes, int64_t n, int64_t k, void *blob,
                   int64_t blobBytes, uint32_t threads) {
  return decodeWith(format, compressed, compressedBytes,
                    static_cast<std::byte *>(blob), blobBytes,
                    [&](const Format &parsed, auto in, auto out) {
                      return decompress(parsed, in, n, k, out, threads);
                    });
}

int rotqTiledBytes(const char *format, int64_t n, int64_t k, int64_t *size) {
  return guarded([&] {
    Expected<Format> parsed = resolve(format);
    if (!parsed)
      return reportError(parsed.error());
    if (Status status = checkShape(*parsed, n, k); !status)
      return finish(status);
    if (!size)
      return reportError("expected a place for the size but got null");
    *size = TiledLayout(*parsed, n, k).totalBytes;
    return 0;
  });
}

int rotqRepack(const char *format, const void *blob, int64_t blobBytes,
               int64_t n, int64_t k, void *tiled, int64_t tiledBytes) {
  return decodeWith(format, blob, blobBytes, static_cast<std::byte *>(tiled),
                    tiledBytes, [&](const Format &parsed, auto in, auto out) {
                      return repack(parsed, n, k, in, out);
                    });
}

int rotqRotate(const char *format, float *x, int64_t numX, int64_t m,
               int64_t paddedK, int32_t inverse) {
  return guarded([&] {
    Expected<Format> parsed = resolve(format);
    if (!parsed)
      return reportError(parsed.error());
    if (Status status = checkExtent("m", m); !status)
      return finish(status);
    if (Status status = checkExtent("paddedK", paddedK); !status)
      return finish(status);
    if (paddedK % kRowGranule)
      return reportError("expected a multiple of 32 as paddedK but got " +
                         std::to_string(paddedK));
    auto rows = buffer(x, numX, "x");
    if (!rows)
      return reportError(rows.error());
    if (Status status = checkLength("x", m * paddedK, numX); !status)
      return finish(status);
    for (int64_t row = 0; row < m; ++row) {
      auto one = rows->subspan(size_t(row * paddedK), size_t(paddedK));
      if (inverse)
        parsed->rotation->inverse(one);
      else
        parsed->rotation->forward(one);
    }
    return 0;
  });
}

/// Checks the buffers of an activation of that shape.
static Status checkActivation(int64_t m, int64_t k, int64_t group,
                              int64_t numCodes, int64_t numScales,
                              int64_t numSums) {
  if (Status status = checkExtent("m", m); !status)
    return status;
  if (Status status = checkExtent("k", k); !status)
    return status;
  if (Status status = checkBlock("group", group); !status)
    return status;
  int64_t segments = Blocking(k, group).size();
  for (Status status : {checkLength("codes", m * storedLength(k), numCodes),
                        checkLength("scales", m * segments, numScales),
                        checkLength("sums", m * segments, numSums)})
    if (!status)
      return status;
  return {};
}

static int copyOut(const QuantizedActivation &from, int8_t *codes,
                   float *scales, int32_t *sums) {
  std::ranges::copy(from.codes, codes);
  std::ranges::copy(from.scales, scales);
  std::ranges::copy(from.sums, sums);
  return 0;
}

int rotqQuantizeActivation(const float *x, int64_t numX, int64_t m, int64_t k,
                           int64_t group, int32_t rests, int8_t *codes,
                           int64_t numCodes, float *scales, int64_t numScales,
                           int32_t *sums, int64_t numSums) {
  return guarded([&] {
    if (!x || !codes || !scales || !sums)
      return reportError("expected buffers but got null");
    // Twice as many are no overflow then.
    if (Status status = checkExtent("m", m); !status)
      return finish(status);
    if (Status status = checkActivation(rests ? 2 * m : m, k, group, numCodes,
                                        numScales, numSums);
        !status)
      return finish(status);
    if (Status status = checkLength("x", m * k, numX); !status)
      return finish(status);
    QuantizedActivation result =
        quantizeActivation({x, size_t(numX)}, m, k, group, rests != 0);
    return copyOut(result, codes, scales, sums);
  });
}

int rotqActivationByRows(const char *layout, int64_t m, int64_t k,
                         int64_t group, int8_t *codes, int64_t numCodes,
                         float *scales, int64_t numScales, int32_t *sums,
                         int64_t numSums) {
  return guarded([&] {
    if (!layout || !codes || !scales || !sums)
      return reportError("expected a layout and buffers but got null");
    auto from = activationLayout(layout);
    if (!from)
      return reportError(
          "expected 'rows', 'rests' or 'interleaved' as layout but got '" +
          std::string(layout) + "'");
    if (Status status =
            checkActivation(m, k, group, numCodes, numScales, numSums);
        !status)
      return finish(status);
    QuantizedActivation result = byRows({{codes, codes + numCodes},
                                         {scales, scales + numScales},
                                         {sums, sums + numSums}},
                                        m, *from);
    return copyOut(result, codes, scales, sums);
  });
}
