//===- RotQ.h - The rotq dialect
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_DIALECT_ROTQ_IR_ROTQ_H
#define ROTQ_DIALECT_ROTQ_IR_ROTQ_H

#include "rotq/Codec/FrameCodebook.h"
#include "rotq/Codec/PackedWeight.h"
#include "rotq/Codec/TiledLayout.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/TilingInterface.h"

namespace mlir::rotq {
/// What codes of activations, and with them points of weights, are as operands
/// of tensor cores.
enum class Operand { Int8, E4M3 };

/// The element type of codes, and of points.
Type elementTypeOf(MLIRContext *context, Operand operand);
/// That of codes, which have one of these element types.
Operand operandOf(Value codes);

} // namespace mlir::rotq

#include "rotq/Dialect/RotQ/IR/RotQInterfaces.h.inc"

#include "rotq/Dialect/RotQ/IR/RotQDialect.h.inc"
#include "rotq/Dialect/RotQ/IR/RotQEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "rotq/Dialect/RotQ/IR/RotQAttributes.h.inc"

#define GET_TYPEDEF_CLASSES
#include "rotq/Dialect/RotQ/IR/RotQTypes.h.inc"

#include "rotq/Dialect/RotQ/IR/RotQOpInterfaces.h.inc"

#define GET_OP_CLASSES
#include "rotq/Dialect/RotQ/IR/RotQOps.h.inc"

namespace mlir::rotq {
/// How an activation of `k` values a row, quantized by `group`, is cut.
inline ::rotq::Blocking activationBlocking(int64_t k, int64_t group) {
  return ::rotq::Blocking(k, group);
}

/// Whether activations quantized in groups can be lifted for products with
/// weights of the format (`rotq::LiftedLayout`).
bool canLift(const ::rotq::Format &format, int64_t group);

/// Whether tensor cores multiply for whole warpgroups, and read the activation
/// in shared memory.
bool isWgmma(KernelKind kind);
/// Warps of a block that multiply together: a warpgroup of `wgmma`.
int64_t warpsAtOnce(KernelKind kind);

/// `op` with other results and operands, as `mlir::clone`, which takes no op
/// with an empty region.
Operation *cloneWith(OpBuilder &builder, Operation *op, TypeRange results,
                     ValueRange operands);

/// Whether an epilogue may hold `op`, on scalars: elementwise functions without
/// effects, and constants.
bool isEpilogueOp(Operation *op);

/// The element of y, of type `element`, that `epilogue` makes of f32 sums and
/// elements of its operands, the `arguments`.
Value inlineEpilogue(OpBuilder &builder, Location loc, Region &epilogue,
                     Type element, ValueRange arguments);
} // namespace mlir::rotq

#endif // ROTQ_DIALECT_ROTQ_IR_ROTQ_H
