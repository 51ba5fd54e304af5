//===- Emulator.cpp - Kernels compiled for the host, and their launches
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Emulator/Emulator.h"

#include "Instructions.h"
#include "Rewriter.h"
#include "ThreadBlock.h"

#include "rotq/Transforms/Targets.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/Transforms/Passes.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ExecutionEngine/Orc/AbsoluteSymbols.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/Utils/Cloning.h"

#include <algorithm>
#include <numeric>
#include <thread>

using namespace mlir;
using namespace mlir::rotq;
using namespace mlir::rotq::emulator;
using llvm::createStringError;
using llvm::Error;
using llvm::Expected;

//===----------------------------------------------------------------------===//
// What generated code calls
//===----------------------------------------------------------------------===//

static void *accessMemory(uint64_t address, uint64_t size, uint32_t flags,
                          uint32_t site) {
  Thread &thread = Thread::current();
  // Only shared memory shows one thread what another is doing.
  if (regionOf(address) == kSharedRegion)
    thread.preempt();
  return thread.access(Access::unpack(address, size, flags, site));
}

static void execute(uint32_t index, uint32_t site, uint32_t *words) {
  const DeviceInstruction &instruction = allInstructions()[index];
  if (instruction.pure)
    instruction.pure(words);
  else if (instruction.thread)
    instruction.thread(Thread::current(), words, site);
  else
    Thread::current().collective(instruction, words, site);
}

static void iterate(uint32_t site) { Thread::current().iterate(site); }

static void failIf(uint32_t fault, uint32_t site) {
  switch (Fault(fault)) {
  case Fault::DivisionByZero:
    Thread::current().fail("integer division by zero", site);
  case Fault::Trap:
    Thread::current().fail("trap", site);
  }
}

static uint64_t allocateLocal(uint64_t size, uint64_t alignment) {
  return Thread::current().getLocal().allocate(size, alignment);
}

static uint64_t markLocal() { return Thread::current().getLocal().mark(); }

static void releaseLocal(uint64_t mark) {
  Thread::current().getLocal().release(size_t(mark));
}

//===----------------------------------------------------------------------===//
// Compilation
//===----------------------------------------------------------------------===//

namespace {
/// A kernel in the host's code.
struct CompiledKernel {
  RewrittenKernel description; ///< without its module
  void (*entry)(void **arguments) = nullptr;
  std::vector<const std::byte *> constants;
};
} // namespace

class Emulator::Impl {
public:
  static Expected<std::unique_ptr<Impl>>
  create(std::unique_ptr<llvm::LLVMContext> context,
         std::unique_ptr<llvm::Module> module, StringRef chip);

  Error launch(StringRef kernel, const EmulatorLaunch &launch,
               ArrayRef<EmulatorArgument> arguments);

private:
  Expected<CompiledKernel *> compile(StringRef kernel);
  Error checkLaunch(const CompiledKernel &kernel, StringRef name,
                    const EmulatorLaunch &launch,
                    ArrayRef<EmulatorArgument> arguments) const;
  void runBlocks(LaunchState &state, uint64_t seed, unsigned threads);

  Chip chip;
  llvm::orc::ThreadSafeContext context;
  std::unique_ptr<llvm::Module> module;
  std::unique_ptr<llvm::TargetMachine> target;
  std::unique_ptr<llvm::orc::LLJIT> jit;
  llvm::StringMap<CompiledKernel> kernels;
  std::vector<std::string> sites;
  std::vector<std::unique_ptr<ThreadBlock>>
      blocks; ///< one for every host thread
};

