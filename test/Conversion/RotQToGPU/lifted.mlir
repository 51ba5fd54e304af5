// RUN: quant-opt %s --rotq-to-nvptx=chip=sm_90a | FileCheck %s
// RUN: quant-opt %s --rotq-to-nvptx=chip=sm_90a | FileCheck %s --check-prefix=LAUNCH

// Products of few rows are of bits: of what a kernel lifts beside the codes.
// CHECK-DAG: llvm.func @quantize_activation_k512_r256_g256_f32_rests_lifted{{[0-9a-f]+}}(
// CHECK-DAG: llvm.func @quantize_activation_k512_r256_g256_f32_lifted{{[0-9a-f]+}}(
// CHECK-DAG: llvm.func @quantize_activation_k512_r256_g256_f32(
// CHECK-DAG: llvm.func @matmul_liftquant_w20_rotated_n64_k512_mma_b1_m1_{{[0-9]+}}_{{.*}}_lifted2(
// CHECK-DAG: nvvm.mma.sync{{.*}}b1Op = #nvvm.mma_b1op<and_popc>
//
// LAUNCH: func.func @any
// LAUNCH: memref.alloc(%{{.*}}) : memref<?x{{[0-9]+}}xi8>
// LAUNCH: gpu.launch_func @rotq_kernels::@quantize_activation_k512_r256_g256_f32_rests_lifted
// LAUNCH: gpu.launch_func @rotq_kernels::@matmul_liftquant_w20_rotated_n64_k512_mma_b1_m1_
func.func @any(%x: tensor<?x512xf32>, %w: !rotq.weight<64x512, #rotq.format<"liftquant_w20">>) -> tensor<?x64xf32> {
  %c0 = arith.constant 0 : index
  %m = tensor.dim %x, %c0 : tensor<?x512xf32>
  %e = tensor.empty(%m) : tensor<?x64xf32>
  %y = rotq.matmul ins(%x : tensor<?x512xf32>) weight(%w : !rotq.weight<64x512, #rotq.format<"liftquant_w20">>)
    outs(%e : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
