// RUN: quant-opt %s --convert-rotq-to-gpu | FileCheck %s

// The kernels that quantize up to 16 rows lift them as well, to bit planes that
// mma_b1 reads in place of codes, scales and sums. Three segments of 576 values
// are 3 words of 32 lanes a part, of which four rows with rests have two, and 8
// bytes of scales each.
#frame = #rotq.frame<4, 24, "28000000002800000000280000000028f0f0f010">
#f = #rotq.format<"f", rotation = #rotq.identity, scale = #rotq.scale<row>, codebook = #frame, coding = #rotq.field<5, 4>>
#few = #rotq.kernel<mma_b1, m = [1, 4], rows = 16, cols = 4, warps = 4>
#more = #rotq.kernel<mma_b1, m = [5, 16], rows = 16, cols = 8, warps = 4>
#many = #rotq.kernel<mma_s8, m = [17, 0], rows = 16, cols = 32, warps = 4>


//      CHECK: rotq.manifest =
// CHECK-SAME: matmul_f_n128_k576_mma_b1_m1_4_r16c4w4_f32_lifted2\22,\22role\22:\22matmul\22,\22params\22:[{\22name\22:\22planes\22,\22kind\22:\22pointer\22,\22access\22:\22read\22,\22type\22:\22i8\22,\22shape\22:[\22m\22,2336]},{\22name\22:\22weight\22
// CHECK-SAME: matmul_f_n128_k576_mma_b1_m5_16_r16c8w4_f32_lifted1\22,\22role\22:\22matmul\22,\22params\22:[{\22name\22:\22planes\22,\22kind\22:\22pointer\22,\22access\22:\22read\22,\22type\22:\22i8\22,\22shape\22:[\22m\22,1184]},{\22name\22:\22weight\22
//      CHECK: gpu.func @[[LIFTRESTS:quantize_activation_k576_r256_g256_f16_rests_lifted[0-9a-f]+]](%{{.*}}, %arg4: !llvm.ptr<1> {llvm.noalias}, %arg5: i32)
//      CHECK: gpu.func @[[LIFT:quantize_activation_k576_r256_g256_f16_lifted[0-9a-f]+]](%{{.*}}, %arg4: !llvm.ptr<1> {llvm.noalias}, %arg5: i32)
//      CHECK: gpu.func @quantize_activation_k576_r256_g256_f16(%{{.*}}, %arg3: !llvm.ptr<1> {llvm.noalias}, %arg4: i32)

// Planes, weight and y. Nothing is decoded; a lane's 3 words are a product with
// 256 bits and another with the rest.
//      CHECK: gpu.func @matmul_f_n128_k576_mma_b1_m1_4_r16c4w4_f32_lifted2(%arg0: !llvm.ptr<1>, %arg1: !llvm.ptr<1> {llvm.noalias}, %arg2: !llvm.ptr<1> {llvm.noalias}, %arg3: i32)
//  CHECK-NOT: rotq.decode
//      CHECK: nvvm.mma.sync {{.*}}b1Op = #nvvm.mma_b1op<and_popc>{{.*}}shape = #nvvm.shape<m = 16, n = 8, k = 256>
//  CHECK-NOT: rotq.decode
//      CHECK: gpu.func @matmul_f_n128_k576_mma_b1_m5_16_r16c8w4_f32_lifted1(
//      CHECK: gpu.func @matmul_f_n128_k576_mma_s8_m17_0_r16c32w4_f32_g256(
//      CHECK: rotq.decode

//      CHECK: func.func @any
//      CHECK: %[[ROWS:.*]] = arith.minui %{{.*}}, %c16
//      CHECK: %[[PLANES:.*]] = memref.alloc(%[[ROWS]]) : memref<?x2336xi8>
//      CHECK: gpu.launch_func @rotq_kernels::@[[LIFTRESTS]] blocks
//      CHECK: gpu.launch_func @rotq_kernels::@[[LIFT]] blocks
//      CHECK: gpu.launch_func @rotq_kernels::@quantize_activation_k576_r256_g256_f16 blocks
//      CHECK: gpu.launch_func @rotq_kernels::@matmul_f_n128_k576_mma_b1_m1_4_r16c4w4_f32_lifted2 blocks
//      CHECK: gpu.launch_func @rotq_kernels::@matmul_f_n128_k576_mma_b1_m5_16_r16c8w4_f32_lifted1 blocks
//      CHECK: gpu.launch_func @rotq_kernels::@matmul_f_n128_k576_mma_s8_m17_0_r16c32w4_f32_g256 blocks
func.func @any(%x: memref<?x576xf16>, %codes: memref<?x1152xi8>, %scales: memref<?x6xf32>, %sums: memref<?x6xi32>,
               %w: !rotq.weight<128x576, #f, tiles>, %y: memref<?x128xf32>) {
  rotq.quantize_activation #rotq.hadamard<256> group(256) ins(%x : memref<?x576xf16>)
    outs(%codes, %scales, %sums : memref<?x1152xi8>, memref<?x6xf32>, memref<?x6xi32>) {frame = #frame, rests}
  rotq.matmul ins(%codes, %scales, %sums : memref<?x1152xi8>, memref<?x6xf32>, memref<?x6xi32>) group(256)
    weight(%w : !rotq.weight<128x576, #f, tiles>) outs(%y : memref<?x128xf32>) {kernels = [#few, #more, #many], rests}
  return
}
