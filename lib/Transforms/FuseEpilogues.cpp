//===- FuseEpilogues.cpp - Elementwise functions of products, in matmuls
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Remarks.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/MapVector.h"

namespace mlir::rotq {
#define GEN_PASS_DEF_FUSEEPILOGUES
#include "rotq/Transforms/Passes.h.inc"
} // namespace mlir::rotq

using namespace mlir;
using namespace mlir::rotq;

/// Whether `op` computes every element of one tensor from elements of others.
static bool isElementwise(Operation *op) {
  if (op->getNumResults() != 1 ||
      !isa<RankedTensorType>(op->getResult(0).getType()))
    return false;
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
    return linalgOp.hasPureTensorSemantics() &&
           linalgOp.getNumParallelLoops() == linalgOp.getNumLoops();
  return OpTrait::hasElementwiseMappableTraits(op);
}

/// Whether operands and results of matmuls may be of that element type.
static bool isStored(Type element) {
  return element.isF32() || element.isF16() || element.isBF16();
}

namespace {
/// What an epilogue reads for element (m, n) of y: that of a matrix, element n
/// of a vector, or a constant.
struct Read {
  Value value;
  TypedAttr constant = {}; ///< all elements of the value
};

/// A matmul and the elementwise ops behind it that it is to compute as well.
class Fusion {
public:
  explicit Fusion(MatmulOp op) : op(op) { inside.insert(op.getResult()); }

  /// Finds the ops; `why` is what keeps the next one, `stop`, out.
  void collect();
  /// The ops found, in their order.
  ArrayRef<Operation *> getOps() const { return ops; }
  /// The matmul that computes them.
  MatmulOp apply(RewriterBase &rewriter);

  Operation *stop = nullptr;
  const char *why = nullptr;

private:
  using ReadFn = function_ref<void(OpOperand &operand, const Read &read)>;

  Operation *getNext() const;
  bool hasOneOutcome(Operation *last) const;
  LogicalResult check(Operation *candidate);
  LogicalResult forOperands(Operation *candidate, ReadFn body);
  FailureOr<Read> resolve(Value operand, AffineMap map);

  Value getArgument(Block &body, Value operand);
  Value emit(OpBuilder &builder, Operation *source);
  Value createInit(OpBuilder &builder);

  MatmulOp op;
  SmallVector<Operation *> ops;
  SetVector<Value> inside; ///< results of the matmul and of `ops`

  IRMapping scalars;                       ///< of `inside`
  llvm::MapVector<Value, Value> arguments; ///< by operand
};
} // namespace

//===----------------------------------------------------------------------===//
// What can be fused
//===----------------------------------------------------------------------===//

/// The first op behind those found that reads one of their results.
Operation *Fusion::getNext() const {
  Operation *next = nullptr;
  for (Value value : inside)
    for (Operation *user : value.getUsers()) {
      Operation *inBlock = op->getBlock()->findAncestorOpInBlock(*user);
      if (inBlock && !llvm::is_contained(ops, inBlock) &&
          (!next || inBlock->isBeforeInBlock(next)))
        next = inBlock;
    }
  return next;
}

/// Whether the result of `last` is all that others read.
bool Fusion::hasOneOutcome(Operation *last) const {
  return llvm::all_of(inside, [&](Value value) {
    return value.getDefiningOp() == last ||
           llvm::all_of(value.getUsers(), [&](Operation *user) {
             return llvm::is_contained(ops, user);
           });
  });
}

/// Where the elements of `operand` come from; `map` is from (m, n).
FailureOr<Read> Fusion::resolve(Value operand, AffineMap map) {
  if (inside.contains(operand)) {
    if (map.isIdentity())
      return Read{operand};
    why = "it reads other elements of the product than it computes";
    return failure();
  }
  Attribute constant;
  matchPattern(operand, m_Constant(&constant));
  auto type = dyn_cast<RankedTensorType>(operand.getType());
  if (auto splat = dyn_cast_or_null<SplatElementsAttr>(constant))
    return Read{operand, cast<TypedAttr>(splat.getSplatValue<Attribute>())};
  if (!type) {
    if (auto typed = dyn_cast_or_null<TypedAttr>(constant))
      return Read{operand, typed};
    why = "it reads a scalar that is no constant";
    return failure();
  }
  if (auto broadcast = operand.getDefiningOp<linalg::BroadcastOp>();
      broadcast && map.isIdentity() &&
      broadcast.getDimensions() == ArrayRef<int64_t>{0}) {
    operand = broadcast.getInput();
    type = cast<RankedTensorType>(operand.getType());
    map = map.getMinorSubMap(1);
  }
  int64_t n = op.getWeight().getType().getN();
  if (!map.isMinorIdentity() || map.getNumResults() < 1 ||
      type.getShape().back() != n) {
    why = "an operand is neither a vector of N nor an M x N matrix";
    return failure();
  }
  if (!isStored(type.getElementType())) {
    why = "an operand is not of f32, f16 or bf16";
    return failure();
  }
  return Read{operand};
}

