//===- GPU.cpp - GPU kernels on a GPU of this machine
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Emulator/GPU.h"

#include "Instructions.h"

#include "rotq/Target/Target.h"
#include "rotq/Transforms/Targets.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/ADT/STLExtras.h"

#include <deque>

using namespace mlir;
using namespace mlir::rotq;
using llvm::createStringError;
using llvm::Error;
using llvm::Expected;
using ::rotq::DeviceInfo;
using ::rotq::cuda::DevicePtr;
using ::rotq::cuda::Driver;

static Error toError(const ::rotq::Status &status) {
  return status ? Error::success() : createStringError(status.error());
}

//===----------------------------------------------------------------------===//
// The GPU of this machine
//===----------------------------------------------------------------------===//

/// Makes the first GPU current on this thread.
static Expected<const Driver *> openDriver() {
  auto driver = Driver::get();
  if (!driver)
    return createStringError(driver.error());
  if (Error error = toError(::rotq::setDevice(0)))
    return std::move(error);
  return *driver;
}

Expected<DeviceInfo> mlir::rotq::findGPU() {
  if (auto driver = openDriver(); !driver)
    return driver.takeError();
  auto info = ::rotq::deviceInfo(0);
  if (!info)
    return createStringError(info.error());
  if (findCUDATool("ptxas").empty())
    return createStringError(
        "cannot find 'ptxas': install the CUDA toolkit or set CUDA_HOME");
  return *info;
}

/// Every chip from 9.0 on has code of its own.
static emulator::Chip chipOf(const DeviceInfo &gpu) {
  auto number = unsigned(gpu.major * 10 + gpu.minor);
  return {number, number >= 90 ? 'a' : '\0'};
}

bool mlir::rotq::runsOn(const DeviceInfo &gpu, StringRef chip) {
  return chipOf(gpu).supports(emulator::Chip::parse(chip));
}

Expected<std::string> mlir::rotq::chipFor(const DeviceInfo &gpu) {
  for (const TargetInfo &target : llvm::reverse(knownTargets()))
    if (target.isGPU() && runsOn(gpu, target.name))
      return target.name.str();
  return createStringError("cannot generate code for " + gpu.name + ", an " +
                           chipOf(gpu).name());
}

//===----------------------------------------------------------------------===//
// Compilation
//===----------------------------------------------------------------------===//

/// What `compile` gives; its diagnostics become the error.
template <typename T>
static Expected<T> collectErrors(MLIRContext *context,
                                 llvm::function_ref<FailureOr<T>()> compile) {
  std::string message;
  ScopedDiagnosticHandler handler(context, [&](Diagnostic &diagnostic) {
    message += (message.empty() ? "" : "; ") + diagnostic.str();
  });
  FailureOr<T> result = compile();
  if (failed(result))
    return createStringError(message);
  return std::move(*result);
}

Expected<std::unique_ptr<GPU>> GPU::load(Location loc, StringRef ptx,
                                         StringRef chip) {
  auto gpu = findGPU();
  if (!gpu)
    return gpu.takeError();
  if (!runsOn(*gpu, chip))
    return createStringError(gpu->name + " cannot run code for " + chip);
  // Portable code is compiled for the GPU, as its driver would do it.
  emulator::Chip target = emulator::Chip::parse(chip);
  if (!target.suffix)
    target.number = chipOf(*gpu).number;
  auto cubin = collectErrors<std::string>(
      loc.getContext(), [&] { return assemblePTX(loc, ptx, target.name()); });
  if (!cubin)
    return cubin.takeError();
  auto driver = openDriver();
  if (!driver)
    return driver.takeError();
  ::rotq::cuda::Module module = nullptr;
  if (Error error = toError(
          (*driver)->check((*driver)->moduleLoadData(&module, cubin->data()),
                           "cuModuleLoadData")))
    return std::move(error);
  return std::unique_ptr<GPU>(new GPU(**driver, module));
}

Expected<std::unique_ptr<GPU>> GPU::create(gpu::GPUModuleOp module,
                                           StringRef chip) {
  auto codes = collectErrors<SmallVector<DeviceCode>>(module.getContext(), [&] {
    return serializeDevice(module, /*assemble=*/false);
  });
  if (!codes)
    return codes.takeError();
  for (const DeviceCode &code : *codes)
    if (code.chip == chip)
      return load(module.getLoc(), code.ptx, chip);
  return createStringError("expected a target " + chip + " on the gpu.module");
}

