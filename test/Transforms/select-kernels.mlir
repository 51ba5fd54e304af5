// RUN: quant-opt %s -rotq-select-kernels | FileCheck %s --check-prefix=HOST
// RUN: quant-opt %s -rotq-select-kernels=target=sm_80 | FileCheck %s
// RUN: quant-opt %s -rotq-select-kernels=target=sm_86 | FileCheck %s
// RUN: quant-opt %s -rotq-select-kernels=target=sm_89 | FileCheck %s
// RUN: quant-opt %s -rotq-select-kernels=target=sm_90 | FileCheck %s
// RUN: quant-opt %s -rotq-select-kernels=target=sm_90a | FileCheck %s
// RUN: quant-opt %s -rotq-select-kernels=target=sm_90a | FileCheck %s --check-prefix=WGMMA
// RUN: quant-opt %s -rotq-select-kernels=target=sm_120a | FileCheck %s
// RUN: quant-opt %s -rotq-select-kernels="target=sm_90a candidates=1.5" | FileCheck %s --check-prefix=CANDIDATES

// More than 32 rows take wgmma where the chip has it.
// WGMMA: #rotq.kernel<mma_s8, m = [{{[0-9]+}}, 32], {{[^#]*}}#rotq.kernel<wgmma_s8, m = [33,
// WGMMA-SAME: #rotq.kernel<wgmma_s8, m = [{{[0-9]+}}, 0],

// The tables are not repeated here, so that tuning breaks no test: only which
// kinds there are, and that every M has its kernel.

!int4 = !rotq.weight<4096x576, #rotq.format<"int4_g128">>
!rq3 = !rotq.weight<8x576, #rotq.format<"rq3">>
!small = !rotq.weight<8x576, #rotq.format<"int4_g128">>

// CHECK-LABEL: func @dynamic
// CHECK: kernels = [#rotq.kernel<mma_s8, m = [1,
// CHECK-SAME: #rotq.kernel<{{w?g?}}mma_s8, m = [{{[0-9]+}}, 0],
// HOST-LABEL: func @dynamic
// HOST: kernels = [#rotq.kernel<host_vector, m = [1, {{.*}}#rotq.kernel<host_vector, m = [{{[0-9]+}}, 0],
func.func @dynamic(%c: tensor<?x576xi8>, %s: tensor<?x3xf32>, %t: tensor<?x3xi32>, %w: !int4, %y: tensor<?x4096xf32>) -> tensor<?x4096xf32> {
  %0 = rotq.matmul ins(%c, %s, %t : tensor<?x576xi8>, tensor<?x3xf32>, tensor<?x3xi32>) group(256) weight(%w : !int4)
    outs(%y : tensor<?x4096xf32>) -> tensor<?x4096xf32>
  return %0 : tensor<?x4096xf32>
}

// A static M leaves the one kernel that covers it, and can list what a search
// has to try: kernels for every M that their kind takes.

// CHECK-LABEL: func @m1
// CHECK: kernels = [#rotq.kernel<mma_s8, m = [1, {{[0-9]+}}], rows = {{[^#]*}}>]}
// CANDIDATES-LABEL: func @m1
// CANDIDATES: kernels = [#rotq.kernel<mma_s8, m = [1, {{[0-9]+}}], rows = {{[^#]*}}>],
// CANDIDATES-SAME: rotq.candidates = [#rotq.kernel<mma_s8, m = [1, 32], rows = {{[0-9]+}},
// CANDIDATES-SAME: rotq.predicted_us = array<f64: {{[0-9.]+}}, {{.*}}>, rotq.space = {{[0-9]+}} : i64
func.func @m1(%c: memref<1x576xi8>, %s: memref<1x3xf32>, %t: memref<1x3xi32>, %w: !int4, %y: memref<1x4096xf32>) {
  rotq.matmul ins(%c, %s, %t : memref<1x576xi8>, memref<1x3xf32>, memref<1x3xi32>) group(256) weight(%w : !int4) outs(%y : memref<1x4096xf32>)
  return
}

