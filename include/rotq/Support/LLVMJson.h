//===- LLVMJson.h - JSON of unknown origin ----------------------*- C++ -*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// For code that links LLVM: its parser calls itself for every level of a text,
// and would run out of stack where a text nests without end.
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_SUPPORT_LLVMJSON_H
#define ROTQ_SUPPORT_LLVMJSON_H

#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"

namespace rotq {

/// Levels that a text may have: what we read has a handful.
inline constexpr int kMaxJsonDepth = 64;

/// `llvm::json::parse`, for texts that nobody vouches for.
inline llvm::Expected<llvm::json::Value> parseJson(llvm::StringRef text) {
  int depth = 0;
  bool isString = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (isString && c == '\\')
      ++i;
    else if (c == '"')
      isString = !isString;
    else if (!isString && (c == '[' || c == '{') && ++depth > kMaxJsonDepth)
      return llvm::createStringError("json is nested too deeply");
    else if (!isString && (c == ']' || c == '}'))
      --depth;
  }
  return llvm::json::parse(text);
}

} // namespace rotq

#endif // ROTQ_SUPPORT_LLVMJSON_H
