//===- HostInterface.cpp - How the functions of host objects are called ---===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Pipelines/HostPipeline.h"
#include "rotq/Target/Target.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/JSON.h"

#include <map>

using namespace mlir;
using namespace mlir::rotq;
namespace json = llvm::json;

namespace {
/// A function that callers of the object see.
struct HostFunction {
  StringRef name;
  FunctionType type;
  ArrayAttr parameters; ///< null: it has none

  StringRef parameterOf(size_t argument) const {
    if (!parameters)
      return {};
    return cast<StringAttr>(parameters[argument]).getValue();
  }
};
} // namespace

static FailureOr<SmallVector<HostFunction>> findFunctions(ModuleOp module) {
  SmallVector<HostFunction> functions;
  for (auto func : module.getOps<LLVM::LLVMFuncOp>()) {
    auto signature = func->getAttrOfType<TypeAttr>(kSignatureAttrName);
    // The wrapper that C calls has the attributes of what it wraps.
    if (!signature || func.getName().starts_with(kWrapperPrefix) ||
        SymbolTable::getSymbolVisibility(func) !=
            SymbolTable::Visibility::Public)
      continue;
    functions.push_back({func.getName(),
                         cast<FunctionType>(signature.getValue()),
                         func->getAttrOfType<ArrayAttr>(kParametersAttrName)});
  }
  if (functions.empty())
    return emitError(module.getLoc(), "expected a module with public "
                                      "functions that rotq-to-host lowered");
  return functions;
}

/// Names come from outside.
static json::Value asJson(StringRef text) {
  return json::isUTF8(text) ? json::Value(text) : json::fixUTF8(text);
}

static std::string nameOf(Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return text;
}

//===----------------------------------------------------------------------===//
// JSON
//===----------------------------------------------------------------------===//

static json::Value describe(Type type, StringRef parameter = "") {
  json::Object value;
  if (auto memref = dyn_cast<MemRefType>(type)) {
    json::Array shape;
    for (int64_t size : memref.getShape())
      shape.push_back(ShapedType::isDynamic(size) ? json::Value(nullptr)
                                                  : json::Value(size));
    value["shape"] = std::move(shape);
    type = memref.getElementType();
  }
  value["type"] = nameOf(type);
  if (!parameter.empty())
    value["parameter"] = asJson(parameter);
  return value;
}

FailureOr<std::string> mlir::rotq::emitHostInterface(ModuleOp module) {
  FailureOr<SmallVector<HostFunction>> functions = findFunctions(module);
  if (failed(functions))
    return failure();
  json::Object all;
  for (const HostFunction &function : *functions) {
    json::Array arguments, results;
    for (auto [i, type] : llvm::enumerate(function.type.getInputs()))
      arguments.push_back(describe(type, function.parameterOf(i)));
    for (Type type : function.type.getResults())
      results.push_back(describe(type));
    all[json::fixUTF8(function.name)] = json::Object{
        {"arguments", std::move(arguments)}, {"results", std::move(results)}};
  }
  return llvm::formatv("{0:1}\n", json::Value(std::move(all))).str();
}

//===----------------------------------------------------------------------===//
// C
//===----------------------------------------------------------------------===//

/// The C type of an element or a scalar; floats that C lacks are their bits.
static StringRef elementOf(Type type) {
  if (type.isF32())
    return "float";
  if (type.isF64())
    return "double";
  if (type.isF16() || type.isBF16())
    return "uint16_t";
  if (type.isInteger(1) || type.isInteger(8))
    return "int8_t";
  if (type.isInteger(16))
    return "int16_t";
  if (type.isInteger(32))
    return "int32_t";
  if (type.isInteger(64) || type.isIndex())
    return "int64_t";
  return {};
}

static FailureOr<std::string> typeOf(Location loc, Type type,
                                     std::map<std::string, std::string> &uses) {
  auto memref = dyn_cast<MemRefType>(type);
  StringRef element = elementOf(memref ? memref.getElementType() : type);
  if (element.empty())
    return emitError(loc) << "expected a type that c has but got " << type;
  if (!memref)
    return element.str();
  int64_t rank = memref.getRank();
  std::string name =
      ("rotq_" + nameOf(memref.getElementType()) + "_" + Twine(rank) + "d")
          .str();
  std::string &text = uses[name];
  llvm::raw_string_ostream os(text);
  if (text.empty()) {
    // Headers of two objects may meet in one file.
    os << "#ifndef " << name << "\n#define " << name << " " << name
       << "\ntypedef struct {\n  " << element << " *allocated, *aligned;\n"
       << "  int64_t offset;\n";
    if (rank)
      os << "  int64_t sizes[" << rank << "], strides[" << rank << "];\n";
    os << "} " << name << ";\n#endif\n";
  }
  return name;
}

