//===- Passes.td - Conversions
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_CONVERSION_PASSES_TD
#define ROTQ_CONVERSION_PASSES_TD

include "mlir/Pass/PassBase.td"

def ConvertRotQToLinalg : Pass<"convert-rotq-to-linalg", "::mlir::func::FuncOp"> {
  let summary = "the reference: lower rotq ops on tensors to linalg";
  let description = [{
    Portable, slow and exact: every other path is tested against it. Codes are
    extracted one by one from the bit positions of the planes, looked up in the
    codebook's table, and scaled; rotations run stage by stage.
  }];
  let dependentDialects = ["::mlir::rotq::RotQDialect",
                           "::mlir::arith::ArithDialect",
                           "::mlir::bufferization::BufferizationDialect",
                           "::mlir::linalg::LinalgDialect",
                           "::mlir::math::MathDialect",
                           "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect",
                           "::mlir::tensor::TensorDialect"];
}

def ConvertRotQToGPU : Pass<"convert-rotq-to-gpu", "::mlir::ModuleOp"> {
  let summary = "build the GPU kernels of rotq ops on memrefs";
  let description = [{
    Every `rotq.matmul`, `rotq.quantize_activation` and `rotq.repack` becomes
    launches of kernels in `gpu.module @rotq_kernels`, built from micro-ops. Kernels with
    equal configurations are shared. A matmul with several `kernels` and a
    dynamic M chooses at launch. A `rotq.grouped_matmul` is launched as a matmul
    is: the grid has the blocks of every weight, one weight after the other, and
    a block finds its weight and its output by its number. Where an element takes
    the sums of several weights, warps of a block have the same rows of one weight
    each. A kernel computes the epilogue from the sums as it stores them.
    A `rotq.quantize` becomes two kernels, which give the bytes of the host's
    encoder, where the codes of its format are a path through a trellis.
    Each kernel carries `rotq.manifest`, what a launcher needs to know.
  }];
  let options = [
    Option<"overlap", "overlap", "bool", "false",
           "let a kernel start before the one ahead of it ends (programmatic dependent launch, sm_90 and later)">,
    Option<"warpgroups", "warpgroups", "bool", "false",
           "allow kernels with wgmma (sm_90a alone)">,
    Option<"e4m3", "e4m3", "bool", "false",
           "allow codes and points in e4m3 (sm_89 and later)">,
  ];
  let dependentDialects = ["::mlir::rotq::RotQDialect",
                           "::mlir::arith::ArithDialect",
                           "::mlir::gpu::GPUDialect",
                           "::mlir::LLVM::LLVMDialect",
                           "::mlir::memref::MemRefDialect",
                           "::mlir::NVVM::NVVMDialect",
                           "::mlir::scf::SCFDialect",
                           "::mlir::vector::VectorDialect"];
}

def ConvertRotQToVector : Pass<"convert-rotq-to-vector", "::mlir::func::FuncOp"> {
  let summary = "build the host kernels of rotq ops on memrefs";
  let description = [{
    Loops over vectors of the host, built from the same micro-ops as the GPU
    kernels. Loops over rows of a weight, and over those of an activation, are
    parallel, in ranges; where there is little work, one range is all of it. A
    `rotq.grouped_matmul` is one loop over the rows of all its weights, one weight
    after the other; where an element takes several sums, a range has the same
    rows of each.

    Products of linalg with a weight that is not packed, y[m, n] += x[m, k] w[n, k]
    in f32, become such loops too. Lanes of a vector have sums of their own, so
    the order of summation is not that of linalg.

    Products of int8 are summed in vectors of `vector-bytes` codes, 32 or 64: as
    long as a register of the host, whose registers the sums then fit.
  }];
  let options = [
    Option<"vectorBytes", "vector-bytes", "int64_t", "64",
           "codes in a vector of the host">,
  ];
  let dependentDialects = ["::mlir::rotq::RotQDialect",
                           "::mlir::arith::ArithDialect",
                           "::mlir::linalg::LinalgDialect",
                           "::mlir::math::MathDialect",
                           "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect",
                           "::mlir::vector::VectorDialect"];
}

def ConvertRotQMicroToNVVM : Pass<"convert-rotq-micro-to-nvvm", "::mlir::gpu::GPUModuleOp"> {
  let summary = "lower micro-ops for NVIDIA GPUs";
  let description = [{
    `unpack` becomes masks and shifts, `decode` of nibbles one PRMT per four
    values and table of eight, that of a grid loads from a table that every
    block copies to shared memory,
    `dot` becomes dp4a, `fwht` butterflies in registers and
    shuffles between lanes.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::gpu::GPUDialect",
                           "::mlir::LLVM::LLVMDialect",
                           "::mlir::NVVM::NVVMDialect",
                           "::mlir::scf::SCFDialect",
                           "::mlir::vector::VectorDialect"];
}

def ExpandDeviceMath : Pass<"expand-device-math", "::mlir::gpu::GPUModuleOp"> {
  let summary = "make functions of math from arithmetic";
  let description = [{
    The functions that epilogues call (`math.exp`, `math.tanh`, `math.erf`, ...)
    become polynomials and what NVPTX has instructions for, in f32: no library of
    the CUDA toolkit is needed, and every chip, and the emulator, computes the
    same bits.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::LLVM::LLVMDialect",
                           "::mlir::math::MathDialect",
                           "::mlir::vector::VectorDialect"];
}

def ConvertRotQMicroToLLVM : Pass<"convert-rotq-micro-to-llvm", "::mlir::ModuleOp"> {
  let summary = "lower micro-ops for the host";
  let description = [{
    `decode` of nibbles becomes one byte shuffle per 16 to 64 codes where the
    target has one, else a chain of selects, and that of a grid gathers from a
    constant of the module; `dot` is `vpdpbusd` where there is one, else it
    widens and adds. `fwht` of one lane becomes shuffles and adds.
  }];
  let options = [
    Option<"features", "features", "std::string", "\"\"",
           "LLVM target features of the host, such as +avx512vnni">,
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::LLVM::LLVMDialect",
                           "::mlir::vector::VectorDialect"];
}

def ConvertRotQWeightsToMemRef : Pass<"convert-rotq-weights-to-memref", "::mlir::ModuleOp"> {
  let summary = "packed weights become memref<Bxi8>";
  let description = [{
    The last step of every path: function signatures, `rotq.constant` (a
    `memref.global`), `rotq.storage` and views lose the weight type.
  }];
  let dependentDialects = ["::mlir::memref::MemRefDialect"];
}

#endif // ROTQ_CONVERSION_PASSES_TD
