//===- HostObject.cpp - Host modules to objects
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ExternalTool.h"
#include "rotq/Target/Target.h"

#include "mlir/ExecutionEngine/OptUtils.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/OpenMP/OpenMPToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/CodeGen/TargetSubtargetInfo.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/X86TargetParser.h"

using namespace mlir;
using namespace mlir::rotq;

/// LLVM aborts on a CPU it does not know, and ignores such features.
static LogicalResult verifyHost(ModuleOp module, const llvm::Target &target,
                                const llvm::Triple &triple, StringRef cpu,
                                StringRef features) {
  std::unique_ptr<llvm::MCSubtargetInfo> known(
      target.createMCSubtargetInfo(triple, "", ""));
  if (!cpu.empty() && !known->isCPUStringValid(cpu))
    return module.emitError() << "unknown host cpu '" << cpu << "'";
  for (StringRef feature : llvm::split(features, ',')) {
    if (feature.empty())
      continue;
    bool isKnown = llvm::any_of(known->getAllProcessorFeatures(),
                                [&](const llvm::SubtargetFeatureKV &entry) {
                                  return feature.drop_front() == entry.Key;
                                });
    if ((feature.front() != '+' && feature.front() != '-') || !isKnown)
      return module.emitError() << "unknown host feature '" << feature
                                << "', expected +name or -name";
  }
  return success();
}

/// What code may use that not every CPU has.
static constexpr StringRef kFeatures[] = {"sse3",
                                          "ssse3",
                                          "sse4.1",
                                          "sse4.2",
                                          "popcnt",
                                          "sse4a",
                                          "avx",
                                          "xop",
                                          "fma4",
                                          "f16c",
                                          "fma",
                                          "lzcnt",
                                          "movbe",
                                          "bmi",
                                          "bmi2",
                                          "avx2",
                                          "avxvnni",
                                          "gfni",
                                          "avx512f",
                                          "avx512cd",
                                          "avx512bw",
                                          "avx512dq",
                                          "avx512vl",
                                          "avx512ifma",
                                          "avx512vbmi",
                                          "avx512vnni",
                                          "avx512vbmi2",
                                          "avx512bitalg",
                                          "avx512bf16",
                                          "avx512fp16",
                                          "avx512vpopcntdq"};

static SmallVector<StringRef> findFeatures(const llvm::Module &module,
                                           const llvm::TargetMachine &machine) {
  SmallVector<StringRef> found;
  for (StringRef feature : kFeatures)
    if (llvm::any_of(module, [&](const llvm::Function &function) {
          return !function.isDeclaration() &&
                 machine.getSubtargetImpl(function)->checkFeatures(
                     ("+" + feature).str());
        }))
      found.push_back(feature);
  return found;
}

/// For every function that C calls, `rotq_<name>_missing_feature`: the name of
/// an instruction set that the code has and this CPU has not, or null. It runs
/// on every CPU. What it asks is what __builtin_cpu_supports asks.
static void addFeatureChecks(llvm::Module &module,
                             const llvm::TargetMachine &machine) {
  SmallVector<StringRef> features;
  if (machine.getTargetTriple().isX86())
    features = findFeatures(module, machine);
  SmallVector<llvm::Function *> entries;
  for (llvm::Function &function : module)
    if (function.getName().starts_with(kWrapperPrefix) &&
        function.hasExternalLinkage() && !function.isDeclaration())
      entries.push_back(&function);

  llvm::LLVMContext &context = module.getContext();
  auto *pointer = llvm::PointerType::getUnqual(context);
  auto *check = llvm::Function::Create(llvm::FunctionType::get(pointer, false),
                                       llvm::GlobalValue::InternalLinkage,
                                       "rotq_missing_feature", module);
  check->addFnAttr("target-cpu", machine.getTargetTriple().isX86_64()
                                     ? "x86-64"
                                     : machine.getTargetCPU());
  check->addFnAttr("target-features", "");
  llvm::IRBuilder<> b(llvm::BasicBlock::Create(context, "entry", check));
  llvm::Value *missing = llvm::ConstantPointerNull::get(pointer);
  if (!features.empty()) {
    auto *word = b.getInt32Ty();
    auto *model = llvm::ArrayType::get(word, 4);
    auto *rest = llvm::ArrayType::get(word, 3);
    b.CreateCall(
        module.getOrInsertFunction("__cpu_indicator_init", b.getInt32Ty()));
    auto *first = module.getOrInsertGlobal("__cpu_model", model);
    auto *others = module.getOrInsertGlobal("__cpu_features2", rest);
    for (StringRef feature : llvm::reverse(features)) {
      std::array<uint32_t, 4> mask = llvm::X86::getCpuSupportsMask(feature);
      const auto *part = llvm::find_if(mask, [](uint32_t m) { return m != 0; });
      // Vendor, type and subtype stand ahead of the features.
      int64_t index = part - mask.begin();
      llvm::Value *address =
          index == 0 ? b.CreateConstInBoundsGEP2_32(model, first, 0, 3)
                     : b.CreateConstInBoundsGEP2_32(rest, others, 0,
                                                    unsigned(index - 1));
      llvm::Value *bits =
          b.CreateAnd(b.CreateLoad(word, address), b.getInt32(*part));
      missing = b.CreateSelect(b.CreateICmpEQ(bits, b.getInt32(0)),
                               b.CreateGlobalString(feature), missing);
    }
  }
  b.CreateRet(missing);
  for (llvm::Function *entry : entries)
    llvm::GlobalAlias::create(
        llvm::GlobalValue::ExternalLinkage,
        "rotq_" + entry->getName().drop_front(kWrapperPrefix.size()) +
            "_missing_feature",
        check);
}

