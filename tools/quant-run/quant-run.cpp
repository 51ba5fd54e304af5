//===- quant-run.cpp - Runs a function of a module on this machine
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   quant-run m.mlir --entry=f --arg=x.npy --arg=w.npy --out=y.npy
//   quant-run m.mlir --device=simt:sm_90a --entry=f ...
//   quant-run m.mlir --device=cuda --entry=f ...
//
//===----------------------------------------------------------------------===//

#include "DeviceRunner.h"
#include "HostRunner.h"

#include "rotq/Emulator/GPU.h"
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
                 cl::desc("the module is the output of rotq-to-host or, for a "
                          "GPU, of rotq-to-nvptx"),
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
           cl::desc("where to run: 'host'; 'simt' or 'simt:<chip>' for an "
                    "emulated GPU, an sm_90a by default; 'cuda' or "
                    "'cuda:<chip>' for a GPU, with code for that chip"),
           cl::cat(category));
static cl::opt<uint64_t>
    schedule("schedule", cl::init(0),
             cl::desc("permutes the order in which an emulated GPU runs its "
                      "threads; 0: as numbered"),
             cl::cat(category));

/// What --device names.
struct DeviceChoice {
  std::string chip; ///< "" for the host
  bool isEmulated = false;

  bool isHost() const { return chip.empty(); }
};

static llvm::Expected<DeviceChoice> parseDevice(StringRef text) {
  if (text == "host")
    return DeviceChoice{};
  if (text == "simt")
    return DeviceChoice{"sm_90a", true};
  if (text.consume_front("simt:"))
    return DeviceChoice{text.str(), true};
  if (text.consume_front("cuda:"))
    return DeviceChoice{text.str(), false};
  if (text != "cuda")
    return llvm::createStringError("expected --device=host, simt, simt:<chip>, "
                                   "cuda or cuda:<chip> but got '" +
                                   text + "'");
  auto gpu = findGPU();
  if (!gpu)
    return gpu.takeError();
  auto chip = chipFor(*gpu);
  if (!chip)
    return chip.takeError();
  return DeviceChoice{*chip, false};
}

static LogicalResult lower(ModuleOp module, const DeviceChoice &where) {
  if (!where.isHost())
    return DeviceRunner::lower(module, where.chip, pipelineOptions);
  HostPipelineOptions options;
  if (failed(options.parseFromString(pipelineOptions)))
    return emitError(module.getLoc(), "cannot parse --options");
  if (reference)
    options.reference = true;
  if (options.features.empty())
    options.features = features;
  if (failed(checkFeatures(module.getLoc(), options.features)))
    return failure();
  return HostRunner::lower(module, options);
}

static llvm::Error run(ModuleOp module, const DeviceChoice &where) {
  std::vector<Array> arguments;
  for (const std::string &path : argumentFiles) {
    llvm::Expected<Array> array = readNpy(path);
    if (!array)
      return array.takeError();
    arguments.push_back(std::move(*array));
  }
  auto compute = [&]() -> llvm::Expected<std::vector<Array>> {
    if (!where.isHost()) {
      auto createDevice = [&](gpu::GPUModuleOp kernels)
          -> llvm::Expected<std::unique_ptr<KernelDevice>> {
        if (where.isEmulated)
          return Emulator::create(kernels, where.chip);
        return GPU::create(kernels, where.chip);
      };
      auto runner = DeviceRunner::create(module, createDevice, schedule);
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
  llvm::Expected<DeviceChoice> where = parseDevice(device);
  if (!where)
    return report(where.takeError());

  DialectRegistry registry;
  registerAllDialects(registry);
  MLIRContext context(registry);
  // Not the op: it may be a module with all its weights.
  context.printOpOnDiagnostic(false);
  llvm::SourceMgr sources;
  SourceMgrDiagnosticHandler diagnostics(sources, &context);
  OwningOpRef<ModuleOp> module =
      parseSourceFile<ModuleOp>(inputFile, sources, &context);
  if (!module || (!pipelineDone && failed(lower(*module, *where))))
    return 1;
  if (llvm::Error error = run(*module, *where))
    return report(std::move(error));
  return 0;
}
