//===- Products.cpp - Host kernels of matmul
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HostKernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace mlir::rotq;

namespace {
/// One y of a product: what it is computed from, and where it goes.
struct Result {
  std::vector<WeightBuffers> weights;
  SmallVector<Value> operands; ///< of the epilogue
  Value out;
};

/// Products of one activation, in one loop over the rows of all weights.
struct LowerProducts : public OpInterfaceRewritePattern<MatmulOpInterface> {
  LowerProducts(MLIRContext *context, int64_t vectorBytes)
      : OpInterfaceRewritePattern(context), vectorBytes(vectorBytes) {}

  LogicalResult matchAndRewrite(MatmulOpInterface op,
                                PatternRewriter &rewriter) const override;

private:
  void emitRange(HostBuilder &b, MatmulOpInterface op, const Result &result,
                 Value begin, Value end) const;

  int64_t vectorBytes;
};
} // namespace

void mlir::rotq::emitElements(HostBuilder &b, ArrayRef<Value> ms,
                              ArrayRef<Value> ns, ValueRange sums,
                              ResultFn result) {
  int64_t i = 0;
  for (Value m : ms)
    for (Value n : ns) {
      auto element = [&](Value sum) { return b.element(sum, i); };
      result(m, n, llvm::map_to_vector(sums, element));
      ++i;
    }
}

/// y[m, n] = what the epilogue makes of the sums
static void emitResult(HostBuilder &b, MatmulOpInterface op,
                       const Result &result, Value m, Value n,
                       ValueRange sums) {
  SmallVector<Value> arguments(sums);
  for (Value operand : result.operands) {
    bool isVector = cast<MemRefType>(operand.getType()).getRank() == 1;
    arguments.push_back(memref::LoadOp::create(
        b, operand, isVector ? ValueRange{n} : ValueRange{m, n}));
  }
  Type element = cast<MemRefType>(result.out.getType()).getElementType();
  Value value =
      inlineEpilogue(b, b.getLoc(), op.getEpilogue(), element, arguments);
  memref::StoreOp::create(b, value, result.out, ValueRange{m, n});
}

/// y[:, begin : end] of a float activation, from decoded rows
static void emitFloat(HostBuilder &b, Value x, ArrayRef<WeightBuffers> weights,
                      Value begin, Value end, ResultFn result) {
  Value count = arith::SubIOp::create(b, end, begin);
  int64_t padded = weights[0].layout.scaleBlocking.paddedSize();
  auto type = MemRefType::get({ShapedType::kDynamic, padded}, b.getF32Type());
  SmallVector<Value> decoded;
  auto emitDecoded = [&](Value rows) {
    const WeightBuffers &weight = weights[decoded.size()];
    decoded.push_back(rows);
    b.tiles(b.index(0), count, 1, [&](ArrayRef<Value> is) {
      Value n = b.add(begin, is[0]);
      b.decodeRow(weight, weight.rowOf(b, b.getLoc(), n), b.row(rows, is[0]));
    });
  };
  for (size_t i = 0; i < weights.size(); ++i)
    emitDecoded(
        memref::AllocOp::create(b, type, count, b.getI64IntegerAttr(64)));
  emitFloatProducts(b, x, decoded, b.index(0), count,
                    [&](Value m, Value i, ValueRange sums) {
                      result(m, b.add(begin, i), sums);
                    });
  for (Value rows : decoded)
    memref::DeallocOp::create(b, rows);
}

void LowerProducts::emitRange(HostBuilder &b, MatmulOpInterface op,
                              const Result &result, Value begin,
                              Value end) const {
  auto store = [&](Value m, Value n, ValueRange sums) {
    emitResult(b, op, result, m, n, sums);
  };
  if (op.isQuantized())
    return emitQuantizedProducts(b, op, result.weights, vectorBytes, begin, end,
                                 store);
  emitFloat(b, op.getInputs()[0], result.weights, begin, end, store);
}

LogicalResult LowerProducts::matchAndRewrite(MatmulOpInterface op,
                                             PatternRewriter &rewriter) const {
  SmallVector<WeightType> types = op.getWeightTypes();
  if (!op.hasPureBufferSemantics() || !hasContiguousRows(op) ||
      !isSupported(types[0]) || op.getRests() ||
      op.getOperandKind() != Operand::Int8)
    return rewriter.notifyMatchFailure(op, "no host kernel");
  HostBuilder b(op.getLoc(), rewriter);
  SmallVector<Result> results;
  int64_t sums = op.getNumSums(), rows = 0;
  for (auto [i, out] : llvm::enumerate(op.getDpsInits())) {
    Result result{{}, op.getEpilogueOperandsOf(int64_t(i)), out};
    for (OpOperand &weight : MutableArrayRef<OpOperand>(op.getWeightsMutable())
                                 .slice(i * sums, sums))
      result.weights.emplace_back(b, b.getLoc(),
                                  cast<TypedValue<WeightType>>(weight.get()));
    results.push_back(std::move(result));
    rows += types[i * sums].getN();
  }
  Value work = arith::MulIOp::create(b, b.rows(op.getInputs()[0]),
                                     b.index(sums * types[0].getK()));
  b.parallel(b.index(rows), kGrain, work, [&](Value begin, Value end) {
    if (results.size() == 1)
      return emitRange(b, op, results[0], begin, end);
    // What a range has of every result, whose rows follow each other.
    int64_t first = 0;
    for (auto [i, result] : llvm::enumerate(results)) {
      Value from = b.index(first), to = b.index(first + types[i * sums].getN());
      auto within = [&](Value row) -> Value {
        row =
            arith::MinUIOp::create(b, arith::MaxUIOp::create(b, row, from), to);
        return arith::SubIOp::create(b, row, from);
      };
      Value low = within(begin), high = within(end);
      Value hasRows =
          arith::CmpIOp::create(b, arith::CmpIPredicate::ult, low, high);
      b.branch(hasRows, [&] { emitRange(b, op, result, low, high); }, [] {});
      first += types[i * sums].getN();
    }
  });
  rewriter.eraseOp(op);
  return success();
}

void mlir::rotq::populateRotQToVectorProductPatterns(
    RewritePatternSet &patterns, int64_t vectorBytes) {
  patterns.add<LowerProducts>(patterns.getContext(), vectorBytes);
}
