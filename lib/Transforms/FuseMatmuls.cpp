//===- FuseMatmuls.cpp - One launch for matmuls of one activation
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Transforms/Passes.h"

#include "mlir/IR/Dominance.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/RegionUtils.h"

namespace mlir::rotq {
#define GEN_PASS_DEF_FUSEMATMULS
#include "rotq/Transforms/Passes.h.inc"
} // namespace mlir::rotq

using namespace mlir;
using namespace mlir::rotq;

/// Whether one kernel computes both, given the weights and destinations.
static bool canShareLaunch(MatmulOp a, MatmulOp b) {
  WeightType first = a.getWeight().getType(), second = b.getWeight().getType();
  return a.getInputs() == b.getInputs() && a.getGroup() == b.getGroup() &&
         a.getKernels() == b.getKernels() &&
         first.getFormat() == second.getFormat() &&
         first.getLayout() == second.getLayout() &&
         first.getK() == second.getK() &&
         getElementTypeOrSelf(a.getInits()) ==
             getElementTypeOrSelf(b.getInits());
}

/// The first of `members` becomes their group; where it stands, the operands of
/// all of them are known.
static void fuse(RewriterBase &rewriter, ArrayRef<MatmulOp> members) {
  MatmulOp first = members.front();
  SmallVector<Location> locations;
  SmallVector<Value> weights, inits;
  for (MatmulOp op : members) {
    locations.push_back(op.getLoc());
    weights.push_back(op.getWeight());
    inits.push_back(op.getInits());
  }
  rewriter.setInsertionPoint(first);
  auto group = GroupedMatmulOp::create(
      rewriter, rewriter.getFusedLoc(locations), TypeRange(ValueRange(inits)),
      first.getInputs(), weights, inits, first.getGroupAttr(),
      first.getKernelsAttr());
  for (auto [op, result] : llvm::zip_equal(members, group.getResults()))
    rewriter.replaceOp(op, result);
}

namespace {
struct FuseMatmuls : public mlir::rotq::impl::FuseMatmulsBase<FuseMatmuls> {
  void runOnOperation() override {
    // By the block and the activation.
    llvm::MapVector<std::pair<Block *, Value>, SmallVector<MatmulOp>> readers;
    getOperation().walk([&](MatmulOp op) {
      if (op.hasPureTensorSemantics())
        readers[{op->getBlock(), op.getInputs()[0]}].push_back(op);
    });
    for (auto &[key, matmuls] : readers)
      fuseReaders(matmuls);
  }

private:
  /// `matmuls` are in the order of their block.
  void fuseReaders(ArrayRef<MatmulOp> matmuls) {
    IRRewriter rewriter(&getContext());
    auto &dominance = getAnalysis<DominanceInfo>();
    SmallVector<MatmulOp> rest(matmuls);
    while (!rest.empty()) {
      MatmulOp first = rest.front();
      SmallVector<MatmulOp> members, others;
      for (MatmulOp op : rest) {
        bool joins =
            op == first ||
            (canShareLaunch(first, op) &&
             succeeded(moveValueDefinitions(
                 rewriter, {op.getWeight(), op.getInits()}, first, dominance)));
        (joins ? members : others).push_back(op);
      }
      if (members.size() > 1) {
        fuse(rewriter, members);
        ++numGroups;
        numFused += members.size();
      }
      rest = std::move(others);
    }
  }
};
} // namespace
