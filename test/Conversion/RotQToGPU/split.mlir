// RUN: quant-opt %s --convert-rotq-to-gpu | FileCheck %s

// Four warps share a tile and take the blocks of K in turn; the tail (576 = 256 +
// 256 + 64) is the third's. Sums meet in shared memory behind one barrier.
//     CHECK: gpu.func @matmul_rq3_rotated_n32_k576_mma_s8_m1_0_r16c8w4s4_f32_g256({{.*}})
//     CHECK: %[[PART:.*]] = arith.remui %{{.*}}, %c4
//     CHECK: scf.for
//     CHECK: %[[OWN:.*]] = arith.cmpi eq, %[[PART]], %c2
//     CHECK: scf.if %[[OWN]]
// CHECK-COUNT-4: llvm.store {{.*}} !llvm.ptr<3>
//     CHECK: gpu.barrier
// CHECK-COUNT-4: llvm.load {{.*}} !llvm.ptr<3> -> f32
// CHECK-NOT: gpu.barrier
#rotated = #rotq.format<"rq3_rotated", rotation = #rotq.identity, scale = #rotq.scale<256>,
                        codebook = #rotq.table<3, [-114, -71, -40, -13, 13, 40, 71, 114]>, coding = #rotq.fixed<3>>
func.func @f(%codes: memref<?x576xi8>, %scales: memref<?x3xf32>, %sums: memref<?x3xi32>,
             %w: !rotq.weight<32x576, #rotated, tiles>, %y: memref<?x32xf32>) {
  rotq.matmul ins(%codes, %scales, %sums : memref<?x576xi8>, memref<?x3xf32>, memref<?x3xi32>) group(256)
    weight(%w : !rotq.weight<32x576, #rotated, tiles>) outs(%y : memref<?x32xf32>)
    {kernels = [#rotq.kernel<mma_s8, m = [1, 0], rows = 16, cols = 8, warps = 4, split = 4>]}
  return
}
