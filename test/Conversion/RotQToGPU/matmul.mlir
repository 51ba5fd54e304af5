// RUN: quant-opt %s --convert-rotq-to-gpu | FileCheck %s

// One gpu.module; a kernel for every configuration, shared by equal matmuls.
//   CHECK-LABEL: gpu.module @rotq_kernels
//    CHECK-SAME: rotq.manifest = "{{.*}}matmul_rq3_rotated_n128_k576_mma_s8_m1_1_r16c8w4_f32_g256
// CHECK-COUNT-1: gpu.func @matmul_rq3_rotated_n128_k576_mma_s8_m1_1_r16c8w4_f32_g256(%{{.*}}: !llvm.ptr<1> {llvm.noalias}
//    CHECK-SAME: kernel attributes {known_block_size = array<i32: 128, 1, 1>}
//     CHECK-NOT: gpu.func @matmul_rq3_rotated_n128_k576_mma_s8_m1_1
//         CHECK: gpu.func @matmul_rq3_rotated_n128_k576_mma_s8_m2_0_r16c32w4_f32_g256
//     CHECK-NOT: gpu.func
//         CHECK: func.func @two_matmuls
#rotated = #rotq.format<"rq3_rotated", rotation = #rotq.identity, scale = #rotq.scale<256>,
                        codebook = #rotq.table<3, [-114, -71, -40, -13, 13, 40, 71, 114]>, coding = #rotq.fixed<3>>
#small = #rotq.kernel<mma_s8, m = [1, 1], rows = 16, cols = 8, warps = 4>
#mma = #rotq.kernel<mma_s8, m = [2, 0], rows = 16, cols = 32, warps = 4>

//     CHECK: %[[M:.*]] = memref.dim %arg5, %{{.*}} : memref<?x128xf32>
//     CHECK: %[[FITS:.*]] = arith.cmpi ule, %[[M]], %c1
//     CHECK: scf.if %[[FITS]] {
//     CHECK:   gpu.launch_func @rotq_kernels::@matmul_rq3_rotated_n128_k576_mma_s8_m1_1
//     CHECK: } else {
//     CHECK:   gpu.launch_func @rotq_kernels::@matmul_rq3_rotated_n128_k576_mma_s8
//     CHECK: }
//     CHECK: scf.if
// CHECK-NOT: rotq.matmul
func.func @two_matmuls(%codes: memref<?x576xi8>, %scales: memref<?x3xf32>, %sums: memref<?x3xi32>,
                       %w0: !rotq.weight<128x576, #rotated, tiles>, %w1: !rotq.weight<128x576, #rotated, tiles>,
                       %y0: memref<?x128xf32>, %y1: memref<?x128xf32>) {
  rotq.matmul ins(%codes, %scales, %sums : memref<?x576xi8>, memref<?x3xf32>, memref<?x3xi32>) group(256)
    weight(%w0 : !rotq.weight<128x576, #rotated, tiles>) outs(%y0 : memref<?x128xf32>) {kernels = [#small, #mma]}
  rotq.matmul ins(%codes, %scales, %sums : memref<?x576xi8>, memref<?x3xf32>, memref<?x3xi32>) group(256)
    weight(%w1 : !rotq.weight<128x576, #rotated, tiles>) outs(%y1 : memref<?x128xf32>) {kernels = [#small, #mma]}
  return
}
