// RUN: quant-opt %s -rotq-quantize-activations=operand=e4m3 -rotq-select-kernels=target=sm_90a | FileCheck %s
// RUN: quant-opt %s -rotq-quantize-activations=operand=e4m3 -rotq-select-kernels=target=sm_89 | FileCheck %s --check-prefix=SM89
// RUN: not quant-opt %s -rotq-quantize-activations=operand=e4m3 -rotq-select-kernels=target=sm_86 2>&1 | FileCheck %s --check-prefix=SM86

// SM86: error: 'rotq.matmul' op expected int8 codes, since sm_86 has no products of e4m3

// CHECK-LABEL: func.func @linear(
// CHECK: rotq.quantize_activation {{.*}} -> tensor<?x576xf8E4M3FN>, tensor<?x{{[0-9]+}}xf32>, tensor<?x{{[0-9]+}}xi32>
// CHECK: rotq.matmul {{.*}}kernels = [#rotq.kernel<mma_e4m3, m = [1, {{.*}}#rotq.kernel<wgmma_e4m3, m = [{{[0-9]+}}, 0],
// CHECK-NOT: _s8
// SM89: rotq.matmul {{.*}}kernels = [#rotq.kernel<mma_e4m3, m = [1,
// SM89-NOT: wgmma
func.func @linear(%x: tensor<?x576xf32>, %w: !rotq.weight<64x576, #rotq.format<"int4_g128">>, %y: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %0 = rotq.matmul ins(%x : tensor<?x576xf32>) weight(%w : <64x576, #rotq.format<"int4_g128">>) outs(%y : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}
