//===- Driver.cpp - The CUDA driver, opened at run time -------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Runtime/Driver.h"

#include <dlfcn.h>
#include <type_traits>

using namespace rotq;
using namespace rotq::cuda;

/// Points the entry points of `driver` into `library`. The first symbol the
/// library lacks is the error.
static Status resolve(void *library, Driver &driver) {
  Status status;
  auto get = [&](const char *symbol, auto &function) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(
        dlsym(library, symbol));
    if (!function && status)
      status = failure(std::string("libcuda.so.1 has no ") + symbol +
                       ": the driver is too old");
  };
  get("cuInit", driver.init);
  get("cuGetErrorName", driver.getErrorName);
  get("cuGetErrorString", driver.getErrorString);
  get("cuDeviceGetCount", driver.deviceGetCount);
  get("cuDeviceGet", driver.deviceGet);
  get("cuDeviceGetName", driver.deviceGetName);
  get("cuDeviceGetAttribute", driver.deviceGetAttribute);
  get("cuDevicePrimaryCtxRetain", driver.primaryContextRetain);
  get("cuCtxSetCurrent", driver.contextSetCurrent);
  get("cuCtxGetCurrent", driver.contextGetCurrent);
  get("cuCtxGetDevice", driver.contextGetDevice);
  get("cuCtxSynchronize", driver.contextSynchronize);
  get("cuModuleLoadData", driver.moduleLoadData);
  get("cuModuleUnload", driver.moduleUnload);
  get("cuModuleGetFunction", driver.moduleGetFunction);
  get("cuFuncSetAttribute", driver.functionSetAttribute);
  get("cuLaunchKernelEx", driver.launchKernelEx);
  get("cuMemAlloc_v2", driver.memAlloc);
  get("cuMemFree_v2", driver.memFree);
  get("cuMemcpyHtoD_v2", driver.memcpyHtoD);
  get("cuMemcpyDtoH_v2", driver.memcpyDtoH);
  get("cuMemsetD8_v2", driver.memsetD8);
  get("cuStreamSynchronize", driver.streamSynchronize);
  return status;
}

static Expected<Driver> open() {
  // Never closed: the driver stays for the life of the process.
  void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return failure(std::string("cannot open libcuda.so.1: ") + dlerror());
  Driver driver = {};
  if (Status status = resolve(library, driver); !status)
    return failure(status.error());
  if (Status status = driver.check(driver.init(0), "cuInit"); !status)
    return failure(status.error());
  return driver;
}

Expected<const Driver *> Driver::get() {
  static const Expected<Driver> driver = open();
  if (!driver)
    return failure(driver.error());
  return &*driver;
}

Status Driver::check(Result result, std::string_view what) const {
  if (result == 0)
    return {};
  const char *name = nullptr;
  const char *text = nullptr;
  getErrorName(result, &name);
  getErrorString(result, &text);
  return failure(std::string(what) + ": " +
                 (name ? name : "error " + std::to_string(result)) +
                 (text ? std::string(": ") + text : std::string()));
}
