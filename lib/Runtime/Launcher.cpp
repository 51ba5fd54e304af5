//===- Launcher.cpp - Launching the kernels of a bundle -------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Runtime/Launcher.h"

#include <algorithm>

using namespace rotq;
using namespace rotq::cuda;

Expected<int> rotq::deviceCount() {
  Expected<const Driver *> driver = Driver::get();
  if (!driver)
    return failure(driver.error());
  int count = 0;
  if (Status status = (*driver)->check((*driver)->deviceGetCount(&count),
                                       "cuDeviceGetCount");
      !status)
    return failure(status.error());
  return count;
}

/// The driver's handle of device `ordinal`.
static Expected<Device> deviceAt(const Driver &driver, int ordinal) {
  Expected<int> count = deviceCount();
  if (!count)
    return failure(count.error());
  if (ordinal < 0 || ordinal >= *count)
    return failure("no device " + std::to_string(ordinal) + ": there are " +
                   std::to_string(*count));
  Device device = 0;
  if (Status status =
          driver.check(driver.deviceGet(&device, ordinal), "cuDeviceGet");
      !status)
    return failure(status.error());
  return device;
}

static Expected<DeviceInfo> infoOf(const Driver &driver, Device device) {
  char name[256] = {};
  DeviceInfo info = {};
  Status status = driver.check(
      driver.deviceGetName(name, sizeof(name) - 1, device), "cuDeviceGetName");
  if (status)
    status = driver.check(
        driver.deviceGetAttribute(&info.major, ComputeCapabilityMajor, device),
        "cuDeviceGetAttribute");
  if (status)
    status = driver.check(
        driver.deviceGetAttribute(&info.minor, ComputeCapabilityMinor, device),
        "cuDeviceGetAttribute");
  if (!status)
    return failure(status.error());
  info.name = name;
  return info;
}

Expected<DeviceInfo> rotq::deviceInfo(int ordinal) {
  Expected<const Driver *> driver = Driver::get();
  if (!driver)
    return failure(driver.error());
  Expected<Device> device = deviceAt(**driver, ordinal);
  if (!device)
    return failure(device.error());
  return infoOf(**driver, *device);
}

Status rotq::setDevice(int ordinal) {
  Expected<const Driver *> driver = Driver::get();
  if (!driver)
    return failure(driver.error());
  const Driver &d = **driver;
  Expected<Device> device = deviceAt(d, ordinal);
  if (!device)
    return failure(device.error());
  // Retained once for the life of the process: the context outlives every
  // launcher and every allocation.
  static std::mutex mutex;
  static std::map<Device, Context> contexts;
  std::lock_guard lock(mutex);
  Context &context = contexts[*device];
  if (!context)
    if (Status status = d.check(d.primaryContextRetain(&context, *device),
                                "cuDevicePrimaryCtxRetain");
        !status)
      return status;
  return d.check(d.contextSetCurrent(context), "cuCtxSetCurrent");
}

Expected<std::array<unsigned, 3>>
rotq::gridOf(const KernelInfo &kernel, std::span<const int32_t> scalars) {
  size_t expected = kernel.params.size() - kernel.numPointers();
  if (scalars.size() != expected)
    return failure("kernel '" + kernel.name + "' takes " +
                   std::to_string(expected) + " scalars but got " +
                   std::to_string(scalars.size()));
  if (int64_t index = kernel.scalarIndex("m"); index >= 0) {
    int64_t m = scalars[size_t(index)];
    if (m < kernel.mMin || (kernel.mMax != 0 && m > kernel.mMax))
      return failure("kernel '" + kernel.name + "' takes m from " +
                     std::to_string(kernel.mMin) +
                     (kernel.mMax ? " to " + std::to_string(kernel.mMax)
                                  : std::string(" up")) +
                     " but got " + std::to_string(m));
  }
  std::array<unsigned, 3> grid = {};
  constexpr std::array<int64_t, 3> limits = {INT32_MAX, 65535, 65535};
  for (size_t i = 0; i < grid.size(); ++i) {
    const GridDim &dim = kernel.grid[i];
    int64_t blocks = dim.count;
    if (!dim.over.empty()) {
      int64_t value = scalars[size_t(kernel.scalarIndex(dim.over))];
      if (value < 0)
        return failure("kernel '" + kernel.name + "': '" + dim.over +
                       "' is negative: " + std::to_string(value));
      // Both factors are below 2^31.
      blocks *= (value + dim.tile - 1) / dim.tile;
    }
    if (blocks > limits[i])
      return failure("kernel '" + kernel.name + "': grid of " +
                     std::to_string(blocks) + " blocks along dimension " +
                     std::to_string(i) + ", at most " +
                     std::to_string(limits[i]));
    grid[i] = unsigned(blocks);
  }
  return grid;
}

/// What the driver loads: a fatbin, or PTX text, which it compiles on load.
/// It is told no length, so a fatbin that claims more bytes than there are is
/// refused here, and text gets its terminator.
static Expected<std::vector<std::byte>>
imageOf(std::span<const std::byte> bytes) {
  struct FatbinHeader {
    uint32_t magic;
    uint16_t version;
    uint16_t headerBytes;
    uint64_t dataBytes;
  } header = {};
  std::ranges::copy(bytes.first(std::min(bytes.size(), sizeof(header))),
                    reinterpret_cast<std::byte *>(&header));
  if (header.magic == 0xBA55ED50) {
    if (header.headerBytes > bytes.size() ||
        header.dataBytes > bytes.size() - header.headerBytes)
      return failure("fatbin is truncated");
  } else {
    std::string_view text(reinterpret_cast<const char *>(bytes.data()),
                          bytes.size());
    if (text.find(".version") == std::string_view::npos)
      return failure("expected a fatbin or PTX");
  }
  std::vector<std::byte> image(bytes.begin(), bytes.end());
  image.push_back(std::byte(0));
  return image;
}

