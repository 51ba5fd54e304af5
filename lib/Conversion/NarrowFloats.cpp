//===- NarrowFloats.cpp - Floats of 8 bits on NVIDIA GPUs
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Conversion/NarrowFloats.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::rotq;

static Value i32(OpBuilder &builder, Location loc, uint32_t value) {
  return arith::ConstantOp::create(builder, loc,
                                   builder.getI32IntegerAttr(int32_t(value)));
}

static Value fromWords(OpBuilder &builder, Location loc, ValueRange words) {
  auto type = VectorType::get({int64_t(words.size())}, builder.getI32Type());
  return vector::FromElementsOp::create(builder, loc, type, words);
}

/// Two pairs of bytes, each an i16, as a word.
static Value joined(OpBuilder &builder, Location loc, Value low, Value high) {
  auto wide = [&](Value pair) -> Value {
    return arith::ExtUIOp::create(builder, loc, builder.getI32Type(), pair);
  };
  Value shifted =
      arith::ShLIOp::create(builder, loc, wide(high), i32(builder, loc, 16));
  return arith::OrIOp::create(builder, loc, wide(low), shifted);
}

/// A vector of two f16 as e4m3, in an i16.
static Value halvesToE4M3(OpBuilder &builder, Location loc, Value halves) {
  return NVVM::ConvertF16x2ToF8x2Op::create(
      builder, loc, builder.getI16Type(), halves, /*relu=*/false,
      builder.getType<Float8E4M3FNType>());
}

Value mlir::rotq::emitToE4M3(OpBuilder &builder, Location loc, Value floats) {
  auto pairAt = [&](int64_t i) -> Value {
    Value low = vector::ExtractOp::create(builder, loc, floats, i);
    Value high = vector::ExtractOp::create(builder, loc, floats, i + 1);
    return NVVM::ConvertF32x2ToF8x2Op::create(
        builder, loc, builder.getI16Type(), high, low, NVVM::FPRoundingMode::RN,
        NVVM::SaturationMode::SATFINITE,
        /*relu=*/false, builder.getType<Float8E4M3FNType>());
  };
  SmallVector<Value> words;
  for (int64_t i = 0; i < cast<VectorType>(floats.getType()).getDimSize(0);
       i += 4)
    words.push_back(joined(builder, loc, pairAt(i), pairAt(i + 2)));
  return fromWords(builder, loc, words);
}

// 128 more than a point is the fraction of an f16 from 1024 on, whose exponent
// PRMT puts above it: eight instructions for four points.
Value mlir::rotq::emitPointsToE4M3(OpBuilder &builder, Location loc,
                                   Value words) {
  constexpr uint32_t kSigns = 0x80808080, kExponents = 0x64646464;
  auto pairType = VectorType::get({2}, builder.getF16Type());
  Value origin = arith::ConstantOp::create(
      builder, loc,
      DenseElementsAttr::get(pairType,
                             builder.getF16FloatAttr(-1152).getValue()));
  Value exponents = i32(builder, loc, kExponents);
  SmallVector<Value> results;
  for (int64_t i = 0; i < cast<VectorType>(words.getType()).getDimSize(0);
       ++i) {
    Value word = vector::ExtractOp::create(builder, loc, words, i);
    word = arith::XOrIOp::create(builder, loc, word, i32(builder, loc, kSigns));
    auto pairOf = [&](uint32_t selector) {
      Value bits = NVVM::PermuteOp::create(
          builder, loc, builder.getI32Type(), word, exponents,
          i32(builder, loc, selector), NVVM::PermuteMode::DEFAULT);
      Value halves = LLVM::BitcastOp::create(builder, loc, pairType, bits);
      halves = arith::AddFOp::create(builder, loc, halves, origin);
      return halvesToE4M3(builder, loc, halves);
    };
    results.push_back(joined(builder, loc, pairOf(0x4140), pairOf(0x4342)));
  }
  return fromWords(builder, loc, results);
}

Value mlir::rotq::emitFromE4M3(OpBuilder &builder, Location loc, Value words) {
  int64_t count = 4 * cast<VectorType>(words.getType()).getDimSize(0);
  auto bytesType = VectorType::get({count}, builder.getI8Type());
  auto pairType = VectorType::get({2}, builder.getF16Type());
  Value bytes = vector::BitCastOp::create(builder, loc, bytesType, words);
  Type f32 = builder.getF32Type();
  SmallVector<Value> floats;
  for (int64_t i = 0; i < count; i += 2) {
    Value pair = vector::ShuffleOp::create(builder, loc, bytes, bytes,
                                           ArrayRef<int64_t>{i, i + 1});
    Value halves = NVVM::ConvertF8x2ToF16x2Op::create(
        builder, loc, pairType, pair, /*relu=*/false,
        builder.getType<Float8E4M3FNType>());
    for (int64_t e = 0; e < 2; ++e) {
      Value half = vector::ExtractOp::create(builder, loc, halves, e);
      floats.push_back(arith::ExtFOp::create(builder, loc, f32, half));
    }
  }
  return vector::FromElementsOp::create(builder, loc,
                                        VectorType::get({count}, f32), floats);
}
