//===- HostMicroOps.cpp - Vectors of the host
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HostMicroOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::rotq;

HostFeatures::HostFeatures(StringRef features) {
  SmallVector<StringRef> list;
  features.split(list, ',', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  for (StringRef feature : list)
    if (feature.trim().starts_with("+"))
      names.insert(feature.trim().drop_front());
}

static int64_t sizeOf(Value vector) {
  return cast<VectorType>(vector.getType()).getDimSize(0);
}

Value mlir::rotq::emitSlice(OpBuilder &builder, Location loc, Value vector,
                            int64_t offset, int64_t size) {
  if (sizeOf(vector) == size)
    return vector;
  return vector::ExtractStridedSliceOp::create(
      builder, loc, vector, ArrayRef<int64_t>{offset}, ArrayRef<int64_t>{size},
      ArrayRef<int64_t>{1});
}

Value mlir::rotq::emitConcat(OpBuilder &builder, Location loc,
                             ArrayRef<Value> parts) {
  if (parts.size() == 1)
    return parts.front();
  auto part = cast<VectorType>(parts.front().getType());
  int64_t size = part.getDimSize(0);
  auto type =
      VectorType::get({size * int64_t(parts.size())}, part.getElementType());
  Value result =
      arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
  for (auto [i, value] : llvm::enumerate(parts))
    result = vector::InsertStridedSliceOp::create(
        builder, loc, value, result, ArrayRef<int64_t>{int64_t(i) * size},
        ArrayRef<int64_t>{1});
  return result;
}

Value mlir::rotq::emitBitCast(OpBuilder &builder, Location loc, Value vector,
                              Type element) {
  auto type = cast<VectorType>(vector.getType());
  int64_t bits = type.getDimSize(0) * type.getElementTypeBitWidth();
  auto result =
      VectorType::get({bits / element.getIntOrFloatBitWidth()}, element);
  return builder.createOrFold<vector::BitCastOp>(loc, result, vector);
}

Value mlir::rotq::emitIntrinsic(OpBuilder &builder, Location loc,
                                StringRef name, Type result,
                                ValueRange operands) {
  return LLVM::CallIntrinsicOp::create(builder, loc, result,
                                       builder.getStringAttr(name), operands)
      .getResult(0);
}
