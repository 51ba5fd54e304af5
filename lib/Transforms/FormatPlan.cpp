//===- FormatPlan.cpp - Which weight gets which format
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FormatPlan.h"

#include "rotq/Codec/Format.h"
#include "rotq/Support/LLVMJson.h"

#include "llvm/Support/MemoryBuffer.h"

using namespace mlir;
using namespace mlir::rotq;
namespace json = llvm::json;

FailureOr<FormatPlan> FormatPlan::uniform(MLIRContext *context,
                                          StringRef format, StringRef include,
                                          EmitError emitError) {
  FormatPlan plan;
  plan.include = std::make_shared<llvm::Regex>(include.empty() ? "^" : include);
  std::string error;
  if (!plan.include->isValid(error))
    return emitError() << "expected 'include' to be a regular expression but "
                          "got '"
                       << include << "': " << error;
  FailureOr<FormatAttr> preset =
      FormatAttr::getPreset(context, format, emitError);
  if (failed(preset))
    return failure();
  plan.format = *preset;
  return plan;
}

/// A preset's name, or a declaration as archives carry it.
static FailureOr<FormatAttr> readFormat(MLIRContext *context,
                                        const json::Value &value,
                                        FormatPlan::EmitError emitError) {
  if (std::optional<StringRef> name = value.getAsString())
    return FormatAttr::getPreset(context, *name, emitError);
  std::string text;
  llvm::raw_string_ostream(text) << value;
  auto format = ::rotq::Format::fromJson(text);
  if (!format)
    return emitError() << format.error();
  if (FormatAttr attr = FormatAttr::get(context, *format))
    return attr;
  return emitError() << "format '" << format->name
                     << "' has a part without attribute";
}

FailureOr<FormatPlan> FormatPlan::read(MLIRContext *context, StringRef path,
                                       EmitError emitError) {
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/true);
  if (!buffer)
    return emitError() << "cannot read the plan '" << path
                       << "': " << buffer.getError().message();
  llvm::Expected<json::Value> value = ::rotq::parseJson((*buffer)->getBuffer());
  if (!value)
    return emitError() << "plan '" << path
                       << "': " << llvm::toString(value.takeError());
  const json::Object *object = value->getAsObject();
  if (!object)
    return emitError() << "expected the plan '" << path
                       << "' to be a json object";
  FormatPlan plan;
  for (const auto &[key, entry] : *object) {
    std::string name = key.str();
    auto emitEntryError = [&] {
      return emitError() << "plan '" << path << "', weight '" << name << "': ";
    };
    FailureOr<FormatAttr> format = readFormat(context, entry, emitEntryError);
    if (failed(format))
      return failure();
    plan.formats[name] = *format;
    plan.names.push_back(std::move(name));
  }
  llvm::sort(plan.names);
  return plan;
}

FormatAttr FormatPlan::lookup(StringRef name) const {
  if (isBinding())
    return formats.lookup(name);
  return include->match(name) ? format : FormatAttr();
}
