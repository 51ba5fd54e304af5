//===- Memory.cpp - What kernels address
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Memory.h"

using namespace mlir::rotq::emulator;

std::string mlir::rotq::emulator::hex(uint64_t value) {
  static const char digits[] = "0123456789abcdef";
  std::string text;
  do
    text.insert(text.begin(), digits[value % 16]);
  while (value /= 16);
  return "0x" + text;
}

std::string Access::describe() const {
  return std::string(isAtomic  ? "atomic access"
                     : isWrite ? "store"
                               : "load") +
         " of " + std::to_string(size) + (size == 1 ? " byte" : " bytes");
}

bool mlir::rotq::emulator::isOutside(int64_t offset, uint64_t size,
                                     size_t available) {
  return offset < 0 || uint64_t(offset) > available ||
         size > available - uint64_t(offset);
}
