//===- RiceStream.cpp - Lattice points as an entropy code -----------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Codec/RiceStream.h"
#include "Message.h"
#include "Parallel.h"
#include "rotq/Codec/PackedWeight.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstring>
#include <mutex>
#include <numeric>

// A product and a sum stay two roundings, whatever the flags.
#pragma STDC FP_CONTRACT OFF

using namespace rotq;

static constexpr uint32_t kMagic = 0x31527152;
static constexpr int64_t kHeaderWords = 5;

//===----------------------------------------------------------------------===//
// Points
//===----------------------------------------------------------------------===//

/// Two candidates, of even coordinates and of odd ones. Where the sum is no
/// multiple of 4, the coordinate farthest off goes to its other neighbour.
void rotq::nearestE8(std::span<const float, 8> x, std::span<int8_t, 8> point) {
  float least = INFINITY;
  for (int odd : {0, 1}) {
    float rests[8], error = 0;
    int candidate[8], sum = 0;
    size_t at = 0;
    for (size_t i = 0; i < 8; ++i) {
      // One further than this is still an int8.
      float value = std::clamp(x[i], -125.0f, 125.0f);
      int half = int(std::nearbyint((value - float(odd)) * 0.5f));
      candidate[i] = 2 * half + odd;
      sum += candidate[i];
      rests[i] = value - float(candidate[i]);
      if (std::abs(rests[i]) > std::abs(rests[at]))
        at = i;
    }
    // Eight odd numbers have an even sum too.
    if (sum & 3) {
      int step = rests[at] >= 0 ? 2 : -2;
      candidate[at] += step;
      rests[at] -= float(step);
    }
    for (float rest : rests)
      error += rest * rest;
    if (!(error < least))
      continue;
    least = error;
    std::copy_n(candidate, 8, point.begin());
  }
}

static uint8_t zigzag(int v) { return uint8_t(v >= 0 ? 2 * v : -2 * v - 1); }
static int unzigzag(int z) { return z & 1 ? -(z >> 1) - 1 : z >> 1; }

void rotq::stripE8(std::span<const int8_t, 8> point,
                   std::span<uint8_t, 8> symbols) {
  int c = point[0] & 1, sum = 0;
  for (size_t i = 0; i < 7; ++i) {
    int s = (point[i] - c) >> 1;
    sum += s;
    symbols[i] = zigzag(s);
  }
  int last = ((point[7] - c) >> 1) - (sum & 1);
  assert(last % 2 == 0 && "expected a point of the lattice");
  symbols[7] = uint8_t(2 * zigzag(last >> 1) + c);
}

bool rotq::unstripE8(std::span<const uint8_t, 8> symbols,
                     std::span<int8_t, 8> point) {
  int c = symbols[7] & 1, sum = 0;
  int values[8];
  for (size_t i = 0; i < 7; ++i) {
    int s = unzigzag(symbols[i]);
    sum += s;
    values[i] = 2 * s + c;
  }
  values[7] = 2 * (2 * unzigzag(symbols[7] >> 1) + (sum & 1)) + c;
  for (size_t i = 0; i < 8; ++i) {
    if (values[i] < -127 || values[i] > 127)
      return false;
    point[i] = int8_t(values[i]);
  }
  return true;
}

/// Measured on Gaussian weights, between these even in the logarithm.
float rotq::riceStep(float bits) {
  static constexpr float kSteps[] = {1 / 1.633f, 1 / 2.337f, 1 / 3.589f,
                                     1 / 4.883f, 1 / 7.299f, 1 / 9.866f,
                                     1 / 14.67f};
  float at = std::clamp(2 * (bits - 2), 0.0f, 6.0f);
  size_t i = std::min(size_t(at), size_t(5));
  float rest = at - float(i);
  return std::exp((1 - rest) * std::log(kSteps[i]) +
                  rest * std::log(kSteps[i + 1]));
}

//===----------------------------------------------------------------------===//
// Checksums
//===----------------------------------------------------------------------===//

/// Reflected CRC; a byte at a time.
template <typename T, T kPolynomial> static constexpr auto makeCrcTable() {
  std::array<T, 256> table = {};
  for (unsigned i = 0; i < 256; ++i) {
    T value = T(i);
    for (int bit = 0; bit < 8; ++bit)
      value = T(value & 1 ? (value >> 1) ^ kPolynomial : value >> 1);
    table[i] = value;
  }
  return table;
}