FailureOr<std::string>
mlir::rotq::emitHostObject(ModuleOp module, StringRef cpu, StringRef features) {
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  llvm::Triple triple(llvm::sys::getProcessTriple());
  if (cpu == "host")
    cpu = llvm::sys::getHostCPUName();
  std::string message;
  const llvm::Target *target =
      llvm::TargetRegistry::lookupTarget(triple, message);
  if (!target)
    return module.emitError() << message;
  if (failed(verifyHost(module, *target, triple, cpu, features)))
    return failure();
  std::unique_ptr<llvm::TargetMachine> machine(target->createTargetMachine(
      triple, cpu, features, {}, llvm::Reloc::PIC_));
  if (!machine)
    return module.emitError() << "cannot generate code for cpu '" << cpu
                              << "' with features '" << features << "'";

  registerBuiltinDialectTranslation(*module.getContext());
  registerLLVMDialectTranslation(*module.getContext());
  registerOpenMPDialectTranslation(*module.getContext());
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> ir = translateModuleToLLVMIR(module, context);
  if (!ir)
    return module.emitError(
        "expected a module in the llvm dialect: run rotq-to-host first");
  ir->setTargetTriple(triple);
  ir->setDataLayout(machine->createDataLayout());
  addFeatureChecks(*ir, *machine);
  auto optimize = makeOptimizingTransformer(3, 0, machine.get());
  if (llvm::Error error = optimize(ir.get()))
    return module.emitError() << llvm::toString(std::move(error));

  SmallString<0> bytes;
  llvm::raw_svector_ostream os(bytes);
  llvm::legacy::PassManager passes;
  if (machine->addPassesToEmitFile(passes, os, nullptr,
                                   llvm::CodeGenFileType::ObjectFile))
    return module.emitError("cannot emit an object for this machine");
  passes.run(*ir);
  return std::string(bytes.str());
}

/// The C compiler to link with: $CC where that is set.
static std::string findCompiler() {
  std::optional<std::string> wanted = llvm::sys::Process::GetEnv("CC");
  SmallVector<StringRef> names = {"clang-22", "clang", "gcc", "cc"};
  if (wanted)
    names = {*wanted};
  for (StringRef name : names)
    // What is a path already, is not looked for.
    if (auto path = llvm::sys::findProgramByName(name);
        path && llvm::sys::fs::can_execute(*path))
      return *path;
  return "";
}

FailureOr<std::string> mlir::rotq::linkHostLibrary(Location loc,
                                                   StringRef object) {
  std::string compiler = findCompiler();
  if (compiler.empty())
    return emitError(loc, "cannot find a C compiler to link with: install "
                          "clang-22 or set CC");
  Temporary input("o"), output("so");
  for (const Temporary *file : {&input, &output})
    if (file->error)
      return emitError(loc)
             << "cannot create a temporary file: " << file->error.message();
  if (failed(writeFile(loc, input.path, object)))
    return failure();
  std::string threads = ROTQ_LIBOMP_DIR;
  if (failed(runProgram(loc, "linking", compiler,
                        {"-shared", "-o", output.path.str().str(),
                         input.path.str().str(), "-lm", "-L" + threads,
                         "-Wl,-rpath," + threads, "-lomp"})))
    return failure();
  return readFile(loc, output.path);
}
