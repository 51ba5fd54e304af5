//===- EmulatorTestUtils.cpp - Kernels to run on the emulator
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "EmulatorTestUtils.h"

#include "llvm/AsmParser/Parser.h"
#include "llvm/Support/SourceMgr.h"

using namespace mlir::rotq;

llvm::Expected<std::unique_ptr<Emulator>>
mlir::rotq::test::emulate(const std::string &assembly, llvm::StringRef chip) {
  auto context = std::make_unique<llvm::LLVMContext>();
  llvm::SMDiagnostic diagnostic;
  auto module = llvm::parseAssemblyString(assembly, diagnostic, *context);
  if (!module) {
    std::string text;
    llvm::raw_string_ostream stream(text);
    diagnostic.print("kernel", stream);
    return llvm::createStringError(text);
  }
  return Emulator::create(std::move(context), std::move(module), chip);
}

std::string mlir::rotq::test::runKernel(
    const std::string &assembly, llvm::ArrayRef<EmulatorArgument> arguments,
    const EmulatorLaunch &launch, llvm::StringRef chip) {
  auto emulator = emulate(assembly, chip);
  if (!emulator)
    return toString(emulator.takeError());
  if (llvm::Error error = (*emulator)->launch("k", launch, arguments))
    return toString(std::move(error));
  return "";
}
