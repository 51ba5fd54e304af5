//===- Driver.h - The CUDA driver, opened at run time -----------*- C++ -*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The few entry points of libcuda.so.1 that launching needs. Nothing of CUDA
// is needed to build, and a machine without a driver gets an error, not a
// failure to load.
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_RUNTIME_DRIVER_H
#define ROTQ_RUNTIME_DRIVER_H

#include "rotq/Support/Error.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace rotq::cuda {

using Result = int;
using Device = int;
using DevicePtr = uint64_t;
using Context = struct ContextImpl *;
using Module = struct ModuleImpl *;
using Function = struct FunctionImpl *;
using Stream = struct StreamImpl *;

enum DeviceAttribute : int {
  ComputeCapabilityMajor = 75,
  ComputeCapabilityMinor = 76,
};
enum FunctionAttribute : int { MaxDynamicSharedSizeBytes = 8 };
enum LaunchAttributeId : unsigned { ProgrammaticStreamSerialization = 6 };

struct LaunchAttribute {
  LaunchAttributeId id;
  char pad[4];
  union {
    char reserved[64];
    int programmaticStreamSerializationAllowed;
  };
};
static_assert(sizeof(LaunchAttribute) == 72);

struct LaunchConfig {
  unsigned gridX, gridY, gridZ;
  unsigned blockX, blockY, blockZ;
  unsigned sharedBytes;
  Stream stream;
  LaunchAttribute *attributes;
  unsigned numAttributes;
};
static_assert(sizeof(LaunchConfig) == 56);

/// Addresses of the driver's entry points.
struct Driver {
  /// Opens and initializes the driver on the first call; later calls give the
  /// same driver, or the same error.
  static Expected<const Driver *> get();

  /// Success, or "`what`: CUDA_ERROR_NAME: description".
  Status check(Result result, std::string_view what) const;

  Result (*init)(unsigned flags);
  Result (*getErrorName)(Result error, const char **text);
  Result (*getErrorString)(Result error, const char **text);
  Result (*deviceGetCount)(int *count);
  Result (*deviceGet)(Device *device, int ordinal);
  Result (*deviceGetName)(char *name, int length, Device device);
  Result (*deviceGetAttribute)(int *value, DeviceAttribute attribute,
                               Device device);
  Result (*primaryContextRetain)(Context *context, Device device);
  Result (*contextSetCurrent)(Context context);
  Result (*contextGetCurrent)(Context *context);
  Result (*contextGetDevice)(Device *device);
  Result (*contextSynchronize)();
  Result (*moduleLoadData)(Module *module, const void *image);
  Result (*moduleUnload)(Module module);
  Result (*moduleGetFunction)(Function *function, Module module,
                              const char *name);
  Result (*functionSetAttribute)(Function function, FunctionAttribute attribute,
                                 int value);
  Result (*launchKernelEx)(const LaunchConfig *config, Function function,
                           void **params, void **extra);
  Result (*memAlloc)(DevicePtr *pointer, size_t bytes);
  Result (*memFree)(DevicePtr pointer);
  Result (*memcpyHtoD)(DevicePtr to, const void *from, size_t bytes);
  Result (*memcpyDtoH)(void *to, DevicePtr from, size_t bytes);
  Result (*memsetD8)(DevicePtr to, unsigned char value, size_t bytes);
  Result (*streamSynchronize)(Stream stream);
};

} // namespace rotq::cuda

#endif // ROTQ_RUNTIME_DRIVER_H