/// Calls `body` for every operand that `candidate` reads elements of.
LogicalResult Fusion::forOperands(Operation *candidate, ReadFn body) {
  auto linalgOp = dyn_cast<linalg::LinalgOp>(candidate);
  AffineMap toLoops;
  if (linalgOp) {
    AffineMap map =
        linalgOp.getMatchingIndexingMap(linalgOp.getDpsInitOperand(0));
    if (!map.isPermutation()) {
      why = "it does not write every element once";
      return failure();
    }
    toLoops = inversePermutation(map);
  }
  for (OpOperand &operand : candidate->getOpOperands()) {
    auto map = AffineMap::getMultiDimIdentityMap(2, op.getContext());
    if (linalgOp) {
      if (!linalgOp.payloadUsesValueFromOperand(&operand))
        continue;
      map = linalgOp.getMatchingIndexingMap(&operand).compose(toLoops);
    }
    FailureOr<Read> read = resolve(operand.get(), map);
    if (failed(read))
      return failure();
    body(operand, *read);
  }
  return success();
}

LogicalResult Fusion::check(Operation *candidate) {
  auto type = cast<RankedTensorType>(candidate->getResult(0).getType());
  auto product = cast<RankedTensorType>(op.getResult().getType());
  if (type.getRank() != 2 || type.getDimSize(1) != product.getDimSize(1)) {
    why = "its result is not M x N";
    return failure();
  }
  auto isFunction = [&](Operation &inner) {
    return isEpilogueOp(&inner) &&
           llvm::all_of(inner.getOperands(), [&](Value value) {
             return value.getParentBlock() == inner.getBlock() ||
                    matchPattern(value, m_Constant());
           });
  };
  auto linalgOp = dyn_cast<linalg::LinalgOp>(candidate);
  if (linalgOp
          ? !llvm::all_of(linalgOp.getBlock()->without_terminator(), isFunction)
          : !isEpilogueOp(candidate)) {
    why = "it is no function of elements alone";
    return failure();
  }
  bool readsProduct = false;
  if (failed(forOperands(candidate, [&](OpOperand &, const Read &read) {
        readsProduct |= inside.contains(read.value);
      })))
    return failure();
  if (!readsProduct)
    why = "it reads nothing of the product";
  return success(readsProduct);
}

// In the order of the block: what has been found can be computed where the last
// of it stands.
void Fusion::collect() {
  size_t fused = 0;
  const char *pending = nullptr;
  while ((stop = getNext()) && isElementwise(stop) && succeeded(check(stop))) {
    Value result = stop->getResult(0);
    ops.push_back(stop);
    inside.insert(result);
    if (!isStored(getElementTypeOrSelf(result)))
      pending = "its result is not of f32, f16 or bf16";
    else if (!hasOneOutcome(stop))
      pending = "what it reads has other uses";
    else
      fused = ops.size();
  }
  if (stop && !isElementwise(stop))
    stop = nullptr;
  if (!stop && fused < ops.size()) {
    stop = ops[fused];
    why = pending;
  }
  ops.truncate(fused);
}

//===----------------------------------------------------------------------===//
// Fusion
//===----------------------------------------------------------------------===//

/// The argument of `body` for an element of an operand.
Value Fusion::getArgument(Block &body, Value operand) {
  Value &argument = arguments[operand];
  if (!argument)
    argument =
        body.addArgument(getElementTypeOrSelf(operand), operand.getLoc());
  return argument;
}

