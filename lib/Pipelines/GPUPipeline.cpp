//===- GPUPipeline.cpp - From tensors to NVPTX
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Pipelines/GPUPipeline.h"

#include "rotq/Conversion/Passes.h"
#include "rotq/Transforms/Targets.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/GPU/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace mlir::rotq;

std::string
mlir::rotq::describeUnsuitable(const NVPTXPipelineOptions &options) {
  for (const std::string &chip : options.chips) {
    if (std::string message = describeUnknownGPU(chip); !message.empty())
      return message;
    if (options.operand == Operand::E4M3 && !findTarget(chip)->hasE4M3())
      return "'" + chip +
             "' has no products of e4m3, which operand=e4m3 needs (sm_89 and "
             "later do)";
  }
  return "";
}

void mlir::rotq::buildPlanPipeline(OpPassManager &pm,
                                   const NVPTXPipelineOptions &options) {
  pm.addNestedPass<func::FuncOp>(
      createPlaceRotations(PlaceRotationsOptions{options.placement}));
  bool rests = options.rests && options.operand == Operand::Int8;
  pm.addNestedPass<func::FuncOp>(createQuantizeActivations(
      QuantizeActivationsOptions{options.group, rests, options.operand}));
  // Ahead of the choice of kernels: what is launched together is chosen for
  // together.
  if (options.fuse) {
    pm.addNestedPass<func::FuncOp>(createFuseEpilogues());
    pm.addNestedPass<func::FuncOp>(createFuseMatmuls());
  }
  SelectKernelsOptions select;
  // Kernels that every chip runs.
  if (!options.chips.empty()) {
    auto chip = llvm::find_if(options.chips, [](StringRef chip) {
      return !findTarget(chip)->hasWarpgroups;
    });
    select.target = chip == options.chips.end() ? options.chips.front() : *chip;
  }
  pm.addNestedPass<func::FuncOp>(createSelectKernels(select));
  pm.addNestedPass<func::FuncOp>(createRepackWeights());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  bufferization::OneShotBufferizePassOptions bufferize;
  bufferize.bufferizeFunctionBoundaries = true;
  bufferize.functionBoundaryTypeConversion =
      bufferization::LayoutMapOption::IdentityLayoutMap;
  pm.addPass(bufferization::createOneShotBufferizePass(bufferize));
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}

void mlir::rotq::buildKernelPipeline(OpPassManager &pm,
                                     const NVPTXPipelineOptions &options) {
  ConvertRotQToGPUOptions kernels;
  auto all = [&](bool TargetInfo::*has) {
    return llvm::all_of(options.chips, [&](const std::string &chip) {
      return findTarget(chip)->*has;
    });
  };
  kernels.overlap = options.overlap && all(&TargetInfo::hasDependentLaunch);
  kernels.warpgroups = all(&TargetInfo::hasWarpgroups);
  kernels.e4m3 = options.operand == Operand::E4M3;
  pm.addPass(createConvertRotQToGPU(kernels));
  pm.addPass(createConvertRotQWeightsToMemRef());
}

void mlir::rotq::buildDevicePipeline(OpPassManager &pm) {
  OpPassManager &device = pm.nest<gpu::GPUModuleOp>();
  device.addPass(createCSEPass());
  device.addPass(createConvertRotQMicroToNVVM());
  // Ahead of gpu-to-nvvm, which would call libdevice.
  device.addPass(createExpandDeviceMath());
  device.addPass(createCanonicalizerPass());
  device.addPass(createCSEPass());
  device.addPass(createSCFToControlFlowPass());
  device.addPass(createConvertGpuOpsToNVVMOps());
  device.addPass(createCanonicalizerPass());
  device.addPass(createCSEPass());
  device.addPass(createReconcileUnrealizedCastsPass());
}

void mlir::rotq::buildNVPTXPipeline(OpPassManager &pm,
                                    const NVPTXPipelineOptions &options) {
  buildPlanPipeline(pm, options);
  buildKernelPipeline(pm, options);
  buildDevicePipeline(pm);
  for (const std::string &chip : options.chips) {
    GpuNVVMAttachTargetOptions attach;
    attach.chip = chip;
    const TargetInfo *target = findTarget(chip);
    attach.features = (options.operand == Operand::E4M3 ? target->e4m3Feature
                                                        : target->ptxFeature)
                          .str();
    attach.optLevel = 3;
    pm.addPass(createGpuNVVMAttachTarget(attach));
  }
}

void mlir::rotq::registerNVPTXPipeline() {
  // Not PassPipelineRegistration: a chip that LLVM does not know would abort
  // it much later, so an unknown one is refused here.
  registerPassPipeline(
      "rotq-to-nvptx",
      "Lower rotq ops on tensors to NVPTX kernels and their launches "
      "(CHANGES NUMERICS: int8 or e4m3 activations, or f16 ones with "
      "placement=load)",
      [](OpPassManager &pm, StringRef text,
         function_ref<LogicalResult(const Twine &)> errorHandler) {
        NVPTXPipelineOptions options;
        if (failed(options.parseFromString(text)))
          return errorHandler("cannot parse the options of rotq-to-nvptx");
        if (options.chips.empty())
          return errorHandler("rotq-to-nvptx: expected a chip, such as "
                              "chip=sm_90a");
        if (std::string message = describeUnsuitable(options); !message.empty())
          return errorHandler("rotq-to-nvptx: " + message);
        buildNVPTXPipeline(pm, options);
        return success();
      },
      [](function_ref<void(const mlir::detail::PassOptions &)> handler) {
        handler(NVPTXPipelineOptions());
      });
}
