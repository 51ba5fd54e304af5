//===- Emulator.cpp - Launches of kernels
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Emulator/Emulator.h"

#include "Compiler.h"
#include "ThreadBlock.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/Transforms/Passes.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Export.h"

#include <algorithm>
#include <numeric>
#include <thread>

using namespace mlir;
using namespace mlir::rotq;
using namespace mlir::rotq::emulator;
using llvm::createStringError;
using llvm::Error;
using llvm::Expected;

class Emulator::Impl {
public:
  explicit Impl(std::unique_ptr<Compiler> compiler)
      : compiler(std::move(compiler)) {}

  Error launch(StringRef kernel, const EmulatorLaunch &launch,
               ArrayRef<EmulatorArgument> arguments);

private:
  Error checkLaunch(const CompiledKernel &kernel, StringRef name,
                    const EmulatorLaunch &launch,
                    ArrayRef<EmulatorArgument> arguments) const;
  void runBlocks(LaunchState &state, uint64_t seed, unsigned threads);

  std::unique_ptr<Compiler> compiler;
  EmulatorStream stream;
  std::vector<std::unique_ptr<ThreadBlock>>
      blocks; ///< one for every host thread
};

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
  uint64_t blocks = uint64_t(launch.grid[0]) * launch.grid[1] * launch.grid[2];
  if (blocks > UINT32_MAX / threads)
    return refuse("a launch of " + Twine(blocks) + " blocks of " +
                  Twine(threads) + " threads is too large to emulate");
  if (threads > description.maxThreads)
    return refuse("expected at most " + Twine(description.maxThreads) +
                  " threads in a block but got " + Twine(threads));
  uint64_t shared = description.staticSharedBytes + launch.sharedBytes;
  Chip chip = compiler->getChip();
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
      block.run(state, unflatten(number, state.grid));
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
  auto compiled = compiler->compile(name);
  if (!compiled)
    return compiled.takeError();
  const CompiledKernel &kernel = **compiled;
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
  state.isDependent = launch.programmaticDependent;
  state.sites = &compiler->getSites();
  state.entry = kernel.entry;
  auto &last = (launch.stream ? *launch.stream : stream).last;
  Predecessors predecessors(launch.programmaticDependent ? last : nullptr);
  auto record = std::make_shared<LaunchRecord>();
  record->kernel = state.kernel;
  std::vector<uint64_t> values;
  for (const EmulatorArgument &argument : arguments) {
    if (auto *number = std::get_if<int32_t>(&argument)) {
      values.push_back(uint32_t(*number));
      continue;
    }
    const auto &buffer = std::get<EmulatorBuffer>(argument);
    uint64_t region = kBuffers + state.buffers.size();
    values.push_back(buffer.bytes.data() ? baseOf(region) + buffer.offset : 0);
    auto contents = !buffer.writable     ? GlobalBuffer::Contents::ReadOnly
                    : buffer.initialized ? GlobalBuffer::Contents::Initialized
                                         : GlobalBuffer::Contents::Undefined;
    state.buffers.push_back(std::make_unique<GlobalBuffer>(
        buffer.bytes, buffer.name, contents, predecessors));
    record->footprints.push_back(state.buffers.back()->getFootprint());
  }
  for (auto [address, constant] :
       llvm::zip(kernel.constants, kernel.description.constants))
    // Never written: the buffer is read-only.
    state.buffers.push_back(std::make_unique<GlobalBuffer>(
        std::span(const_cast<std::byte *>(address), size_t(constant.size)),
        "a constant", GlobalBuffer::Contents::ReadOnly, predecessors));
  for (uint64_t &value : values)
    state.arguments.push_back(&value);
  runBlocks(state, launch.seed, launch.threads);
  record->triggers = state.triggers;
  record->unfinishedAtEnd =
      state.hasWaited ? predecessors.afterWait : predecessors.beforeWait;
  // Without a trigger the end is one.
  record->unfinishedAtTrigger = state.triggers && !state.triggersAfterWait
                                    ? predecessors.beforeWait
                                    : record->unfinishedAtEnd;
  last = std::move(record);
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
  auto compiler = Compiler::create(std::move(context), std::move(module), chip);
  if (!compiler)
    return compiler.takeError();
  return std::unique_ptr<Emulator>(
      new Emulator(std::make_unique<Impl>(std::move(*compiler))));
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
