//===- ExprTest.cpp - Evaluation of decode arithmetic ---------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Codec/Expr.h"

#include <gtest/gtest.h>

using namespace rotq;

using Words = std::vector<uint32_t>;

static Words values(const EvalBuilder &builder, Expr value) {
  std::span<const uint32_t> words = builder.words(value);
  return {words.begin(), words.end()};
}

TEST(ExprTest, Bits) {
  EvalBuilder b;
  Expr x = b.input(Words{0xdeadbeef, 0x80000001});
  Expr y = b.input(Words{0x0000ffff, 0x00000010});
  EXPECT_EQ(b.numWords(x), 2);
  EXPECT_EQ(values(b, b.bitAnd(x, 0xff00ff00)),
            (Words{0xde00be00, 0x80000000}));
  EXPECT_EQ(values(b, b.bitOr(x, y)), (Words{0xdeadffff, 0x80000011}));
  EXPECT_EQ(values(b, b.shiftLeft(x, Words{4, 31})),
            (Words{0xeadbeef0, 0x80000000}));
  EXPECT_EQ(values(b, b.shiftRight(x, Words{16, 31})), (Words{0xdead, 1}));
  // Building leaves operands alone.
  EXPECT_EQ(values(b, x), (Words{0xdeadbeef, 0x80000001}));
}

TEST(ExprTest, Shuffle) {
  EvalBuilder b;
  Expr x = b.input(Words{1, 2}), y = b.input(Words{3, 4, 5});
  std::vector<int64_t> indices = {4, 0, 0, 2};
  EXPECT_EQ(values(b, b.shuffle(x, y, indices)), (Words{5, 1, 1, 3}));
}

TEST(ExprTest, BitFields) {
  EvalBuilder b;
  Expr x = b.input(Words{0x76543210, 0xfedcba98});
  EXPECT_EQ(values(b, b.bitField(x, Words{0, 4, 28, 52}, 12)),
            (Words{0x210, 0x321, 0x987, 0xfed}));
  // A field that fills its word has nothing of the next one.
  EXPECT_EQ(values(b, b.bitField(x, Words{0, 8, 32}, 32)),
            (Words{0x76543210, 0x98765432, 0xfedcba98}));
}

TEST(ExprTest, Bytes) {
  EvalBuilder b;
  Expr x = b.input(Words{0x04030201, 0xfffefdfc});
  EXPECT_EQ(values(b, b.shuffleBytes(x, std::vector<int64_t>{7, 0, 4, 3})),
            (Words{0x04fc01ff}));
  EXPECT_EQ(values(b, b.sumBytes(x, 1, 0)), (Words{10, 1014}));
  EXPECT_EQ(values(b, b.sumBytes(x, 64, 0x8000)),
            (Words{0x8000 + 640, 0x8000 + 64 * 1014}));
}

TEST(ExprTest, LookupOrder) {
  EvalBuilder b;
  std::vector<int8_t> table(16);
  for (int i = 0; i < 16; ++i)
    table[size_t(i)] = int8_t(16 * i - 128);
  Expr codes = b.input(Words{0x76543210, 0xfedcba98});
  Words result = values(b, b.lookup(codes, table));
  ASSERT_EQ(result.size(), 4u);
  for (unsigned i = 0; i < 16; ++i)
    EXPECT_EQ(int8_t(result[i / 4] >> (8 * (i % 4))), table[i]) << i;
}

TEST(ExprTest, LookupInSmallTables) {
  for (unsigned size : {2u, 4u, 8u}) {
    EvalBuilder b;
    std::vector<int8_t> table(size);
    for (unsigned i = 0; i < size; ++i)
      table[i] = int8_t(-3 * int(i) + 5);
    uint32_t word = 0;
    for (unsigned i = 0; i < 8; ++i)
      word |= (i * 5 % size) << (4 * i);
    Words result = values(b, b.lookup(b.input(Words{word}), table));
    for (unsigned i = 0; i < 8; ++i)
      EXPECT_EQ(int8_t(result[i / 4] >> (8 * (i % 4))), table[i * 5 % size]);
  }
}
