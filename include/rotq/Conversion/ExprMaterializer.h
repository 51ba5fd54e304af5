//===- ExprMaterializer.h - Codec expressions as IR
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_CONVERSION_EXPRMATERIALIZER_H
#define ROTQ_CONVERSION_EXPRMATERIALIZER_H

#include "rotq/Codec/Expr.h"
#include "rotq/Dialect/RotQ/IR/RotQ.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Builders.h"

namespace mlir::rotq {

/// A constant with these words, in the nearest table of symbols; equal ones are
/// shared.
LLVM::GlobalOp getTable(OpBuilder &builder, Location loc,
                        std::span<const uint32_t> words, unsigned addressSpace);

/// What decoding gathers from: `rotq::Codebook::gathered`, or the same points
/// as the op has them.
std::vector<uint32_t> gatheredBy(DecodeOp op);

/// Materialises decode arithmetic as arith and vector ops on vectors of i32.
/// How a table is looked up is the target's business.
class ExprMaterializer : public ::rotq::ExprBuilder {
public:
  ExprMaterializer(OpBuilder &builder, Location loc)
      : builder(builder), loc(loc) {}

  /// The result of `op`, from the description of its coding or codebook.
  Value unpack(UnpackOp op);
  /// Null where the target has no points of such a type.
  Value decode(DecodeOp op);

  /// `words`: a vector<nxi32>.
  ::rotq::Expr input(Value words);
  Value value(::rotq::Expr expr) const { return values[expr.id]; }

  int64_t numWords(::rotq::Expr expr) const override;
  ::rotq::Expr splat(uint32_t word, int64_t count) override;
  ::rotq::Expr bitAnd(::rotq::Expr value, uint32_t mask) override;
  ::rotq::Expr bitAnd(::rotq::Expr a, ::rotq::Expr b) override;
  ::rotq::Expr bitOr(::rotq::Expr a, ::rotq::Expr b) override;
  ::rotq::Expr bitXor(::rotq::Expr a, ::rotq::Expr b) override;
  ::rotq::Expr add(::rotq::Expr a, ::rotq::Expr b) override;
  ::rotq::Expr subtract(::rotq::Expr a, ::rotq::Expr b) override;
  ::rotq::Expr multiply(::rotq::Expr a, ::rotq::Expr b) override;
  ::rotq::Expr maximum(::rotq::Expr a, ::rotq::Expr b) override;
  ::rotq::Expr shiftLeft(::rotq::Expr value,
                         std::span<const uint32_t> amounts) override;
  ::rotq::Expr shiftRight(::rotq::Expr value,
                          std::span<const uint32_t> amounts) override;
  ::rotq::Expr shuffle(::rotq::Expr a, ::rotq::Expr b,
                       std::span<const int64_t> indices) override;
  ::rotq::Expr lookup(::rotq::Expr codes,
                      std::span<const int8_t> table) override;
  ::rotq::Expr gather(::rotq::Expr indices,
                      std::span<const uint32_t> table) override;
  ::rotq::Expr sumBytes(::rotq::Expr value, uint8_t factor,
                        uint32_t start) override;
  ::rotq::Expr shuffleBytes(::rotq::Expr value,
                            std::span<const int64_t> indices) override;

protected:
  /// vector<nxi32> of nibble codes -> vector<2nxi32> of looked-up bytes.
  virtual Value emitLookup(Value codes, std::span<const int8_t> table) = 0;
  /// vector<nxi32> of indices -> vector<nxi32> of entries.
  virtual Value emitGather(Value indices, std::span<const uint32_t> table) = 0;
  /// As ExprBuilder has them, by arithmetic that every target has.
  virtual Value emitSumBytes(Value value, uint8_t factor, uint32_t start);
  virtual Value emitShuffleBytes(Value value, ArrayRef<int64_t> indices);
  /// Words of int8 -> words of e4m3; null where the target has none.
  virtual Value emitToE4M3(Value /*words*/) { return {}; }

  Value constant(std::span<const uint32_t> words);

  OpBuilder &builder;
  Location loc;

private:
  /// int8 points, rounded.
  Value asE4M3(::rotq::Expr points);

  SmallVector<Value> values;
  /// Gathered in place of what the codebook says, where there is such.
  std::vector<uint32_t> roundedTable;
  /// What is looked up in a table, and that table.
  DenseMap<unsigned, std::pair<Value, SmallVector<int8_t>>> lookups;
};

} // namespace mlir::rotq

#endif // ROTQ_CONVERSION_EXPRMATERIALIZER_H
