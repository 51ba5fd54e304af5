//===- quant-import.cpp - Descriptions of decoders to modules
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   quant-import decoder.json -o model.mlir
//   quant-import --calibration decoder.json -o calibration.mlir
//
//===----------------------------------------------------------------------===//

#include "rotq/Import/Import.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Verifier.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/WithColor.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace mlir::rotq;
namespace cl = llvm::cl;

static cl::opt<std::string>
    inputPath(cl::Positional, cl::desc("<decoder.json>"), cl::init("-"));
static cl::opt<std::string> outputPath("o", cl::desc("output file"),
                                       cl::value_desc("path"), cl::init("-"));
static cl::opt<bool> isCalibration(
    "calibration",
    cl::desc("the function that calibrates and not those that run"));

static llvm::Error run() {
  auto buffer = llvm::MemoryBuffer::getFileOrSTDIN(inputPath, /*IsText=*/true);
  if (!buffer)
    return llvm::createFileError(inputPath, buffer.getError());
  llvm::Expected<Decoder> decoder = Decoder::parse((*buffer)->getBuffer());
  if (!decoder)
    return llvm::createFileError(inputPath, decoder.takeError());
  MLIRContext context;
  auto imported = isCalibration ? importCalibration(context, *decoder)
                                : importDecoder(context, *decoder);
  if (!imported)
    return llvm::createFileError(inputPath, imported.takeError());
  OwningOpRef<ModuleOp> module = std::move(*imported);
  if (failed(verify(*module)))
    return llvm::createFileError(
        inputPath,
        llvm::createStringError("the decoder gives no valid module"));
  // To a temporary that then takes the place of the output.
  return llvm::writeToOutput(outputPath, [&](llvm::raw_ostream &os) {
    module->print(os);
    os << "\n";
    return llvm::Error::success();
  });
}

int main(int argc, char **argv) {
  llvm::InitLLVM initLLVM(argc, argv);
  cl::ParseCommandLineOptions(
      argc, argv, "writes the module of a decoder that a file describes\n");
  if (llvm::Error error = run()) {
    llvm::WithColor::error(llvm::errs(), "quant-import")
        << llvm::toString(std::move(error)) << "\n";
    return 1;
  }
  return 0;
}
