//===- Message.h - Text of error messages -----------------------*- C++ -*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_CODEC_MESSAGE_H
#define ROTQ_LIB_CODEC_MESSAGE_H

#include <charconv>
#include <concepts>
#include <string>
#include <string_view>

namespace rotq {

inline void appendPart(std::string &text, std::string_view part) {
  text += part;
}

template <typename T>
  requires std::integral<T> || std::floating_point<T>
void appendPart(std::string &text, T number) {
  char buffer[32];
  text.append(buffer,
              std::to_chars(buffer, buffer + sizeof(buffer), number).ptr);
}

/// `pattern` with each "{}" replaced by the next argument (std::format, which
/// the oldest supported standard library lacks).
template <typename... Args>
std::string message(std::string_view pattern, const Args &...args) {
  std::string text;
  auto upToHole = [&] {
    size_t hole = pattern.find("{}");
    text += pattern.substr(0, hole);
    pattern.remove_prefix(hole == pattern.npos ? pattern.size() : hole + 2);
  };
  ((upToHole(), appendPart(text, args)), ...);
  text += pattern;
  return text;
}

} // namespace rotq

#endif // ROTQ_LIB_CODEC_MESSAGE_H
