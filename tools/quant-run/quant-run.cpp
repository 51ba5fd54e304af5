//===- quant-run.cpp - Runs a function of a module on this machine
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   quant-run m.mlir --entry=f --arg=x.npy --arg=w.npy --out=y.npy
//   quant-run m.mlir --device=simt:sm_90a --entry=f ...
//
//===----------------------------------------------------------------------===//

#include "DeviceRunner.h"
#include "HostRunner.h"

#include "rotq/InitAll.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/WithColor.h"

using namespace mlir;
using namespace mlir::rotq;
namespace cl = llvm::cl;

static cl::OptionCategory category("quant-run options");
static cl::opt<std::string> inputFile(cl::Positional, cl::init("-"),
                                      cl::desc("<module>"), cl::cat(category));
static cl::opt<std::string> entry("entry", cl::init("main"),
                                  cl::desc("function to call"),
                                  cl::cat(category));
static cl::list<std::string>
    argumentFiles("arg",
                  cl::desc(".npy file of an argument, in order; a packed "
                           "weight is the u8 array of its bytes"),
                  cl::cat(category));
static cl::list<std::string>
    outputFiles("out", cl::desc(".npy file for a result, in order"),
                cl::cat(category));
static cl::opt<bool>
    reference("reference",
              cl::desc("compute through linalg, portable and slow"),
              cl::cat(category));
static cl::opt<bool>
    pipelineDone("pipeline-done",
                 cl::desc("the module is the output of rotq-to-host or, for "
                          "an emulated GPU, of rotq-to-nvptx"),
                 cl::cat(category));
static cl::opt<std::string>
    pipelineOptions("options", cl::init(""),
                    cl::desc("options of rotq-to-host or rotq-to-nvptx, such "
                             "as "
                             "\"placement=load activations=float\""),
                    cl::cat(category));
static cl::opt<std::string>
    features("features", cl::init("host"),
             cl::desc("LLVM target features to choose instructions by; 'host' "
                      "detects them"),
             cl::cat(category));

/// Instructions that this machine lacks would end the process.
static LogicalResult checkFeatures(Location loc, StringRef wanted) {
  std::string available = "," + hostFeatures() + ",";
  SmallVector<StringRef> names;
  wanted.split(names, ',', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  for (StringRef name : names)
    if (name.starts_with("+") &&
        !StringRef(available).contains(("," + name + ",").str()))
      return emitError(loc)
             << "expected features of this machine but got '" << name << "'";
  return success();
}
static cl::opt<std::string>
    device("device", cl::init("host"),
           cl::desc("where to run: 'host', or 'simt' or 'simt:<chip>' for an "
                    "emulated GPU, an sm_90a by default"),
           cl::cat(category));
static cl::opt<uint64_t>
    schedule("schedule", cl::init(0),
             cl::desc("permutes the order in which an emulated GPU runs its "
                      "threads; 0: as numbered"),
             cl::cat(category));

/// The chip to emulate; "" for the host.
static llvm::Expected<std::string> chipOf(StringRef text) {
  if (text == "host")
    return "";
  if (text == "simt")
    return "sm_90a";
  if (text.consume_front("simt:"))
    return text.str();
  return llvm::createStringError("expected --device=host, simt or "
                                 "simt:<chip> but got '" +
                                 text + "'");
}

static LogicalResult lower(ModuleOp module, StringRef chip) {
  if (!chip.empty())
    return DeviceRunner::lower(module, chip, pipelineOptions);
  HostPipelineOptions options;
  if (failed(options.parseFromString(pipelineOptions)))
    return emitError(module.getLoc(), "cannot parse --options");
  if (reference)
    options.reference = true;
  if (options.features.empty())
    options.features = features == "host" ? hostFeatures() : features;
  if (failed(checkFeatures(module.getLoc(), options.features)))
    return failure();
  return HostRunner::lower(module, options);
}

static llvm::Error run(ModuleOp module, StringRef chip) {
  std::vector<Array> arguments;
  for (const std::string &path : argumentFiles) {
    llvm::Expected<Array> array = readNpy(path);
    if (!array)
      return array.takeError();
    arguments.push_back(std::move(*array));
  }
  auto compute = [&]() -> llvm::Expected<std::vector<Array>> {
    if (!chip.empty()) {
      auto runner = DeviceRunner::create(module, chip, schedule);
      if (!runner)
        return runner.takeError();
      return (*runner)->run(entry, arguments);
    }
    llvm::Expected<HostRunner> runner = HostRunner::create(module);
    if (!runner)
      return runner.takeError();
    return runner->run(entry, arguments);
  };
  auto results = compute();
  if (!results)
    return results.takeError();
  if (results->size() != outputFiles.size())
    return llvm::createStringError("expected " + Twine(results->size()) +
                                   " --out files for the results but got " +
                                   Twine(outputFiles.size()));
  for (auto [path, array] : llvm::zip(outputFiles, *results))
    if (llvm::Error error = writeNpy(path, array))
      return error;
  return llvm::Error::success();
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::HideUnrelatedOptions(category);
  cl::ParseCommandLineOptions(
      argc, argv, "Runs a function of a RotQ module on this machine\n");

  auto report = [](llvm::Error error) {
    llvm::WithColor::error(llvm::errs(), "quant-run")
        << toString(std::move(error)) << "\n";
    return 1;
  };
  llvm::Expected<std::string> chip = chipOf(device);
  if (!chip)
    return report(chip.takeError());

  DialectRegistry registry;
  registerAllDialects(registry);
  MLIRContext context(registry);
  // Not the op: it may be a module with all its weights.
  context.printOpOnDiagnostic(false);
  llvm::SourceMgr sources;
  SourceMgrDiagnosticHandler diagnostics(sources, &context);
  OwningOpRef<ModuleOp> module =
      parseSourceFile<ModuleOp>(inputFile, sources, &context);
  if (!module || (!pipelineDone && failed(lower(*module, *chip))))
    return 1;
  if (llvm::Error error = run(*module, *chip))
    return report(std::move(error));
  return 0;
}
