//===- Buffer.h - Buffers of C functions ------------------------*- C++ -*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_CAPI_BUFFER_H
#define ROTQ_LIB_CAPI_BUFFER_H

#include "rotq/Support/Error.h"

#include <cstdint>
#include <span>
#include <string>

namespace rotq {

/// A buffer from C; only an empty one may be null.
template <typename T>
Expected<std::span<T>> buffer(T *data, int64_t size, const char *name) {
  if (size < 0 || (!data && size > 0))
    return failure(std::string("expected a buffer as ") + name +
                   " but got null or a negative size");
  return std::span<T>(data, size_t(size));
}

} // namespace rotq

#endif // ROTQ_LIB_CAPI_BUFFER_H