Expected<std::unique_ptr<Emulator::Impl>>
Emulator::Impl::create(std::unique_ptr<llvm::LLVMContext> context,
                       std::unique_ptr<llvm::Module> module, StringRef chip) {
  if (std::string message = describeUnknownGPU(chip); !message.empty())
    return createStringError(message);
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  auto result = std::make_unique<Impl>();
  result->chip = Chip::parse(chip);
  auto machine = llvm::orc::JITTargetMachineBuilder::detectHost();
  if (!machine)
    return machine.takeError();
  machine->setCodeGenOptLevel(llvm::CodeGenOptLevel::Less);
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
  define(names::kInstruction, &execute);
  define(names::kIterate, &iterate);
  define(names::kFail, &failIf);
  define(names::kAllocate, &allocateLocal);
  define(names::kMark, &markLocal);
  define(names::kRelease, &releaseLocal);
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

/// Kernels are compiled when they are first launched.
Expected<CompiledKernel *> Emulator::Impl::compile(StringRef name) {
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

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

static bool overlap(const EmulatorBuffer &a, const EmulatorBuffer &b) {
  return a.bytes.data() < b.bytes.data() + b.bytes.size() &&
         b.bytes.data() < a.bytes.data() + a.bytes.size();
}

Error Emulator::Impl::checkLaunch(const CompiledKernel &kernel, StringRef name,
                                  const EmulatorLaunch &launch,
                                  ArrayRef<EmulatorArgument> arguments) const {
  auto refuse = [&](const Twine &text) {
    return createStringError("kernel '" + name + "': " + text);
  };
  const RewrittenKernel &description = kernel.description;
  if (arguments.size() != description.isPointer.size())
    return refuse("expected " + Twine(description.isPointer.size()) +
                  " arguments but got " + Twine(arguments.size()));
  static constexpr uint32_t kMaxGrid[] = {0x7fffffff, 0xffff, 0xffff};
  static constexpr uint32_t kMaxBlock[] = {1024, 1024, 64};
  uint64_t threads = 1;
  for (unsigned i = 0; i < 3; ++i) {
    threads *= launch.block[i];
    if (launch.grid[i] == 0 || launch.grid[i] > kMaxGrid[i])
      return refuse("expected a grid of 1 to " + Twine(kMaxGrid[i]) +
                    " blocks along dimension " + Twine(i) + " but got " +
                    Twine(launch.grid[i]));
    if (launch.block[i] == 0 || launch.block[i] > kMaxBlock[i])
      return refuse("expected a block of 1 to " + Twine(kMaxBlock[i]) +
                    " threads along dimension " + Twine(i) + " but got " +
                    Twine(launch.block[i]));
  }
  if (threads > description.maxThreads)
    return refuse("expected at most " + Twine(description.maxThreads) +
                  " threads in a block but got " + Twine(threads));
  uint64_t shared = description.staticSharedBytes + launch.sharedBytes;
  if (shared > chip.sharedBytes())
    return refuse("expected at most " + Twine(chip.sharedBytes()) +
                  " bytes of shared memory on " + chip.name() + " but got " +
                  Twine(shared));
  for (auto [i, argument] : llvm::enumerate(arguments)) {
    auto *buffer = std::get_if<EmulatorBuffer>(&argument);
    if ((buffer != nullptr) != description.isPointer[i])
      return refuse("expected argument " + Twine(i) + " to be " +
                    (buffer ? "an i32" : "a buffer"));
    if (!buffer)
      continue;
    if (reinterpret_cast<uintptr_t>(buffer->bytes.data()) % 16 != 0)
      return refuse("expected buffer " + buffer->name +
                    " to be aligned to 16 bytes on the host");
    for (auto [j, other] : llvm::enumerate(arguments.take_front(i)))
      if (auto *earlier = std::get_if<EmulatorBuffer>(&other);
          earlier && overlap(*buffer, *earlier) &&
          (buffer->writable || earlier->writable))
        return refuse("buffers " + earlier->name + " and " + buffer->name +
                      " overlap, and one is written");
  }
  return Error::success();
}

/// Blocks run on `threads` threads of the host, the next free one taking the
/// next block.
void Emulator::Impl::runBlocks(LaunchState &state, uint64_t seed,
                               unsigned threads) {
  uint64_t count =
      uint64_t(state.grid[0]) * state.grid[1] * uint64_t(state.grid[2]);
  // A permutation of the blocks: multiples of a number that has no factor in
  // common with their count.
  uint64_t step = 1, start = 0;
  if (seed) {
    std::mt19937_64 random(seed);
    start = random() % count;
    do
      step = random() % count | 1;
    while (std::gcd(step, count) != 1);
  }
  if (threads == 0)
    threads = std::max(1u, std::thread::hardware_concurrency());
  threads = unsigned(std::min<uint64_t>(threads, count));
  while (blocks.size() < threads)
    blocks.push_back(std::make_unique<ThreadBlock>());

  std::atomic<uint64_t> next = 0;
  auto work = [&](ThreadBlock &block) {
    for (uint64_t i; !state.hasFailed() && (i = next++) < count;) {
      auto number =
          uint64_t((start + static_cast<unsigned __int128>(i) * step) % count);
      block.run(state, {uint32_t(number % state.grid[0]),
                        uint32_t(number / state.grid[0] % state.grid[1]),
                        uint32_t(number / state.grid[0] / state.grid[1])});
    }
  };
  std::vector<std::thread> others;
  for (unsigned i = 1; i < threads; ++i)
    others.emplace_back(work, std::ref(*blocks[i]));
  work(*blocks[0]);
  for (std::thread &other : others)
    other.join();
}

Error Emulator::Impl::launch(StringRef name, const EmulatorLaunch &launch,
                             ArrayRef<EmulatorArgument> arguments) {
  auto compiled = compile(name);
  if (!compiled)
    return compiled.takeError();
  CompiledKernel &kernel = **compiled;
  if (Error error = checkLaunch(kernel, name, launch, arguments))
    return error;

  LaunchState state;
  state.kernel = name.str();
  state.grid = launch.grid;
  state.blockSize = launch.block;
  state.dynamicSharedBytes = launch.sharedBytes;
  state.sharedBytes = kernel.description.staticSharedBytes + launch.sharedBytes;
  state.seed = launch.seed;
  state.maxIterations = launch.maxIterations;
  state.sites = &sites;
  state.entry = kernel.entry;
  std::vector<uint64_t> values;
  for (const EmulatorArgument &argument : arguments) {
    if (auto *number = std::get_if<int32_t>(&argument)) {
      values.push_back(uint32_t(*number));
      continue;
    }
    const auto &buffer = std::get<EmulatorBuffer>(argument);
    uint64_t region = kBuffers + state.buffers.size();
    values.push_back(buffer.bytes.data() ? baseOf(region) + buffer.offset : 0);
    state.buffers.push_back(
        std::make_unique<GlobalBuffer>(buffer.bytes.data(), buffer.bytes.size(),
                                       buffer.name, buffer.writable));
  }
  for (auto [address, constant] :
       llvm::zip(kernel.constants, kernel.description.constants))
    // Never written: the buffer is read-only.
    state.buffers.push_back(std::make_unique<GlobalBuffer>(
        const_cast<std::byte *>(address), size_t(constant.size), "a constant",
        /*writable=*/false));
  for (uint64_t &value : values)
    state.arguments.push_back(&value);
  runBlocks(state, launch.seed, launch.threads);
  return state.hasFailed() ? createStringError(state.getMessage())
                           : Error::success();
}

//===----------------------------------------------------------------------===//
// Interface
//===----------------------------------------------------------------------===//

Emulator::Emulator(std::unique_ptr<Impl> impl) : impl(std::move(impl)) {}
Emulator::~Emulator() = default;

Expected<std::unique_ptr<Emulator>>
Emulator::create(std::unique_ptr<llvm::LLVMContext> context,
                 std::unique_ptr<llvm::Module> module, StringRef chip) {
  auto impl = Impl::create(std::move(context), std::move(module), chip);
  if (!impl)
    return impl.takeError();
  return std::unique_ptr<Emulator>(new Emulator(std::move(*impl)));
}

/// The body as a module of its own, whose locations LLVM keeps.
static OwningOpRef<ModuleOp> extract(gpu::GPUModuleOp module) {
  OwningOpRef<ModuleOp> copy = ModuleOp::create(module.getLoc());
  OpBuilder builder = OpBuilder::atBlockEnd(copy->getBody());
  for (Operation &op : *module.getBody())
    builder.clone(op);
  PassManager pm(copy->getContext());
  pm.addPass(LLVM::createDIScopeForLLVMFuncOpPass());
  if (failed(pm.run(*copy)))
    return nullptr;
  return copy;
}

Expected<std::unique_ptr<Emulator>> Emulator::create(gpu::GPUModuleOp module,
                                                     StringRef chip) {
  OwningOpRef<ModuleOp> copy = extract(module);
  auto context = std::make_unique<llvm::LLVMContext>();
  std::unique_ptr<llvm::Module> translated;
  if (copy)
    translated = translateModuleToLLVMIR(*copy, *context);
  if (!translated)
    return createStringError("expected a gpu.module in the llvm and nvvm "
                             "dialects: run rotq-to-nvptx first");
  return create(std::move(context), std::move(translated), chip);
}

Error Emulator::launch(StringRef kernel, const EmulatorLaunch &launch,
                       ArrayRef<EmulatorArgument> arguments) {
  return impl->launch(kernel, launch, arguments);
}
