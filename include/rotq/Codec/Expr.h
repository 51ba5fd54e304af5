//===- Expr.h - Decode arithmetic, written once -----------------*- C++ -*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A coding and a codebook describe their decoders as straight-line arithmetic
// on vectors of 32-bit words, through this builder. The host evaluates the
// description (EvalBuilder); the compiler materialises it as vector and arith
// operations, so that the two cannot drift apart. A byte of a word is
// numbered from the least significant end, and so is a nibble. Arithmetic
// wraps.
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_CODEC_EXPR_H
#define ROTQ_CODEC_EXPR_H

#include <cstdint>
#include <span>
#include <vector>

namespace rotq {

/// A vector of 32-bit words inside one ExprBuilder.
struct Expr {
  unsigned id;
};

class ExprBuilder {
public:
  virtual ~ExprBuilder() = default;

  /// Number of words of `value`.
  virtual int64_t numWords(Expr value) const = 0;

  /// `count` words of `word`.
  virtual Expr splat(uint32_t word, int64_t count) = 0;
  /// `value & mask`, the same mask for every word.
  virtual Expr bitAnd(Expr value, uint32_t mask) = 0;
  /// Word-wise `a & b`, `a | b`, `a ^ b`, `a + b`, `a - b`, `a * b` and the
  /// greater of two unsigned words; equal lengths.
  virtual Expr bitAnd(Expr a, Expr b) = 0;
  virtual Expr bitOr(Expr a, Expr b) = 0;
  virtual Expr bitXor(Expr a, Expr b) = 0;
  virtual Expr add(Expr a, Expr b) = 0;
  virtual Expr subtract(Expr a, Expr b) = 0;
  virtual Expr multiply(Expr a, Expr b) = 0;
  virtual Expr maximum(Expr a, Expr b) = 0;
  /// Word-wise `value << amount[i]`, amounts in [0, 31], one for every word.
  virtual Expr shiftLeft(Expr value, std::span<const uint32_t> amounts) = 0;
  /// Word-wise logical `value >> amount[i]`.
  virtual Expr shiftRight(Expr value, std::span<const uint32_t> amounts) = 0;
  /// Result word i is word `indices[i]` of `a` followed by `b`.
  virtual Expr shuffle(Expr a, Expr b, std::span<const int64_t> indices) = 0;
  /// Every nibble of `codes` becomes the byte `table[nibble]`: word i of
  /// `codes` gives words 2i (nibbles 0 to 3) and 2i + 1 (nibbles 4 to 7). The
  /// table has 2, 4, 8 or 16 entries and the nibbles stay below its size.
  virtual Expr lookup(Expr codes, std::span<const int8_t> table) = 0;
  /// Every word becomes `table[word]`; the words stay below its size.
  virtual Expr gather(Expr indices, std::span<const uint32_t> table) = 0;
  /// `start` and `factor` times the sum of the four bytes of every word, which
  /// are 0 to 255.
  virtual Expr sumBytes(Expr value, uint8_t factor = 1, uint32_t start = 0) = 0;
  /// Byte i of the result is byte `indices[i]` of `value`, counted through all
  /// words; whole words.
  virtual Expr shuffleBytes(Expr value, std::span<const int64_t> indices) = 0;

  /// Word i becomes the `width` bits (1 to 32) from bit `offsets[i]` on of
  /// `value`, whose words are one string of bits, lowest first. Bits behind its
  /// end are undefined.
  Expr bitField(Expr value, std::span<const uint32_t> offsets, unsigned width);
};

/// Evaluates while it builds.
class EvalBuilder final : public ExprBuilder {
public:
  Expr input(std::span<const uint32_t> words);
  std::span<const uint32_t> words(Expr value) const;

  int64_t numWords(Expr value) const override;
  Expr splat(uint32_t word, int64_t count) override;
  Expr bitAnd(Expr value, uint32_t mask) override;
  Expr bitAnd(Expr a, Expr b) override;
  Expr bitOr(Expr a, Expr b) override;
  Expr bitXor(Expr a, Expr b) override;
  Expr add(Expr a, Expr b) override;
  Expr subtract(Expr a, Expr b) override;
  Expr multiply(Expr a, Expr b) override;
  Expr maximum(Expr a, Expr b) override;
  Expr shiftLeft(Expr value, std::span<const uint32_t> amounts) override;
  Expr shiftRight(Expr value, std::span<const uint32_t> amounts) override;
  Expr shuffle(Expr a, Expr b, std::span<const int64_t> indices) override;
  Expr lookup(Expr codes, std::span<const int8_t> table) override;
  Expr gather(Expr indices, std::span<const uint32_t> table) override;
  Expr sumBytes(Expr value, uint8_t factor, uint32_t start) override;
  Expr shuffleBytes(Expr value, std::span<const int64_t> indices) override;

private:
  template <typename Fn> Expr combine(Expr a, Expr b, Fn fn);
  std::vector<std::vector<uint32_t>> values;
};

} // namespace rotq

#endif // ROTQ_CODEC_EXPR_H
