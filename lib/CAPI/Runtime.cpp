//===- Runtime.cpp - C functions of the launcher --------------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq-c/Runtime.h"
#include "LastError.h"
#include "rotq/Runtime/Launcher.h"

#include <memory>

using namespace rotq;
using rotq::cuda::DevicePtr;
using rotq::cuda::Driver;

struct RotqBundle {
  explicit RotqBundle(Bundle bundle)
      : launcher(std::move(bundle)),
        manifest(printManifest(launcher.manifest())) {}

  Launcher launcher;
  std::string manifest;
};

static int finish(const Status &status) {
  return status ? 0 : reportError(status.error());
}

/// Calls `body(driver)`, whose result is the driver's, and reports its failure
/// as that of `what`.
template <typename Body> static int withDriver(const char *what, Body body) {
  return guarded([&] {
    Expected<const Driver *> driver = Driver::get();
    if (!driver)
      return reportError(driver.error());
    return finish((*driver)->check(body(**driver), what));
  });
}

static DevicePtr address(const void *pointer) {
  return reinterpret_cast<DevicePtr>(pointer);
}

int rotqDeviceCount(int32_t *count) {
  return guarded([&] {
    Expected<int> result = deviceCount();
    if (!result)
      return reportError(result.error());
    *count = *result;
    return 0;
  });
}

int rotqDeviceName(int32_t ordinal, char *buffer, int64_t capacity) {
  return guarded([&] {
    if (capacity < 1)
      return reportError("expected room for a name");
    Expected<DeviceInfo> info = deviceInfo(ordinal);
    if (!info)
      return reportError(info.error());
    buffer[info->name.copy(buffer, size_t(capacity) - 1)] = '\0';
    return 0;
  });
}

int rotqDeviceComputeCapability(int32_t ordinal, int32_t *major,
                                int32_t *minor) {
  return guarded([&] {
    Expected<DeviceInfo> info = deviceInfo(ordinal);
    if (!info)
      return reportError(info.error());
    *major = info->major;
    *minor = info->minor;
    return 0;
  });
}

int rotqDeviceInit(int32_t ordinal) {
  return guarded([&] { return finish(setDevice(ordinal)); });
}

int rotqDeviceMalloc(int64_t bytes, void **pointer) {
  return withDriver("cuMemAlloc", [&](const Driver &driver) {
    DevicePtr allocated = 0;
    cuda::Result result = driver.memAlloc(&allocated, size_t(bytes));
    *pointer = reinterpret_cast<void *>(allocated);
    return result;
  });
}

int rotqDeviceFree(void *pointer) {
  return withDriver("cuMemFree", [&](const Driver &driver) {
    return driver.memFree(address(pointer));
  });
}

int rotqDeviceUpload(void *device, const void *host, int64_t bytes) {
  return withDriver("cuMemcpyHtoD", [&](const Driver &driver) {
    return driver.memcpyHtoD(address(device), host, size_t(bytes));
  });
}

int rotqDeviceDownload(void *host, const void *device, int64_t bytes) {
  return withDriver("cuMemcpyDtoH", [&](const Driver &driver) {
    return driver.memcpyDtoH(host, address(device), size_t(bytes));
  });
}

int rotqDeviceMemset(void *device, uint8_t value, int64_t bytes) {
  return withDriver("cuMemsetD8", [&](const Driver &driver) {
    return driver.memsetD8(address(device), value, size_t(bytes));
  });
}

int rotqDeviceSynchronize(void) {
  return withDriver("cuCtxSynchronize", [](const Driver &driver) {
    return driver.contextSynchronize();
  });
}

int rotqStreamSynchronize(void *stream) {
  return withDriver("cuStreamSynchronize", [&](const Driver &driver) {
    return driver.streamSynchronize(static_cast<cuda::Stream>(stream));
  });
}

int rotqBundleOpen(const char *path, RotqBundle **bundle) {
  return guarded([&] {
    if (!path)
      return reportError("expected a path but got null");
    Expected<Bundle> result = readBundle(path);
    if (!result)
      return reportError(result.error());
    *bundle = std::make_unique<RotqBundle>(std::move(*result)).release();
    return 0;
  });
}

void rotqBundleClose(RotqBundle *bundle) { delete bundle; }

const char *rotqBundleManifest(const RotqBundle *bundle) {
  return bundle ? bundle->manifest.c_str() : nullptr;
}

int rotqBundleLoad(RotqBundle *bundle) {
  return guarded([&] {
    if (!bundle)
      return reportError("the bundle is closed");
    return finish(bundle->launcher.load());
  });
}

int rotqBundleLaunch(RotqBundle *bundle, const char *kernel,
                     void *const *pointers, int64_t numPointers,
                     const int32_t *scalars, int64_t numScalars, void *stream) {
  return guarded([&] {
    if (!bundle)
      return reportError("the bundle is closed");
    if (!kernel || numPointers < 0 || numScalars < 0)
      return reportError("expected a kernel's name and counts of arguments");
    return finish(
        bundle->launcher.launch(kernel, {pointers, size_t(numPointers)},
                                {scalars, size_t(numScalars)}, stream));
  });
}
