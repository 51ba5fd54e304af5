//===- Manifest.h - What a bundle's kernels are -----------------*- C++ -*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_RUNTIME_MANIFEST_H
#define ROTQ_RUNTIME_MANIFEST_H

#include "rotq/Support/Error.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace rotq {

/// One parameter of a kernel. Pointers come first, then 32-bit integers.
struct KernelParam {
  enum class Kind { Pointer, I32 };
  enum class Access { Read, Write };
  /// A number, or the name of the I32 parameter that holds it.
  using Extent = std::variant<int64_t, std::string>;

  std::string name;
  Kind kind = Kind::Pointer;
  // The rest describes pointers only.
  Access access = Access::Read;
  std::string type; ///< element type: "f16", "i8", ...
  std::vector<Extent> shape;
  bool operator==(const KernelParam &) const = default;
};

/// Blocks along one dimension of a grid: `count * ceildiv(over, tile)`, or
/// just `count` where `over` is empty.
struct GridDim {
  int64_t count = 1;
  std::string over; ///< name of an I32 parameter
  int64_t tile = 1;
  bool operator==(const GridDim &) const = default;
};

/// What a caller must know to launch one kernel, and a graph compiler to
/// choose it. Numbers that do not apply to a kernel are 0, texts empty.
struct KernelInfo {
  std::string name;
  std::string role; ///< "matmul", "quantize_activation", ...
  std::vector<KernelParam> params;
  std::array<GridDim, 3> grid;
  std::array<int64_t, 3> block = {1, 1, 1};
  int64_t sharedBytes = 0; ///< dynamic shared memory
  std::string format;      ///< declaration of the weight format, as JSON
  int64_t n = 0;
  int64_t k = 0;
  std::string layout;    ///< of the weight: "canonical", ...
  std::string placement; ///< of the rotation: "activation", "load", ...
  /// Of a quantized activation: one of `kActivationLayouts`, or "lifted".
  std::string activation;
  std::string epilogue; ///< what is done to the sums: operations of MLIR
  /// The values of the parameter "m" this kernel takes; `mMax` 0: no bound.
  int64_t mMin = 0;
  int64_t mMax = 0;
  /// The kernel waits for its predecessor itself, so that the two overlap
  /// (programmatic dependent launch). Ahead of the wait it reads its weight,
  /// which therefore must not come from a launch that lets its successor start
  /// ahead of its own end.
  bool pdl = false;
  bool operator==(const KernelInfo &) const = default;

  /// Number of leading pointer parameters; the others are I32.
  size_t numPointers() const;
  /// Index of the I32 parameter `name` among the I32 parameters, or -1.
  int64_t scalarIndex(std::string_view name) const;
};

struct Manifest {
  std::vector<std::string> targets; ///< "sm_80", "sm_90a", ...
  std::vector<KernelInfo> kernels;
  bool operator==(const Manifest &) const = default;

  /// The kernel called `name`, or null.
  const KernelInfo *find(std::string_view name) const;
};

/// Refuses unknown versions, missing or ill-typed keys, and kernels that
/// could not be launched (duplicate names, a grid over a parameter that does
/// not exist, blocks of more than 1024 threads, ...). Unknown keys are
/// ignored.
Expected<Manifest> parseManifest(std::string_view json);

/// One line of JSON; `parseManifest` of it gives the manifest back.
std::string printManifest(const Manifest &manifest);

} // namespace rotq

#endif // ROTQ_RUNTIME_MANIFEST_H
