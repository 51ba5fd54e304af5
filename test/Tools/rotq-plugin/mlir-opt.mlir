// REQUIRES: mlir-opt
// Stock mlir-opt reads the dialect and runs the passes from the plugin.
// RUN: %mlir_opt --load-dialect-plugin=%rotq_plugin --load-pass-plugin=%rotq_plugin --pass-pipeline='builtin.module(rotq-quantize-weights{format=rq2},func.func(rotq-place-rotations))' %s | FileCheck %s

// CHECK: rotq.rotate #rotq.hadamard<256>
// CHECK: rotq.matmul {{.*}}16x256
func.func @linear(%x: tensor<4x256xf32>, %w: tensor<16x256xf32> {rotq.parameter = "w"}, %init: tensor<4x16xf32>) -> tensor<4x16xf32> {
  %y = linalg.matmul
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%x, %w : tensor<4x256xf32>, tensor<16x256xf32>) outs(%init : tensor<4x16xf32>) -> tensor<4x16xf32>
  return %y : tensor<4x16xf32>
}
