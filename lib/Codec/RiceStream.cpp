//===- RiceStream.cpp - Lattice points in Rice codes ----------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Codec/RiceStream.h"
#include "Message.h"
#include "Parallel.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <mutex>

using namespace rotq;

/// The magic number, N, K and the words of all streams.
static constexpr int64_t kHeaderWords = 4;

//===----------------------------------------------------------------------===//
// Points
//===----------------------------------------------------------------------===//

static uint8_t zigzag(int v) { return uint8_t(v >= 0 ? 2 * v : -2 * v - 1); }
static int unzigzag(int z) { return z & 1 ? -(z >> 1) - 1 : z >> 1; }

bool rotq::stripE8(std::span<const int8_t, 8> point,
                   std::span<uint8_t, 8> symbols) {
  int c = point[0] & 1, sum = 0;
  for (int8_t value : point)
    if (value == -128 || (value & 1) != c)
      return false;
  for (size_t i = 0; i < 7; ++i) {
    int s = (point[i] - c) >> 1;
    sum += s;
    symbols[i] = zigzag(s);
  }
  int last = ((point[7] - c) >> 1) - (sum & 1);
  symbols[7] = uint8_t(2 * zigzag(last >> 1) + c);
  return last % 2 == 0;
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

//===----------------------------------------------------------------------===//
// Checksums
//===----------------------------------------------------------------------===//

/// A byte at a time.
static constexpr auto kCheckTable = [] {
  std::array<uint16_t, 256> table = {};
  for (unsigned i = 0; i < 256; ++i) {
    uint16_t value = uint16_t(i);
    for (int bit = 0; bit < 8; ++bit)
      value =
          uint16_t(value & 1 ? (value >> 1) ^ kCheckPolynomial : value >> 1);
    table[i] = value;
  }
  return table;
}();

// A fuzzer would guess checksums all day.
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
static constexpr bool kHasChecks = false;
#else
static constexpr bool kHasChecks = true;
#endif

/// Of k, the words of a stream, and the scales of its row where it is the first
/// one there.
static uint16_t checkOf(uint8_t k, std::span<const std::byte> words,
                        std::span<const std::byte> scales) {
  if (!kHasChecks)
    return 0;
  uint16_t value = kCheckStart;
  auto add = [&](uint8_t byte) {
    value = uint16_t((value >> 8) ^ kCheckTable[(value ^ byte) & 255]);
  };
  add(k);
  for (std::span<const std::byte> bytes : {words, scales})
    for (std::byte byte : bytes)
      add(uint8_t(byte));
  return value;
}

//===----------------------------------------------------------------------===//
// Layout
//===----------------------------------------------------------------------===//

RiceLayout::RiceLayout(const WeightLayout &weight)
    : columns(paddedLength(weight.k)), scaleBytes(2 * weight.numbersPerRow),
      perRow((columns + kStreamSymbols - 1) / kStreamSymbols),
      streams(weight.n * perRow), scales(4 * kHeaderWords),
      starts(roundUp(scales + weight.n * scaleBytes, 4)),
      checks(starts + 4 * (streams + 1)), parameters(checks + 2 * streams),
      words(roundUp(parameters + streams, 4)),
      maxBytes(words + 4 * streams + weight.n * columns * 9 / 8) {}

/// Words that start weights like this one.
static std::array<uint32_t, kHeaderWords> headerOf(const WeightLayout &weight,
                                                   int64_t words) {
  return {kRiceMagic, uint32_t(weight.n), uint32_t(weight.k), uint32_t(words)};
}

template <typename Byte>
static std::span<Byte> scalesOf(const WeightLayout &weight,
                                const RiceLayout &layout, std::span<Byte> blob,
                                int64_t row) {
  return blob.subspan(size_t(weight.scalesOffset + row * layout.scaleBytes),
                      size_t(layout.scaleBytes));
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
}

Expected<std::vector<std::byte>>
rotq::encodeRice(const WeightLayout &weight, std::span<const std::byte> blob,
                 unsigned threads) {
  const RiceLayout layout(weight);
  const WeightLayout::Plane &plane = weight.planes.front();
  std::vector<EncodedRow> rows(static_cast<size_t>(weight.n));
  std::mutex mutex;
  int64_t badRow = weight.n;
  parallelRows(
      weight.n, rowGrain(weight.k), threads, [&](int64_t begin, int64_t end) {
        std::vector<int8_t> points(size_t(layout.columns));
        std::vector<uint8_t> symbols(points.size());
        for (int64_t r = begin; r < end; ++r) {
          std::memcpy(points.data(),
                      blob.data() + plane.offset + r * plane.rowBytes,
                      points.size());
          for (size_t i = 0; i < points.size(); i += 8)
            if (!stripE8(std::span(points).subspan(i).first<8>(),
                         std::span(symbols).subspan(i).first<8>())) {
              std::lock_guard lock(mutex);
              badRow = std::min(badRow, r);
              return false;
            }
          for (size_t i = 0; i < symbols.size(); i += size_t(kStreamSymbols))
            writeStream(
                std::span(symbols).subspan(
                    i, std::min(size_t(kStreamSymbols), symbols.size() - i)),
                rows[size_t(r)]);
        }
        return true;
      });
  if (badRow < weight.n)
    return failure(message("expected points of the lattice 2 E8 within 127 but "
                           "got others in row {}",
                           badRow));

  int64_t count = 0;
  for (const EncodedRow &row : rows)
    count += int64_t(row.words.size());
  if (count > int64_t(UINT32_MAX))
    return failure(message("expected at most {} words of codes but got {}",
                           UINT32_MAX, count));
  std::vector<std::byte> codes(size_t(layout.words + 4 * count));
  auto header = headerOf(weight, count);
  std::memcpy(codes.data(), header.data(), sizeof(header));
  std::memcpy(codes.data() + layout.scales, blob.data() + weight.scalesOffset,
              size_t(weight.n * layout.scaleBytes));
  uint32_t start = 0;
  int64_t stream = 0;
  for (int64_t r = 0; r < weight.n; ++r) {
    const EncodedRow &row = rows[size_t(r)];
    std::memcpy(codes.data() + layout.words + 4 * int64_t(start),
                row.words.data(), 4 * row.words.size());
    for (size_t i = 0; i < row.sizes.size(); ++i, ++stream) {
      std::span<const std::byte> words = std::span(codes).subspan(
          size_t(layout.words + 4 * int64_t(start)), 4 * row.sizes[i]);
      std::span<const std::byte> scales;
      if (i == 0)
        scales = scalesOf(weight, layout, blob, r);
      uint16_t check = checkOf(row.parameters[i], words, scales);
      std::memcpy(codes.data() + layout.starts + 4 * stream, &start, 4);
      std::memcpy(codes.data() + layout.checks + 2 * stream, &check, 2);
      codes[size_t(layout.parameters + stream)] = std::byte(row.parameters[i]);
      start += row.sizes[i];
    }
  }
  std::memcpy(codes.data() + layout.starts + 4 * stream, &start, 4);
  return codes;
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
static T load(std::span<const std::byte> bytes, int64_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

static bool areZero(std::span<const std::byte> bytes) {
  return std::ranges::all_of(bytes,
                             [](std::byte b) { return b == std::byte(0); });
}

/// Checks all but the streams.
static Status checkFrame(const WeightLayout &weight, const RiceLayout &layout,
                         std::span<const std::byte> codes) {
  int64_t size = int64_t(codes.size());
  if (size < layout.words || size % 4 != 0)
    return failure(message("expected whole words, {} bytes and the codes, but "
                           "got {} bytes",
                           layout.words, size));
  int64_t end = (size - layout.words) / 4;
  auto expected = headerOf(weight, end);
  uint32_t header[kHeaderWords];
  std::memcpy(header, codes.data(), sizeof(header));
  if (header[0] != expected[0])
    return failure("expected a weight in Rice codes");
  if (header[1] != expected[1] || header[2] != expected[2])
    return failure(message("expected codes of {} x {} weights but got {} x {}",
                           weight.n, weight.k, header[1], header[2]));
  if (header[3] != expected[3])
    return failure(
        message("expected {} words of codes but got {}", header[3], end));
  int64_t scalesEnd = layout.scales + weight.n * layout.scaleBytes;
  int64_t parametersEnd = layout.parameters + layout.streams;
  auto between = [&](int64_t first, int64_t last) {
    return codes.subspan(size_t(first), size_t(last - first));
  };
  if (!areZero(between(scalesEnd, layout.starts)) ||
      !areZero(between(parametersEnd, layout.words)))
    return failure("expected zeros behind the scales and ahead of the codes");
  // Starts that rise, from 0 to the end, keep every stream within the codes.
  int64_t last = 0;
  for (int64_t i = 0; i <= layout.streams; ++i) {
    int64_t start = load<uint32_t>(codes, layout.starts + 4 * i);
    if (i == 0 ? start != 0 : start <= last)
      return failure(message("expected stream {} to start behind the one "
                             "before it but got {}",
                             i, start));
    if (start - last > kMaxStreamWords)
      return failure(message("expected at most {} words in stream {} but got "
                             "{}",
                             kMaxStreamWords, i - 1, start - last));
    last = start;
  }
  if (last != end)
    return failure(message("expected {} words of codes but got {}", last, end));
  return {};
}

Status rotq::decodeRice(const WeightLayout &weight,
                        std::span<const std::byte> codes,
                        std::span<std::byte> blob, unsigned threads) {
  const RiceLayout layout(weight);
  const WeightLayout::Plane &plane = weight.planes.front();
  if (Status status = checkFrame(weight, layout, codes); !status)
    return status;
  std::memset(
      blob.data() + plane.offset + weight.n * plane.rowBytes, 0,
      size_t(weight.scalesOffset - plane.offset - weight.n * plane.rowBytes));
  std::memcpy(blob.data() + weight.scalesOffset, codes.data() + layout.scales,
              size_t(weight.n * layout.scaleBytes));

  std::mutex mutex;
  int64_t bad = layout.streams;
  parallelRows(
      weight.n, rowGrain(weight.k), threads,
      [&](int64_t first, int64_t behind) {
        std::vector<int8_t> points(size_t(plane.rowBytes));
        for (int64_t row = first; row < behind; ++row) {
          for (int64_t at = 0; at < layout.perRow; ++at) {
            int64_t i = row * layout.perRow + at;
            int64_t start = load<uint32_t>(codes, layout.starts + 4 * i);
            int64_t stop = load<uint32_t>(codes, layout.starts + 4 * (i + 1));
            std::span<const std::byte> words = codes.subspan(
                size_t(layout.words + 4 * start), size_t(4 * (stop - start)));
            std::span<const std::byte> scales;
            if (at == 0)
              scales = scalesOf(weight, layout,
                                std::span<const std::byte>(blob), row);
            uint8_t parameter = load<uint8_t>(codes, layout.parameters + i);
            int64_t column = at * kStreamSymbols;
            std::span<int8_t> target = std::span(points).subspan(
                size_t(column),
                size_t(std::min(kStreamSymbols, layout.columns - column)));
            if (parameter <= kMaxRice &&
                load<uint16_t>(codes, layout.checks + 2 * i) ==
                    checkOf(parameter, words, scales) &&
                readStream(words, parameter, target))
              continue;
            std::lock_guard lock(mutex);
            bad = std::min(bad, i);
            return false;
          }
          std::memcpy(blob.data() + plane.offset + row * plane.rowBytes,
                      points.data(), points.size());
        }
        return true;
      });
  if (bad < layout.streams)
    return failure(message("stream {} of row {} is damaged",
                           bad % layout.perRow, bad / layout.perRow));
  return {};
}
