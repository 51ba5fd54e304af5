//===- FuseRows.cpp - Row by row through what tokens do on their own
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Transforms/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/Transforms/Transforms.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SCF/Transforms/TileUsingInterface.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tensor/Transforms/Transforms.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/ADT/SetVector.h"

namespace mlir::rotq {
#define GEN_PASS_DEF_FUSEROWS
#include "rotq/Transforms/Passes.h.inc"
} // namespace mlir::rotq

using namespace mlir;
using namespace mlir::rotq;

namespace {
using Group = llvm::SmallSetVector<Operation *, 8>;

struct FuseRows : public mlir::rotq::impl::FuseRowsBase<FuseRows> {
  void runOnOperation() override;

private:
  LogicalResult fuse(RewriterBase &rewriter, const Group &group);
};
} // namespace

/// Whether the outermost loop of `op` is parallel, runs over rows whose number
/// is known at run time only, and every result has them as its first dimension.
static bool hasRows(Operation *candidate) {
  auto op = dyn_cast_or_null<linalg::LinalgOp>(candidate);
  if (!op || !isa<TilingInterface>(candidate) || !op.hasPureTensorSemantics() ||
      op.getNumLoops() == 0 || op.getNumDpsInits() == 0 ||
      op.getIteratorTypesArray().front() != utils::IteratorType::parallel)
    return false;
  return llvm::all_of(op.getDpsInitsMutable(), [&](OpOperand &init) {
    auto type = cast<RankedTensorType>(init.get().getType());
    AffineMap map = op.getMatchingIndexingMap(&init);
    return type.getRank() > 0 && type.isDynamicDim(0) &&
           map.getResult(0) == getAffineDimExpr(0, op.getContext());
  });
}

/// A product with a matrix that all rows share has a kernel of its own.
static bool isProduct(Operation *op) {
  auto linalgOp = cast<linalg::LinalgOp>(op);
  return linalg::isaContractionOpInterface(linalgOp) &&
         linalgOp.getNumLoops() == 3;
}

/// Whether a row of `operand` is all that a row of its owner reads of it.
static bool isReadByRow(OpOperand &operand) {
  auto op = dyn_cast<linalg::LinalgOp>(operand.getOwner());
  if (!op)
    return false;
  AffineMap map = op.getMatchingIndexingMap(&operand);
  AffineExpr row = getAffineDimExpr(0, op.getContext());
  return map.getNumResults() != 0 && map.getResult(0) == row;
}

/// `root` and what is computed for nothing but it, rows by rows: users first.
static Group collectGroup(Operation *root) {
  Group group;
  group.insert(root);
  for (bool isGrowing = true; isGrowing;) {
    isGrowing = false;
    for (Operation *member : llvm::to_vector(group))
      for (OpOperand &operand : member->getOpOperands()) {
        Operation *producer = operand.get().getDefiningOp();
        if (!producer || group.contains(producer) || !hasRows(producer) ||
            isProduct(producer) || producer->getBlock() != root->getBlock())
          continue;
        // Else the whole of it would be computed for every row.
        bool isTheirs = llvm::all_of(producer->getUses(), [&](OpOperand &use) {
          return group.contains(use.getOwner()) && isReadByRow(use);
        });
        if (isTheirs)
          isGrowing |= group.insert(producer);
      }
  }
  return group;
}

LogicalResult FuseRows::fuse(RewriterBase &rewriter, const Group &group) {
  auto root = cast<TilingInterface>(group.front());
  SmallVector<OpFoldResult> sizes(root.getLoopIteratorTypes().size(),
                                  rewriter.getIndexAttr(0));
  sizes.front() = rewriter.getIndexAttr(1);
  scf::SCFTileAndFuseOptions options;
  options.tilingOptions.setTileSizes(sizes).setLoopType(
      scf::SCFTilingOptions::LoopType::ForallOp);
  options.setFusionControlFn(
      [&](tensor::ExtractSliceOp, OpResult producer,
          bool) -> std::optional<scf::SCFTileAndFuseOptions::ControlFnResult> {
        if (!group.contains(producer.getOwner()))
          return std::nullopt;
        return scf::SCFTileAndFuseOptions::ControlFnResult{};
      });
  rewriter.setInsertionPoint(root);
  auto result =
      scf::tileConsumerAndFuseProducersUsingSCF(rewriter, root, options);
  if (failed(result))
    return root->emitError("cannot be computed row by row");
  for (Value original : root->getResults())
    rewriter.replaceAllUsesWith(original,
                                result->replacements.lookup(original));
  // Their sizes are still asked for: those of what they would be written to.
  for (Operation *member : group) {
    auto op = cast<linalg::LinalgOp>(member);
    for (OpResult value : member->getResults())
      for (Operation *user : llvm::make_early_inc_range(value.getUsers()))
        if (auto dim = dyn_cast<tensor::DimOp>(user))
          rewriter.modifyOpInPlace(dim, [&] {
            dim.getSourceMutable().assign(
                op.getDpsInits()[value.getResultNumber()]);
          });
    if (member->use_empty())
      rewriter.eraseOp(member);
  }
  return success();
}

void FuseRows::runOnOperation() {
  // From the last op to the first: what a group takes in is behind it no more.
  SmallVector<Operation *> candidates;
  getOperation().walk([&](linalg::LinalgOp op) {
    if (hasRows(op) && !isProduct(op))
      candidates.push_back(op);
  });
  IRRewriter rewriter(&getContext());
  llvm::SmallPtrSet<Operation *, 16> fused;
  for (Operation *root : llvm::reverse(candidates)) {
    if (fused.contains(root) || isa<linalg::FillOp>(root))
      continue;
    Group group = collectGroup(root);
    fused.insert(group.begin(), group.end());
    remark::passed(
        root->getLoc(),
        remark::RemarkOpts::name("FuseRows").category("rotq-fuse-rows"))
        << remark::add("{0} operations computed row by row", group.size());
    ++numGroups;
    if (failed(fuse(rewriter, group)))
      return signalPassFailure();
  }
  // Slices of tensors without contents, or whole matrices would be allocated.
  RewritePatternSet patterns(&getContext());
  tensor::populateFoldTensorEmptyPatterns(patterns);
  memref::populateResolveShapedTypeResultDimsPatterns(patterns);
  if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
    signalPassFailure();
}