/// What C compilers pass as MLIR does: a half is no integer to them.
static bool isPassedAlike(Type type) {
  return isa<MemRefType>(type) || !(type.isF16() || type.isBF16());
}

static bool isIdentifier(StringRef name) {
  return llvm::all_of(name,
                      [](char c) { return c == '_' || llvm::isAlnum(c); });
}

/// Names come from outside, and must not end the comment they are in.
static std::string asComment(StringRef text) {
  std::string comment = text.str();
  for (char &c : comment)
    if (!llvm::isPrint(c) || c == '*')
      c = '?';
  return comment;
}

/// The results of `function` as a struct, or as C returns them: what is no
/// array and comes alone is no struct to MLIR.
static FailureOr<std::string>
writeResults(llvm::raw_ostream &os, Location loc, const HostFunction &function,
             std::map<std::string, std::string> &types) {
  ArrayRef<Type> results = function.type.getResults();
  bool isStruct = results.size() > 1 ||
                  (results.size() == 1 && isa<MemRefType>(results[0]));
  std::string members, last = "void";
  for (auto [i, type] : llvm::enumerate(results)) {
    auto name = typeOf(loc, type, types);
    if (failed(name))
      return failure();
    if (!isStruct && !isPassedAlike(type))
      return emitError(loc) << "expected a result that c has but got " << type;
    members += "  " + *name + " result" + std::to_string(i) + ";\n";
    last = *name;
  }
  if (!isStruct)
    return last;
  os << "typedef struct {\n"
     << members << "} rotq_" << function.name << "_results;\n";
  return std::string();
}

static LogicalResult writeFunction(llvm::raw_ostream &os, Location loc,
                                   const HostFunction &function,
                                   std::map<std::string, std::string> &types) {
  if (!isIdentifier(function.name))
    return emitError(loc) << "expected a name that c has but got '"
                          << function.name << "'";
  FailureOr<std::string> returned = writeResults(os, loc, function, types);
  if (failed(returned))
    return failure();
  SmallVector<std::string> arguments;
  if (returned->empty())
    arguments.push_back(("rotq_" + function.name + "_results *results").str());
  for (auto [i, type] : llvm::enumerate(function.type.getInputs())) {
    auto name = typeOf(loc, type, types);
    if (failed(name))
      return failure();
    if (!isPassedAlike(type))
      return emitError(loc)
             << "expected an argument that c has but got " << type;
    std::string &text = arguments.emplace_back();
    if (StringRef parameter = function.parameterOf(i); !parameter.empty())
      text = "/* " + asComment(parameter) + ": " + nameOf(type) + " */ ";
    text += *name + (isa<MemRefType>(type) ? " *" : " ") + "argument" +
            std::to_string(i);
  }
  os << (returned->empty() ? "void" : *returned) << " " << kWrapperPrefix
     << function.name << "(";
  if (arguments.empty())
    os << "void";
  else
    os << "\n    " << llvm::join(arguments, ",\n    ");
  os << ");\nconst char *rotq_" << function.name
     << "_missing_feature(void);\n\n";
  return success();
}

FailureOr<std::string> mlir::rotq::emitHostHeader(ModuleOp module) {
  FailureOr<SmallVector<HostFunction>> functions = findFunctions(module);
  if (failed(functions))
    return failure();
  std::map<std::string, std::string> types;
  std::string prototypes;
  llvm::raw_string_ostream os(prototypes);
  for (const HostFunction &function : *functions)
    if (failed(writeFunction(os, module.getLoc(), function, types)))
      return failure();

  std::string header =
      "/* Functions of an object that quant-translate wrote. An array is its\n"
      "   address (twice), an offset, and sizes and strides in elements; f16 "
      "and\n   bf16 are uint16_t. Results that are no argument belong to the "
      "caller,\n   who frees `allocated`. Code is for the CPU it was compiled "
      "for: call a\n   function only where its missing_feature is null, and "
      "not "
      "the name of an\n   instruction set that this CPU lacks. */\n#pragma "
      "once\n#include "
      "<stdint.h>\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n";
  for (const auto &[name, text] : types)
    header += text;
  return header + "\n" + prototypes + "#ifdef __cplusplus\n}\n#endif\n";
}
