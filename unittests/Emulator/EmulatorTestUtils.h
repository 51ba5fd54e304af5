//===- EmulatorTestUtils.h - Kernels to run on the emulator
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_UNITTESTS_EMULATOR_EMULATORTESTUTILS_H
#define ROTQ_UNITTESTS_EMULATOR_EMULATORTESTUTILS_H

#include "rotq/Emulator/Emulator.h"

#include "gtest/gtest.h"

namespace mlir::rotq::test {

/// An emulator of LLVM assembly, or the error.
llvm::Expected<std::unique_ptr<Emulator>> emulate(const std::string &assembly,
                                                  llvm::StringRef chip);

/// Runs @k of `assembly`; the message of its error, "" for success.
std::string runKernel(const std::string &assembly,
                      llvm::ArrayRef<EmulatorArgument> arguments,
                      const EmulatorLaunch &launch,
                      llvm::StringRef chip = "sm_90a");

template <typename T>
EmulatorBuffer bufferOf(std::vector<T> &values, std::string name,
                        bool writable = true) {
  return {std::as_writable_bytes(std::span(values)), std::move(name), writable};
}

} // namespace mlir::rotq::test

#endif // ROTQ_UNITTESTS_EMULATOR_EMULATORTESTUTILS_H
