//===- SegmentIndexTest.cpp - Segments of a row as IR
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Conversion/SegmentIndex.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/OwningOpRef.h"
#include "gtest/gtest.h"

#include <functional>

using namespace mlir;
using namespace mlir::rotq;
using ::rotq::Blocking;

namespace {
/// A builder that folds: what it emits on a constant is a constant.
class Folder {
public:
  using EmitFn =
      std::function<Value(OpBuilder &, Location, const Blocking &, Value)>;

  Folder() { context.loadDialect<arith::ArithDialect>(); }

  int64_t operator()(EmitFn emit, const Blocking &blocking, int64_t argument) {
    Location loc = UnknownLoc::get(&context);
    OwningOpRef<ModuleOp> module = ModuleOp::create(loc);
    OpBuilder builder = OpBuilder::atBlockBegin(module->getBody());
    Value k = arith::ConstantIndexOp::create(builder, loc, argument);
    return evaluate(emit(builder, loc, blocking, k));
  }

private:
  static int64_t evaluate(Value value) {
    Operation *op = value.getDefiningOp();
    SmallVector<Attribute> operands;
    for (Value operand : op->getOperands())
      if (operand.getType().isInteger(1))
        operands.push_back(
            BoolAttr::get(value.getContext(), evaluate(operand) != 0));
      else
        operands.push_back(
            IntegerAttr::get(operand.getType(), evaluate(operand)));
    SmallVector<OpFoldResult> results;
    EXPECT_TRUE(succeeded(op->fold(operands, results)));
    if (results.empty())
      return -1;
    if (auto folded = dyn_cast<Value>(results[0]))
      return evaluate(folded);
    auto attr = cast<IntegerAttr>(cast<Attribute>(results[0]));
    return attr.getType().isInteger(1) ? int64_t(!attr.getValue().isZero())
                                       : attr.getInt();
  }

  MLIRContext context;
};
} // namespace

TEST(SegmentIndex, AgreesWithBlocking) {
  Folder fold;
  for (int64_t block : {32, 128, 256, 4096})
    for (int64_t k : {1, 32, 33, 96, 100, 256, 480, 640, 992, 4304}) {
      Blocking blocking(k, block);
      for (int64_t i = 0; i < ::rotq::storedLength(k); i += 16)
        ASSERT_EQ(fold(emitSegmentIndex, blocking, i), blocking.indexOf(i))
            << "K " << k << " block " << block << " position " << i;
      for (int64_t i = 0; i < blocking.size(); ++i) {
        ASSERT_EQ(fold(emitSegmentLength, blocking, i),
                  blocking.segment(i).length);
        ASSERT_EQ(fold(emitSegmentOffset, blocking, i),
                  blocking.segment(i).offset);
      }
      ASSERT_EQ(fold(emitSegmentOffset, blocking, blocking.size()),
                blocking.paddedSize());
    }
}