template <typename T, T kPolynomial>
static T crc(std::span<const std::byte> bytes, T value) {
  static constexpr auto table = makeCrcTable<T, kPolynomial>();
  for (std::byte byte : bytes)
    value = T((value >> 8) ^ table[(value ^ unsigned(byte)) & 255]);
  return value;
}

// A fuzzer would guess checksums all day.
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
static constexpr bool kHasChecks = false;
#else
static constexpr bool kHasChecks = true;
#endif

static uint32_t checkOfHeader(std::span<const uint32_t, 4> words) {
  return kHasChecks ? ~crc<uint32_t, 0xedb88320>(std::as_bytes(words), ~0u) : 0;
}

static uint16_t checkOfStream(uint8_t k, std::span<const std::byte> words) {
  if (!kHasChecks)
    return 0;
  std::byte parameter{k};
  uint16_t value = crc<uint16_t, 0x8408>({&parameter, 1}, 0xffff);
  return crc<uint16_t, 0x8408>(words, value);
}

//===----------------------------------------------------------------------===//
// Layout
//===----------------------------------------------------------------------===//

namespace {
/// Where the parts of a blob start, in bytes.
struct RiceLayout {
  RiceLayout(int64_t n, int64_t k)
      : perRow((k + kStreamSymbols - 1) / kStreamSymbols), streams(n * perRow),
        starts(4 * kHeaderWords), checks(starts + 4 * (streams + 1)),
        parameters(checks + 2 * streams),
        words((parameters + streams + 3) / 4 * 4) {}

  int64_t perRow, streams;
  int64_t starts, checks, parameters, words;
};
} // namespace

