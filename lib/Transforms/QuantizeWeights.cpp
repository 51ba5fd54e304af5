//===- QuantizeWeights.cpp - Matmuls by packed weights
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ConstantEncoder.h"
#include "PackedParameters.h"
#include "rotq/Transforms/Passes.h"
#include "rotq/Transforms/Transforms.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlir::rotq {
#define GEN_PASS_DEF_QUANTIZEWEIGHTS
#include "rotq/Transforms/Passes.h.inc"
} // namespace mlir::rotq

using namespace mlir;
using namespace mlir::rotq;

namespace {
struct QuantizeWeights
    : public mlir::rotq::impl::QuantizeWeightsBase<QuantizeWeights> {
  using QuantizeWeightsBase::QuantizeWeightsBase;

  void runOnOperation() override;

private:
  FailureOr<FormatPlan> readPlan();
  LogicalResult
  quantizeConstants(const FormatPlan &plan, const PackedParameters &parameters,
                    const llvm::MapVector<Value, WeightConsumers> &weights);
  LogicalResult quantizeConstant(Value constant, FormatAttr format,
                                 ArrayRef<Contraction> contractions);
};
} // namespace

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
LogicalResult
QuantizeWeights::quantizeConstant(Value constant, FormatAttr format,
                                  ArrayRef<Contraction> contractions) {
  IRRewriter rewriter(&getContext());
  Location loc = constant.getLoc();
  Value packed[2];
  for (const Contraction &contraction : contractions) {
    Value &weight = packed[contraction.isKMajor];
    if (!weight) {
      auto [n, k] = contraction.getShape();
      auto type = WeightType::getChecked(
          [&] { return mlir::emitError(contraction.getLoc()); }, &getContext(),
          n, k, format);
      if (!type)
        return failure();
      rewriter.setInsertionPointAfterValue(constant);
      Value source = constant;
      if (!contraction.isKMajor) {
        Type element = getElementTypeOrSelf(constant.getType());
        auto empty = tensor::EmptyOp::create(
            rewriter, loc, ArrayRef{type.getN(), type.getK()}, element);
        source = linalg::TransposeOp::create(rewriter, loc, source, empty,
                                             ArrayRef<int64_t>{1, 0})
                     .getResult()[0];
      }
      weight = QuantizeOp::create(rewriter, loc, type, source);
    }
    replaceByMatmul(rewriter, contraction, weight);
    ++numQuantized;
  }
  return success();
}

LogicalResult QuantizeWeights::quantizeConstants(
    const FormatPlan &plan, const PackedParameters &parameters,
    const llvm::MapVector<Value, WeightConsumers> &weights) {
  // First all of them: what one reads may be what another is replaced by.
  SmallVector<std::pair<Value, const WeightConsumers *>> constants;
  for (const auto &[root, consumers] : weights) {
    Attribute constant;
    if (!matchPattern(root, m_Constant(&constant)) ||
        !isMatrixOfFloats(constant)) {
      if (!parameters.contains(root) && !root.getDefiningOp<DequantizeOp>())
        reportMissedWeight(consumers, "weight is not constant");
      continue;
    }
    constants.push_back({root, &consumers});
  }
  for (auto [root, consumers] : constants) {
    FormatAttr format = plan.lookup(getConstantName(root));
    if (format &&
        failed(quantizeConstant(root, format, consumers->contractions)))
      return failure();
  }
  return success();
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

FailureOr<FormatPlan> QuantizeWeights::readPlan() {
  // Not at the op: the module would be printed, weights and all.
  auto emitError = [&] { return mlir::emitError(getOperation().getLoc()); };
  if (planFile.empty())
    return FormatPlan::uniform(&getContext(), format, include, emitError);
  return FormatPlan::read(&getContext(), planFile, emitError);
}

void QuantizeWeights::runOnOperation() {
  ModuleOp module = getOperation();
  FailureOr<FormatPlan> plan = readPlan();
  if (failed(plan))
    return signalPassFailure();

  PackedParameters parameters(module, *plan);
  llvm::MapVector<Value, WeightConsumers> weights;
  module.walk([&](linalg::LinalgOp op) {
    if (std::optional<Contraction> contraction = matchContraction(op))
      weights[contraction->root].contractions.push_back(*contraction);
    else if (std::optional<RowGather> gather = matchRowGather(op))
      weights[gather->getTable()].gathers.push_back(*gather);
  });
  unsigned numReplaced = 0;
  if (failed(quantizeConstants(*plan, parameters, weights)) ||
      failed(parameters.pack(weights, numReplaced)))
    return signalPassFailure();
  numQuantized += numReplaced;

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
