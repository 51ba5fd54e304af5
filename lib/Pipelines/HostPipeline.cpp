//===- HostPipeline.cpp - From tensors to the host's code
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Pipelines/HostPipeline.h"

#include "rotq/Conversion/Passes.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Bufferization/Pipelines/Passes.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/Transforms/RequestCWrappers.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Dialect/SCF/Transforms/Passes.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/TargetParser/Host.h"

using namespace mlir;
using namespace mlir::rotq;

namespace {
/// Upstream lowers the copy of a strided memref to a call into a library that
/// our binaries do not link: make it a loop.
struct LowerStridedCopies
    : public PassWrapper<LowerStridedCopies, OperationPass<func::FuncOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(LowerStridedCopies)

  StringRef getArgument() const override { return "lower-strided-copies"; }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<linalg::LinalgDialect>();
  }

  void runOnOperation() override {
    getOperation().walk([](memref::CopyOp op) {
      auto isContiguous = [](Value value) {
        auto type = dyn_cast<MemRefType>(value.getType());
        return type && type.getLayout().isIdentity();
      };
      if (isContiguous(op.getSource()) && isContiguous(op.getTarget()))
        return;
      OpBuilder builder(op);
      linalg::makeMemRefCopyOp(builder, op.getLoc(), op.getSource(),
                               op.getTarget());
      op.erase();
    });
  }
};

/// Makes a polynomial of exp, which LLVM vectorizes where a call of libm would
/// end that: a loop of softmax or SiLU is mostly exp. The error is about two
/// units in the last place.
struct ApproximateExp
    : public PassWrapper<ApproximateExp, OperationPass<func::FuncOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(ApproximateExp)

  StringRef getArgument() const override { return "approximate-exp"; }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<arith::ArithDialect, math::MathDialect,
                    vector::VectorDialect>();
  }

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateMathPolynomialApproximationPatterns(patterns, [](StringRef name) {
      return name == math::ExpOp::getOperationName();
    });
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

/// Drops the results of functions that nothing calls where they are arguments:
/// upstream does so where it can see the callers.
struct DropReturnedArguments
    : public PassWrapper<DropReturnedArguments, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(DropReturnedArguments)

  StringRef getArgument() const override { return "drop-returned-arguments"; }

  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto uses = SymbolTable::getSymbolUses(&module.getBodyRegion());
    if (!uses)
      return;
    llvm::SmallDenseSet<StringAttr> used;
    for (SymbolTable::SymbolUse use : *uses)
      used.insert(use.getSymbolRef().getRootReference());
    for (auto func : module.getOps<func::FuncOp>())
      if (func.isPublic() && func.getBody().hasOneBlock() &&
          !used.contains(func.getSymNameAttr()) && failed(dropResults(func)))
        return signalPassFailure();
  }

private:
  static LogicalResult dropResults(func::FuncOp func) {
    Operation *terminator = func.getBody().front().getTerminator();
    llvm::BitVector dropped(terminator->getNumOperands());
    for (OpOperand &operand : terminator->getOpOperands())
      if (isa<MemRefType>(operand.get().getType()) &&
          isa<BlockArgument>(operand.get()))
        dropped.set(operand.getOperandNumber());
    if (dropped.none())
      return success();
    terminator->eraseOperands(dropped);
    return func.eraseResults(dropped);
  }
};

/// Writes down what callers of a function need to know, and takes from its
/// arguments what LLVM does not: names of parameters.
struct RecordSignatures
    : public PassWrapper<RecordSignatures, OperationPass<func::FuncOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(RecordSignatures)

  StringRef getArgument() const override { return "record-signatures"; }

  void runOnOperation() override {
    func::FuncOp func = getOperation();
    func->setAttr(kSignatureAttrName, TypeAttr::get(func.getFunctionType()));
    SmallVector<StringRef> names;
    for (unsigned i = 0; i < func.getNumArguments(); ++i) {
      auto name = func.getArgAttrOfType<StringAttr>(i, "rotq.parameter");
      names.push_back(name ? name.getValue() : StringRef());
    }
    if (llvm::any_of(names, [](StringRef name) { return !name.empty(); }))
      func->setAttr(kParametersAttrName,
                    Builder(&getContext()).getStrArrayAttr(names));
    for (unsigned i = 0; i < func.getNumArguments(); ++i)
      for (NamedAttribute attr : function_interface_impl::getArgAttrs(func, i))
        if (isa_and_nonnull<RotQDialect>(attr.getNameDialect()))
          func.removeArgAttr(i, attr.getName());
  }
};

