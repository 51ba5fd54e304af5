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

/// Of the functions that LLVMRequestCWrappers makes.
static constexpr StringRef kWrapperPrefix = "_mlir_ciface_";

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
    value["parameter"] = parameter;
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
    all[function.name] = json::Object{{"arguments", std::move(arguments)},
                                      {"results", std::move(results)}};
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
    os << "typedef struct {\n  " << element << " *allocated, *aligned;\n"
       << "  int64_t offset;\n";
    if (rank)
      os << "  int64_t sizes[" << rank << "], strides[" << rank << "];\n";
    os << "} " << name << ";\n";
  }
  return name;
}

/// Names come from outside, and must not end the comment they are in.
static std::string asComment(StringRef text) {
  std::string comment = text.str();
  for (char &c : comment)
    if (!llvm::isPrint(c) || c == '*')
      c = '?';
  return comment;
}

FailureOr<std::string> mlir::rotq::emitHostHeader(ModuleOp module) {
  FailureOr<SmallVector<HostFunction>> functions = findFunctions(module);
  if (failed(functions))
    return failure();
  std::map<std::string, std::string> types;
  std::string prototypes;
  llvm::raw_string_ostream os(prototypes);
  for (const HostFunction &function : *functions) {
    StringRef separator = "";
    std::string results, arguments;
    llvm::raw_string_ostream resultStream(results), argumentStream(arguments);
    for (auto [i, type] : llvm::enumerate(function.type.getResults())) {
      auto name = typeOf(module.getLoc(), type, types);
      if (failed(name))
        return failure();
      resultStream << "  " << *name << " result" << i << ";\n";
    }
    if (!results.empty()) {
      argumentStream << "\n    rotq_" << function.name << "_results *results";
      separator = ",";
    }
    for (auto [i, type] : llvm::enumerate(function.type.getInputs())) {
      auto name = typeOf(module.getLoc(), type, types);
      if (failed(name))
        return failure();
      argumentStream << separator << "\n    ";
      if (StringRef parameter = function.parameterOf(i); !parameter.empty())
        argumentStream << "/* " << asComment(parameter) << ": " << nameOf(type)
                       << " */ ";
      argumentStream << *name << (isa<MemRefType>(type) ? " *" : " ")
                     << "argument" << i;
      separator = ",";
    }
    if (!results.empty())
      os << "typedef struct {\n"
         << results << "} rotq_" << function.name << "_results;\n";
    os << "void " << kWrapperPrefix << function.name << "("
       << (arguments.empty() ? "void" : arguments) << ");\n\n";
  }

  std::string header =
      "/* Functions of an object that quant-translate wrote. An array is its\n"
      "   address (twice), an offset, and sizes and strides in elements; f16 "
      "and\n   bf16 are uint16_t. Results that are no argument belong to the "
      "caller,\n   who frees `allocated`. */\n#pragma once\n#include "
      "<stdint.h>\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n";
  for (const auto &[name, text] : types)
    header += text;
  return header + "\n" + prototypes + "#ifdef __cplusplus\n}\n#endif\n";
}