// CANDIDATES-LABEL: func @m512
// CANDIDATES: rotq.candidates = [#rotq.kernel<wgmma_s8, m = [33, 0], rows = {{[0-9]+}},
// CHECK-LABEL: func @m512
// CHECK: kernels = [#rotq.kernel<{{w?g?}}mma_s8, m = [{{[0-9]+}}, {{[0-9]+}}], rows = {{[^#]*}}>]}
func.func @m512(%c: memref<512x576xi8>, %s: memref<512x3xf32>, %t: memref<512x3xi32>, %w: !int4, %y: memref<512x4096xf32>) {
  rotq.matmul ins(%c, %s, %t : memref<512x576xi8>, memref<512x3xf32>, memref<512x3xi32>) group(256) weight(%w : !int4) outs(%y : memref<512x4096xf32>)
  return
}

// Nothing to compute, nothing to choose.

// CHECK-LABEL: func @m0
// CHECK-NOT: kernels
func.func @m0(%x: memref<0x576xf32>, %w: !rq3, %y: memref<0x8xf32>) {
  rotq.matmul ins(%x : memref<0x576xf32>) weight(%w : !rq3) outs(%y : memref<0x8xf32>)
  return
}

// Float activations, by a weight that is rotated or not.

// CHECK-LABEL: func @float
// CHECK: kernels = [#rotq.kernel<mma_f16, m = [1, {{.*}}#rotq.kernel<mma_f16, m = [{{[0-9]+}}, 0],
// CHECK: kernels = [#rotq.kernel<mma_f16, m = [1, {{.*}}#rotq.kernel<mma_f16, m = [{{[0-9]+}}, 0],
func.func @float(%x: tensor<?x576xf16>, %w: !rq3, %v: !small, %y: tensor<?x8xf16>) -> (tensor<?x8xf16>, tensor<?x8xf16>) {
  %0 = rotq.matmul ins(%x : tensor<?x576xf16>) weight(%w : !rq3) outs(%y : tensor<?x8xf16>) -> tensor<?x8xf16>
  %1 = rotq.matmul ins(%x : tensor<?x576xf16>) weight(%v : !small) outs(%y : tensor<?x8xf16>) -> tensor<?x8xf16>
  return %0, %1 : tensor<?x8xf16>, tensor<?x8xf16>
}

// What was chosen before stays.

// CHECK-LABEL: func @chosen
// CHECK: kernels = [#rotq.kernel<mma_f16, m = [1, 0], rows = 32, cols = 8, warps = 2>]
func.func @chosen(%x: tensor<?x576xf16>, %w: !rq3, %y: tensor<?x8xf16>) -> tensor<?x8xf16> {
  %0 = rotq.matmul ins(%x : tensor<?x576xf16>) weight(%w : !rq3) outs(%y : tensor<?x8xf16>)
    {kernels = [#rotq.kernel<mma_f16, m = [1, 0], rows = 32, cols = 8, warps = 2>]} -> tensor<?x8xf16>
  return %0 : tensor<?x8xf16>
}

// A group is chosen for as a whole.

// CHECK-LABEL: func @group
// CHECK: rotq.grouped_matmul {{.*}}kernels = [#rotq.kernel<mma_s8, m = [1, {{[0-9]+}}], rows = {{[^#]*}}>]}
// HOST-LABEL: func @group
// HOST: rotq.grouped_matmul {{.*}}kernels = [#rotq.kernel<host_vector, m = [1,
!part = !rotq.weight<4096x576, #rotq.format<"int4_g128">>
func.func @group(%c: tensor<1x576xi8>, %s: tensor<1x3xf32>, %t: tensor<1x3xi32>, %p: !part, %y: tensor<1x4096xf32>)
    -> (tensor<1x4096xf32>, tensor<1x4096xf32>) {
  %0:2 = rotq.grouped_matmul ins(%c, %s, %t : tensor<1x576xi8>, tensor<1x3xf32>, tensor<1x3xi32>) group(256)
    weights(%p, %p : !part, !part) outs(%y, %y : tensor<1x4096xf32>, tensor<1x4096xf32>) -> tensor<1x4096xf32>, tensor<1x4096xf32>
  return %0#0, %0#1 : tensor<1x4096xf32>, tensor<1x4096xf32>
}
