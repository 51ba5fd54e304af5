//===- QuantizeWeights.cpp - Matmuls by packed weights
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ConstantEncoder.h"
#include "Contraction.h"
#include "rotq/Transforms/Passes.h"
#include "rotq/Transforms/Transforms.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Support/Regex.h"

namespace mlir::rotq {
#define GEN_PASS_DEF_QUANTIZEWEIGHTS
#include "rotq/Transforms/Passes.h.inc"
} // namespace mlir::rotq

using namespace mlir;
using namespace mlir::rotq;

namespace {
/// The contractions that read one weight.
using Consumers = SmallVector<Contraction>;

struct QuantizeWeights
    : public mlir::rotq::impl::QuantizeWeightsBase<QuantizeWeights> {
  using QuantizeWeightsBase::QuantizeWeightsBase;

  void runOnOperation() override;

private:
  bool isIncluded(StringRef name) {
    return include.empty() ||
           (!name.empty() && llvm::Regex(include).match(name));
  }
  bool isWanted(Value root, const Consumers &consumers);
  void reportMissed(const Consumers &consumers, const char *why);
  FailureOr<WeightType> getWeightType(const Contraction &contraction);
  LogicalResult quantizeConstant(Value constant, const Consumers &consumers);
  LogicalResult quantizeParameter(BlockArgument arg,
                                  const Consumers &consumers);

  FormatAttr formatAttr;
};
} // namespace

void QuantizeWeights::reportMissed(const Consumers &consumers,
                                   const char *why) {
  for (const Contraction &contraction : consumers)
    remark::missed(contraction.getLoc(),
                   remark::RemarkOpts::name("QuantizeWeight")
                       .category("rotq-quantize-weights"))
        << remark::add(why);
}

FailureOr<WeightType>
QuantizeWeights::getWeightType(const Contraction &contraction) {
  auto [n, k] = contraction.getShape();
  auto type = WeightType::getChecked(
      [&] { return mlir::emitError(contraction.getLoc()); }, &getContext(), n,
      k, formatAttr);
  if (!type)
    return failure();
  return type;
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

/// The name of a constant: its location's, else its resource's.
static StringRef getConstantName(Value constant) {
  if (auto name = constant.getLoc()->findInstanceOf<NameLoc>())
    return name.getName();
  Attribute value;
  matchPattern(constant, m_Constant(&value));
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(value))
    return resource.getRawHandle().getKey();
  return {};
}

