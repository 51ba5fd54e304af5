//===- Compiler.cpp - Kernels in the host's code
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Compiler.h"

#include "FloatFormats.h"

#include "rotq/Transforms/Targets.h"

#include "llvm/ExecutionEngine/Orc/AbsoluteSymbols.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Transforms/Utils/Cloning.h"

using namespace mlir::rotq;
using namespace mlir::rotq::emulator;
using llvm::createStringError;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

//===----------------------------------------------------------------------===//
// What generated code calls
//===----------------------------------------------------------------------===//

/// Calls `body`; where it fails, the thread of the GPU ends here.
template <typename Body> static auto stopOnFailure(Body body) {
  try {
    return body();
  } catch (const ThreadFailure &) { // NOLINT(bugprone-empty-catch)
  }
  // A warp's instruction runs on the last lane that came to it.
  Thread::current().stop();
}

static void *accessMemory(uint64_t address, uint64_t size, uint32_t flags,
                          uint32_t site) {
  Thread &thread = Thread::current();
  // Only these show one thread what another is doing.
  if (regionOf(address) == kSharedRegion || (flags & kAtomic))
    thread.preempt();
  return stopOnFailure([&] {
    return thread.access(Access::unpack(address, size, flags, site));
  });
}

static void observeMemory(uint64_t address, uint32_t flags) {
  Thread::current().observe(
      Access::unpack(address, /*size=*/0, flags, /*site=*/0));
}

static void orderMemory() { Thread::current().fence(); }

static void execute(uint32_t index, uint32_t site, uint32_t *words) {
  const DeviceInstruction &instruction = allInstructions()[index];
  stopOnFailure([&] {
    if (instruction.pure)
      instruction.pure(words);
    else if (instruction.thread)
      instruction.thread(Thread::current(), words, site);
    else
      Thread::current().collective(instruction, words, site);
  });
}

static void iterate(uint32_t site) {
  stopOnFailure([&] { Thread::current().iterate(site); });
}

static void failIf(uint32_t fault, uint32_t site) {
  stopOnFailure([&] {
    switch (Fault(fault)) {
    case Fault::DivisionByZero:
      Thread::current().fail("integer division by zero", site);
    case Fault::Trap:
      Thread::current().fail("trap", site);
    }
  });
}

static uint64_t allocateLocal(uint64_t size, uint64_t alignment) {
  return Thread::current().getLocal().allocate(size, alignment);
}

static uint64_t markLocal() { return Thread::current().getLocal().mark(); }

static void releaseLocal(uint64_t mark) {
  Thread::current().getLocal().release(size_t(mark));
}

/// What LLVM calls to round to bf16, where it has no instruction for it. That
/// is returned as the low half of a float is; clang itself may call the same
/// function to return a __bf16, which not every libgcc has.
static float roundToBFloat(float value) {
  return std::bit_cast<float>(
      uint32_t(encodeFloat(floatFormat("bf16"), value)));
}

//===----------------------------------------------------------------------===//
// Compilation
//===----------------------------------------------------------------------===//

Expected<std::unique_ptr<Compiler>>
Compiler::create(std::unique_ptr<llvm::LLVMContext> context,
                 std::unique_ptr<llvm::Module> module, StringRef chip) {
  if (std::string message = describeUnknownGPU(chip); !message.empty())
    return createStringError(message);
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  auto result = std::make_unique<Compiler>();
  result->chip = Chip::parse(chip);
  auto machine = llvm::orc::JITTargetMachineBuilder::detectHost();
  if (!machine)
    return machine.takeError();
  machine->setCodeGenOptLevel(llvm::CodeGenOptLevel::Less);
  // Those instructions of x86 flush denormal numbers.
  if (machine->getTargetTriple().isX86())
    machine->addFeatures({"-avx512bf16", "-avxneconvert"});
  auto target = machine->createTargetMachine();
  if (!target)
    return target.takeError();
  result->target = std::move(*target);
  auto jit = llvm::orc::LLJITBuilder()
                 .setJITTargetMachineBuilder(*machine)
                 .setNumCompileThreads(0)
                 .create();
  if (!jit)
    return jit.takeError();
  result->jit = std::move(*jit);

  llvm::orc::SymbolMap symbols;
  auto define = [&](StringRef name, auto *function) {
    symbols[result->jit->mangleAndIntern(name)] = {
        llvm::orc::ExecutorAddr::fromPtr(function),
        llvm::JITSymbolFlags::Exported | llvm::JITSymbolFlags::Callable};
  };
  define(names::kAccess, &accessMemory);
  define(names::kObserve, &observeMemory);
  define(names::kFence, &orderMemory);
  define(names::kInstruction, &execute);
  define(names::kIterate, &iterate);
  define(names::kFail, &failIf);
  define(names::kAllocate, &allocateLocal);
  define(names::kMark, &markLocal);
  define(names::kRelease, &releaseLocal);
  define("__truncsfbf2", &roundToBFloat);
  if (Error error = result->jit->getMainJITDylib().define(
          llvm::orc::absoluteSymbols(std::move(symbols))))
    return std::move(error);
  result->context = llvm::orc::ThreadSafeContext(std::move(context));
  result->module = std::move(module);
  return result;
}

static void optimize(llvm::Module &module, llvm::TargetMachine &target) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager sccs;
  llvm::ModuleAnalysisManager modules;
  // Calls bound what vectorizing could gain.
  llvm::PipelineTuningOptions tuning;
  tuning.LoopVectorization = tuning.SLPVectorization = false;
  tuning.LoopUnrolling = false;
  llvm::PassBuilder builder(&target, tuning);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(sccs);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, sccs, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O1)
      .run(module, modules);
}

Expected<const CompiledKernel *> Compiler::compile(StringRef name) {
  if (auto it = kernels.find(name); it != kernels.end())
    return &it->second;
  auto rewritten = rewriteKernel(*module, name, chip, target->getTargetTriple(),
                                 jit->getDataLayout(), sites);
  if (!rewritten)
    return rewritten.takeError();
  optimize(*rewritten->module, *target);
  CompiledKernel kernel;
  if (Error error = jit->addIRModule(
          llvm::orc::ThreadSafeModule(std::move(rewritten->module), context)))
    return std::move(error);
  auto entry = jit->lookup(rewritten->entry);
  if (!entry)
    return entry.takeError();
  kernel.entry = entry->toPtr<void (*)(void **)>();
  for (const DeviceConstant &constant : rewritten->constants) {
    auto address = jit->lookup(constant.symbol);
    if (!address)
      return address.takeError();
    kernel.constants.push_back(address->toPtr<const std::byte *>());
  }
  kernel.description = std::move(*rewritten);
  return &kernels.try_emplace(name, std::move(kernel)).first->second;
}
