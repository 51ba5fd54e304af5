// RUN: quant-opt %s --convert-rotq-to-gpu | FileCheck %s

// Formats of one name that differ get kernels of their own.
//     CHECK: gpu.func @matmul_mine_n16_k256_mma_s8_m1_1_r16c8w4_f32_g256(
//     CHECK: gpu.func @matmul_mine_n16_k256_mma_s8_m1_1_r16c8w4_f32_g256_1(
// CHECK-NOT: gpu.func @
//     CHECK: gpu.launch_func @rotq_kernels::@matmul_mine_n16_k256_mma_s8_m1_1_r16c8w4_f32_g256 
//     CHECK: gpu.launch_func @rotq_kernels::@matmul_mine_n16_k256_mma_s8_m1_1_r16c8w4_f32_g256_1 
//     CHECK: gpu.launch_func @rotq_kernels::@matmul_mine_n16_k256_mma_s8_m1_1_r16c8w4_f32_g256_1 
#one = #rotq.format<"mine", rotation = #rotq.identity, scale = #rotq.scale<256>,
                    codebook = #rotq.table<2, [-120, -36, 36, 120]>, coding = #rotq.fixed<2>>
#two = #rotq.format<"mine", rotation = #rotq.identity, scale = #rotq.scale<256>,
                    codebook = #rotq.table<2, [-3, -1, 1, 3]>, coding = #rotq.fixed<2>>
#small = #rotq.kernel<mma_s8, m = [1, 1], rows = 16, cols = 8, warps = 4>

func.func @f(%codes: memref<1x256xi8>, %scales: memref<1x1xf32>, %sums: memref<1x1xi32>,
             %w0: !rotq.weight<16x256, #one, tiles>, %w1: !rotq.weight<16x256, #two, tiles>,
             %y: memref<1x16xf32>) {
  rotq.matmul ins(%codes, %scales, %sums : memref<1x256xi8>, memref<1x1xf32>, memref<1x1xi32>) group(256)
    weight(%w0 : !rotq.weight<16x256, #one, tiles>) outs(%y : memref<1x16xf32>) {kernels = [#small]}
  rotq.matmul ins(%codes, %scales, %sums : memref<1x256xi8>, memref<1x1xf32>, memref<1x1xi32>) group(256)
    weight(%w1 : !rotq.weight<16x256, #two, tiles>) outs(%y : memref<1x16xf32>) {kernels = [#small]}
  rotq.matmul ins(%codes, %scales, %sums : memref<1x256xi8>, memref<1x1xf32>, memref<1x1xi32>) group(256)
    weight(%w1 : !rotq.weight<16x256, #two, tiles>) outs(%y : memref<1x16xf32>) {kernels = [#small]}
  return
}
