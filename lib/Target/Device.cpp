//===- Device.cpp - GPU modules to PTX, cubin and fatbin
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ExternalTool.h"
#include "rotq/Target/Target.h"

#include "rotq/Transforms/Targets.h"

#include "mlir/Dialect/GPU/IR/CompilationInterfaces.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Target/LLVM/ModuleToObject.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/ToolOutputFile.h"
#include "llvm/Target/TargetMachine.h"

using namespace mlir;
using namespace mlir::rotq;

//===----------------------------------------------------------------------===//
// Tools of the CUDA toolkit
//===----------------------------------------------------------------------===//

std::string mlir::rotq::findCUDATool(StringRef name) {
  auto find = [&](ArrayRef<StringRef> folders) {
    auto path = llvm::sys::findProgramByName(name, folders);
    return path ? *path : std::string();
  };
  // A toolkit that the user names is the only one looked at.
  for (StringRef variable : {"CUDA_HOME", "CUDA_PATH"})
    if (auto root = llvm::sys::Process::GetEnv(variable))
      return find({*root + "/bin"});
  std::string path = find({});
  return path.empty() ? find({"/usr/local/cuda/bin"}) : path;
}

/// Runs a tool; what it says goes into the error.
static LogicalResult run(Location loc, StringRef tool,
                         ArrayRef<std::string> arguments) {
  std::string path = findCUDATool(tool);
  if (path.empty())
    return emitError(loc) << "cannot find '" << tool
                          << "': install the CUDA toolkit or set CUDA_HOME";
  return runProgram(loc, tool, path, arguments);
}

//===----------------------------------------------------------------------===//
// Serialization
//===----------------------------------------------------------------------===//

LogicalResult mlir::rotq::attachTargets(gpu::GPUModuleOp module,
                                        ArrayRef<std::string> chips) {
  module.getContext()->loadDialect<NVVM::NVVMDialect>();
  SmallVector<Attribute> targets;
  for (const std::string &chip : chips) {
    if (std::string message = describeUnknownGPU(chip); !message.empty())
      return module.emitError() << message;
    const TargetInfo *info =
        *lookupTarget(chip, [&] { return module.emitError(); });
    targets.push_back(NVVM::NVVMTargetAttr::get(
        module.getContext(), /*optLevel=*/3, "nvptx64-nvidia-cuda", chip,
        info->ptxFeature));
  }
  module.setTargetsAttr(ArrayAttr::get(module.getContext(), targets));
  return success();
}

FailureOr<std::string> mlir::rotq::assemblePTX(Location loc, StringRef ptx,
                                               StringRef chip) {
  Temporary source("ptx"), result("cubin");
  if (source.error || result.error)
    return emitError(loc, "cannot create temporary files");
  if (failed(writeFile(loc, source.path, ptx)) ||
      failed(run(loc, "ptxas",
                 {("-arch=" + chip).str(), "-O3", std::string(source.path),
                  "-o", std::string(result.path)})))
    return failure();
  return readFile(loc, result.path);
}

FailureOr<std::string> mlir::rotq::emitPTX(Location loc, llvm::Module &module,
                                           StringRef chip,
                                           StringRef ptxFeature) {
  LLVMInitializeNVPTXTargetInfo();
  LLVMInitializeNVPTXTarget();
  LLVMInitializeNVPTXTargetMC();
  LLVMInitializeNVPTXAsmPrinter();
  llvm::Triple triple("nvptx64-nvidia-cuda");
  std::string error;
  const auto *target = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return emitError(loc) << error;
  std::unique_ptr<llvm::TargetMachine> machine(
      target->createTargetMachine(triple, chip, ptxFeature, {}, {}));
  module.setTargetTriple(triple);
  module.setDataLayout(machine->createDataLayout());
  auto ptx = LLVM::ModuleToObject::translateModuleToISA(
      module, *machine, [&] { return emitError(loc); });
  if (failed(ptx))
    return failure();
  return ptx->str().str();
}

