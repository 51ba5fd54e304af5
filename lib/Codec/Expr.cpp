//===- Expr.cpp - Evaluation of decode arithmetic on the host -------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Codec/Expr.h"

#include <algorithm>
#include <bit>
#include <cassert>

using namespace rotq;

Expr ExprBuilder::bitField(Expr value, std::span<const uint32_t> offsets,
                           unsigned width) {
  assert(width >= 1 && width <= 32 && "expected a field within a word");
  int64_t last = numWords(value) - 1;
  std::vector<int64_t> firsts, seconds;
  std::vector<uint32_t> amounts, rests;
  bool crosses = false;
  for (uint32_t offset : offsets) {
    uint32_t amount = offset % 32;
    firsts.push_back(std::min<int64_t>(offset / 32, last));
    amounts.push_back(amount);
    // Where a field ends within its word, a zero.
    bool isWithin = amount + width <= 32 || firsts.back() == last;
    seconds.push_back(isWithin ? last + 1 : firsts.back() + 1);
    rests.push_back(isWithin ? 0 : 32 - amount);
    crosses |= !isWithin;
  }
  Expr low = shiftRight(shuffle(value, value, firsts), amounts);
  if (crosses)
    low = bitOr(low, shiftLeft(shuffle(value, splat(0, 1), seconds), rests));
  return width == 32 ? low : bitAnd(low, (1u << width) - 1);
}

static Expr append(std::vector<std::vector<uint32_t>> &values,
                   std::vector<uint32_t> words) {
  values.push_back(std::move(words));
  return Expr{unsigned(values.size() - 1)};
}

Expr EvalBuilder::input(std::span<const uint32_t> words) {
  return append(values, {words.begin(), words.end()});
}

std::span<const uint32_t> EvalBuilder::words(Expr value) const {
  assert(value.id < values.size() && "expression of another builder");
  return values[value.id];
}

int64_t EvalBuilder::numWords(Expr value) const {
  return int64_t(words(value).size());
}

Expr EvalBuilder::bitAnd(Expr value, uint32_t mask) {
  std::vector<uint32_t> result(values[value.id]);
  for (uint32_t &word : result)
    word &= mask;
  return append(values, std::move(result));
}

Expr EvalBuilder::splat(uint32_t word, int64_t count) {
  return append(values, std::vector<uint32_t>(size_t(count), word));
}

template <typename Fn> Expr EvalBuilder::combine(Expr a, Expr b, Fn fn) {
  assert(numWords(a) == numWords(b) && "expected operands of one length");
  std::vector<uint32_t> result(values[a.id]);
  const std::vector<uint32_t> &other = values[b.id];
  for (size_t i = 0; i < result.size(); ++i)
    result[i] = fn(result[i], other[i]);
  return append(values, std::move(result));
}

Expr EvalBuilder::bitAnd(Expr a, Expr b) {
  return combine(a, b, [](uint32_t x, uint32_t y) { return x & y; });
}

Expr EvalBuilder::bitOr(Expr a, Expr b) {
  return combine(a, b, [](uint32_t x, uint32_t y) { return x | y; });
}

Expr EvalBuilder::bitXor(Expr a, Expr b) {
  return combine(a, b, [](uint32_t x, uint32_t y) { return x ^ y; });
}

Expr EvalBuilder::add(Expr a, Expr b) {
  return combine(a, b, [](uint32_t x, uint32_t y) { return x + y; });
}

Expr EvalBuilder::subtract(Expr a, Expr b) {
  return combine(a, b, [](uint32_t x, uint32_t y) { return x - y; });
}

Expr EvalBuilder::multiply(Expr a, Expr b) {
  return combine(a, b, [](uint32_t x, uint32_t y) { return x * y; });
}

Expr EvalBuilder::maximum(Expr a, Expr b) {
  return combine(a, b, [](uint32_t x, uint32_t y) { return std::max(x, y); });
}

