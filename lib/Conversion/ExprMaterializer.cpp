//===- ExprMaterializer.cpp - Codec expressions as IR
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Conversion/ExprMaterializer.h"

#include "rotq/Codec/E4M3.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/xxhash.h"

using namespace mlir;
using namespace mlir::rotq;
using ::rotq::Expr;

/// The same bits.
static Value bitCast(OpBuilder &builder, Location loc, Value vector,
                     VectorType type) {
  return builder.createOrFold<vector::BitCastOp>(loc, type, vector);
}

Value ExprMaterializer::unpack(UnpackOp op) {
  SmallVector<Expr> planes;
  for (Value plane : op.getPlanes())
    planes.push_back(input(plane));
  auto coding = op.getCoding().getCoding();
  Expr codes = coding->unpack(*this, {planes.data(), planes.size()},
                              op.getType().getDimSize(0) * coding->dim());
  return bitCast(builder, loc, value(codes), op.getType());
}

static bool isE4M3(DecodeOp op) {
  return isa<Float8E4M3FNType>(op.getType().getElementType());
}

/// Four points of a word, rounded.
static uint32_t pointsToE4M3(uint32_t word) {
  uint32_t result = 0;
  for (unsigned shift = 0; shift < 32; shift += 8)
    result |= uint32_t(::rotq::toE4M3(int8_t(word >> shift))) << shift;
  return result;
}

std::vector<uint32_t> mlir::rotq::gatheredBy(DecodeOp op) {
  auto codebook = op.getCodebook().getCodebook();
  std::vector<uint32_t> words(codebook->gathered().begin(),
                              codebook->gathered().end());
  if (isE4M3(op) && codebook->gathersPoints())
    llvm::transform(words, words.begin(), pointsToE4M3);
  return words;
}

Value ExprMaterializer::decode(DecodeOp op) {
  VectorType codes = op.getCodes().getType();
  int64_t bits = codes.getNumElements() * codes.getElementTypeBitWidth();
  Value words = bitCast(builder, loc, op.getCodes(),
                        VectorType::get({bits / 32}, builder.getI32Type()));
  auto codebook = op.getCodebook().getCodebook();
  bool isRounded = isE4M3(op) && codebook->gathersPoints();
  if (isRounded)
    roundedTable = gatheredBy(op);
  Expr points = codebook->decode(*this, input(words));
  Value result = isRounded || !isE4M3(op) ? value(points) : asE4M3(points);
  return result ? bitCast(builder, loc, result, op.getType()) : Value();
}

/// A table of points becomes one of e4m3; other points are converted.
Value ExprMaterializer::asE4M3(Expr points) {
  auto found = lookups.find(points.id);
  if (found == lookups.end())
    return emitToE4M3(value(points));
  auto [codes, table] = found->second;
  for (int8_t &entry : table)
    entry = int8_t(::rotq::toE4M3(entry));
  return emitLookup(codes, table);
}

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

Expr ExprMaterializer::splat(uint32_t word, int64_t count) {
  return input(constant(std::vector<uint32_t>(size_t(count), word)));
}

Expr ExprMaterializer::bitAnd(Expr a, Expr b) {
  return input(arith::AndIOp::create(builder, loc, value(a), value(b)));
}

Expr ExprMaterializer::bitOr(Expr a, Expr b) {
  return input(arith::OrIOp::create(builder, loc, value(a), value(b)));
}

Expr ExprMaterializer::bitXor(Expr a, Expr b) {
  return input(arith::XOrIOp::create(builder, loc, value(a), value(b)));
}

Expr ExprMaterializer::add(Expr a, Expr b) {
  return input(arith::AddIOp::create(builder, loc, value(a), value(b)));
}

Expr ExprMaterializer::subtract(Expr a, Expr b) {
  return input(arith::SubIOp::create(builder, loc, value(a), value(b)));
}

