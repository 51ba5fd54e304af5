//===- LimitTeams.cpp - Which parallel loops are worth a team
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/OpenMP/OpenMPDialect.h"

namespace mlir::rotq {
#define GEN_PASS_DEF_LIMITTEAMS
#include "rotq/Transforms/Passes.h.inc"
} // namespace mlir::rotq

using namespace mlir;
using namespace mlir::rotq;

namespace {
struct LimitTeams : public mlir::rotq::impl::LimitTeamsBase<LimitTeams> {
  void runOnOperation() override {
    getOperation().walk([](omp::ParallelOp op) { limit(op); });
  }

private:
  static void limit(omp::ParallelOp op);
};
} // namespace

/// The loop that is all of the region, where its bounds are known before.
static omp::WsloopOp findLoop(omp::ParallelOp op) {
  Block &body = op.getRegion().front();
  if (!op.getRegion().hasOneBlock() || body.getOperations().size() != 2)
    return {};
  auto loop = dyn_cast<omp::WsloopOp>(body.front());
  if (!loop || loop->getNumOperands() != 0)
    return {};
  bool isKnown =
      llvm::all_of(loop.getWrappedLoop()->getOperands(), [&](Value bound) {
        return bound.getParentRegion()->isProperAncestor(&op.getRegion());
      });
  return isKnown ? loop : omp::WsloopOp();
}

void LimitTeams::limit(omp::ParallelOp op) {
  omp::WsloopOp loop = findLoop(op);
  if (!loop || op.getIfExpr())
    return;
  auto nest = cast<omp::LoopNestOp>(loop.getWrappedLoop());
  OpBuilder b(op);
  Value isWorth;
  for (auto [begin, end, step] :
       llvm::zip(nest.getLoopLowerBounds(), nest.getLoopUpperBounds(),
                 nest.getLoopSteps())) {
    Value length = arith::SubIOp::create(b, op.getLoc(), end, begin);
    Value isLonger = arith::CmpIOp::create(
        b, op.getLoc(), arith::CmpIPredicate::sgt, length, step);
    isWorth = isWorth ? arith::OrIOp::create(b, op.getLoc(), isWorth, isLonger)
                            .getResult()
                      : isLonger;
  }
  op.getIfExprMutable().assign(isWorth);
  loop.setNowait(true);
}
