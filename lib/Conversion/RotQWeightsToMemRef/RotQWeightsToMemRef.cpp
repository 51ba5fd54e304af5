//===- RotQWeightsToMemRef.cpp - Packed weights become memref<Bxi8>
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Conversion/Passes.h"

#include "mlir/Dialect/Func/Transforms/FuncConversions.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/Transforms/Patterns.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Transforms/DialectConversion.h"

namespace mlir::rotq {
#define GEN_PASS_DEF_CONVERTROTQWEIGHTSTOMEMREF
#include "rotq/Conversion/Passes.h.inc"
} // namespace mlir::rotq

using namespace mlir;
using namespace mlir::rotq;

/// Vectors of the widest host load whole lines of a constant.
static constexpr uint64_t kConstantAlignment = 64;

namespace {
/// rotq.constant  ->  memref.get_global of its blob
struct LowerConstant : public OpConversionPattern<ConstantOp> {
  LowerConstant(const TypeConverter &converter, MLIRContext *context,
                const DenseMap<Attribute, memref::GlobalOp> &globals)
      : OpConversionPattern(converter, context), globals(globals) {}

  LogicalResult
  matchAndRewrite(ConstantOp op, OpAdaptor,
                  ConversionPatternRewriter &rewriter) const override {
    memref::GlobalOp global = globals.lookup(op.getValue());
    rewriter.replaceOpWithNewOp<memref::GetGlobalOp>(op, global.getType(),
                                                     global.getSymName());
    return success();
  }

private:
  const DenseMap<Attribute, memref::GlobalOp> &globals;
};

/// rotq.storage, rotq.rotated_view  ->  the same bytes
template <typename OpTy>
struct LowerIdentity : public OpConversionPattern<OpTy> {
  using OpConversionPattern<OpTy>::OpConversionPattern;

  LogicalResult
  matchAndRewrite(OpTy op, typename OpTy::Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOp(op, adaptor.getSource());
    return success();
  }
};

/// The bytes of a weight that kernels made  ->  these bytes
struct LowerCast : public OpConversionPattern<UnrealizedConversionCastOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(UnrealizedConversionCastOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    if (op.getNumResults() != 1 || adaptor.getInputs().size() != 1 ||
        adaptor.getInputs().front().getType() !=
            getTypeConverter()->convertType(op.getType(0)))
      return failure();
    rewriter.replaceOp(op, adaptor.getInputs().front());
    return success();
  }
};

struct ConvertRotQWeightsToMemRef
    : public mlir::rotq::impl::ConvertRotQWeightsToMemRefBase<
          ConvertRotQWeightsToMemRef> {
  void runOnOperation() override;

private:
  void eraseUnusedHandles();
  DenseMap<Attribute, memref::GlobalOp> createGlobals();
};
} // namespace

/// Kernels took their bytes with rotq.storage: what selected rows is dead.
void ConvertRotQWeightsToMemRef::eraseUnusedHandles() {
  SmallVector<Operation *> handles;
  getOperation().walk([&](Operation *op) {
    if (isa<ConstantOp, ExtractRowsOp, RotatedViewOp, StorageOp>(op))
      handles.push_back(op);
  });
  for (Operation *op : llvm::reverse(handles))
    if (op->use_empty())
      op->erase();
}

/// One global for every distinct blob.
DenseMap<Attribute, memref::GlobalOp>
ConvertRotQWeightsToMemRef::createGlobals() {
  DenseMap<Attribute, memref::GlobalOp> globals;
  SymbolTable symbols(getOperation());
  OpBuilder builder = OpBuilder::atBlockBegin(getOperation().getBody());
  getOperation().walk([&](ConstantOp op) {
    memref::GlobalOp &global = globals[op.getValue()];
    if (global)
      return;
    global = memref::GlobalOp::create(
        builder, op.getLoc(), "rotq_weight", builder.getStringAttr("private"),
        op.getType().getStorageType(), op.getValue(), /*constant=*/true,
        builder.getI64IntegerAttr(kConstantAlignment));
    symbols.insert(global);
  });
  return globals;
}

void ConvertRotQWeightsToMemRef::runOnOperation() {
  MLIRContext *context = &getContext();
  eraseUnusedHandles();
  DenseMap<Attribute, memref::GlobalOp> globals = createGlobals();

  TypeConverter converter;
  converter.addConversion([](Type type) { return type; });
  converter.addConversion(
      [](WeightType type) -> Type { return type.getStorageType(); });

  RewritePatternSet patterns(context);
  patterns.add<LowerConstant>(converter, context, globals);
  patterns
      .add<LowerIdentity<StorageOp>, LowerIdentity<RotatedViewOp>, LowerCast>(
          converter, context);
  populateFunctionOpInterfaceTypeConversionPattern<func::FuncOp>(patterns,
                                                                 converter);
  populateCallOpTypeConversionPattern(patterns, converter);
  populateReturnOpTypeConversionPattern(patterns, converter);
  populateBranchOpInterfaceTypeConversionPattern(patterns, converter);

  ConversionTarget target(*context);
  target.addIllegalOp<ConstantOp, StorageOp, RotatedViewOp>();
  target.addDynamicallyLegalOp<func::FuncOp>([&](func::FuncOp op) {
    return converter.isSignatureLegal(op.getFunctionType()) &&
           converter.isLegal(&op.getBody());
  });
  target.markUnknownOpDynamicallyLegal(
      [&](Operation *op) { return converter.isLegal(op); });
  scf::populateSCFStructuralTypeConversionsAndLegality(converter, patterns,
                                                       target);
  if (failed(
          applyPartialConversion(getOperation(), target, std::move(patterns))))
    signalPassFailure();
}
