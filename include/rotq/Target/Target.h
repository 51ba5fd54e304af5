//===- Target.h - Compiled modules as bytes
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_TARGET_TARGET_H
#define ROTQ_TARGET_TARGET_H

#include "rotq/Runtime/Manifest.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/BuiltinOps.h"

namespace llvm {
class Module;
} // namespace llvm

namespace mlir::rotq {

/// The machine code of one chip.
struct DeviceCode {
  std::string chip;
  std::string ptx;
  std::string cubin; ///< empty where it was not asked for
};

/// Serializes a gpu.module in the llvm dialect for every target attached to it,
/// to PTX and, with `assemble`, on to a cubin by ptxas. Emits an error on a
/// module without targets, a missing ptxas, and what ptxas refuses.
FailureOr<SmallVector<DeviceCode>> serializeDevice(gpu::GPUModuleOp module,
                                                   bool assemble);

/// PTX of an LLVM module as the NVPTX back end gets it. `ptxFeature`, such as
/// "+ptx87", is the version of PTX that its instructions need.
FailureOr<std::string> emitPTX(Location loc, llvm::Module &module,
                               StringRef chip, StringRef ptxFeature);

/// The cubin of PTX, by ptxas.
FailureOr<std::string> assemblePTX(Location loc, StringRef ptx, StringRef chip);

/// Replaces the targets of a gpu.module; emits an error on an unknown chip.
LogicalResult attachTargets(gpu::GPUModuleOp module,
                            ArrayRef<std::string> chips);

/// One fatbin of the cubins, and of the PTX of the first chip whose code later
/// chips can run. Needs the CUDA tool `fatbinary`.
FailureOr<std::string> linkFatbin(Location loc, ArrayRef<DeviceCode> codes);

/// The manifest that convert-rotq-to-gpu left, with its targets.
FailureOr<::rotq::Manifest> readManifest(gpu::GPUModuleOp module);

/// Of the functions that C calls, those that LLVMRequestCWrappers makes.
inline constexpr StringRef kWrapperPrefix = "_mlir_ciface_";

/// A relocatable object for this machine from a module in the llvm dialect;
/// `cpu` and `features` as LLVM names them, "" for the generic ones and the CPU
/// "host" for this machine's. Beside every function that C calls stands
/// `rotq_<name>_missing_feature`, which names what of that a CPU lacks, or
/// returns null. It asks the C compiler's runtime library.
FailureOr<std::string> emitHostObject(ModuleOp module, StringRef cpu,
                                      StringRef features);

/// The object as a shared library, linked by a C compiler ($CC, else clang or
/// gcc) with libomp.
FailureOr<std::string> linkHostLibrary(Location loc, StringRef object);

/// How the public functions of a module that rotq-to-host lowered are called:
///
///   {"<function>": {"arguments": [<value>, ...], "results": [<value>, ...]}}
///   <value>: {"type": "f32", "shape": [1, null]}, shape absent of a scalar and
///            null of a size known at run time; "parameter": its name if any
FailureOr<std::string> emitHostInterface(ModuleOp module);

/// The same as a C header, for the object that emitHostObject makes.
FailureOr<std::string> emitHostHeader(ModuleOp module);

/// The kernels of a module that rotq-plan-host planned: a row for every product
/// by a named parameter, of a function that callers see and of those that it
/// calls, and for every kernel of it:
///
///   [{"function": "decode", "weight": "<parameter>", "shape": [N, K],
///     "format": "rq3", "activation": "i8", "kernel": "host_vector_r1c4w1",
///     "m": [4, null], "epilogue": ["addf"]}, ...]
///
/// `m` are the rows of the activation that it takes, null: any more. `epilogue`
/// are the functions that it computes of its sums.
FailureOr<std::string> emitKernelList(ModuleOp module);

/// The path of a CUDA tool (ptxas, fatbinary): in $CUDA_HOME/bin or
/// $CUDA_PATH/bin where that is set, else in $PATH or /usr/local/cuda/bin;
/// empty if there is none.
std::string findCUDATool(StringRef name);

} // namespace mlir::rotq

#endif // ROTQ_TARGET_TARGET_H