Expr EvalBuilder::shiftLeft(Expr value, std::span<const uint32_t> amounts) {
  std::vector<uint32_t> result(values[value.id]);
  assert(amounts.size() == result.size() && "expected an amount per word");
  for (size_t i = 0; i < result.size(); ++i) {
    assert(amounts[i] < 32 && "shift out of range");
    result[i] <<= amounts[i];
  }
  return append(values, std::move(result));
}

Expr EvalBuilder::shiftRight(Expr value, std::span<const uint32_t> amounts) {
  std::vector<uint32_t> result(values[value.id]);
  assert(amounts.size() == result.size() && "expected an amount per word");
  for (size_t i = 0; i < result.size(); ++i) {
    assert(amounts[i] < 32 && "shift out of range");
    result[i] >>= amounts[i];
  }
  return append(values, std::move(result));
}

Expr EvalBuilder::shuffle(Expr a, Expr b, std::span<const int64_t> indices) {
  const std::vector<uint32_t> &first = values[a.id], &second = values[b.id];
  std::vector<uint32_t> result(indices.size());
  for (size_t i = 0; i < indices.size(); ++i) {
    size_t index = size_t(indices[i]);
    assert(index < first.size() + second.size() && "index out of range");
    result[i] =
        index < first.size() ? first[index] : second[index - first.size()];
  }
  return append(values, std::move(result));
}

Expr EvalBuilder::lookup(Expr codes, std::span<const int8_t> table) {
  assert(table.size() >= 2 && table.size() <= 16 &&
         std::has_single_bit(table.size()) &&
         "expected a table of 2, 4, 8 or 16 entries");
  // Two nibbles at a time: a byte of codes gives two bytes of values.
  uint16_t pairs[256] = {};
  for (size_t high = 0; high < table.size(); ++high)
    for (size_t low = 0; low < table.size(); ++low)
      pairs[high << 4 | low] =
          uint16_t(uint8_t(table[high]) << 8 | uint8_t(table[low]));
  const std::vector<uint32_t> &words = values[codes.id];
  std::vector<uint32_t> result(2 * words.size());
  [[maybe_unused]] uint32_t outside =
      uint32_t(~(table.size() - 1) & 15) * 0x11111111u;
  for (size_t i = 0; i < words.size(); ++i) {
    uint32_t word = words[i];
    assert(!(word & outside) && "code beyond the table");
    result[2 * i] =
        uint32_t(pairs[word & 255]) | uint32_t(pairs[word >> 8 & 255]) << 16;
    result[2 * i + 1] =
        uint32_t(pairs[word >> 16 & 255]) | uint32_t(pairs[word >> 24]) << 16;
  }
  return append(values, std::move(result));
}

Expr EvalBuilder::gather(Expr indices, std::span<const uint32_t> table) {
  std::vector<uint32_t> result(values[indices.id]);
  for (uint32_t &word : result) {
    assert(word < table.size() && "index beyond the table");
    word = table[word];
  }
  return append(values, std::move(result));
}

Expr EvalBuilder::sumBytes(Expr value, uint8_t factor, uint32_t start) {
  std::vector<uint32_t> result(values[value.id]);
  for (uint32_t &word : result)
    word = start + factor * ((word & 255) + (word >> 8 & 255) +
                             (word >> 16 & 255) + (word >> 24));
  return append(values, std::move(result));
}

Expr EvalBuilder::shuffleBytes(Expr value, std::span<const int64_t> indices) {
  const std::vector<uint32_t> &words = values[value.id];
  assert(indices.size() % 4 == 0 && "expected whole words of bytes");
  std::vector<uint32_t> result(indices.size() / 4);
  for (size_t i = 0; i < indices.size(); ++i) {
    size_t index = size_t(indices[i]);
    assert(index < 4 * words.size() && "index out of range");
    result[i / 4] |= (words[index / 4] >> (8 * (index % 4)) & 255)
                     << (8 * (i % 4));
  }
  return append(values, std::move(result));
}
