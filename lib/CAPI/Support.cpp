//===- Support.cpp - What every C function shares -------------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq-c/Support.h"
#include "LastError.h"

using namespace rotq;

static thread_local std::string lastError;

int rotq::reportError(std::string message) noexcept {
  lastError = std::move(message);
  return 1;
}

const char *rotqLastError(void) { return lastError.c_str(); }
