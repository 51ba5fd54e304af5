//===- ConstantEncoder.h - Packed weights from constants
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_TRANSFORMS_CONSTANTENCODER_H
#define ROTQ_LIB_TRANSFORMS_CONSTANTENCODER_H

#include "rotq/Dialect/RotQ/IR/RotQ.h"

#include "mlir/IR/PatternMatch.h"

namespace mlir::rotq {

/// Whether `attr` is a matrix of f32, f16 or bf16 whose bytes are at hand.
bool isMatrixOfFloats(Attribute attr);

/// Evaluates `rotq.quantize`; equal constants become one blob.
class ConstantEncoder {
public:
  explicit ConstantEncoder(unsigned threads) : threads(threads) {}

  /// Replaces `op` by a `rotq.constant` if its source is a constant, seen
  /// through casts and transposes; leaves it alone if not. Fails, with an
  /// error, on values that cannot be encoded.
  LogicalResult evaluate(RewriterBase &rewriter, QuantizeOp op);

  /// Weights encoded so far.
  unsigned getNumEncoded() const { return blobs.size(); }

private:
  FailureOr<ElementsAttr> encode(QuantizeOp op, Attribute source,
                                 bool isTransposed);

  unsigned threads;
  DenseMap<std::tuple<Attribute, Type, unsigned>, ElementsAttr> blobs;
};

} // namespace mlir::rotq

#endif // ROTQ_LIB_TRANSFORMS_CONSTANTENCODER_H
