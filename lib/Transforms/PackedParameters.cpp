//===- PackedParameters.cpp - Arguments that become packed weights
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PackedParameters.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Remarks.h"

using namespace mlir;
using namespace mlir::rotq;

/// `rotq.parameter` of a function's argument; null if `value` is none.
static StringAttr getParameterName(Value value) {
  auto arg = dyn_cast<BlockArgument>(value);
  if (!arg || !arg.getOwner()->isEntryBlock())
    return {};
  auto func = dyn_cast<func::FuncOp>(arg.getOwner()->getParentOp());
  if (!func)
    return {};
  return func.getArgAttrOfType<StringAttr>(arg.getArgNumber(),
                                           "rotq.parameter");
}

//===----------------------------------------------------------------------===//
// Formats of arguments
//===----------------------------------------------------------------------===//

/// The functions of `module` that are called by `func.call`, and are not
/// referred to in any other way.
static void collectCallees(ModuleOp module, SymbolTable &symbols,
                           llvm::SmallPtrSetImpl<Operation *> &callees) {
  llvm::SmallPtrSet<Operation *, 8> others;
  auto uses = SymbolTable::getSymbolUses(&module.getBodyRegion());
  if (!uses)
    return;
  for (SymbolTable::SymbolUse use : *uses) {
    Operation *symbol = symbols.lookup(use.getSymbolRef().getRootReference());
    if (isa<func::CallOp>(use.getUser()))
      callees.insert(symbol);
    else
      others.insert(symbol);
  }
  for (Operation *other : others)
    callees.erase(other);
}

PackedParameters::PackedParameters(ModuleOp module, const FormatPlan &plan)
    : module(module), plan(plan), symbols(module) {
  collectCallees(module, symbols, callees);
  SmallVector<func::FuncOp> roots, rest;
  for (auto func : module.getOps<func::FuncOp>()) {
    for (BlockArgument arg : func.getArguments())
      if (StringAttr name = getParameterName(arg))
        if (FormatAttr format = plan.lookup(name)) {
          formats[arg] = format;
          groups.insert(arg);
        }
    (canSpecialize(func) ? rest : roots).push_back(func);
  }
  // From those that others call: what a private function gets passed is known
  // when its turn comes. The rest is called by nobody, or in a circle.
  llvm::SmallPtrSet<Operation *, 8> visited;
  for (func::FuncOp root : llvm::concat<func::FuncOp>(roots, rest)) {
    SmallVector<func::FuncOp> pending = {root};
    while (!pending.empty()) {
      func::FuncOp caller = pending.pop_back_val();
      if (visited.insert(caller).second)
        specializeCallees(caller, pending);
    }
  }
}

bool PackedParameters::contains(Value value) const {
  return getParameterName(value) || formats.contains(value);
}

/// Whether the arguments of `callee` may get types of their own: whoever calls
/// it can be made to call another.
bool PackedParameters::canSpecialize(func::FuncOp callee) const {
  return callee.isPrivate() && !callee.isExternal() &&
         callees.contains(callee) &&
         llvm::none_of(callee.getArguments(),
                       [&](Value arg) { return formats.contains(arg); });
}

/// Gives every function that is called the formats of its operands, a function
/// of its own where it has others already. To have none is to have others.
void PackedParameters::specializeCallees(
    func::FuncOp caller, SmallVectorImpl<func::FuncOp> &pending) {
  caller.walk([&](func::CallOp call) {
    Builder builder(module.getContext());
    auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
    if (!callee)
      return;
    if (func::FuncOp origin = origins.lookup(callee))
      callee = origin;
    else if (!canSpecialize(callee))
      return;
    SmallVector<Attribute> key;
    for (Value operand : call.getOperands()) {
      FormatAttr format = formats.lookup(operand);
      key.push_back(format ? Attribute(format) : builder.getUnitAttr());
    }
    func::FuncOp &special =
        specializations[{callee, builder.getArrayAttr(key)}];
    if (!special) {
      bool isTaken = !origins.try_emplace(callee, callee).second;
      special = isTaken ? callee.clone() : callee;
      if (isTaken) {
        symbols.insert(special, std::next(Block::iterator(callee)));
        origins[special] = callee;
      }
      for (auto [arg, operand] :
           llvm::zip(special.getArguments(), call.getOperands()))
        if (FormatAttr format = formats.lookup(operand)) {
          formats[arg] = format;
          groups.insert(arg);
        }
      pending.push_back(special);
    }
    for (auto [arg, operand] :
         llvm::zip(special.getArguments(), call.getOperands()))
      if (formats.contains(operand))
        groups.unionSets(operand, arg);
    call.setCallee(special.getSymName());
  });
}

