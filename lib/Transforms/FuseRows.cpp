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
/// Operations that one loop computes, users first: a row at a time, which is
/// what they have at one place of their outermost `depth` dimensions.
struct Group {
  unsigned depth;
  llvm::SmallSetVector<Operation *, 8> members;
};

struct FuseRows : public mlir::rotq::impl::FuseRowsBase<FuseRows> {
  void runOnOperation() override;

private:
  LogicalResult fuse(RewriterBase &rewriter, const Group &group);
};
} // namespace

/// Whether a tensor with this map has the outermost `depth` loops as its first
/// dimensions.
static bool startsWithRows(AffineMap map, unsigned depth) {
  if (map.getNumResults() < depth)
    return false;
  return llvm::all_of(llvm::seq(depth), [&](unsigned d) {
    return map.getResult(d) == getAffineDimExpr(d, map.getContext());
  });
}

/// Whether the outermost `depth` loops of `op` are parallel, and every result
/// has them as its first dimensions.
static bool hasRows(Operation *candidate, unsigned depth) {
  auto op = dyn_cast_or_null<linalg::LinalgOp>(candidate);
  if (!op || !isa<TilingInterface>(candidate) || !op.hasPureTensorSemantics() ||
      op.getNumLoops() < depth || op.getNumDpsInits() == 0)
    return false;
  for (utils::IteratorType type :
       ArrayRef(op.getIteratorTypesArray()).take_front(depth))
    if (type != utils::IteratorType::parallel)
      return false;
  return llvm::all_of(op.getDpsInitsMutable(), [&](OpOperand &init) {
    return startsWithRows(op.getMatchingIndexingMap(&init), depth);
  });
}

/// Of rows whose number is known at run time only, the first dimension. Else
/// all leading dimensions of a known size that are parallel, but one of those
/// where there is nothing else, or where the rest would be sums one by one: in
/// attention of one token, heads.
static unsigned depthOf(linalg::LinalgOp op) {
  SmallVector<int64_t> sizes = op.getStaticLoopRanges();
  if (ShapedType::isDynamic(sizes.front()))
    return 1;
  unsigned most = linalg::isaContractionOpInterface(op)
                      ? op.getNumParallelLoops()
                      : unsigned(sizes.size());
  unsigned depth = 1;
  while (depth < most && !ShapedType::isDynamic(sizes[depth]) &&
         hasRows(op, depth + 1))
    ++depth;
  return depth < most ? depth : depth - 1;
}

/// Whether it pays to compute rows apart: there may be many of them, or what is
/// computed of one, step by step, may be long.
static bool isWorth(const Group &group) {
  auto sizesOf = [](Operation *op) {
    return cast<linalg::LinalgOp>(op).getStaticLoopRanges();
  };
  if (ShapedType::isDynamic(sizesOf(group.members.front()).front()))
    return true;
  return group.members.size() > 1 &&
         llvm::any_of(group.members, [&](Operation *op) {
           return llvm::any_of(sizesOf(op), ShapedType::isDynamic);
         });
}

/// A product with a matrix that all rows share has a kernel of its own.
static bool isProduct(Operation *op) {
  auto linalgOp = cast<linalg::LinalgOp>(op);
  return linalg::isaContractionOpInterface(linalgOp) &&
         linalgOp.getNumLoops() == 3;
}

/// Whether a row of `operand` is all that a row of its owner reads of it.
static bool isReadByRow(OpOperand &operand, unsigned depth) {
  auto op = dyn_cast<linalg::LinalgOp>(operand.getOwner());
  return op && startsWithRows(op.getMatchingIndexingMap(&operand), depth);
}

/// `root` and what is computed for nothing but it, rows by rows: users first.
static Group collectGroup(linalg::LinalgOp root, unsigned depth) {
  Group group{depth, {}};
  group.members.insert(root);
  for (bool isGrowing = true; isGrowing;) {
    isGrowing = false;
    for (Operation *member : llvm::to_vector(group.members))
      for (OpOperand &operand : member->getOpOperands()) {
        Operation *producer = operand.get().getDefiningOp();
        if (!producer || group.members.contains(producer) ||
            !hasRows(producer, group.depth) || isProduct(producer) ||
            producer->getBlock() != root->getBlock())
          continue;
        // Else the whole of it would be computed for every row.
        bool isTheirs = llvm::all_of(producer->getUses(), [&](OpOperand &use) {
          return group.members.contains(use.getOwner()) &&
                 isReadByRow(use, group.depth);
        });
        if (isTheirs)
          isGrowing |= group.members.insert(producer);
      }
  }
  return group;
}

LogicalResult FuseRows::fuse(RewriterBase &rewriter, const Group &group) {
  auto root = cast<TilingInterface>(group.members.front());
  SmallVector<OpFoldResult> sizes(root.getLoopIteratorTypes().size(),
                                  rewriter.getIndexAttr(0));
  std::fill_n(sizes.begin(), group.depth, rewriter.getIndexAttr(1));
  scf::SCFTileAndFuseOptions options;
  options.tilingOptions.setTileSizes(sizes).setLoopType(
      scf::SCFTilingOptions::LoopType::ForallOp);
  options.setFusionControlFn(
      [&](tensor::ExtractSliceOp, OpResult producer,
          bool) -> std::optional<scf::SCFTileAndFuseOptions::ControlFnResult> {
        if (!group.members.contains(producer.getOwner()))
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
  for (Operation *member : group.members) {
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
  SmallVector<linalg::LinalgOp> candidates;
  getOperation().walk([&](linalg::LinalgOp op) {
    if (hasRows(op, 1) && !isProduct(op))
      candidates.push_back(op);
  });
  IRRewriter rewriter(&getContext());
  llvm::SmallPtrSet<Operation *, 16> fused;
  for (linalg::LinalgOp root : llvm::reverse(candidates)) {
    if (fused.contains(root) || isa<linalg::FillOp>(root.getOperation()))
      continue;
    unsigned depth = depthOf(root);
    if (depth == 0)
      continue;
    Group group = collectGroup(root, depth);
    if (!isWorth(group))
      continue;
    fused.insert(group.members.begin(), group.members.end());
    remark::passed(
        root->getLoc(),
        remark::RemarkOpts::name("FuseRows").category("rotq-fuse-rows"))
        << remark::add("{0} operations computed row by row",
                       group.members.size());
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
