//===- ExprMaterializer.cpp - Codec expressions as IR
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Conversion/ExprMaterializer.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::rotq;
using ::rotq::Expr;

Expr ExprMaterializer::input(Value words) {
  values.push_back(words);
  return {unsigned(values.size() - 1)};
}

int64_t ExprMaterializer::numWords(Expr expr) const {
  return cast<VectorType>(value(expr).getType()).getDimSize(0);
}

Value ExprMaterializer::constant(std::span<const uint32_t> words) {
  auto type = VectorType::get({int64_t(words.size())}, builder.getI32Type());
  return arith::ConstantOp::create(
      builder, loc,
      DenseElementsAttr::get(type,
                             ArrayRef<uint32_t>(words.data(), words.size())));
}

Expr ExprMaterializer::bitAnd(Expr expr, uint32_t mask) {
  std::vector<uint32_t> masks(numWords(expr), mask);
  return input(
      arith::AndIOp::create(builder, loc, value(expr), constant(masks)));
}

Expr ExprMaterializer::bitOr(Expr a, Expr b) {
  return input(arith::OrIOp::create(builder, loc, value(a), value(b)));
}

static bool allZero(std::span<const uint32_t> amounts) {
  return llvm::all_of(amounts, [](uint32_t amount) { return amount == 0; });
}

Expr ExprMaterializer::shiftLeft(Expr expr, std::span<const uint32_t> amounts) {
  if (allZero(amounts))
    return expr;
  return input(
      arith::ShLIOp::create(builder, loc, value(expr), constant(amounts)));
}

Expr ExprMaterializer::shiftRight(Expr expr,
                                  std::span<const uint32_t> amounts) {
  if (allZero(amounts))
    return expr;
  return input(
      arith::ShRUIOp::create(builder, loc, value(expr), constant(amounts)));
}

Expr ExprMaterializer::shuffle(Expr a, Expr b,
                               std::span<const int64_t> indices) {
  return input(vector::ShuffleOp::create(
      builder, loc, value(a), value(b),
      ArrayRef<int64_t>(indices.data(), indices.size())));
}

Expr ExprMaterializer::lookup(Expr codes, std::span<const int8_t> table) {
  return input(emitLookup(value(codes), table));
}
