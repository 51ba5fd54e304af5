//===- WeightBuffers.cpp - The parts of a packed weight as memrefs
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Conversion/WeightBuffers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace mlir::rotq;

namespace {
/// The weight that owns the bytes of a handle.
struct Owner {
  TypedValue<WeightType> weight;
  SmallVector<Value> offsets; ///< of the rows, to be added up
};
} // namespace

static Owner findOwner(TypedValue<WeightType> weight) {
  Owner owner{weight, {}};
  for (;;) {
    if (auto view = owner.weight.getDefiningOp<RotatedViewOp>()) {
      owner.weight = view.getSource();
    } else if (auto rows = owner.weight.getDefiningOp<ExtractRowsOp>()) {
      owner.offsets.push_back(rows.getOffset());
      owner.weight = rows.getSource();
    } else {
      return owner;
    }
  }
}

static WeightType ownerType(TypedValue<WeightType> weight) {
  return findOwner(weight).weight.getType();
}

WeightBuffers::WeightBuffers(OpBuilder &builder, Location loc,
                             TypedValue<WeightType> weight)
    : layout(ownerType(weight).getCanonicalLayout()),
      formatAttr(weight.getType().getFormat()), format(formatAttr.getFormat()) {
  Owner owner = findOwner(weight);
  Value storage = StorageOp::create(
      builder, loc, owner.weight.getType().getStorageType(), owner.weight);
  auto view = [&](int64_t offset, int64_t length, Type element) -> Value {
    return memref::ViewOp::create(
        builder, loc, MemRefType::get({layout.n, length}, element), storage,
        arith::ConstantIndexOp::create(builder, loc, offset), ValueRange());
  };
  for (const ::rotq::WeightLayout::Plane &plane : layout.planes)
    planes.push_back(view(plane.offset, plane.rowBytes, builder.getI8Type()));
  scales =
      view(layout.scalesOffset, layout.numbersPerRow, builder.getF16Type());
  for (Value offset : owner.offsets)
    firstRow =
        firstRow
            ? arith::AddIOp::create(builder, loc, firstRow, offset).getResult()
            : offset;
}

Value WeightBuffers::rowOf(OpBuilder &builder, Location loc, Value row) const {
  if (!firstRow)
    return row;
  return arith::AddIOp::create(builder, loc, firstRow, row);
}
