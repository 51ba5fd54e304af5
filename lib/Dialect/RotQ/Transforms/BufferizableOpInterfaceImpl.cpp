//===- BufferizableOpInterfaceImpl.cpp - Bufferization of rotq ops
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Dialect/RotQ/Transforms/BufferizableOpInterfaceImpl.h"

#include "rotq/Dialect/RotQ/IR/RotQ.h"

#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/DstBufferizableOpInterfaceImpl.h"
#include "mlir/IR/DialectRegistry.h"

using namespace mlir;
using namespace mlir::bufferization;
using namespace mlir::rotq;

namespace {
/// %r = rotq.op ins(%tensor) outs(%tensor)  ->  rotq.op ins(%m) outs(%m)
template <typename OpTy>
struct DestinationOpInterface : public DstBufferizableOpInterfaceExternalModel<
                                    DestinationOpInterface<OpTy>, OpTy> {
  /// Destinations are overwritten whole: what they held is not read.
  bool bufferizesToMemoryRead(Operation *op, OpOperand &operand,
                              const AnalysisState &) const {
    return !cast<DestinationStyleOpInterface>(op).isDpsInit(&operand);
  }

  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    auto dpsOp = cast<DestinationStyleOpInterface>(op);
    if (dpsOp.hasPureBufferSemantics())
      return success();
    SmallVector<Value> operands, results;
    for (OpOperand &operand : op->getOpOperands()) {
      if (!isa<TensorType>(operand.get().getType())) {
        operands.push_back(operand.get());
        continue;
      }
      FailureOr<Value> buffer =
          getBuffer(rewriter, operand.get(), options, state);
      if (failed(buffer))
        return failure();
      operands.push_back(*buffer);
      if (dpsOp.isDpsInit(&operand))
        results.push_back(*buffer);
    }
    SmallVector<Type> others; // behind the tensors
    for (Type type : op->getResultTypes())
      if (!isa<TensorType>(type))
        others.push_back(type);
    rewriter.setInsertionPoint(op);
    Operation *buffered = cloneWith(rewriter, op, others, operands);
    llvm::append_range(results, buffered->getResults());
    replaceOpWithBufferizedValues(rewriter, op, results);
    return success();
  }
};

/// rotq.quantize %tensor  ->  rotq.quantize %memref
struct QuantizeOpInterface
    : public BufferizableOpInterface::ExternalModel<QuantizeOpInterface,
                                                    QuantizeOp> {
  bool bufferizesToMemoryRead(Operation *, OpOperand &,
                              const AnalysisState &) const {
    return true;
  }
  bool bufferizesToMemoryWrite(Operation *, OpOperand &,
                               const AnalysisState &) const {
    return false;
  }
  AliasingValueList getAliasingValues(Operation *, OpOperand &,
                                      const AnalysisState &) const {
    return {};
  }
  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    auto quantize = cast<QuantizeOp>(op);
    FailureOr<Value> buffer =
        getBuffer(rewriter, quantize.getSource(), options, state);
    if (failed(buffer))
      return failure();
    rewriter.modifyOpInPlace(
        op, [&] { quantize.getSourceMutable().assign(*buffer); });
    return success();
  }
};
} // namespace

template <typename... OpTys> static void attach(MLIRContext *context) {
  (OpTys::template attachInterface<DestinationOpInterface<OpTys>>(*context),
   ...);
}

void mlir::rotq::registerBufferizableOpInterfaceExternalModels(
    DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, RotQDialect *) {
    attach<DecompressOp, DequantizeOp, GatherOp, GroupedMatmulOp, MatmulOp,
           QuantizeActivationOp, RotateOp>(context);
    QuantizeOp::attachInterface<QuantizeOpInterface>(*context);
  });
}
