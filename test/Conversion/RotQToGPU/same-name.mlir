// RUN: quant-opt %s --convert-rotq-to-gpu | FileCheck %s

// Formats of one name that differ get kernels of their own.
//     CHECK: gpu.func @matmul_mine_n16_k256_dp4a_m1_1_r1c1w4_f32_g256(
//     CHECK: gpu.func @matmul_mine_n16_k256_dp4a_m1_1_r1c1w4_f32_g256_1(
// CHECK-NOT: gpu.func @
//     CHECK: gpu.launch_func @rotq_kernels::@matmul_mine_n16_k256_dp4a_m1_1_r1c1w4_f32_g256 
//     CHECK: gpu.launch_func @rotq_kernels::@matmul_mine_n16_k256_dp4a_m1_1_r1c1w4_f32_g256_1 
//     CHECK: gpu.launch_func @rotq_kernels::@matmul_mine_n16_k256_dp4a_m1_1_r1c1w4_f32_g256_1 
#one = #rotq.format<"mine", rotation = #rotq.identity, scale = #rotq.scale<256>,
                    codebook = #rotq.table<2, [-120, -36, 36, 120]>, coding = #rotq.fixed<2>>
#two = #rotq.format<"mine", rotation = #rotq.identity, scale = #rotq.scale<256>,
                    codebook = #rotq.table<2, [-3, -1, 1, 3]>, coding = #rotq.fixed<2>>
#dp4a = #rotq.kernel<dp4a, m = [1, 1], rows = 1, cols = 1, warps = 4>

func.func @f(%codes: memref<1x256xi8>, %scales: memref<1x1xf32>, %sums: memref<1x1xi32>,
             %w0: !rotq.weight<16x256, #one>, %w1: !rotq.weight<16x256, #two>,
             %y: memref<1x16xf32>) {
  rotq.matmul ins(%codes, %scales, %sums : memref<1x256xi8>, memref<1x1xf32>, memref<1x1xi32>) group(256)
    weight(%w0 : !rotq.weight<16x256, #one>) outs(%y : memref<1x16xf32>) {kernels = [#dp4a]}
  rotq.matmul ins(%codes, %scales, %sums : memref<1x256xi8>, memref<1x1xf32>, memref<1x1xi32>) group(256)
    weight(%w1 : !rotq.weight<16x256, #two>) outs(%y : memref<1x16xf32>) {kernels = [#dp4a]}
  rotq.matmul ins(%codes, %scales, %sums : memref<1x256xi8>, memref<1x1xf32>, memref<1x1xi32>) group(256)
    weight(%w1 : !rotq.weight<16x256, #two>) outs(%y : memref<1x16xf32>) {kernels = [#dp4a]}
  return
}
