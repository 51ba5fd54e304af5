//===- InlineAssembly.cpp - PTX in kernels
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The text is what MLIR makes of ops without an intrinsic, and what kernels
// write themselves: statements that end in semicolons, within braces or not,
//
//   .reg .pred p;
//   setp.ne.b32 p, $10, 0;
//   @p mnemonic {$0, $1}, [$2], 0xea;
//
// Operands are those of the call, declared registers and integers.
//
//===----------------------------------------------------------------------===//

#include "InlineAssembly.h"

#include "Instructions.h"
#include "Memory.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InlineAsm.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Module.h"
#include "llvm/Transforms/Utils/BasicBlockUtils.h"

using namespace llvm;
using mlir::rotq::emulator::allInstructions;
using mlir::rotq::emulator::baseOf;
using mlir::rotq::emulator::DeviceInstruction;
using mlir::rotq::emulator::findInstruction;
using mlir::rotq::emulator::kSharedRegion;

namespace {
struct Operand {
  enum class Kind { Single, Group, Address } kind;
  SmallVector<StringRef> names;
};

struct Statement {
  StringRef guard; ///< of "@p" and "@!p"; empty without one
  bool isNegated = false;
  StringRef mnemonic;
  SmallVector<Operand> operands;

  /// "mnemonic {},[],x": how the table lists an instruction.
  std::string form() const {
    std::string text = mnemonic.str();
    for (auto [i, operand] : enumerate(operands)) {
      text += i ? "," : " ";
      text += operand.kind == Operand::Kind::Single  ? "x"
              : operand.kind == Operand::Kind::Group ? "{}"
                                                     : "[]";
    }
    return text;
  }
};

/// The assembly of one call.
class Expansion {
public:
  explicit Expansion(CallInst &call)
      : call(call), module(*call.getModule()), builder(&call) {}

  /// False, with nothing changed, for what is not understood.
  bool run();

private:
  bool parse(StringRef text);
  bool parseStatement(StringRef text);
  bool declare(StringRef text);
  bool bindOperands(const InlineAsm &assembly);
  bool isRegister(StringRef name) const { return types.contains(name); }
  bool isKnown(const Statement &statement) const;
  bool hasResult(const Statement &statement) const;
  Value *read(StringRef name);
  void emit(const Statement &statement);

  CallInst &call;
  Module &module;
  IRBuilder<> builder;
  SmallVector<Statement> statements;
  /// Results of the assembly and declared registers.
  StringMap<Type *> types;
  StringMap<Value *> values;
  unsigned numResults = 0;
};
} // namespace

static bool isInteger(StringRef name) {
  int64_t value;
  return !name.getAsInteger(0, value);
}

//===----------------------------------------------------------------------===//
// Text
//===----------------------------------------------------------------------===//

bool Expansion::declare(StringRef text) {
  auto [typeName, names] = text.trim().split(' ');
  auto *type = StringSwitch<Type *>(typeName)
                   .Case(".pred", builder.getInt1Ty())
                   .Cases({".b16", ".u16", ".s16"}, builder.getInt16Ty())
                   .Cases({".b32", ".u32", ".s32"}, builder.getInt32Ty())
                   .Cases({".b64", ".u64", ".s64"}, builder.getInt64Ty())
                   .Case(".f32", builder.getFloatTy())
                   .Default(nullptr);
  SmallVector<StringRef> parts;
  names.split(parts, ',');
  for (StringRef name : parts)
    types[name.trim()] = type;
  return type;
}

/// Splits "x, {a, b}, [c]".
static bool parseOperands(StringRef text, SmallVector<Operand> &operands) {
  while (!(text = text.ltrim(" \t\n,")).empty()) {
    StringRef inside;
    Operand operand{Operand::Kind::Single, {}};
    if (text.front() == '{' || text.front() == '[') {
      bool isGroup = text.front() == '{';
      operand.kind = isGroup ? Operand::Kind::Group : Operand::Kind::Address;
      size_t end = text.find(isGroup ? '}' : ']');
      if (end == StringRef::npos)
        return false;
      inside = text.slice(1, end);
      text = text.substr(end + 1);
    } else {
      std::tie(inside, text) = text.split(',');
    }
    inside.split(operand.names, ',');
    for (StringRef &name : operand.names)
      name = name.trim();
    operands.push_back(std::move(operand));
  }
  return true;
}

bool Expansion::parseStatement(StringRef text) {
  if (text.consume_front(".reg"))
    return declare(text);
  Statement statement;
  if (text.consume_front("@")) {
    statement.isNegated = text.consume_front("!");
    std::tie(statement.guard, text) = text.split(' ');
    text = text.ltrim();
  }
  size_t end = text.find_first_of(" \t\n");
  statement.mnemonic = text.substr(0, end);
  if (end != StringRef::npos &&
      !parseOperands(text.substr(end), statement.operands))
    return false;
  statements.push_back(std::move(statement));
  return true;
}

