//===- Error.h - Results of operations that can fail ------------*- C++ -*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Codec and Runtime link no LLVM, so they report failure with tl::expected
// (Debian's libexpected-dev; std::expected needs C++23, which MLIR 22's headers
// do not compile as with libstdc++ 12).
// A message is one lower-case sentence that names what is wrong and where.
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_SUPPORT_ERROR_H
#define ROTQ_SUPPORT_ERROR_H

#include <tl/expected.hpp>

#include <string>

namespace rotq {

template <typename T> using Expected = tl::expected<T, std::string>;

/// Success, or a message.
using Status = tl::expected<void, std::string>;

inline tl::unexpected<std::string> failure(std::string message) {
  return tl::unexpected<std::string>(std::move(message));
}

} // namespace rotq

#endif // ROTQ_SUPPORT_ERROR_H