//===----------------------------------------------------------------------===//
// Packing
//===----------------------------------------------------------------------===//

namespace {
/// One argument and what becomes of its uses.
struct Parameter {
  BlockArgument arg;
  const WeightConsumers *consumers = nullptr;
  SmallVector<Operation *> views;  ///< casts and transposes, users last
  SmallVector<OpOperand *> passed; ///< to other functions
};
} // namespace

/// Sorts the uses of `value`; failure if one is neither a matmul, a lookup, a
/// view nor a call.
static LogicalResult collectUses(Value value, Parameter &parameter) {
  for (OpOperand &use : value.getUses()) {
    bool isConsumer = parameter.consumers &&
                      (llvm::any_of(parameter.consumers->contractions,
                                    [&](const Contraction &contraction) {
                                      return contraction.weightUse == &use;
                                    }) ||
                       llvm::any_of(parameter.consumers->gathers,
                                    [&](const RowGather &gather) {
                                      return gather.tableUse == &use;
                                    }));
    if (isConsumer)
      continue;
    Operation *owner = use.getOwner();
    if (isa<func::CallOp>(owner) && value == parameter.arg) {
      parameter.passed.push_back(&use);
      continue;
    }
    bool isTranspose = false;
    if (getMatrixSource(owner, isTranspose) != value ||
        use.getOperandNumber() != 0)
      return failure();
    parameter.views.push_back(owner);
    if (failed(collectUses(owner->getResult(0), parameter)))
      return failure();
  }
  return success();
}

/// Why these arguments, which are one weight, cannot be packed; null: they can.
static const char *whyNotPacked(MutableArrayRef<Parameter> group,
                                const llvm::EquivalenceClasses<Value> &groups,
                                std::optional<bool> &isKMajor) {
  for (Parameter &parameter : group) {
    for (OpOperand &use : parameter.arg.getUses()) {
      // A call to a function that could not be specialized.
      auto call = dyn_cast<func::CallOp>(use.getOwner());
      if (!call)
        continue;
      auto callee = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(
          call, call.getCalleeAttr());
      if (!callee || callee.isExternal() ||
          !groups.isEquivalent(parameter.arg,
                               callee.getArgument(use.getOperandNumber())))
        return "the parameter is passed to a function that is not private";
    }
    if (failed(collectUses(parameter.arg, parameter)))
      return "the parameter has uses that are no matmul";
    auto type = dyn_cast<RankedTensorType>(parameter.arg.getType());
    if (!type || type.getRank() != 2)
      return "the parameter is no matrix";
    if (!type.hasStaticShape())
      return "the parameter has no static shape";
    if (!parameter.consumers)
      continue;
    auto readAlong = [&](bool along) {
      bool agrees = isKMajor.value_or(along) == along;
      isKMajor = along;
      return agrees;
    };
    for (const Contraction &contraction : parameter.consumers->contractions)
      if (!readAlong(contraction.isKMajor))
        return "the parameter is read along both of its sizes";
    if (!parameter.consumers->gathers.empty() && !readAlong(true))
      return "the parameter is read along both of its sizes";
  }
  return nullptr;
}

void mlir::rotq::reportMissedWeight(const WeightConsumers &consumers,
                                    const char *why) {
  auto report = [&](Location loc) {
    remark::missed(loc, remark::RemarkOpts::name("QuantizeWeight")
                            .category("rotq-quantize-weights"))
        << remark::add(why);
  };
  for (const Contraction &contraction : consumers.contractions)
    report(contraction.getLoc());
  for (RowGather gather : consumers.gathers)
    report(gather.op.getLoc());
}

/// Whoever calls a function passes what its parameters name.
static LogicalResult verifyNoCallers(func::FuncOp func, ModuleOp module) {
  auto callers = SymbolTable::getSymbolUses(func, module);
  if (callers && callers->empty())
    return success();
  InFlightDiagnostic diag = func.emitError()
                            << "expected no callers of '" << func.getName()
                            << "', whose parameters become packed weights";
  if (callers)
    diag.attachNote(callers->begin()->getUser()->getLoc()) << "used here";
  return diag;
}

