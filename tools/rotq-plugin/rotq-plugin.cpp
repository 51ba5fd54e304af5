//===- rotq-plugin.cpp - The dialect and its passes for stock mlir-opt
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   mlir-opt --load-dialect-plugin=RotQPlugin.so
//     --load-pass-plugin=RotQPlugin.so
//     --pass-pipeline='builtin.module(func.func(rotq-place-rotations))'
//
//===----------------------------------------------------------------------===//

#include "rotq/Conversion/Passes.h"
#include "rotq/Dialect/RotQ/IR/RotQ.h"
#include "rotq/Dialect/RotQ/Transforms/BufferizableOpInterfaceImpl.h"
#include "rotq/Pipelines/GPUPipeline.h"
#include "rotq/Pipelines/HostPipeline.h"
#include "rotq/Transforms/Passes.h"

#include "mlir/Tools/Plugins/DialectPlugin.h"
#include "mlir/Tools/Plugins/PassPlugin.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/Support/Compiler.h"

using namespace mlir;

extern "C" LLVM_ATTRIBUTE_VISIBILITY_DEFAULT DialectPluginLibraryInfo
mlirGetDialectPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "RotQ", LLVM_VERSION_STRING,
          [](DialectRegistry *registry) {
            registry->insert<mlir::rotq::RotQDialect>();
            mlir::rotq::registerBufferizableOpInterfaceExternalModels(
                *registry);
          }};
}

extern "C" LLVM_ATTRIBUTE_VISIBILITY_DEFAULT PassPluginLibraryInfo
mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "RotQ", LLVM_VERSION_STRING, [] {
            mlir::rotq::registerRotQTransformsPasses();
            mlir::rotq::registerRotQConversionPasses();
            mlir::rotq::registerNVPTXPipeline();
            mlir::rotq::registerHostPipeline();
          }};
}