Expr ExprMaterializer::multiply(Expr a, Expr b) {
  return input(arith::MulIOp::create(builder, loc, value(a), value(b)));
}

Expr ExprMaterializer::maximum(Expr a, Expr b) {
  return input(arith::MaxUIOp::create(builder, loc, value(a), value(b)));
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
  Expr points = input(emitLookup(value(codes), table));
  lookups[points.id] = {value(codes),
                        SmallVector<int8_t>(table.begin(), table.end())};
  return points;
}

Expr ExprMaterializer::gather(Expr indices, std::span<const uint32_t> table) {
  return input(emitGather(
      value(indices),
      roundedTable.empty() ? table : std::span<const uint32_t>(roundedTable)));
}

Expr ExprMaterializer::sumBytes(Expr expr, uint8_t factor, uint32_t start) {
  return input(emitSumBytes(value(expr), factor, start));
}

Expr ExprMaterializer::shuffleBytes(Expr expr,
                                    std::span<const int64_t> indices) {
  return input(emitShuffleBytes(value(expr), {indices.data(), indices.size()}));
}

/// Pairs of bytes, then pairs of pairs.
Value ExprMaterializer::emitSumBytes(Value value, uint8_t factor,
                                     uint32_t start) {
  size_t count = size_t(cast<VectorType>(value.getType()).getDimSize(0));
  auto splatOf = [&](uint32_t word) {
    return constant(std::vector<uint32_t>(count, word));
  };
  auto fold = [&](Value words, uint32_t shift, uint32_t mask) -> Value {
    Value high = arith::ShRUIOp::create(builder, loc, words, splatOf(shift));
    return arith::AddIOp::create(
        builder, loc, arith::AndIOp::create(builder, loc, words, splatOf(mask)),
        arith::AndIOp::create(builder, loc, high, splatOf(mask)));
  };
  Value sum = fold(fold(value, 8, 0x00ff00ff), 16, 0x0000ffff);
  if (factor != 1)
    sum = arith::MulIOp::create(builder, loc, sum, splatOf(factor));
  if (start != 0)
    sum = arith::AddIOp::create(builder, loc, sum, splatOf(start));
  return sum;
}

Value ExprMaterializer::emitShuffleBytes(Value value,
                                         ArrayRef<int64_t> indices) {
  int64_t count = cast<VectorType>(value.getType()).getDimSize(0);
  Value bytes = bitCast(builder, loc, value,
                        VectorType::get({4 * count}, builder.getI8Type()));
  bytes = vector::ShuffleOp::create(builder, loc, bytes, bytes, indices);
  return bitCast(
      builder, loc, bytes,
      VectorType::get({int64_t(indices.size() / 4)}, builder.getI32Type()));
}

LLVM::GlobalOp mlir::rotq::getTable(OpBuilder &builder, Location loc,
                                    std::span<const uint32_t> words,
                                    unsigned addressSpace) {
  ArrayRef<uint8_t> bytes(reinterpret_cast<const uint8_t *>(words.data()),
                          words.size_bytes());
  std::string name =
      "rotq_table_" + llvm::utohexstr(llvm::xxh3_64bits(bytes), true);
  Operation *scope = SymbolTable::getNearestSymbolTable(
      builder.getInsertionBlock()->getParentOp());
  if (Operation *table = SymbolTable::lookupSymbolIn(scope, name))
    return cast<LLVM::GlobalOp>(table);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(&scope->getRegion(0).front());
  auto entries = DenseElementsAttr::get(
      RankedTensorType::get({int64_t(words.size())}, builder.getI32Type()),
      ArrayRef<uint32_t>(words.data(), words.size()));
  return LLVM::GlobalOp::create(
      builder, loc,
      LLVM::LLVMArrayType::get(builder.getI32Type(), words.size()),
      /*isConstant=*/true, LLVM::Linkage::Internal, name, entries,
      /*alignment=*/64, addressSpace);
}
