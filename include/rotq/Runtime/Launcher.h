//===- Launcher.h - Launching the kernels of a bundle -----------*- C++ -*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_RUNTIME_LAUNCHER_H
#define ROTQ_RUNTIME_LAUNCHER_H

#include "rotq/Runtime/Bundle.h"
#include "rotq/Runtime/Driver.h"

#include <map>
#include <mutex>

namespace rotq {

/// A device as the runtime reports it.
struct DeviceInfo {
  std::string name;
  int major; ///< compute capability
  int minor;
};

Expected<int> deviceCount();
Expected<DeviceInfo> deviceInfo(int ordinal);

/// Makes the primary context of device `ordinal`, the one every framework
/// shares, current on the calling thread.
Status setDevice(int ordinal);

/// Blocks of every dimension of `kernel`'s grid for these I32 arguments.
/// Errors: a count of arguments that does not match, a value of "m" the kernel
/// does not take, a negative value under a grid rule, a grid beyond CUDA's
/// limits.
Expected<std::array<unsigned, 3>> gridOf(const KernelInfo &kernel,
                                         std::span<const int32_t> scalars);

/// A bundle with its modules: one for every device it was launched on, loaded
/// on first use and kept until the launcher goes. Safe to use from several
/// threads.
class Launcher {
public:
  explicit Launcher(Bundle bundle) : bundle(std::move(bundle)) {}
  ~Launcher();
  Launcher(const Launcher &) = delete;
  Launcher &operator=(const Launcher &) = delete;

  const Manifest &manifest() const { return bundle.manifest; }

  /// Loads the bundle on the device that is current on the calling thread.
  /// `launch` does so by itself, but the first launch must not happen inside
  /// a stream capture.
  Status load();

  /// Launches `kernel` on the current device. `pointers` are device
  /// addresses; `stream` is a driver stream handle, null for the default
  /// stream. A launch whose grid is empty does nothing.
  Status launch(std::string_view kernel, std::span<void *const> pointers,
                std::span<const int32_t> scalars, void *stream);

private:
  struct Loaded {
    cuda::Context context;
    cuda::Module module;
    std::vector<cuda::Function> functions; ///< in the order of the manifest
  };

  Expected<const Loaded *> loadCurrent(const cuda::Driver &driver);

  const Bundle bundle;
  std::mutex mutex; ///< guards `loaded`
  std::map<cuda::Context, Loaded> loaded;
};

} // namespace rotq

#endif // ROTQ_RUNTIME_LAUNCHER_H
