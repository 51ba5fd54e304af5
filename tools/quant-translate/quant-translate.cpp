//===- quant-translate.cpp - Modules to PTX, cubins, bundles and objects
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/InitAll.h"
#include "rotq/Runtime/Bundle.h"
#include "rotq/Target/Target.h"

#include "mlir/IR/AsmState.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Support/FileUtilities.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/ToolOutputFile.h"

using namespace mlir;
using namespace mlir::rotq;
namespace cl = llvm::cl;

namespace {
enum class Output {
  PTX,
  Cubin,
  Fatbin,
  Bundle,
  Object,
  Library,
  Interface,
  Header,
  Kernels
};
} // namespace

static cl::opt<std::string> inputPath(cl::Positional, cl::desc("<module>"),
                                      cl::init("-"));
static cl::opt<std::string> outputPath("o", cl::desc("output file"),
                                       cl::value_desc("path"), cl::init("-"));
static cl::opt<Output> outputKind(
    "to", cl::desc("what to write"), cl::Required,
    cl::values(
        clEnumValN(Output::PTX, "ptx", "PTX text"),
        clEnumValN(Output::Cubin, "cubin", "machine code of one chip"),
        clEnumValN(Output::Fatbin, "fatbin", "machine code of several chips"),
        clEnumValN(Output::Bundle, "bundle",
                   "fatbin and manifest, for RotQ's runtime"),
        clEnumValN(Output::Object, "object", "relocatable host object"),
        clEnumValN(Output::Library, "library", "shared library of the host"),
        clEnumValN(Output::Interface, "interface",
                   "how the functions of the object are called, as json"),
        clEnumValN(Output::Header, "header", "the same as a C header"),
        clEnumValN(Output::Kernels, "kernels",
                   "the kernels that rotq-plan-host chose, as json")));
static cl::list<std::string>
    chips("chip", cl::CommaSeparated,
          cl::desc("chips, in place of the targets the module carries"),
          cl::value_desc("sm_NN,..."));
static cl::opt<std::string> cpu("mcpu", cl::desc("host CPU of an object"),
                                cl::init(""));
static cl::opt<std::string>
    features("mattr", cl::desc("host features of an object"), cl::init(""));

/// Writes to a temporary that then takes the place of the output.
static LogicalResult writeOutput(Location loc, StringRef bytes) {
  if (outputPath == "-") {
    llvm::outs() << bytes;
    return success();
  }
  llvm::Error error =
      llvm::writeToOutput(outputPath, [&](llvm::raw_ostream &os) {
        os << bytes;
        return llvm::Error::success();
      });
  if (error)
    return emitError(loc) << "cannot write '" << outputPath
                          << "': " << llvm::toString(std::move(error));
  return success();
}

static LogicalResult translateDevice(gpu::GPUModuleOp module) {
  if (!chips.empty() && failed(attachTargets(module, chips)))
    return failure();
  auto codes = serializeDevice(module, /*assemble=*/outputKind != Output::PTX);
  if (failed(codes))
    return failure();
  Location loc = module.getLoc();
  switch (outputKind) {
  case Output::PTX: {
    // The texts of several chips follow each other; each names its target.
    std::string text;
    for (const DeviceCode &code : *codes)
      text += code.ptx;
    return writeOutput(loc, text);
  }
  case Output::Cubin:
    if (codes->size() != 1)
      return emitError(loc)
             << "expected one chip for a cubin but got " << codes->size();
    return writeOutput(loc, codes->front().cubin);
  case Output::Fatbin:
  case Output::Bundle: {
    auto fatbin = linkFatbin(loc, *codes);
    if (failed(fatbin))
      return failure();
    if (outputKind == Output::Fatbin)
      return writeOutput(loc, *fatbin);
    auto manifest = readManifest(module);
    if (failed(manifest))
      return failure();
    if (outputPath == "-")
      return emitError(loc, "expected a file for a bundle: give -o");
    auto written = ::rotq::writeBundle(outputPath, *manifest,
                                       std::as_bytes(std::span(*fatbin)));
    if (!written)
      return emitError(loc) << written.error();
    return success();
  }
  case Output::Object:
  case Output::Library:
  case Output::Interface:
  case Output::Header:
  case Output::Kernels:
    break;
  }
  llvm_unreachable("not a device output");
}

static LogicalResult translate(ModuleOp module) {
  auto write = [&](FailureOr<std::string> bytes) -> LogicalResult {
    return failed(bytes) ? failure() : writeOutput(module.getLoc(), *bytes);
  };
  if (outputKind == Output::Object)
    return write(emitHostObject(module, cpu, features));
  if (outputKind == Output::Library) {
    auto object = emitHostObject(module, cpu, features);
    return failed(object) ? failure()
                          : write(linkHostLibrary(module.getLoc(), *object));
  }
  if (outputKind == Output::Interface)
    return write(emitHostInterface(module));
  if (outputKind == Output::Header)
    return write(emitHostHeader(module));
  if (outputKind == Output::Kernels)
    return write(emitKernelList(module));
  auto kernels = module.getOps<gpu::GPUModuleOp>();
  if (!llvm::hasSingleElement(kernels))
    return module.emitError() << "expected one gpu.module but got "
                              << std::distance(kernels.begin(), kernels.end())
                              << ": run rotq-to-nvptx first";
  return translateDevice(*kernels.begin());
}

int main(int argc, char **argv) {
  llvm::InitLLVM initLLVM(argc, argv);
  cl::ParseCommandLineOptions(
      argc, argv, "translates modules that RotQ's pipelines have lowered\n");
  DialectRegistry registry;
  registerAllDialects(registry);
  MLIRContext context(registry);
  // Not the op: it may be a module with all its weights.
  context.printOpOnDiagnostic(false);

  std::string message;
  auto input = openInputFile(inputPath, &message);
  if (!input) {
    llvm::errs() << "quant-translate: " << message << "\n";
    return 1;
  }
  auto sources = std::make_shared<llvm::SourceMgr>();
  sources->AddNewSourceBuffer(std::move(input), llvm::SMLoc());
  SourceMgrDiagnosticHandler handler(*sources, &context);
  OwningOpRef<ModuleOp> module =
      parseSourceFile<ModuleOp>(sources, ParserConfig(&context));
  return module && succeeded(translate(*module)) ? 0 : 1;
}