/// Gives one argument its type and replaces what reads it.
static void packArgument(IRRewriter &rewriter, const Parameter &parameter,
                         WeightType type, unsigned &numReplaced) {
  BlockArgument arg = parameter.arg;
  auto func = cast<func::FuncOp>(arg.getOwner()->getParentOp());
  unsigned index = arg.getArgNumber();
  Block &entry = func.getBody().front();
  Value weight = entry.insertArgument(index + 1, type, arg.getLoc());
  if (parameter.consumers) {
    for (const Contraction &contraction : parameter.consumers->contractions)
      replaceByMatmul(rewriter, contraction, weight);
    for (const RowGather &gather : parameter.consumers->gathers)
      replaceByGather(rewriter, gather, weight);
    numReplaced += parameter.consumers->contractions.size() +
                   parameter.consumers->gathers.size();
  }
  for (OpOperand *use : parameter.passed)
    use->set(weight);
  for (Operation *view : llvm::reverse(parameter.views))
    rewriter.eraseOp(view);
  entry.eraseArgument(index);
  func.setType(rewriter.getFunctionType(entry.getArgumentTypes(),
                                        func.getResultTypes()));
}

LogicalResult PackedParameters::verifyPlanIsUsed() {
  llvm::SmallDenseSet<StringRef> found;
  for (auto [arg, format] : formats)
    if (StringAttr name = getParameterName(arg))
      found.insert(name.getValue());
  for (const std::string &name : plan.getNames())
    if (!found.contains(name))
      return emitError(module.getLoc())
             << "expected a parameter '" << name
             << "', which the plan packs, but the module has none";
  return success();
}

LogicalResult
PackedParameters::pack(const llvm::MapVector<Value, WeightConsumers> &consumers,
                       unsigned &numReplaced) {
  if (failed(verifyPlanIsUsed()))
    return failure();
  llvm::MapVector<Value, SmallVector<Parameter>> byGroup;
  for (auto [arg, format] : formats) {
    const auto *found = consumers.find(arg);
    byGroup[groups.getLeaderValue(arg)].push_back(
        {cast<BlockArgument>(arg),
         found == consumers.end() ? nullptr : &found->second,
         {},
         {}});
  }
  IRRewriter rewriter(module.getContext());
  for (auto &[leader, group] : byGroup) {
    bool isRead = llvm::any_of(
        group, [](const Parameter &parameter) { return parameter.consumers; });
    if (!isRead && !plan.isBinding())
      continue;
    std::optional<bool> isKMajor;
    if (const char *why = whyNotPacked(group, groups, isKMajor)) {
      for (const Parameter &parameter : group) {
        if (parameter.consumers)
          reportMissedWeight(*parameter.consumers, why);
        if (StringAttr name = getParameterName(parameter.arg);
            name && plan.isBinding())
          return emitError(module.getLoc())
                 << "parameter " << name << " cannot be packed: " << why;
      }
      continue;
    }
    auto shape = cast<RankedTensorType>(group.front().arg.getType()).getShape();
    bool isTransposed = !isKMajor.value_or(true);
    // At what reads it: that is where the sizes come from.
    Location loc = group.front().arg.getLoc();
    for (const Parameter &parameter : group)
      if (parameter.consumers && !parameter.consumers->contractions.empty())
        loc = parameter.consumers->contractions.front().getLoc();
    auto type = WeightType::getChecked(
        [&] { return emitError(loc); }, module.getContext(),
        shape[isTransposed ? 1 : 0], shape[isTransposed ? 0 : 1],
        formats.lookup(group.front().arg));
    if (!type)
      return failure();
    for (const Parameter &parameter : group) {
      auto func = cast<func::FuncOp>(parameter.arg.getOwner()->getParentOp());
      if (getParameterName(parameter.arg) &&
          failed(verifyNoCallers(func, module)))
        return failure();
    }
    // Arguments of one function from the last to the first would do as well:
    // each is found by its number when its turn comes.
    for (const Parameter &parameter : group)
      packArgument(rewriter, parameter, type, numReplaced);
  }
  return success();
}