FailureOr<SmallVector<DeviceCode>>
mlir::rotq::serializeDevice(gpu::GPUModuleOp module, bool withCubin) {
  ArrayAttr targets = module.getTargetsAttr();
  if (!targets || targets.empty())
    return module.emitError(
        "expected targets on the gpu.module: run rotq-to-nvptx first");
  SmallVector<DeviceCode> codes;
  for (Attribute attr : targets) {
    auto target = dyn_cast<NVVM::NVVMTargetAttr>(attr);
    if (!target)
      return module.emitError() << "expected NVVM targets but got " << attr;
    DeviceCode code;
    code.chip = target.getChip().str();
    if (std::string message = describeUnknownGPU(code.chip); !message.empty())
      return module.emitError() << message;
    gpu::TargetOptions options({}, {}, {}, {},
                               gpu::CompilationTarget::Assembly);
    auto serializer = dyn_cast<gpu::TargetAttrInterface>(attr);
    if (!serializer)
      return module.emitError("expected the NVVM target interface to be "
                              "registered");
    auto ptx = serializer.serializeToObject(module, options);
    if (!ptx)
      return module.emitError() << "cannot serialize for " << code.chip;
    code.ptx.assign(ptx->begin(), ptx->end());
    // The serializer ends the text with a null byte.
    while (!code.ptx.empty() && code.ptx.back() == '\0')
      code.ptx.pop_back();
    if (withCubin) {
      auto cubin = assemblePTX(module.getLoc(), code.ptx, code.chip);
      if (failed(cubin))
        return failure();
      code.cubin = std::move(*cubin);
    }
    codes.push_back(std::move(code));
  }
  return codes;
}

FailureOr<std::string> mlir::rotq::linkFatbin(Location loc,
                                              ArrayRef<DeviceCode> codes) {
  SmallVector<std::unique_ptr<Temporary>> files;
  std::vector<std::string> arguments = {"-64"};
  auto addImage = [&](StringRef kind, StringRef chip,
                      StringRef bytes) -> LogicalResult {
    auto &file = *files.emplace_back(
        std::make_unique<Temporary>(kind == "elf" ? "cubin" : "ptx"));
    if (file.error)
      return emitError(loc, "cannot create temporary files");
    arguments.push_back("--image3=kind=" + kind.str() +
                        ",sm=" + chip.drop_front(3).str() +
                        ",file=" + std::string(file.path));
    return writeFile(loc, file.path, bytes);
  };
  const DeviceCode *portable = nullptr;
  for (const DeviceCode &code : codes) {
    if (failed(addImage("elf", code.chip, code.cubin)))
      return failure();
    // Code for sm_90a and its like runs on that chip only.
    if (!portable && StringRef(code.chip).back() != 'a')
      portable = &code;
  }
  if (portable && failed(addImage("ptx", portable->chip, portable->ptx)))
    return failure();
  Temporary result("fatbin");
  if (result.error)
    return emitError(loc, "cannot create temporary files");
  arguments.insert(arguments.begin(), "--create=" + std::string(result.path));
  if (failed(run(loc, "fatbinary", arguments)))
    return failure();
  return readFile(loc, result.path);
}

FailureOr<::rotq::Manifest> mlir::rotq::readManifest(gpu::GPUModuleOp module) {
  auto text = module->getAttrOfType<StringAttr>("rotq.manifest");
  if (!text)
    return module.emitError(
        "expected a manifest on the gpu.module: run rotq-to-nvptx first");
  auto manifest = ::rotq::parseManifest(text.getValue().str());
  if (!manifest)
    return module.emitError() << "malformed manifest: " << manifest.error();
  if (ArrayAttr targets = module.getTargetsAttr())
    for (auto target : targets.getAsRange<NVVM::NVVMTargetAttr>())
      manifest->targets.push_back(target.getChip().str());
  return *manifest;
}