static Status checkExtents(int64_t n, int64_t k) {
  if (n < 1 || n > kMaxExtent)
    return failure(message("expected 1 to {} rows but got {}", kMaxExtent, n));
  if (k < 8 || k > kMaxExtent || k % 8 != 0)
    return failure(
        message("expected a multiple of 8 weights a row but got {}", k));
  return {};
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

namespace {
class BitWriter {
public:
  explicit BitWriter(std::vector<uint32_t> &words) : words(words) {}

  /// At most 32 bits.
  void write(uint32_t value, unsigned count) {
    pending = pending << count | value;
    used += count;
    if (used < 32)
      return;
    used -= 32;
    words.push_back(uint32_t(pending >> used));
    pending &= (uint64_t(1) << used) - 1;
  }

  void finish() {
    if (used)
      words.push_back(uint32_t(pending << (32 - used)));
  }

private:
  std::vector<uint32_t> &words;
  uint64_t pending = 0;
  unsigned used = 0;
};

struct EncodedRow {
  std::vector<uint32_t> words;
  std::vector<uint32_t> sizes; ///< of the streams, in words
  std::vector<uint8_t> parameters;
  int64_t bits = 0;
};
} // namespace

static void writeStream(std::span<const uint8_t> symbols, EncodedRow &row) {
  int64_t least = INT64_MAX;
  unsigned best = 0;
  for (unsigned k = 0; k <= kMaxRice; ++k) {
    int64_t bits = int64_t(symbols.size()) * (k + 1);
    for (uint8_t symbol : symbols)
      bits += symbol >> k;
    if (bits < least) {
      least = bits;
      best = k;
    }
  }
  size_t before = row.words.size();
  BitWriter writer(row.words);
  for (uint8_t symbol : symbols) {
    unsigned zeros = unsigned(symbol) >> best;
    for (; zeros >= 16; zeros -= 16)
      writer.write(0, 16);
    writer.write(1u << best | (symbol & ((1u << best) - 1)), zeros + 1 + best);
  }
  writer.finish();
  row.sizes.push_back(uint32_t(row.words.size() - before));
  row.parameters.push_back(uint8_t(best));
  row.bits += least;
}

Expected<std::vector<std::byte>>
rotq::encodeRice(std::span<const float> weights, int64_t n, int64_t k,
                 float step, RiceRate *rate, unsigned threads) {
  if (Status status = checkExtents(n, k); !status)
    return failure(status.error());
  if (weights.size() != size_t(n) * size_t(k))
    return failure(
        message("expected {} x {} weights but got {}", n, k, weights.size()));
  if (!(step > 0) || !std::isfinite(step))
    return failure(message("expected a step above 0 but got {}", step));

  std::vector<EncodedRow> rows(static_cast<size_t>(n));
  std::mutex mutex;
  int64_t badRow = n;
  parallelRows(n, rowGrain(k), threads, [&](int64_t begin, int64_t end) {
    std::vector<uint8_t> symbols(static_cast<size_t>(k));
    for (int64_t r = begin; r < end; ++r) {
      for (int64_t i = 0; i < k; i += 8) {
        float x[8];
        int8_t point[8];
        for (int64_t j = 0; j < 8; ++j) {
          float weight = weights[size_t(r * k + i + j)];
          if (!std::isfinite(weight)) {
            std::lock_guard lock(mutex);
            badRow = std::min(badRow, r);
            return false;
          }
          x[j] = weight / step;
        }
        nearestE8(x, point);
        stripE8(point, std::span(symbols).subspan(size_t(i)).first<8>());
      }
      for (int64_t i = 0; i < k; i += kStreamSymbols)
        writeStream(std::span(symbols).subspan(
                        size_t(i), size_t(std::min(kStreamSymbols, k - i))),
                    rows[size_t(r)]);
    }
    return true;
  });
  if (badRow < n)
    return failure(message("weight is not finite in row {}", badRow));

  RiceLayout layout(n, k);
  int64_t count = 0, bits = 0;
  for (const EncodedRow &row : rows) {
    count += int64_t(row.words.size());
    bits += row.bits;
  }
  if (count > int64_t(UINT32_MAX))
    return failure(message("expected at most {} words of codes but got {}",
                           UINT32_MAX, count));
  std::vector<std::byte> blob(size_t(layout.words + 4 * count));
  uint32_t header[kHeaderWords] = {kMagic, uint32_t(n), uint32_t(k),
                                   std::bit_cast<uint32_t>(step)};
  header[4] = checkOfHeader(std::span(header).first<4>());
  std::memcpy(blob.data(), header, sizeof(header));
  uint32_t start = 0;
  int64_t stream = 0;
  for (const EncodedRow &row : rows) {
    std::memcpy(blob.data() + layout.words + 4 * int64_t(start),
                row.words.data(), 4 * row.words.size());
    for (size_t i = 0; i < row.sizes.size(); ++i, ++stream) {
      std::span<const std::byte> words = std::span(blob).subspan(
          size_t(layout.words + 4 * int64_t(start)), 4 * row.sizes[i]);
      uint16_t check = checkOfStream(row.parameters[i], words);
      std::memcpy(blob.data() + layout.starts + 4 * stream, &start, 4);
      std::memcpy(blob.data() + layout.checks + 2 * stream, &check, 2);
      blob[size_t(layout.parameters + stream)] = std::byte(row.parameters[i]);
      start += row.sizes[i];
    }
  }
  std::memcpy(blob.data() + layout.starts + 4 * stream, &start, 4);
  if (rate)
    *rate = {double(bits) / double(weights.size()),
             8 * double(blob.size()) / double(weights.size())};
  return blob;
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

namespace {
/// Takes codes from the words of a stream; what lies behind them is zero.
class BitReader {
public:
  explicit BitReader(std::span<const std::byte> bytes)
      : bytes(bytes), total(8 * int64_t(bytes.size())) {}

  /// False where the words end within the symbol, or it has more than 8 bits.
  bool read(unsigned k, uint8_t &symbol) {
    uint32_t zeros = 0;
    uint32_t window = peek();
    while (window == 0) {
      zeros += 32;
      position += 32;
      if (position >= total || zeros > 255)
        return false;
      window = peek();
    }
    unsigned more = unsigned(std::countl_zero(window));
    zeros += more;
    position += more + 1;
    uint32_t low = k ? peek() >> (32 - k) : 0;
    position += k;
    uint32_t value = zeros << k | low;
    symbol = uint8_t(value);
    return position <= total && value <= 255;
  }

  /// Whether nothing but zeros of the last word are left.
  bool isAtEnd() const {
    return total - position < 32 && (position == total || peek() == 0);
  }

private:
  uint32_t wordAt(int64_t i) const {
    uint32_t word = 0;
    if (4 * i < int64_t(bytes.size()))
      std::memcpy(&word, bytes.data() + 4 * i, 4);
    return word;
  }
  /// The next 32 bits.
  uint32_t peek() const {
    uint64_t pair =
        uint64_t(wordAt(position / 32)) << 32 | wordAt(position / 32 + 1);
    return uint32_t(pair << (position % 32) >> 32);
  }

  std::span<const std::byte> bytes;
  int64_t total, position = 0;
};
} // namespace

/// Whether the stream holds exactly these points.
static bool readStream(std::span<const std::byte> words, unsigned k,
                       std::span<int8_t> points) {
  BitReader reader(words);
  uint8_t symbols[8];
  for (size_t i = 0; i < points.size(); i += 8) {
    for (uint8_t &symbol : symbols)
      if (!reader.read(k, symbol))
        return false;
    if (!unstripE8(symbols, points.subspan(i).first<8>()))
      return false;
  }
  return reader.isAtEnd();
}

template <typename T>
static T load(std::span<const std::byte> blob, int64_t offset) {
  T value;
  std::memcpy(&value, blob.data() + offset, sizeof(T));
  return value;
}

Status rotq::decodeRice(std::span<const std::byte> blob, int64_t n, int64_t k,
                        std::span<int8_t> points, float &step,
                        unsigned threads) {
  if (Status status = checkExtents(n, k); !status)
    return status;
  if (points.size() != size_t(n) * size_t(k))
    return failure(message("expected room for {} x {} points but got {}", n, k,
                           points.size()));
  RiceLayout layout(n, k);
  int64_t size = int64_t(blob.size());
  if (size < layout.words || size % 4 != 0)
    return failure(message("expected whole words, {} bytes and the codes, but "
                           "got {} bytes",
                           layout.words, size));
  uint32_t header[kHeaderWords];
  std::memcpy(header, blob.data(), sizeof(header));
  float stored = std::bit_cast<float>(header[3]);
  if (header[0] != kMagic ||
      header[4] != checkOfHeader(std::span(header).first<4>()) ||
      !(stored > 0) || !std::isfinite(stored))
    return failure("expected the header of a matrix in Rice codes");
  if (header[1] != n || header[2] != k)
    return failure(message("expected codes of {} x {} points but got {} x {}",
                           n, k, header[1], header[2]));
  for (int64_t i = layout.parameters + layout.streams; i < layout.words; ++i)
    if (blob[size_t(i)] != std::byte(0))
      return failure("expected zeros ahead of the codes");
  // Starts that rise, from 0 to the end, keep every stream within the blob.
  int64_t end = (size - layout.words) / 4, last = 0;
  for (int64_t i = 0; i <= layout.streams; ++i) {
    int64_t start = load<uint32_t>(blob, layout.starts + 4 * i);
    if (i == 0 ? start != 0 : start <= last)
      return failure(message("expected stream {} to start behind the one "
                             "before it but got {}",
                             i, start));
    last = start;
  }
  if (last != end)
    return failure(message("expected {} words of codes but got {}", last, end));

  std::mutex mutex;
  int64_t bad = layout.streams;
  parallelRows(n, rowGrain(k), threads, [&](int64_t first, int64_t behind) {
    for (int64_t i = first * layout.perRow; i < behind * layout.perRow; ++i) {
      int64_t start = load<uint32_t>(blob, layout.starts + 4 * i);
      int64_t stop = load<uint32_t>(blob, layout.starts + 4 * (i + 1));
      std::span<const std::byte> words = blob.subspan(
          size_t(layout.words + 4 * start), size_t(4 * (stop - start)));
      uint8_t parameter = load<uint8_t>(blob, layout.parameters + i);
      int64_t column = i % layout.perRow * kStreamSymbols;
      std::span<int8_t> target =
          points.subspan(size_t(i / layout.perRow * k + column),
                         size_t(std::min(kStreamSymbols, k - column)));
      if (parameter <= kMaxRice &&
          load<uint16_t>(blob, layout.checks + 2 * i) ==
              checkOfStream(parameter, words) &&
          readStream(words, parameter, target))
        continue;
      std::lock_guard lock(mutex);
      bad = std::min(bad, i);
      return false;
    }
    return true;
  });
  if (bad < layout.streams)
    return failure(message("stream {} of row {} is damaged",
                           bad % layout.perRow, bad / layout.perRow));
  step = stored;
  return {};
}