Expected<std::unique_ptr<GPU>> GPU::create(llvm::Module &module,
                                           StringRef chip) {
  if (std::string message = describeUnknownGPU(chip); !message.empty())
    return createStringError(message);
  MLIRContext context(MLIRContext::Threading::DISABLED);
  Location loc = UnknownLoc::get(&context);
  // All that any chip has.
  auto ptx = collectErrors<std::string>(
      &context, [&] { return emitPTX(loc, module, chip, "+ptx87"); });
  if (!ptx)
    return ptx.takeError();
  return load(loc, *ptx, chip);
}

GPU::~GPU() { driver.moduleUnload(module); }

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

namespace {
/// A buffer's copy on the GPU.
class BufferCopy {
public:
  explicit BufferCopy(const Driver &driver) : driver(driver) {}
  ~BufferCopy() { driver.memFree(address); }
  BufferCopy(const BufferCopy &) = delete;
  BufferCopy &operator=(const BufferCopy &) = delete;

  Error upload(const EmulatorBuffer &from) {
    buffer = from;
    // A null pointer stays one.
    if (!from.bytes.data())
      return Error::success();
    if (Error error = toError(driver.check(
            driver.memAlloc(&address, std::max<size_t>(1, from.bytes.size())),
            "cuMemAlloc")))
      return error;
    return toError(driver.check(
        driver.memcpyHtoD(address, from.bytes.data(), from.bytes.size()),
        "cuMemcpyHtoD"));
  }
  Error download() {
    if (!buffer.writable || !buffer.bytes.data())
      return Error::success();
    return toError(driver.check(
        driver.memcpyDtoH(buffer.bytes.data(), address, buffer.bytes.size()),
        "cuMemcpyDtoH"));
  }
  uint64_t argument() const { return address + buffer.offset; }

private:
  const Driver &driver;
  EmulatorBuffer buffer;
  DevicePtr address = 0;
};
} // namespace

Error GPU::launch(StringRef name, const EmulatorLaunch &launch,
                  ArrayRef<EmulatorArgument> arguments) {
  auto check = [&](int result, const char *what) {
    return toError(
        driver.check(result, ("kernel '" + name + "': " + what).str()));
  };
  ::rotq::cuda::Function function = nullptr;
  if (Error error =
          check(driver.moduleGetFunction(&function, module, name.str().c_str()),
                "cuModuleGetFunction"))
    return error;
  if (Error error = check(driver.functionSetAttribute(
                              function, ::rotq::cuda::MaxDynamicSharedSizeBytes,
                              int(launch.sharedBytes)),
                          "shared memory"))
    return error;

  // The driver reads as many bytes of a value as its parameter has.
  std::deque<BufferCopy> copies;
  std::vector<uint64_t> values;
  for (const EmulatorArgument &argument : arguments) {
    if (const auto *number = std::get_if<int32_t>(&argument)) {
      values.push_back(uint32_t(*number));
      continue;
    }
    BufferCopy &copy = copies.emplace_back(driver);
    if (Error error = copy.upload(std::get<EmulatorBuffer>(argument)))
      return error;
    values.push_back(copy.argument());
  }
  std::vector<void *> pointers;
  for (uint64_t &value : values)
    pointers.push_back(&value);

  ::rotq::cuda::LaunchConfig config = {};
  config.gridX = launch.grid[0];
  config.gridY = launch.grid[1];
  config.gridZ = launch.grid[2];
  config.blockX = launch.block[0];
  config.blockY = launch.block[1];
  config.blockZ = launch.block[2];
  config.sharedBytes = launch.sharedBytes;
  if (Error error = check(
          driver.launchKernelEx(&config, function, pointers.data(), nullptr),
          "cuLaunchKernelEx"))
    return error;
  if (Error error = check(driver.contextSynchronize(), "cuCtxSynchronize"))
    return error;
  for (BufferCopy &copy : copies)
    if (Error error = copy.download())
      return error;
  return Error::success();
}
