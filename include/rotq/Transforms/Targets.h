//===- Targets.h - What code can be generated for
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_TRANSFORMS_TARGETS_H
#define ROTQ_TRANSFORMS_TARGETS_H

#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/ArrayRef.h"

#include <string>

namespace mlir::rotq {

/// A target that the code generator knows. LLVM aborts on chips and PTX
/// versions that do not fit each other, so every name is looked up here first.
struct TargetInfo {
  /// "host", or the chip as NVPTX and ptxas spell it.
  StringRef name;
  /// The lowest PTX version that RotQ emits for the chip, as an LLVM feature;
  /// empty on the host.
  StringRef ptxFeature;
  /// Whether a launch can start before the one ahead of it ends.
  bool hasDependentLaunch = false;
  /// Whether it has wgmma.
  bool hasWarpgroups = false;
  /// That with products of e4m3; empty where the target has none.
  StringRef e4m3Feature = "";

  bool isGPU() const { return !ptxFeature.empty(); }
  bool hasE4M3() const { return !e4m3Feature.empty(); }
};

/// Every target, the host first.
ArrayRef<TargetInfo> knownTargets();

/// The target called `name`, or null.
const TargetInfo *findTarget(StringRef name);

/// The target called `name`; else emits the error that lists the known ones.
FailureOr<const TargetInfo *>
lookupTarget(StringRef name, function_ref<InFlightDiagnostic()> emitError);

/// Why `name` is no GPU that code can be generated for; empty if it is one.
std::string describeUnknownGPU(StringRef name);

} // namespace mlir::rotq

#endif // ROTQ_TRANSFORMS_TARGETS_H