bool Expansion::parse(StringRef text) {
  SmallVector<StringRef> parts;
  text.split(parts, ';');
  // A brace before or after a statement is that of a scope.
  for (StringRef part : parts) {
    part = part.trim();
    while (part.consume_front("{") || part.consume_front("}"))
      part = part.ltrim();
    if (!part.empty() && !parseStatement(part))
      return false;
  }
  return true;
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

/// Names the operands of the call "$0", "$1", ...: results come first, and one
/// that is tied to an input starts with its value.
bool Expansion::bindOperands(const InlineAsm &assembly) {
  auto *aggregate = dyn_cast<StructType>(call.getType());
  unsigned input = 0;
  for (auto [i, info] : enumerate(assembly.ParseConstraints())) {
    std::string name = "$" + utostr(i);
    if (info.isIndirect || info.Type == InlineAsm::isLabel)
      return false;
    if (info.Type == InlineAsm::isOutput) {
      types[name] =
          aggregate ? aggregate->getElementType(numResults) : call.getType();
      ++numResults;
    } else if (info.Type == InlineAsm::isInput) {
      Value *value = call.getArgOperand(input++);
      values[name] = value;
      if (StringRef code = info.Codes.front(); isInteger(code))
        values["$" + code.str()] = value;
    }
  }
  return true;
}

/// Whether the first operand is written.
bool Expansion::hasResult(const Statement &statement) const {
  return !statement.operands.empty() &&
         statement.operands[0].kind != Operand::Kind::Address &&
         all_of(statement.operands[0].names,
                [&](StringRef name) { return isRegister(name); });
}

bool Expansion::isKnown(const Statement &statement) const {
  if (findInstruction(statement.form()) < 0)
    return false;
  // Under a condition, a register would keep its value.
  if (!statement.guard.empty() && hasResult(statement))
    return false;
  return all_of(statement.operands, [&](const Operand &operand) {
    return all_of(operand.names, [&](StringRef name) {
      return isRegister(name) || values.contains(name) || isInteger(name);
    });
  });
}

Value *Expansion::read(StringRef name) {
  if (auto it = values.find(name); it != values.end())
    return it->second;
  if (auto it = types.find(name); it != types.end())
    return PoisonValue::get(it->second);
  int64_t value = 0;
  name.getAsInteger(0, value);
  return builder.getInt32(uint32_t(value));
}

void Expansion::emit(const Statement &statement) {
  IRBuilder<>::InsertPointGuard scope(builder);
  if (!statement.guard.empty()) {
    Value *condition = read(statement.guard);
    if (statement.isNegated)
      condition = builder.CreateNot(condition);
    builder.SetInsertPoint(
        SplitBlockAndInsertIfThen(condition, &call, /*Unreachable=*/false));
  }
  const DeviceInstruction &instruction =
      allInstructions()[size_t(findInstruction(statement.form()))];
  bool writes = hasResult(statement);
  ArrayRef<Operand> sources = statement.operands;
  if (writes && !instruction.readsResult)
    sources = sources.drop_front();
  SmallVector<Value *> operands;
  SmallVector<Type *> operandTypes, resultTypes;
  for (const Operand &operand : sources)
    for (StringRef name : operand.names) {
      Value *value = read(name);
      // An address of 32 bits is one of shared memory.
      if (operand.kind == Operand::Kind::Address &&
          value->getType()->isIntegerTy(32))
        value =
            builder.CreateOr(builder.CreateZExt(value, builder.getInt64Ty()),
                             builder.getInt64(baseOf(kSharedRegion)));
      operands.push_back(value);
      operandTypes.push_back(value->getType());
    }
  if (writes)
    for (StringRef name : statement.operands[0].names)
      resultTypes.push_back(types.lookup(name));
  Type *type = resultTypes.empty() ? builder.getVoidTy()
               : resultTypes.size() == 1
                   ? resultTypes[0]
                   : StructType::get(call.getContext(), resultTypes);
  Function *callee = Function::Create(
      FunctionType::get(type, operandTypes, /*isVarArg=*/false),
      GlobalValue::ExternalLinkage, statement.form() + "#", module);
  Value *result = builder.CreateCall(callee, operands);
  for (size_t i = 0; i < resultTypes.size(); ++i)
    values[statement.operands[0].names[i]] =
        resultTypes.size() == 1
            ? result
            : builder.CreateExtractValue(result, unsigned(i));
}

bool Expansion::run() {
  const auto &assembly = *cast<InlineAsm>(call.getCalledOperand());
  if (!bindOperands(assembly) || !parse(assembly.getAsmString()) ||
      !all_of(statements,
              [&](const Statement &statement) { return isKnown(statement); }))
    return false;
  for (const Statement &statement : statements)
    emit(statement);
  if (numResults == 1) {
    call.replaceAllUsesWith(read("$0"));
  } else if (numResults) {
    Value *results = PoisonValue::get(call.getType());
    for (unsigned i = 0; i < numResults; ++i)
      results = builder.CreateInsertValue(results, read("$" + utostr(i)), i);
    call.replaceAllUsesWith(results);
  }
  call.eraseFromParent();
  return true;
}

void mlir::rotq::emulator::expandInlineAssembly(Function &function) {
  SmallVector<CallInst *> calls;
  for (Instruction &inst : instructions(function))
    if (auto *call = dyn_cast<CallInst>(&inst); call && call->isInlineAsm())
      calls.push_back(call);
  for (CallInst *call : calls)
    Expansion(*call).run();
}