/// Puts a `rotq.quantize` behind the constant, for each way it is read.
LogicalResult QuantizeWeights::quantizeConstant(Value constant,
                                                const Consumers &consumers) {
  IRRewriter rewriter(&getContext());
  Location loc = constant.getLoc();
  Value packed[2];
  for (const Contraction &contraction : consumers) {
    Value &weight = packed[contraction.isKMajor];
    if (!weight) {
      FailureOr<WeightType> type = getWeightType(contraction);
      if (failed(type))
        return failure();
      rewriter.setInsertionPointAfterValue(constant);
      Value source = constant;
      if (!contraction.isKMajor) {
        Type element = getElementTypeOrSelf(constant.getType());
        auto empty = tensor::EmptyOp::create(
            rewriter, loc, ArrayRef{type->getN(), type->getK()}, element);
        source = linalg::TransposeOp::create(rewriter, loc, source, empty,
                                             ArrayRef<int64_t>{1, 0})
                     .getResult()[0];
      }
      weight = QuantizeOp::create(rewriter, loc, *type, source);
    }
    replaceByMatmul(rewriter, contraction, weight);
    ++numQuantized;
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Parameters
//===----------------------------------------------------------------------===//

/// `rotq.parameter` of a function's argument; null if `value` is none.
static StringAttr getParameterName(Value value) {
  auto arg = dyn_cast<BlockArgument>(value);
  if (!arg || !arg.getOwner()->isEntryBlock())
    return {};
  auto func = dyn_cast<func::FuncOp>(arg.getOwner()->getParentOp());
  if (!func)
    return {};
  return func.getArgAttrOfType<StringAttr>(arg.getArgNumber(),
                                           "rotq.parameter");
}

/// The casts and transposes between a parameter and its contractions, users
/// last; failure if anything else uses it.
static LogicalResult collectViews(Value value, const Consumers &consumers,
                                  SmallVectorImpl<Operation *> &views) {
  for (OpOperand &use : value.getUses()) {
    bool isConsumer = llvm::any_of(consumers, [&](const Contraction &consumer) {
      return consumer.weightUse == &use;
    });
    if (isConsumer)
      continue;
    bool isTranspose = false;
    Operation *owner = use.getOwner();
    if (getMatrixSource(owner, isTranspose) != value ||
        use.getOperandNumber() != 0)
      return failure();
    views.push_back(owner);
    if (failed(collectViews(owner->getResult(0), consumers, views)))
      return failure();
  }
  return success();
}

/// The argument becomes a packed weight, if that is all it is used as.
LogicalResult QuantizeWeights::quantizeParameter(BlockArgument arg,
                                                 const Consumers &consumers) {
  auto func = cast<func::FuncOp>(arg.getOwner()->getParentOp());
  SmallVector<Operation *> views;
  if (failed(collectViews(arg, consumers, views))) {
    reportMissed(consumers, "the parameter has uses that are no matmul");
    return success();
  }
  bool isKMajor = consumers.front().isKMajor;
  if (llvm::any_of(consumers, [&](const Contraction &contraction) {
        return contraction.isKMajor != isKMajor;
      })) {
    reportMissed(consumers, "the parameter is read along both of its sizes");
    return success();
  }
  if (!cast<RankedTensorType>(arg.getType()).hasStaticShape()) {
    reportMissed(consumers, "the parameter has no static shape");
    return success();
  }
  auto callers = SymbolTable::getSymbolUses(func, getOperation());
  if (!callers || !callers->empty()) {
    InFlightDiagnostic diag = func.emitError()
                              << "expected no callers of '" << func.getName()
                              << "', whose parameters become packed weights";
    if (callers)
      diag.attachNote(callers->begin()->getUser()->getLoc()) << "used here";
    return diag;
  }
  FailureOr<WeightType> type = getWeightType(consumers.front());
  if (failed(type))
    return failure();

  IRRewriter rewriter(&getContext());
  unsigned index = arg.getArgNumber();
  Block &entry = func.getBody().front();
  Value weight = entry.insertArgument(index + 1, *type, arg.getLoc());
  for (const Contraction &contraction : consumers) {
    replaceByMatmul(rewriter, contraction, weight);
    ++numQuantized;
  }
  for (Operation *view : llvm::reverse(views))
    rewriter.eraseOp(view);
  entry.eraseArgument(index);
  func.setType(rewriter.getFunctionType(entry.getArgumentTypes(),
                                        func.getResultTypes()));
  return success();
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

bool QuantizeWeights::isWanted(Value root, const Consumers &consumers) {
  Attribute constant;
  if (matchPattern(root, m_Constant(&constant)) && isMatrixOfFloats(constant))
    return isIncluded(getConstantName(root));
  if (StringAttr name = getParameterName(root))
    return isIncluded(name);
  if (!root.getDefiningOp<DequantizeOp>())
    reportMissed(consumers, "weight is not constant");
  return false;
}

void QuantizeWeights::runOnOperation() {
  ModuleOp module = getOperation();
  // Not at the op: the module would be printed, weights and all.
  auto emitError = [&] { return mlir::emitError(module.getLoc()); };
  std::string error;
  if (!include.empty() && !llvm::Regex(include).isValid(error)) {
    emitError() << "expected 'include' to be a regular expression but got '"
                << include << "': " << error;
    return signalPassFailure();
  }
  FailureOr<FormatAttr> preset =
      FormatAttr::getPreset(&getContext(), format, emitError);
  if (failed(preset))
    return signalPassFailure();
  formatAttr = *preset;

  llvm::MapVector<Value, Consumers> weights;
  module.walk([&](linalg::LinalgOp op) {
    if (std::optional<Contraction> contraction = matchContraction(op))
      weights[contraction->root].push_back(*contraction);
  });
  weights.remove_if(
      [&](const auto &entry) { return !isWanted(entry.first, entry.second); });
  for (auto &[root, consumers] : weights) {
    auto arg = dyn_cast<BlockArgument>(root);
    if (failed(arg ? quantizeParameter(arg, consumers)
                   : quantizeConstant(root, consumers)))
      return signalPassFailure();
  }

  IRRewriter rewriter(&getContext());
  ConstantEncoder encoder(threads);
  WalkResult result = module.walk([&](QuantizeOp op) {
    return WalkResult(encoder.evaluate(rewriter, op));
  });
  numEncodedWeights += encoder.getNumEncoded();
  if (result.wasInterrupted())
    return signalPassFailure();

  // The driver also erases the constants that nothing reads any more.
  RewritePatternSet patterns(&getContext());
  populateFoldDequantizePatterns(patterns);
  GreedyRewriteConfig config;
  config.enableFolding(false).setRegionSimplificationLevel(
      GreedySimplifyRegionLevel::Disabled);
  if (failed(applyPatternsGreedily(module, std::move(patterns), config)))
    signalPassFailure();
}
