//===- BlockReductions.cpp - Several terms of a sum at a time
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Transforms/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SCF/Transforms/TileUsingInterface.h"
#include "mlir/Dialect/SCF/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mlir::rotq {
#define GEN_PASS_DEF_BLOCKREDUCTIONS
#include "rotq/Transforms/Passes.h.inc"
} // namespace mlir::rotq

using namespace mlir;
using namespace mlir::rotq;

/// Terms that are added to a sum between a load and a store of it.
static constexpr int64_t kTerms = 4;

namespace {
struct BlockReductions
    : public mlir::rotq::impl::BlockReductionsBase<BlockReductions> {
  void runOnOperation() override;
};
} // namespace

/// Whether the loop inside the one that sums is parallel: every sum would be
/// loaded and stored for each of its terms. Products with a matrix, of three
/// loops, have kernels of their own.
static bool addsInMemory(linalg::GenericOp op) {
  unsigned loops = op.getNumLoops();
  if (!op.hasPureTensorSemantics() || loops <= 3 ||
      op.getNumReductionLoops() != 1)
    return false;
  return op.getIteratorTypesArray()[loops - 2] ==
             utils::IteratorType::reduction &&
         linalg::isaContractionOpInterface(op);
}

static LogicalResult block(RewriterBase &rewriter, linalg::GenericOp op) {
  unsigned loops = op.getNumLoops();
  SmallVector<OpFoldResult> sizes(loops, rewriter.getIndexAttr(0));
  sizes[loops - 2] = rewriter.getIndexAttr(kTerms);
  rewriter.setInsertionPoint(op);
  FailureOr<scf::SCFTilingResult> tiled =
      scf::tileUsingSCF(rewriter, cast<TilingInterface>(op.getOperation()),
                        scf::SCFTilingOptions().setTileSizes(sizes));
  if (failed(tiled))
    return op.emitError("cannot be computed some terms at a time");
  rewriter.replaceOp(op, tiled->replacements);
  // The terms of a block go innermost.
  auto order = llvm::to_vector(llvm::seq(loops));
  std::swap(order[loops - 2], order[loops - 1]);
  auto inner = cast<linalg::GenericOp>(tiled->tiledOps.front());
  if (failed(linalg::interchangeGenericOp(rewriter, inner, order)))
    return inner.emitError("cannot have its loops interchanged");
  // So that the number of terms is known in all blocks but the last one.
  if (!tiled->loops.empty()) {
    auto loop = cast<scf::ForOp>(tiled->loops.front().getOperation());
    scf::ForOp rest;
    (void)scf::peelForLoopAndSimplifyBounds(rewriter, loop, rest);
  }
  return success();
}

void BlockReductions::runOnOperation() {
  SmallVector<linalg::GenericOp> ops;
  getOperation().walk([&](linalg::GenericOp op) {
    if (addsInMemory(op))
      ops.push_back(op);
  });
  IRRewriter rewriter(&getContext());
  for (linalg::GenericOp op : ops)
    if (failed(block(rewriter, op)))
      return signalPassFailure();
}
