//===- Targets.cpp - What code can be generated for
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Transforms/Targets.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace mlir::rotq;

// sm_120a needs PTX 8.7; everything else gets by with what LLVM and every
// driver of the last years take.
static constexpr TargetInfo kTargets[] = {
    {"host", ""},
    {"sm_80", "+ptx80"},
    {"sm_86", "+ptx80"},
    {"sm_89", "+ptx80", /*hasDependentLaunch=*/false, /*hasWarpgroups=*/false,
     "+ptx84"},
    {"sm_90", "+ptx80", /*hasDependentLaunch=*/true, /*hasWarpgroups=*/false,
     "+ptx84"},
    {"sm_90a", "+ptx80", /*hasDependentLaunch=*/true, /*hasWarpgroups=*/true,
     "+ptx84"},
    {"sm_120a", "+ptx87", /*hasDependentLaunch=*/true, /*hasWarpgroups=*/false,
     "+ptx87"},
};

ArrayRef<TargetInfo> mlir::rotq::knownTargets() { return kTargets; }

const TargetInfo *mlir::rotq::findTarget(StringRef name) {
  const TargetInfo *target = llvm::find_if(
      kTargets, [&](const TargetInfo &known) { return known.name == name; });
  return target == std::end(kTargets) ? nullptr : target;
}

static std::string describeUnknown(StringRef name) {
  auto names = llvm::map_range(
      kTargets, [](const TargetInfo &target) { return target.name; });
  std::string message = ("unknown target '" + name + "' (known: ").str() +
                        llvm::join(names, ", ");
  // Targets of one chip differ in a suffix: sm_120, sm_120a, sm_120f.
  auto chip = [](StringRef target) { return target.rtrim("af"); };
  const TargetInfo *near =
      llvm::find_if(kTargets, [&](const TargetInfo &known) {
        return chip(known.name) == chip(name);
      });
  if (near != std::end(kTargets))
    message += ("; did you mean '" + near->name + "'?").str();
  return message + ")";
}

FailureOr<const TargetInfo *>
mlir::rotq::lookupTarget(StringRef name,
                         function_ref<InFlightDiagnostic()> emitError) {
  if (const TargetInfo *target = findTarget(name))
    return target;
  return emitError() << describeUnknown(name);
}

std::string mlir::rotq::describeUnknownGPU(StringRef name) {
  const TargetInfo *target = findTarget(name);
  if (!target)
    return describeUnknown(name);
  return target->isGPU() ? "" : ("'" + name + "' is not a GPU").str();
}
