//===- DeviceRunner.cpp - Runs functions of a module with their GPU kernels
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DeviceRunner.h"

#include "rotq/Pipelines/GPUPipeline.h"
#include "rotq/Target/Target.h"
#include "rotq/Transforms/Targets.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/SmallPtrSet.h"

#include <cstdlib>

using namespace mlir;
using namespace mlir::rotq;
using llvm::createStringError;

static constexpr StringLiteral kLaunchName = "rotq_device_launch";

LogicalResult DeviceRunner::lower(ModuleOp module, StringRef chip,
                                  StringRef text) {
  NVPTXPipelineOptions options;
  if (failed(options.parseFromString(("chip=" + chip + " " + text).str())))
    return emitError(module.getLoc(), "cannot parse --options");
  if (std::string message = describeUnsuitable(options); !message.empty())
    return emitError(module.getLoc()) << message;
  PassManager pm(module.getContext());
  buildNVPTXPipeline(pm, options);
  return pm.run(module);
}

//===----------------------------------------------------------------------===//
// Compilation
//===----------------------------------------------------------------------===//

llvm::Error DeviceRunner::addModule(gpu::GPUModuleOp kernels,
                                    DeviceFactory createDevice) {
  auto device = createDevice(kernels);
  if (!device)
    return device.takeError();
  std::string name = kernels.getName().str();
  devices[name] = std::move(*device);
  if (!kernels->hasAttr("rotq.manifest"))
    return llvm::Error::success();
  auto manifest = readManifest(kernels);
  if (failed(manifest))
    return createStringError("expected a manifest that can be read");
  manifests[name] = *manifest;
  return llvm::Error::success();
}

/// Launches become calls: their number, seven sizes, and the operands, each as
/// a word of 64 bits.
void DeviceRunner::replaceLaunches(ModuleOp module) {
  SmallVector<gpu::LaunchFuncOp> ops;
  module.walk([&](gpu::LaunchFuncOp op) { ops.push_back(op); });
  OpBuilder atTop = OpBuilder::atBlockBegin(module.getBody());
  Type i64 = atTop.getI64Type();
  auto pointer = LLVM::LLVMPointerType::get(module.getContext());
  auto callee = LLVM::LLVMFuncOp::create(
      atTop, module.getLoc(), kLaunchName,
      LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(module.getContext()),
                                  {i64, pointer, pointer}));
  for (gpu::LaunchFuncOp op : ops) {
    auto function = op->getParentOfType<func::FuncOp>();
    ImplicitLocOpBuilder atEntry(op.getLoc(), module.getContext());
    atEntry.setInsertionPointToStart(&function.getBody().front());
    ImplicitLocOpBuilder b(op.getLoc(), op);
    auto toWord = [&](Value value) -> Value {
      if (isa<LLVM::LLVMPointerType>(value.getType()))
        return LLVM::PtrToIntOp::create(b, i64, value);
      if (value.getType().isIndex())
        return arith::IndexCastOp::create(b, i64, value);
      if (value.getType() == i64)
        return value;
      return arith::ExtUIOp::create(b, i64, value);
    };
    auto store = [&](ArrayRef<Value> words) -> Value {
      Value count = LLVM::ConstantOp::create(
          atEntry, i64, atEntry.getI64IntegerAttr(int64_t(words.size())));
      Value array = LLVM::AllocaOp::create(atEntry, pointer, i64, count);
      for (auto [i, word] : llvm::enumerate(words)) {
        Value slot = LLVM::GEPOp::create(b, pointer, i64, array,
                                         ArrayRef<LLVM::GEPArg>{int32_t(i)});
        LLVM::StoreOp::create(b, word, slot);
      }
      return array;
    };
    gpu::KernelDim3 grid = op.getGridSizeOperandValues();
    gpu::KernelDim3 block = op.getBlockSizeOperandValues();
    SmallVector<Value> sizes, operands;
    for (Value size : {grid.x, grid.y, grid.z, block.x, block.y, block.z})
      sizes.push_back(toWord(size));
    Value shared = op.getDynamicSharedMemorySize();
    sizes.push_back(shared ? toWord(shared)
                           : Value(LLVM::ConstantOp::create(
                                 b, i64, b.getI64IntegerAttr(0))));
    Launch launch;
    std::string name = op.getKernelModuleName().str();
    launch.device = devices.at(name).get();
    launch.kernel = op.getKernelName().str();
    for (Value operand : op.getKernelOperands()) {
      launch.isPointer.push_back(isa<LLVM::LLVMPointerType>(operand.getType()));
      operands.push_back(toWord(operand));
    }
    if (auto it = manifests.find(name); it != manifests.end())
      if (const auto *info = it->second.find(launch.kernel))
        launch.info = *info;
    Value number = LLVM::ConstantOp::create(
        b, i64, b.getI64IntegerAttr(int64_t(launches.size())));
    LLVM::CallOp::create(b, callee,
                         ValueRange{number, store(sizes), store(operands)});
    launches.push_back(std::move(launch));
    op.erase();
  }
}

