//===- FuseMatmuls.cpp - One kernel for matmuls of one activation
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Transforms/Passes.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Dominance.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/RegionUtils.h"

namespace mlir::rotq {
#define GEN_PASS_DEF_FUSEMATMULS
#include "rotq/Transforms/Passes.h.inc"
} // namespace mlir::rotq

using namespace mlir;
using namespace mlir::rotq;

/// Whether one kernel multiplies for both, given the weights.
static bool canShareProducts(MatmulOp a, MatmulOp b) {
  WeightType first = a.getWeight().getType(), second = b.getWeight().getType();
  return a.getInputs() == b.getInputs() && a.getGroup() == b.getGroup() &&
         a.getKernels() == b.getKernels() &&
         first.getFormat() == second.getFormat() &&
         first.getLayout() == second.getLayout() &&
         first.getK() == second.getK();
}

/// Whether they have one epilogue, given its operands.
static bool haveEqualEpilogues(MatmulOp a, MatmulOp b) {
  auto areAlike = [](Value first, Value second) {
    auto x = cast<ShapedType>(first.getType());
    auto y = cast<ShapedType>(second.getType());
    return x.getRank() == y.getRank() &&
           x.getElementType() == y.getElementType();
  };
  return getElementTypeOrSelf(a.getInits()) ==
             getElementTypeOrSelf(b.getInits()) &&
         llvm::equal(a.getEpilogueOperands(), b.getEpilogueOperands(),
                     areAlike) &&
         OperationEquivalence::isRegionEquivalentTo(
             &a.getEpilogue(), &b.getEpilogue(),
             OperationEquivalence::IgnoreLocations);
}

//===----------------------------------------------------------------------===//
// One launch for several results
//===----------------------------------------------------------------------===//

/// The first of `members` becomes their group; where it stands, the operands of
/// all of them are known.
static void fuse(RewriterBase &rewriter, ArrayRef<MatmulOp> members) {
  MatmulOp first = members.front();
  SmallVector<Location> locations;
  SmallVector<Value> weights, operands, inits;
  for (MatmulOp op : members) {
    locations.push_back(op.getLoc());
    weights.push_back(op.getWeight());
    llvm::append_range(operands, op.getEpilogueOperands());
    inits.push_back(op.getInits());
  }
  rewriter.setInsertionPoint(first);
  auto group = GroupedMatmulOp::create(
      rewriter, rewriter.getFusedLoc(locations), TypeRange(ValueRange(inits)),
      first.getInputs(), weights, operands, inits, first.getGroupAttr(),
      first.getRestsAttr(), first.getKernelsAttr());
  group.getEpilogue().takeBody(first.getEpilogue());
  for (auto [op, result] : llvm::zip_equal(members, group.getResults()))
    rewriter.replaceOp(op, result);
}

//===----------------------------------------------------------------------===//
// One result of two sums
//===----------------------------------------------------------------------===//

/// Whether others than `reader` ask for no more than the size of `value`.
static bool isReadOnce(Value value, Operation *reader) {
  int64_t reads = 0;
  for (Operation *user : value.getUsers()) {
    if (user != reader && !isa<tensor::DimOp>(user))
      return false;
    reads += user == reader;
  }
  return reads == 1;
}

/// The matmul whose result the epilogue of `op` alone reads, and which can be
/// one with it; or null.
static MatmulOp findPartner(MatmulOp op) {
  for (Value operand : op.getEpilogueOperands()) {
    auto partner = operand.getDefiningOp<MatmulOp>();
    if (partner && isReadOnce(operand, op) &&
        partner->getBlock() == op->getBlock() && canShareProducts(op, partner))
      return partner;
  }
  return nullptr;
}

/// The epilogue of `op` takes the sum of its partner and does to it first what
/// the partner's does.
static void fusePair(RewriterBase &rewriter, MatmulOp op, MatmulOp partner) {
  Region epilogue;
  Block &body = epilogue.emplaceBlock();
  OpBuilder builder(op.getContext());
  builder.setInsertionPointToEnd(&body);
  Location loc = rewriter.getFusedLoc({op.getLoc(), partner.getLoc()});
  Type f32 = builder.getF32Type();
  SmallVector<Value> ofOp = {body.addArgument(f32, op.getLoc())};
  SmallVector<Value> ofPartner = {body.addArgument(f32, partner.getLoc())};
  SmallVector<Value> operands;
  auto addOperand = [&](Value operand) -> Value {
    operands.push_back(operand);
    return body.addArgument(getElementTypeOrSelf(operand), operand.getLoc());
  };
  for (Value operand : partner.getEpilogueOperands())
    ofPartner.push_back(addOperand(operand));
  Value element =
      inlineEpilogue(builder, partner.getLoc(), partner.getEpilogue(),
                     getElementTypeOrSelf(partner.getInits()), ofPartner);
  for (Value operand : op.getEpilogueOperands())
    ofOp.push_back(operand == partner.getResult() ? element
                                                  : addOperand(operand));
  Value y = inlineEpilogue(builder, op.getLoc(), op.getEpilogue(),
                           getElementTypeOrSelf(op.getInits()), ofOp);
  YieldOp::create(builder, op.getLoc(), y);

  rewriter.setInsertionPoint(op);
  auto pair = GroupedMatmulOp::create(
      rewriter, loc, op->getResultTypes(), op.getInputs(),
      ValueRange{op.getWeight(), partner.getWeight()}, operands, op.getInits(),
      op.getGroupAttr(), op.getRestsAttr(), op.getKernelsAttr());
  pair.getEpilogue().takeBody(epilogue);
  rewriter.replaceOp(op, pair.getResults());
  // What still asks for its size.
  rewriter.replaceAllUsesWith(partner.getResult(), partner.getInits());
  rewriter.eraseOp(partner);
}

namespace {
struct FuseMatmuls : public mlir::rotq::impl::FuseMatmulsBase<FuseMatmuls> {
  void runOnOperation() override {
    fusePairs();
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
  void fusePairs() {
    IRRewriter rewriter(&getContext());
    SmallVector<std::pair<MatmulOp, MatmulOp>> pairs;
    getOperation().walk([&](MatmulOp op) {
      if (!op.hasPureTensorSemantics())
        return;
      MatmulOp partner = findPartner(op);
      // A matmul is in one pair alone.
      auto isTaken = [&](MatmulOp of) {
        return llvm::any_of(pairs, [&](auto &pair) {
          return pair.first == of || pair.second == of;
        });
      };
      if (partner && !isTaken(op) && !isTaken(partner))
        pairs.emplace_back(op, partner);
    });
    for (auto [op, partner] : pairs)
      fusePair(rewriter, op, partner);
    numPairs += pairs.size();
  }

  /// `matmuls` are in the order of their block.
  void fuseReaders(ArrayRef<MatmulOp> matmuls) {
    IRRewriter rewriter(&getContext());
    auto &dominance = getAnalysis<DominanceInfo>();
    SmallVector<MatmulOp> rest(matmuls);
    while (!rest.empty()) {
      MatmulOp first = rest.front();
      SmallVector<MatmulOp> members, others;
      for (MatmulOp op : rest) {
        SmallVector<Value> needed = {op.getWeight(), op.getInits()};
        llvm::append_range(needed, op.getEpilogueOperands());
        bool joins = op == first || (canShareProducts(first, op) &&
                                     haveEqualEpilogues(first, op) &&
                                     succeeded(moveValueDefinitions(
                                         rewriter, needed, first, dominance)));
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
