//===- ScalarMaterializer.h - Codec expressions as scalar arithmetic
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_CONVERSION_ROTQTOLINALG_SCALARMATERIALIZER_H
#define ROTQ_LIB_CONVERSION_ROTQTOLINALG_SCALARMATERIALIZER_H

#include "rotq/Codec/Expr.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::rotq {

/// Materialises decode arithmetic word by word, as arith ops on i32 and
/// constant tensors: what every target has.
class ScalarMaterializer final : public ::rotq::ExprBuilder {
public:
  using Expr = ::rotq::Expr;

  explicit ScalarMaterializer(ImplicitLocOpBuilder &builder)
      : builder(builder) {}

  Expr input(ArrayRef<Value> words);
  ArrayRef<Value> words(Expr value) const { return values[value.id]; }

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
  Value constant(uint32_t word);
  Value byteOf(Value word, int64_t i);
  /// Four values below 256 as a word.
  Value joinBytes(ArrayRef<Value> bytes);
  template <typename OpTy> Expr combine(Expr a, Expr b);
  template <typename OpTy>
  Expr shift(Expr value, std::span<const uint32_t> amounts);

  ImplicitLocOpBuilder &builder;
  SmallVector<SmallVector<Value>> values;
};

} // namespace mlir::rotq

#endif // ROTQ_LIB_CONVERSION_ROTQTOLINALG_SCALARMATERIALIZER_H
