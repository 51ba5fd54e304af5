//===- HostMicroOps.h - Micro-ops on vectors of the host
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_CONVERSION_ROTQMICROTOLLVM_HOSTMICROOPS_H
#define ROTQ_LIB_CONVERSION_ROTQMICROTOLLVM_HOSTMICROOPS_H

#include "rotq/Dialect/RotQ/IR/RotQ.h"

#include "mlir/IR/PatternMatch.h"
#include "llvm/ADT/StringSet.h"

namespace mlir::rotq {

/// What instructions the host has.
class HostFeatures {
public:
  /// LLVM target features: "+avx2,-avx512f".
  explicit HostFeatures(StringRef features);
  bool has(StringRef feature) const { return names.contains(feature); }

private:
  llvm::StringSet<> names;
};

void populateHostDecodePatterns(RewritePatternSet &patterns,
                                const HostFeatures &features);
void populateHostDotPatterns(RewritePatternSet &patterns,
                             const HostFeatures &features);
void populateHostFwhtPatterns(RewritePatternSet &patterns);

/// Elements [offset, offset + size) of a vector of rank 1.
Value emitSlice(OpBuilder &builder, Location loc, Value vector, int64_t offset,
                int64_t size);
/// Vectors of equal length, one after the other.
Value emitConcat(OpBuilder &builder, Location loc, ArrayRef<Value> parts);
/// The same bits as a vector of `element`.
Value emitBitCast(OpBuilder &builder, Location loc, Value vector, Type element);
/// A call of an intrinsic of LLVM.
Value emitIntrinsic(OpBuilder &builder, Location loc, StringRef name,
                    Type result, ValueRange operands);

} // namespace mlir::rotq

#endif // ROTQ_LIB_CONVERSION_ROTQMICROTOLLVM_HOSTMICROOPS_H
