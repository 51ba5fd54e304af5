//===- HostPipeline.h - From tensors to the host's code
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_PIPELINES_HOSTPIPELINE_H
#define ROTQ_PIPELINES_HOSTPIPELINE_H

#include "rotq/Transforms/Passes.h"

#include "mlir/Pass/PassOptions.h"

namespace mlir::rotq {

/// What matmuls read.
enum class Activations { Int8, Float };

/// Function attribute that `rotq-to-host` leaves behind: the type of the
/// function on memrefs, which its lowered form no longer tells.
inline constexpr StringRef kSignatureAttrName = "rotq.signature";

/// Beside it, where the function has named parameters: the name behind every
/// argument, empty where it has none.
inline constexpr StringRef kParametersAttrName = "rotq.parameters";

struct HostPipelineOptions : public PassPipelineOptions<HostPipelineOptions> {
  Option<bool> reference{
      *this, "reference",
      llvm::cl::desc("lower to linalg, portable and slow, instead of kernels"),
      llvm::cl::init(false)};
  Option<Placement> placement{
      *this, "placement", llvm::cl::desc("where rotations are paid"),
      llvm::cl::init(Placement::Auto), placementValues()};
  Option<Activations> activations{
      *this, "activations", llvm::cl::desc("what matmuls read"),
      llvm::cl::init(Activations::Int8),
      llvm::cl::values(
          clEnumValN(Activations::Int8, "int8", "int8 (changes numerics)"),
          clEnumValN(Activations::Float, "float", "what the module has"))};
  Option<int64_t> group{*this, "group",
                        llvm::cl::desc("activation values per scale"),
                        llvm::cl::init(256)};
  Option<bool> inPlace{
      *this, "in-place",
      llvm::cl::desc("do not return results that lie in arguments"),
      llvm::cl::init(false)};
  Option<bool> threads{
      *this, "threads",
      llvm::cl::desc("run loops on several threads: code that needs libomp"),
      llvm::cl::init(true)};
  Option<std::string> features{
      *this, "features",
      llvm::cl::desc("LLVM target features of the host, such as +avx512vnni; "
                     "host: those of this machine"),
      llvm::cl::init("")};
};

/// The features of this machine as LLVM spells them: "+avx2,-avx512f,...".
std::string hostFeatures();

/// rotq ops on tensors -> rotations placed, activations quantized, kernels
/// chosen: `rotq-plan-host`, and the beginning of `rotq-to-host`.
void buildHostPlanPipeline(OpPassManager &pm,
                           const HostPipelineOptions &options);

/// rotq ops on tensors -> loops and vectors on memrefs.
void buildHostKernelPipeline(OpPassManager &pm,
                             const HostPipelineOptions &options);

/// Loops and vectors on memrefs -> the llvm dialect.
void buildHostLLVMPipeline(OpPassManager &pm,
                           const HostPipelineOptions &options);

/// All of them: `rotq-to-host`. A function of the result is called through its
/// C interface, `_mlir_ciface_<name>`: a pointer to the descriptors of the
/// results, then one pointer to a descriptor for every argument. Results are
/// malloc'ed and belong to the caller; several may share a buffer, and packed
/// weights stay where they are. Arguments that the module uses as destinations
/// are written to; what is returned of them is a copy, or nothing with
/// `in-place`, unless the module calls the function itself.
void buildHostPipeline(OpPassManager &pm, const HostPipelineOptions &options);

void registerHostPipeline();

} // namespace mlir::rotq

#endif // ROTQ_PIPELINES_HOSTPIPELINE_H
