//===- GPUPipeline.h - From tensors to NVPTX
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_PIPELINES_GPUPIPELINE_H
#define ROTQ_PIPELINES_GPUPIPELINE_H

#include "rotq/Transforms/Passes.h"

#include "mlir/Pass/PassOptions.h"

namespace mlir::rotq {

struct NVPTXPipelineOptions : public PassPipelineOptions<NVPTXPipelineOptions> {
  ListOption<std::string> chips{
      *this, "chip",
      llvm::cl::desc("chips to generate code for; kernels are chosen for the "
                     "first")};
  Option<Placement> placement{
      *this, "placement", llvm::cl::desc("where rotations are paid"),
      llvm::cl::init(Placement::Auto), placementValues()};
  Option<int64_t> group{*this, "group",
                        llvm::cl::desc("activation values per scale"),
                        llvm::cl::init(256)};
  Option<Operand> operand{*this, "operand",
                          llvm::cl::desc("what activations become"),
                          llvm::cl::init(Operand::Int8), operandValues()};
  Option<bool> rests{
      *this, "rests",
      llvm::cl::desc("keep 15 bits of int8 activations of up to 4 rows, not 8"),
      llvm::cl::init(true)};
  Option<bool> fuse{
      *this, "fuse",
      llvm::cl::desc(
          "let matmuls of one activation share a launch, and compute "
          "elementwise functions of their results"),
      llvm::cl::init(true)};
  Option<bool> overlap{
      *this, "overlap",
      llvm::cl::desc(
          "let a kernel start before the one ahead of it ends, where "
          "every chip can (sm_90 and later)"),
      llvm::cl::init(true)};
};

/// Why nothing can be generated with these options; empty if it can.
std::string describeUnsuitable(const NVPTXPipelineOptions &options);

/// rotq ops on tensors -> ops on memrefs with kernels chosen.
void buildPlanPipeline(OpPassManager &pm, const NVPTXPipelineOptions &options);

/// rotq ops on memrefs -> gpu.module of micro-ops, and launches.
void buildKernelPipeline(OpPassManager &pm,
                         const NVPTXPipelineOptions &options);

/// Bodies of gpu.modules -> llvm and nvvm.
void buildDevicePipeline(OpPassManager &pm);

/// All of them, with the targets attached: `rotq-to-nvptx`. Needs at least one
/// chip, and options that describeUnsuitable has nothing against. Changes
/// numerics: activations become int8 (or e4m3) or, where a weight keeps its
/// rotation, f16.
void buildNVPTXPipeline(OpPassManager &pm, const NVPTXPipelineOptions &options);

void registerNVPTXPipeline();

} // namespace mlir::rotq

#endif // ROTQ_PIPELINES_GPUPIPELINE_H