/// Keeps private functions within their object: the names of two would clash,
/// that of what frees buffers in all of them.
struct HideFunctions
    : public PassWrapper<HideFunctions, OperationPass<LLVM::LLVMFuncOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(HideFunctions)

  StringRef getArgument() const override { return "hide-functions"; }

  void runOnOperation() override {
    LLVM::LLVMFuncOp func = getOperation();
    if (SymbolTable::getSymbolVisibility(func) ==
            SymbolTable::Visibility::Private &&
        !func.isExternal())
      func.setLinkage(LLVM::Linkage::Internal);
  }
};

/// Lets LLVM use on every function what its instructions were chosen by: it
/// aborts on an intrinsic that its target lacks.
struct RecordFeatures
    : public PassWrapper<RecordFeatures, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(RecordFeatures)

  RecordFeatures() = default;
  explicit RecordFeatures(StringRef features) {
    SmallVector<StringRef> list;
    features.split(list, ',', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
    for (StringRef feature : list)
      if (feature.starts_with("+") || feature.starts_with("-"))
        names.push_back(feature.str());
  }

  StringRef getArgument() const override { return "record-features"; }

  void runOnOperation() override {
    if (names.empty())
      return;
    SmallVector<StringRef> features(names.begin(), names.end());
    auto attr = LLVM::TargetFeaturesAttr::get(&getContext(), features);
    for (auto func : getOperation().getOps<LLVM::LLVMFuncOp>())
      if (!func.isExternal())
        func.setTargetFeaturesAttr(attr);
  }

private:
  SmallVector<std::string> names;
};
} // namespace

std::string mlir::rotq::hostFeatures() {
  std::string text;
  for (const auto &feature : llvm::sys::getHostCPUFeatures())
    text += (text.empty() ? "" : ",") +
            std::string(feature.second ? "+" : "-") + feature.first().str();
  return text;
}

static std::string featuresOf(const HostPipelineOptions &options) {
  return options.features == "host" ? hostFeatures()
                                    : std::string(options.features);
}

/// Of a register; those of 512 bits are also twice as many.
static int64_t vectorBytesOf(const HostPipelineOptions &options) {
  std::string features = featuresOf(options);
  SmallVector<StringRef> list;
  StringRef(features).split(list, ',');
  return llvm::is_contained(list, "+avx512bw") ? 64 : 32;
}

static void addCleanup(OpPassManager &pm) {
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}

/// Computes on bf16 in f32: LLVM would call functions that not every libgcc
/// has.
static void addSmallFloatExpansion(OpPassManager &pm) {
  arith::ArithEmulateUnsupportedFloatsOptions emulate;
  emulate.sourceTypeStrs = {"bf16"};
  pm.addPass(arith::createArithEmulateUnsupportedFloats(emulate));
  arith::ArithExpandOpsPassOptions expand;
  expand.includeBf16 = true;
  pm.addPass(arith::createArithExpandOpsPass(expand));
}

void mlir::rotq::buildHostPlanPipeline(OpPassManager &pm,
                                       const HostPipelineOptions &options) {
  pm.addNestedPass<func::FuncOp>(
      createPlaceRotations(PlaceRotationsOptions{options.placement}));
  if (options.activations == Activations::Int8)
    pm.addNestedPass<func::FuncOp>(
        createQuantizeActivations(QuantizeActivationsOptions{options.group}));
  pm.addNestedPass<func::FuncOp>(createFuseEpilogues());
  pm.addNestedPass<func::FuncOp>(createFuseMatmuls());
  // The reference has no kernels.
  if (!options.reference)
    pm.addNestedPass<func::FuncOp>(createSelectKernels());
  addCleanup(pm);
  if (!options.reference) {
    pm.addNestedPass<func::FuncOp>(createFuseRows());
    addCleanup(pm);
    pm.addNestedPass<func::FuncOp>(createBlockReductions());
    addCleanup(pm);
  }
}

