// RUN: not quant-opt %s -rotq-select-kernels=target=sm_120 2>&1 | FileCheck %s --check-prefix=NEAR
// RUN: not quant-opt %s -rotq-select-kernels=target=gfx942 2>&1 | FileCheck %s --check-prefix=FAR
// RUN: not quant-opt %s -rotq-select-kernels=target=sm_70 2>&1 | FileCheck %s --check-prefix=OLD
// RUN: not quant-opt %s -rotq-select-kernels=target=sm_80 2>&1 | FileCheck %s --check-prefix=SUMS

// NEAR: error: unknown target 'sm_120' (known: host, sm_80, sm_86, sm_89, sm_90, sm_90a, sm_120a; did you mean 'sm_120a'?)
// FAR: error: unknown target 'gfx942' (known: host, sm_80, sm_86, sm_89, sm_90, sm_90a, sm_120a)
// OLD: error: unknown target 'sm_70' (known: host, sm_80, sm_86, sm_89, sm_90, sm_90a, sm_120a)

// SUMS: error: 'rotq.grouped_matmul' op expected at most 2 sums of an element on GPUs but got 3

!w = !rotq.weight<8x64, #rotq.format<"rq3">>
func.func @f(%x: tensor<4x64xf32>, %w: !w, %y: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %0 = rotq.grouped_matmul ins(%x : tensor<4x64xf32>) weights(%w, %w, %w : !w, !w, !w) outs(%y : tensor<4x8xf32>) epilogue {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.mulf %a, %b : f32
    rotq.yield %0 : f32
  } -> tensor<4x8xf32>
  return %0 : tensor<4x8xf32>
}
