//===- LastError.h - Failure of C functions ---------------------*- C++ -*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_CAPI_LASTERROR_H
#define ROTQ_LIB_CAPI_LASTERROR_H

#include <exception>
#include <new>
#include <string>

namespace rotq {

/// Keeps `message` for rotqLastError() on this thread. Returns nonzero, what a
/// failing C function returns.
int reportError(std::string message) noexcept;

/// Runs the body of a C function, which returns an int; nothing is thrown
/// across the boundary.
template <typename Body> int guarded(Body body) noexcept {
  try {
    return body();
  } catch (const std::bad_alloc &) {
    return reportError("out of memory");
  } catch (const std::exception &exception) {
    return reportError(exception.what());
  } catch (...) {
    return reportError("unknown exception");
  }
}

} // namespace rotq

#endif // ROTQ_LIB_CAPI_LASTERROR_H