void mlir::rotq::buildHostKernelPipeline(OpPassManager &pm,
                                         const HostPipelineOptions &options) {
  if (options.reference) {
    pm.addNestedPass<func::FuncOp>(createConvertRotQToLinalg());
    addCleanup(pm);
  }
  bufferization::OneShotBufferizePassOptions bufferize;
  bufferize.bufferizeFunctionBoundaries = true;
  bufferize.functionBoundaryTypeConversion =
      bufferization::LayoutMapOption::IdentityLayoutMap;
  pm.addPass(bufferization::createEmptyTensorEliminationPass());
  pm.addPass(bufferization::createOneShotBufferizePass(bufferize));
  // What a function returns of its arguments would be a copy. (Casts hide that
  // it is an argument.)
  addCleanup(pm);
  pm.addPass(bufferization::createDropEquivalentBufferResultsPass());
  if (options.inPlace)
    pm.addPass(std::make_unique<DropReturnedArguments>());
  bufferization::buildBufferDeallocationPipeline(pm);
  pm.addPass(createConvertBufferizationToMemRefPass());
  // Kernels free what they allocate, so they come after deallocation.
  if (!options.reference)
    pm.addNestedPass<func::FuncOp>(createConvertRotQToVector(
        ConvertRotQToVectorOptions{vectorBytesOf(options)}));
  pm.addPass(createConvertRotQWeightsToMemRef());
  pm.addPass(createConvertRotQMicroToLLVM(
      ConvertRotQMicroToLLVMOptions{featuresOf(options)}));
  addCleanup(pm);
}

void mlir::rotq::buildHostLLVMPipeline(OpPassManager &pm,
                                       const HostPipelineOptions &options) {
  OpPassManager &funcs = pm.nest<func::FuncOp>();
  funcs.addPass(std::make_unique<RecordSignatures>());
  funcs.addPass(LLVM::createLLVMRequestCWrappersPass());
  funcs.addPass(std::make_unique<LowerStridedCopies>());
  // On f16 and bf16 in f32: not every libm has such functions.
  funcs.addPass(math::createMathExtendToSupportedTypes());
  funcs.addPass(std::make_unique<ApproximateExp>());
  funcs.addPass(createForallToParallelLoopPass());
  funcs.addPass(createConvertLinalgToLoopsPass());
  funcs.addPass(createConvertVectorToSCFPass());
  pm.addPass(memref::createExpandOpsPass());
  addSmallFloatExpansion(pm);
  pm.addPass(memref::createExpandStridedMetadataPass());
  pm.addPass(createLowerAffinePass());
  if (options.threads) {
    pm.addPass(createConvertSCFToOpenMPPass());
    pm.addNestedPass<func::FuncOp>(createLimitTeams());
    // Bodies lose their scopes, which cannot hold control flow.
    addCleanup(pm);
  }
  pm.addPass(createSCFToControlFlowPass());
  addCleanup(pm);
  pm.addPass(createConvertVectorToLLVMPass());
  pm.addPass(createConvertMathToLLVMPass());
  pm.addPass(createConvertMathToLibmPass());
  pm.addPass(createArithToLLVMConversionPass());
  pm.addPass(createConvertIndexToLLVMPass());
  pm.addPass(createFinalizeMemRefToLLVMConversionPass());
  pm.addPass(createUBToLLVMConversionPass());
  pm.addPass(createConvertControlFlowToLLVMPass());
  pm.addPass(createConvertFuncToLLVMPass());
  if (options.threads)
    pm.addPass(createConvertOpenMPToLLVMPass());
  addCleanup(pm);
  pm.addPass(createReconcileUnrealizedCastsPass());
  pm.addNestedPass<LLVM::LLVMFuncOp>(std::make_unique<HideFunctions>());
  pm.addPass(std::make_unique<RecordFeatures>(featuresOf(options)));
}

void mlir::rotq::buildHostPipeline(OpPassManager &pm,
                                   const HostPipelineOptions &options) {
  buildHostPlanPipeline(pm, options);
  buildHostKernelPipeline(pm, options);
  buildHostLLVMPipeline(pm, options);
}

void mlir::rotq::registerHostPipeline() {
  PassPipelineRegistration<HostPipelineOptions>(
      "rotq-plan-host",
      "Decide how the host computes rotq ops on tensors: the beginning of "
      "rotq-to-host",
      buildHostPlanPipeline);
  PassPipelineRegistration<HostPipelineOptions>(
      "rotq-to-host",
      "Lower rotq ops on tensors to the llvm dialect, for the host",
      buildHostPipeline);
}
