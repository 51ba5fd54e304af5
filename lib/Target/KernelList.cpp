//===- KernelList.cpp - Which kernels compute the products of a module
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Target/KernelConfig.h"
#include "rotq/Target/Target.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/JSON.h"

using namespace mlir;
using namespace mlir::rotq;
namespace json = llvm::json;

namespace {
/// The products of a function that callers see, with those of the functions
/// that it calls: weights have the names of its parameters.
class KernelLister {
public:
  KernelLister(func::FuncOp root, const SymbolTable &symbols, json::Array &rows)
      : root(root), symbols(symbols), rows(rows) {}

  LogicalResult run();

private:
  using Names = SmallVector<StringAttr>; ///< of arguments, null: none

  LogicalResult list(func::FuncOp func, const Names &names);
  LogicalResult list(MatmulOpInterface op, const Names &names);
  LogicalResult listCallee(func::CallOp call, const Names &names);

  func::FuncOp root;
  const SymbolTable &symbols;
  json::Array &rows;
  llvm::SmallPtrSet<Operation *, 4> active;
};
} // namespace

/// The argument of a function that `value` is, if it is one.
static BlockArgument findArgument(Value value) {
  while (auto view = value.getDefiningOp<RotatedViewOp>())
    value = view.getSource();
  auto argument = dyn_cast<BlockArgument>(value);
  bool isOfFunction =
      argument && isa<func::FuncOp>(argument.getOwner()->getParentOp());
  return isOfFunction ? argument : BlockArgument();
}

/// The functions in an epilogue, in their order.
static json::Array listEpilogue(MatmulOpInterface op) {
  json::Array names;
  for (Operation &member : op.getEpilogue().getOps())
    if (!member.hasTrait<OpTrait::IsTerminator>() &&
        !member.hasTrait<OpTrait::ConstantLike>())
      names.push_back(member.getName().stripDialect());
  return names;
}

LogicalResult KernelLister::list(MatmulOpInterface op, const Names &names) {
  if (!op.getKernels())
    return op.emitOpError("expected kernels: run rotq-plan-host first");
  json::Value epilogue = listEpilogue(op);
  std::string activation;
  llvm::raw_string_ostream(activation)
      << getElementTypeOrSelf(op.getInputs()[0].getType());
  for (OpOperand &weight : op.getWeightsMutable()) {
    BlockArgument argument = findArgument(weight.get());
    StringAttr name = argument ? names[argument.getArgNumber()] : StringAttr();
    if (!name)
      continue;
    auto type = cast<WeightType>(argument.getType());
    for (auto kernel : op.getKernels()->getAsRange<KernelAttr>()) {
      json::Value end = nullptr;
      if (kernel.getMMax() != 0)
        end = kernel.getMMax();
      rows.push_back(
          json::Object{{"function", json::fixUTF8(root.getName())},
                       {"weight", json::fixUTF8(name.getValue())},
                       {"shape", json::Array{type.getN(), type.getK()}},
                       {"format", json::fixUTF8(type.getFormat().getName())},
                       {"activation", activation},
                       {"kernel", KernelConfig::get(kernel).str()},
                       {"m", json::Array{kernel.getMMin(), std::move(end)}},
                       {"epilogue", epilogue}});
    }
  }
  return success();
}

LogicalResult KernelLister::listCallee(func::CallOp call, const Names &names) {
  auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
  if (!callee || callee.isExternal())
    return success();
  Names passed;
  for (Value operand : call.getOperands()) {
    BlockArgument argument = findArgument(operand);
    passed.push_back(argument ? names[argument.getArgNumber()] : StringAttr());
  }
  return list(callee, passed);
}

LogicalResult KernelLister::list(func::FuncOp func, const Names &names) {
  // What calls itself is listed once.
  if (!active.insert(func).second)
    return success();
  WalkResult result = func.walk([&](Operation *op) -> WalkResult {
    if (auto matmul = dyn_cast<MatmulOpInterface>(op))
      return list(matmul, names);
    if (auto call = dyn_cast<func::CallOp>(op))
      return listCallee(call, names);
    return success();
  });
  active.erase(func);
  return failure(result.wasInterrupted());
}

LogicalResult KernelLister::run() {
  Names names;
  for (unsigned i = 0; i < root.getNumArguments(); ++i)
    names.push_back(root.getArgAttrOfType<StringAttr>(i, "rotq.parameter"));
  return list(root, names);
}

FailureOr<std::string> mlir::rotq::emitKernelList(ModuleOp module) {
  SymbolTable symbols(module);
  json::Array rows;
  bool isEmpty = true;
  for (auto func : module.getOps<func::FuncOp>()) {
    if (!func.isPublic() || func.isExternal())
      continue;
    isEmpty = false;
    if (failed(KernelLister(func, symbols, rows).run()))
      return failure();
  }
  if (isEmpty)
    return emitError(module.getLoc(), "expected a module with public functions "
                                      "that rotq-plan-host planned");
  return llvm::formatv("{0:1}\n", json::Value(std::move(rows))).str();
}