llvm::Expected<std::unique_ptr<DeviceRunner>>
DeviceRunner::create(ModuleOp module, DeviceFactory createDevice,
                     uint64_t seed) {
  auto runner = std::make_unique<DeviceRunner>();
  runner->seed = seed;
  for (auto kernels : module.getOps<gpu::GPUModuleOp>())
    if (llvm::Error error = runner->addModule(kernels, createDevice))
      return std::move(error);
  llvm::Error unknown = llvm::Error::success();
  module.walk([&](gpu::LaunchFuncOp op) {
    if (!unknown && !runner->devices.count(op.getKernelModuleName().str()))
      unknown = createStringError("expected a gpu.module '" +
                                  op.getKernelModuleName().getValue() + "'");
    if (!unknown && !op.getAsyncDependencies().empty())
      unknown = createStringError("expected launches without dependencies");
  });
  if (unknown)
    return std::move(unknown);
  runner->replaceLaunches(module);
  for (auto kernels :
       llvm::make_early_inc_range(module.getOps<gpu::GPUModuleOp>()))
    kernels.erase();
  // Allocations are as long as they say: see allocate().
  module.walk([](memref::AllocOp op) { op.removeAlignmentAttr(); });
  PassManager pm(module.getContext());
  HostPipelineOptions options;
  options.features = hostFeatures();
  options.threads = false; // what it calls here is for one
  buildHostLLVMPipeline(pm, options);
  if (failed(pm.run(module)))
    return createStringError("cannot compile the functions of the module");

  HostRunner::Symbols symbols;
  symbols[kLaunchName] = reinterpret_cast<void *>(&launchFromHost);
  symbols["malloc"] = reinterpret_cast<void *>(&allocate);
  symbols["free"] = reinterpret_cast<void *>(&release);
  auto host = HostRunner::create(module, /*optLevel=*/2, symbols);
  if (!host)
    return host.takeError();
  host->setRelease(&release);
  runner->host.emplace(std::move(*host));
  return runner;
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

/// The runner whose function runs on this thread.
static thread_local DeviceRunner *active = nullptr;

static int64_t numberOf(const void *pointer) {
  return int64_t(reinterpret_cast<intptr_t>(pointer));
}

void *DeviceRunner::allocate(size_t size) {
  static constexpr size_t kAlignment = 64;
  size_t rounded = (size + kAlignment - 1) / kAlignment * kAlignment;
  void *pointer = std::aligned_alloc(kAlignment, std::max(rounded, kAlignment));
  active->memory[numberOf(pointer)] = size;
  return pointer;
}

void DeviceRunner::release(void *pointer) {
  if (active->memory.erase(numberOf(pointer)))
    std::free(pointer);
}

void DeviceRunner::launchFromHost(int64_t index, const int64_t *sizes,
                                  const int64_t *operands) {
  if (!active->failure.empty())
    return;
  if (llvm::Error error =
          active->launch(active->launches[size_t(index)], sizes, operands))
    active->failure = toString(std::move(error));
}

/// The memory that holds an address.
llvm::Expected<EmulatorBuffer> DeviceRunner::findBuffer(int64_t address) const {
  auto it = memory.upper_bound(address);
  if (it == memory.begin())
    return createStringError("expected a pointer to memory of the function");
  --it;
  if (address > it->first + int64_t(it->second))
    return createStringError("expected a pointer to memory of the function");
  EmulatorBuffer buffer;
  buffer.bytes = {reinterpret_cast<std::byte *>(intptr_t(it->first)),
                  it->second};
  buffer.offset = size_t(address - it->first);
  return buffer;
}

llvm::Error DeviceRunner::launch(const Launch &what, const int64_t *sizes,
                                 const int64_t *operands) {
  EmulatorLaunch launch;
  // An empty activation has no blocks, and nothing to do.
  for (unsigned i = 0; i < 3; ++i) {
    if (sizes[i] == 0)
      return llvm::Error::success();
    launch.grid[i] = uint32_t(sizes[i]);
    launch.block[i] = uint32_t(sizes[3 + i]);
  }
  launch.sharedBytes = uint32_t(sizes[6]);
  launch.seed = seed;
  launch.stream = &stream;
  launch.programmaticDependent = what.info && what.info->pdl;
  std::vector<EmulatorArgument> arguments;
  for (size_t i = 0; i < what.isPointer.size(); ++i) {
    if (!what.isPointer[i]) {
      arguments.emplace_back(int32_t(operands[i]));
      continue;
    }
    auto buffer = findBuffer(operands[i]);
    if (!buffer)
      return createStringError("kernel '" + what.kernel + "', argument " +
                               Twine(i) + ": " + toString(buffer.takeError()));
    buffer->name = "argument " + std::to_string(i);
    if (what.info && i < what.info->params.size()) {
      const ::rotq::KernelParam &param = what.info->params[i];
      buffer->name = param.name;
      buffer->writable = param.access == ::rotq::KernelParam::Access::Write;
      // Results are written before they are read.
      buffer->initialized = !buffer->writable;
    }
    arguments.emplace_back(*buffer);
  }
  return what.device->launch(what.kernel, launch, arguments);
}

llvm::Expected<std::vector<Array>>
DeviceRunner::run(StringRef entry, ArrayRef<Array> arguments) {
  memory.clear();
  failure.clear();
  stream = {};
  llvm::SmallPtrSet<const void *, 8> lent;
  for (const Array &array : arguments) {
    memory[numberOf(array.data.get())] = size_t(array.numBytes());
    lent.insert(array.data.get());
  }
  active = this;
  auto results = host->run(entry, arguments);
  active = nullptr;
  for (auto [address, size] : memory) {
    auto *pointer = reinterpret_cast<void *>(intptr_t(address));
    if (!lent.contains(pointer))
      std::free(pointer);
  }
  memory.clear();
  if (!failure.empty()) {
    llvm::consumeError(results ? llvm::Error::success() : results.takeError());
    return createStringError(failure);
  }
  return results;
}
