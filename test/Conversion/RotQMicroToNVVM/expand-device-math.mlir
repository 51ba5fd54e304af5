// RUN: quant-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(gpu.module(expand-device-math))' | FileCheck %s

// A polynomial, in f32 for what is narrower.
// CHECK-LABEL: gpu.func @exp(
//   CHECK-NOT:   math.
//       CHECK:   %[[W:.*]] = arith.extf %{{.*}} : bf16 to f32
//   CHECK-NOT:   math.
//       CHECK:   llvm.call_intrinsic "llvm.floor"(%{{.*}}) : (f32) -> f32
//   CHECK-NOT:   math.
//       CHECK:   llvm.call_intrinsic "llvm.fma"
//   CHECK-NOT:   math.
//       CHECK:   arith.truncf %{{.*}} : f32 to bf16
gpu.module @kernels {
  gpu.func @exp(%x: memref<4xbf16>, %i: index) kernel {
    %0 = memref.load %x[%i] : memref<4xbf16>
    %1 = math.exp %0 : bf16
    memref.store %1, %x[%i] : memref<4xbf16>
    gpu.return
  }

  // CHECK-LABEL: gpu.func @others(
  //   CHECK-NOT:   math.
  //       CHECK:   gpu.return
  gpu.func @others(%x: memref<4xf32>, %y: memref<4xf16>, %i: index) kernel {
    %0 = memref.load %x[%i] : memref<4xf32>
    %h = memref.load %y[%i] : memref<4xf16>
    %1 = math.tanh %0 : f32
    %2 = math.erf %1 : f32
    %3 = math.log1p %2 : f32
    %4 = math.powf %3, %0 : f32
    %5 = math.rsqrt %4 : f32
    %6 = math.sin %5 : f32
    %7 = math.round %6 : f32
    %8 = math.exp2 %7 : f32
    memref.store %8, %x[%i] : memref<4xf32>
    %9 = math.absf %h : f16
    %10 = math.sqrt %9 : f16
    %11 = math.cbrt %10 : f16
    memref.store %11, %y[%i] : memref<4xf16>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @log10(%x: memref<4xf32>, %i: index) kernel {
    %0 = memref.load %x[%i] : memref<4xf32>
    // expected-error @below {{'math.log10' op has no lowering for GPUs}}
    %1 = math.log10 %0 : f32
    memref.store %1, %x[%i] : memref<4xf32>
    gpu.return
  }
}