/// The element that `source` computes.
Value Fusion::emit(OpBuilder &builder, Operation *source) {
  auto linalgOp = dyn_cast<linalg::LinalgOp>(source);
  IRMapping mapping;
  (void)forOperands(source, [&](OpOperand &operand, const Read &read) {
    Value scalar;
    if (read.constant)
      scalar =
          arith::ConstantOp::create(builder, source->getLoc(), read.constant);
    else if (inside.contains(read.value))
      scalar = scalars.lookup(read.value);
    else
      scalar = getArgument(*builder.getBlock(), read.value);
    mapping.map(linalgOp ? Value(linalgOp.getMatchingBlockArgument(&operand))
                         : operand.get(),
                scalar);
  });
  if (!linalgOp) {
    Value result = builder.clone(*source, mapping)->getResult(0);
    result.setType(getElementTypeOrSelf(result));
    return result;
  }
  Block *body = linalgOp.getBlock();
  // What the body captures is constant, as `check` saw to it.
  auto cloneCaptured = [&](Operation &inner) {
    for (Value value : inner.getOperands())
      if (value.getParentBlock() != body && !mapping.contains(value))
        builder.clone(*value.getDefiningOp(), mapping);
  };
  for (Operation &inner : body->without_terminator()) {
    cloneCaptured(inner);
    builder.clone(inner, mapping);
  }
  cloneCaptured(*body->getTerminator());
  return mapping.lookup(body->getTerminator()->getOperand(0));
}

/// Where the result of the last op goes.
Value Fusion::createInit(OpBuilder &builder) {
  Operation *last = ops.back();
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(last)) {
    OpOperand *init = linalgOp.getDpsInitOperand(0);
    if (!linalgOp.payloadUsesValueFromOperand(init) &&
        !inside.contains(init->get()))
      return init->get();
  }
  auto type = cast<RankedTensorType>(last->getResult(0).getType());
  SmallVector<Value> sizes;
  if (type.isDynamicDim(0))
    sizes.push_back(
        tensor::DimOp::create(builder, op.getLoc(), op.getInits(), 0));
  return tensor::EmptyOp::create(builder, op.getLoc(), type, sizes);
}

MatmulOp Fusion::apply(RewriterBase &rewriter) {
  Region epilogue;
  Block &body = epilogue.emplaceBlock();
  OpBuilder builder(op.getContext());
  builder.setInsertionPointToEnd(&body);
  SmallVector<Value> start = {
      body.addArgument(builder.getF32Type(), op.getLoc())};
  for (Value operand : op.getEpilogueOperands())
    start.push_back(getArgument(body, operand));
  scalars.map(op.getResult(),
              inlineEpilogue(builder, op.getLoc(), op.getEpilogue(),
                             getElementTypeOrSelf(op.getResult()), start));
  SmallVector<Location> locations = {op.getLoc()};
  for (Operation *source : ops) {
    scalars.map(source->getResult(0), emit(builder, source));
    locations.push_back(source->getLoc());
  }
  Operation *last = ops.back();
  YieldOp::create(builder, last->getLoc(), scalars.lookup(last->getResult(0)));

  SmallVector<Value> operands;
  for (auto &[operand, argument] : arguments)
    operands.push_back(operand);
  rewriter.setInsertionPoint(last);
  Value init = createInit(rewriter);
  auto fused = MatmulOp::create(rewriter, rewriter.getFusedLoc(locations),
                                init.getType(), op.getInputs(), op.getWeight(),
                                operands, init, op.getGroupAttr(),
                                op.getRestsAttr(), op.getKernelsAttr());
  fused.getEpilogue().takeBody(epilogue);
  rewriter.replaceOp(last, fused.getResult());
  for (Operation *source : llvm::reverse(ArrayRef(ops).drop_back()))
    rewriter.eraseOp(source);
  rewriter.eraseOp(op);
  return fused;
}

namespace {
struct FuseEpilogues
    : public mlir::rotq::impl::FuseEpiloguesBase<FuseEpilogues> {
  void runOnOperation() override {
    SmallVector<MatmulOp> matmuls;
    getOperation().walk([&](MatmulOp op) {
      if (op.hasPureTensorSemantics())
        matmuls.push_back(op);
    });
    IRRewriter rewriter(&getContext());
    auto opts = remark::RemarkOpts::name("FuseEpilogue")
                    .category("rotq-epilogue")
                    .function(getOperation().getName());
    for (MatmulOp op : matmuls) {
      Fusion fusion(op);
      fusion.collect();
      if (fusion.stop)
        remark::missed(fusion.stop->getLoc(), opts) << remark::add(fusion.why);
      size_t count = fusion.getOps().size();
      if (count == 0)
        continue;
      op = fusion.apply(rewriter);
      remark::passed(op.getLoc(), opts)
          << remark::add("epilogue of {0} elementwise operations", count);
      ++numMatmuls;
      numFused += count;
    }
  }
};
} // namespace
