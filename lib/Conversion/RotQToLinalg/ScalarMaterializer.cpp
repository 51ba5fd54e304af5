//===- ScalarMaterializer.cpp - Codec expressions as scalar arithmetic
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ScalarMaterializer.h"

#include "Reference.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mlir::rotq;
using ::rotq::Expr;

Expr ScalarMaterializer::input(ArrayRef<Value> words) {
  values.emplace_back(words);
  return {unsigned(values.size() - 1)};
}

int64_t ScalarMaterializer::numWords(Expr value) const {
  return int64_t(words(value).size());
}

Value ScalarMaterializer::constant(uint32_t word) {
  return arith::ConstantOp::create(builder,
                                   builder.getI32IntegerAttr(int32_t(word)));
}

Value ScalarMaterializer::byteOf(Value word, int64_t i) {
  if (i)
    word = arith::ShRUIOp::create(builder, word, constant(uint32_t(8 * i)));
  return arith::AndIOp::create(builder, word, constant(255));
}

Value ScalarMaterializer::joinBytes(ArrayRef<Value> bytes) {
  Value word = bytes[0];
  for (int64_t i = 1; i < 4; ++i)
    word = arith::OrIOp::create(
        builder, word,
        arith::ShLIOp::create(builder, bytes[i], constant(uint32_t(8 * i))));
  return word;
}

Expr ScalarMaterializer::splat(uint32_t word, int64_t count) {
  return input(SmallVector<Value>(count, constant(word)));
}

Expr ScalarMaterializer::bitAnd(Expr value, uint32_t mask) {
  return bitAnd(value, splat(mask, numWords(value)));
}

template <typename OpTy> Expr ScalarMaterializer::combine(Expr a, Expr b) {
  SmallVector<Value> result;
  for (auto [left, right] : llvm::zip_equal(words(a), words(b)))
    result.push_back(OpTy::create(builder, left, right));
  return input(result);
}

Expr ScalarMaterializer::bitAnd(Expr a, Expr b) {
  return combine<arith::AndIOp>(a, b);
}

Expr ScalarMaterializer::bitOr(Expr a, Expr b) {
  return combine<arith::OrIOp>(a, b);
}

Expr ScalarMaterializer::bitXor(Expr a, Expr b) {
  return combine<arith::XOrIOp>(a, b);
}

Expr ScalarMaterializer::add(Expr a, Expr b) {
  return combine<arith::AddIOp>(a, b);
}

Expr ScalarMaterializer::subtract(Expr a, Expr b) {
  return combine<arith::SubIOp>(a, b);
}

Expr ScalarMaterializer::multiply(Expr a, Expr b) {
  return combine<arith::MulIOp>(a, b);
}

Expr ScalarMaterializer::maximum(Expr a, Expr b) {
  return combine<arith::MaxUIOp>(a, b);
}

template <typename OpTy>
Expr ScalarMaterializer::shift(Expr value, std::span<const uint32_t> amounts) {
  SmallVector<Value> result;
  for (auto [word, amount] : llvm::zip_equal(words(value), amounts))
    result.push_back(
        amount ? OpTy::create(builder, word, constant(amount)).getResult()
               : word);
  return input(result);
}

Expr ScalarMaterializer::shiftLeft(Expr value,
                                   std::span<const uint32_t> amounts) {
  return shift<arith::ShLIOp>(value, amounts);
}

Expr ScalarMaterializer::shiftRight(Expr value,
                                    std::span<const uint32_t> amounts) {
  return shift<arith::ShRUIOp>(value, amounts);
}

Expr ScalarMaterializer::shuffle(Expr a, Expr b,
                                 std::span<const int64_t> indices) {
  SmallVector<Value> both(words(a));
  llvm::append_range(both, words(b));
  SmallVector<Value> result;
  for (int64_t index : indices)
    result.push_back(both[size_t(index)]);
  return input(result);
}

Expr ScalarMaterializer::lookup(Expr codes, std::span<const int8_t> table) {
  Value entries =
      emitTable(builder, ArrayRef<int8_t>(table.data(), table.size()));
  SmallVector<Value> result;
  for (Value word : SmallVector<Value>(words(codes)))
    for (int64_t first : {0, 4}) {
      SmallVector<Value> bytes;
      for (int64_t i = first; i < first + 4; ++i) {
        Value code = arith::AndIOp::create(
            builder,
            arith::ShRUIOp::create(builder, word, constant(uint32_t(4 * i))),
            constant(15));
        Value index =
            arith::IndexCastUIOp::create(builder, builder.getIndexType(), code);
        bytes.push_back(
            arith::ExtUIOp::create(builder, builder.getI32Type(),
                                   emitElement(builder, entries, index)));
      }
      result.push_back(joinBytes(bytes));
    }
  return input(result);
}

Expr ScalarMaterializer::gather(Expr indices, std::span<const uint32_t> table) {
  SmallVector<int32_t> entries(table.begin(), table.end());
  Value constants = emitTable(builder, entries);
  SmallVector<Value> result;
  for (Value word : SmallVector<Value>(words(indices))) {
    Value index =
        arith::IndexCastUIOp::create(builder, builder.getIndexType(), word);
    result.push_back(emitElement(builder, constants, index));
  }
  return input(result);
}

Expr ScalarMaterializer::sumBytes(Expr value, uint8_t factor, uint32_t start) {
  SmallVector<Value> result;
  for (Value word : SmallVector<Value>(words(value))) {
    Value sum = byteOf(word, 0);
    for (int64_t i = 1; i < 4; ++i)
      sum = arith::AddIOp::create(builder, sum, byteOf(word, i));
    if (factor != 1)
      sum = arith::MulIOp::create(builder, sum, constant(factor));
    if (start != 0)
      sum = arith::AddIOp::create(builder, sum, constant(start));
    result.push_back(sum);
  }
  return input(result);
}

Expr ScalarMaterializer::shuffleBytes(Expr value,
                                      std::span<const int64_t> indices) {
  SmallVector<Value> bytes;
  for (int64_t index : indices)
    bytes.push_back(byteOf(words(value)[index / 4], index % 4));
  SmallVector<Value> result;
  for (size_t i = 0; i < bytes.size(); i += 4)
    result.push_back(joinBytes(ArrayRef<Value>(bytes).slice(i, 4)));
  return input(result);
}
