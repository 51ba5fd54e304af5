//===- ConstantEncoder.cpp - Packed weights from constants
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ConstantEncoder.h"
#include "Contraction.h"

#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Matchers.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mlir::rotq;
using llvm::support::endian::read16le;
using llvm::support::endian::read32le;

bool mlir::rotq::isMatrixOfFloats(Attribute attr) {
  if (!isa_and_present<DenseElementsAttr, DenseResourceElementsAttr>(attr))
    return false;
  auto type = cast<ElementsAttr>(attr).getShapedType();
  return type.getRank() == 2 &&
         isa<Float32Type, Float16Type, BFloat16Type>(type.getElementType());
}

/// The bytes of a constant: those of one element if all are equal.
static ArrayRef<char> getBytes(Attribute attr) {
  if (auto dense = dyn_cast<DenseElementsAttr>(attr))
    return dense.getRawData();
  AsmResourceBlob *blob =
      cast<DenseResourceElementsAttr>(attr).getRawHandle().getBlob();
  return blob ? blob->getData() : ArrayRef<char>();
}

static float readFloat(Type type, const char *bytes) {
  if (type.isF32())
    return llvm::bit_cast<float>(read32le(bytes));
  if (type.isF16())
    return ::rotq::fromHalf(read16le(bytes));
  return llvm::bit_cast<float>(uint32_t(read16le(bytes)) << 16);
}

/// The N x K floats of `attr`, which is K x N when `isTransposed`.
static FailureOr<std::vector<float>> readMatrix(QuantizeOp op, Attribute attr,
                                                bool isTransposed) {
  ShapedType type = cast<ElementsAttr>(attr).getShapedType();
  Type element = type.getElementType();
  int64_t width = element.getIntOrFloatBitWidth() / 8;
  int64_t count = type.getNumElements();
  ArrayRef<char> bytes = getBytes(attr);
  auto dense = dyn_cast<DenseElementsAttr>(attr);
  bool isSplat = dense && dense.isSplat();
  if (!isSplat && int64_t(bytes.size()) != count * width)
    return op.emitOpError() << "expected a constant of " << count * width
                            << " bytes but got " << bytes.size();
  // Equal weights take no memory in the module; spelt out they may take more
  // than there is.
  constexpr int64_t kMaxSplat = int64_t(1) << 30;
  if (isSplat && count > kMaxSplat)
    return op.emitOpError() << "expected at most " << kMaxSplat
                            << " equal weights but got " << type;

  int64_t n = op.getType().getN(), k = op.getType().getK();
  std::vector<float> weights(count);
  for (int64_t row = 0; row < n; ++row) {
    for (int64_t column = 0; column < k; ++column) {
      int64_t index = isTransposed ? column * n + row : row * k + column;
      weights[row * k + column] =
          readFloat(element, bytes.data() + (isSplat ? 0 : index * width));
    }
  }
  return weights;
}

FailureOr<ElementsAttr> ConstantEncoder::encode(QuantizeOp op, Attribute source,
                                                bool isTransposed) {
  ElementsAttr &value = blobs[{source, op.getType(), isTransposed}];
  if (value)
    return value;
  auto weights = readMatrix(op, source, isTransposed);
  if (failed(weights))
    return failure();

  // 16 bytes is what kernels load at once. Readers of bytecode refuse small
  // files of resources that are aligned to 64.
  WeightType type = op.getType();
  int64_t size = type.getCanonicalLayout().totalBytes;
  AsmResourceBlob blob = HeapAsmResourceBlob::allocate(size, /*align=*/16);
  MutableArrayRef<char> data = blob.getMutableData();
  ::rotq::EncodeOptions options;
  options.threads = threads;
  auto status = ::rotq::encode(
      type.getFormat().getFormat(), *weights, type.getN(), type.getK(),
      {reinterpret_cast<std::byte *>(data.data()), data.size()}, options);
  if (!status)
    return op.emitOpError() << status.error();

  std::string name = llvm::formatv("rotq_w{0}_{1}", blobs.size() - 1,
                                   type.getFormat().getName());
  auto blobType =
      RankedTensorType::get({size}, IntegerType::get(op.getContext(), 8));
  value = cast<ElementsAttr>(Attribute(
      DenseResourceElementsAttr::get(blobType, name, std::move(blob))));
  return value;
}

LogicalResult ConstantEncoder::evaluate(RewriterBase &rewriter, QuantizeOp op) {
  Value root = op.getSource();
  bool isTransposed = false, isTranspose = false;
  while (Value source = getMatrixSource(root.getDefiningOp(), isTranspose)) {
    root = source;
    isTransposed ^= isTranspose;
  }
  Attribute constant;
  if (!matchPattern(root, m_Constant(&constant)) || !isMatrixOfFloats(constant))
    return success();

  FailureOr<ElementsAttr> blob = encode(op, constant, isTransposed);
  if (failed(blob))
    return failure();
  rewriter.setInsertionPoint(op);
  rewriter.replaceOpWithNewOp<ConstantOp>(op, op.getType(), *blob);
  return success();
}
