//===- ExternalTool.cpp - Programs that code generation runs --------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ExternalTool.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"

using namespace mlir;
using namespace mlir::rotq;

Temporary::Temporary(StringRef suffix) {
  error = llvm::sys::fs::createTemporaryFile("rotq", suffix, path);
  if (!error)
    remover.setFile(path);
}

LogicalResult mlir::rotq::writeFile(Location loc, StringRef path,
                                    StringRef bytes) {
  std::error_code error;
  llvm::raw_fd_ostream os(path, error);
  if (!error) {
    os << bytes;
    os.close();
    error = os.error();
  }
  if (error)
    return emitError(loc) << "cannot write '" << path
                          << "': " << error.message();
  return success();
}

FailureOr<std::string> mlir::rotq::readFile(Location loc, StringRef path) {
  auto buffer = llvm::MemoryBuffer::getFile(path);
  if (!buffer)
    return emitError(loc) << "cannot read '" << path
                          << "': " << buffer.getError().message();
  return (*buffer)->getBuffer().str();
}

LogicalResult mlir::rotq::runProgram(Location loc, StringRef name,
                                     StringRef path,
                                     ArrayRef<std::string> arguments) {
  Temporary output("log");
  if (output.error)
    return emitError(loc) << "cannot create a temporary file: "
                          << output.error.message();
  SmallVector<StringRef> argv = {path};
  argv.append(arguments.begin(), arguments.end());
  std::string message;
  int code = llvm::sys::ExecuteAndWait(
      path, argv, std::nullopt,
      {std::nullopt, StringRef(output.path), StringRef(output.path)},
      /*SecondsToWait=*/0, /*MemoryLimit=*/0, &message);
  if (code == 0)
    return success();
  auto text = llvm::MemoryBuffer::getFile(output.path);
  return emitError(loc) << name << " failed: " << message
                        << (text ? (*text)->getBuffer() : StringRef());
}