/// " (bundle for sm_80 sm_90a, device NVIDIA ... is sm_75)", or nothing where
/// the driver does not say.
static std::string describeMismatch(const Driver &driver,
                                    const Manifest &manifest) {
  Device device = 0;
  driver.contextGetDevice(&device);
  Expected<DeviceInfo> info = infoOf(driver, device);
  if (!info)
    return {};
  std::string targets;
  for (const std::string &target : manifest.targets)
    targets += " " + target;
  return " (bundle for" + targets + ", device " + info->name + " is sm_" +
         std::to_string(info->major) + std::to_string(info->minor) + ")";
}

Expected<const Launcher::Loaded *> Launcher::loadCurrent(const Driver &d) {
  Context context = nullptr;
  if (Status status = d.check(d.contextGetCurrent(&context), "cuCtxGetCurrent");
      !status)
    return failure(status.error());
  if (!context)
    return failure("no device is current on this thread: set one first");

  std::lock_guard lock(mutex);
  if (auto it = loaded.find(context); it != loaded.end())
    return &it->second;
  Expected<std::vector<std::byte>> image = imageOf(bundle.fatbin);
  if (!image)
    return failure(image.error());
  Loaded result = {context, nullptr, {}};
  if (Status status = d.check(d.moduleLoadData(&result.module, image->data()),
                              "cuModuleLoadData");
      !status) {
    return failure(status.error() + describeMismatch(d, bundle.manifest));
  }
  for (const KernelInfo &kernel : bundle.manifest.kernels) {
    Function &function = result.functions.emplace_back(nullptr);
    Status status = d.check(
        d.moduleGetFunction(&function, result.module, kernel.name.c_str()),
        "cuModuleGetFunction '" + kernel.name + "'");
    // Beyond 48 KB of it, which static shared memory counts for too.
    if (status && kernel.sharedBytes != 0)
      status =
          d.check(d.functionSetAttribute(function, MaxDynamicSharedSizeBytes,
                                         int(kernel.sharedBytes)),
                  "shared memory of kernel '" + kernel.name + "'");
    if (!status) {
      d.moduleUnload(result.module);
      return failure(status.error());
    }
  }
  return &loaded.emplace(context, std::move(result)).first->second;
}

Status Launcher::load() {
  Expected<const Driver *> driver = Driver::get();
  if (!driver)
    return failure(driver.error());
  if (Expected<const Loaded *> module = loadCurrent(**driver); !module)
    return failure(module.error());
  return {};
}

Launcher::~Launcher() {
  if (loaded.empty())
    return;
  const Driver &driver = **Driver::get();
  Context before = nullptr;
  driver.contextGetCurrent(&before);
  for (auto &[context, entry] : loaded) {
    driver.contextSetCurrent(context);
    driver.moduleUnload(entry.module);
  }
  driver.contextSetCurrent(before);
}

Status Launcher::launch(std::string_view name, std::span<void *const> pointers,
                        std::span<const int32_t> scalars, void *stream) {
  const KernelInfo *kernel = bundle.manifest.find(name);
  if (!kernel)
    return failure("bundle has no kernel '" + std::string(name) + "'");
  if (pointers.size() != kernel->numPointers())
    return failure("kernel '" + kernel->name + "' takes " +
                   std::to_string(kernel->numPointers()) +
                   " pointers but got " + std::to_string(pointers.size()));
  Expected<std::array<unsigned, 3>> grid = gridOf(*kernel, scalars);
  if (!grid)
    return failure(grid.error());
  if (std::ranges::count(*grid, 0u))
    return {};
  for (size_t i = 0; i < pointers.size(); ++i)
    if (!pointers[i])
      return failure("kernel '" + kernel->name + "': '" +
                     kernel->params[i].name + "' is null");

  Expected<const Driver *> driver = Driver::get();
  if (!driver)
    return failure(driver.error());
  Expected<const Loaded *> module = loadCurrent(**driver);
  if (!module)
    return failure(module.error());

  // The driver reads the value of every argument through its address.
  std::vector<void *> arguments;
  arguments.reserve(kernel->params.size());
  for (void *const &pointer : pointers)
    arguments.push_back(const_cast<void **>(&pointer));
  for (const int32_t &scalar : scalars)
    arguments.push_back(const_cast<int32_t *>(&scalar));

  LaunchAttribute overlap = {};
  overlap.id = ProgrammaticStreamSerialization;
  overlap.programmaticStreamSerializationAllowed = 1;
  LaunchConfig config = {};
  config.gridX = (*grid)[0];
  config.gridY = (*grid)[1];
  config.gridZ = (*grid)[2];
  config.blockX = unsigned(kernel->block[0]);
  config.blockY = unsigned(kernel->block[1]);
  config.blockZ = unsigned(kernel->block[2]);
  config.sharedBytes = unsigned(kernel->sharedBytes);
  config.stream = static_cast<Stream>(stream);
  config.attributes = &overlap;
  config.numAttributes = kernel->pdl ? 1 : 0;
  Function function =
      (*module)->functions[size_t(kernel - bundle.manifest.kernels.data())];
  const Driver &d = **driver;
  return d.check(d.launchKernelEx(&config, function, arguments.data(), nullptr),
                 "launch of kernel '" + kernel->name + "'");
}
