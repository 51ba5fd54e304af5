// RUN: quant-opt %s --convert-rotq-to-gpu | FileCheck %s

// An mma kernel goes through K by pieces of at most 256. The sum of a group of
// 512, which meets the offset, counts in the first of its two.
#offset = #rotq.format<"offset", rotation = #rotq.identity, scale = #rotq.scale<512, offset>,
                       codebook = #rotq.table<2, [-120, -36, 36, 120]>, coding = #rotq.fixed<2>>
#mma = #rotq.kernel<mma_s8, m = [1, 0], rows = 16, cols = 8, warps = 1>

// CHECK-LABEL: gpu.func @matmul_offset_n16_k1024_mma_s8
//       CHECK: nvvm.mma.sync
//       CHECK: %[[STARTS:.*]] = arith.cmpi eq
//       CHECK: %[[SUM:.*]] = arith.select %[[STARTS]], %{{.*}}, %c0_i32{{.*}} : i32
//       CHECK: arith.sitofp %[[SUM]] : i32 to f32
func.func @offset(%codes: memref<?x1024xi8>, %scales: memref<?x2xf32>, %sums: memref<?x2xi32>,
                  %w: !rotq.weight<16x1024, #offset, tiles>, %y: memref<?x16xf32>) {
  rotq.matmul ins(%codes, %scales, %sums : memref<?x1024xi8>, memref<?x2xf32>, memref<?x2xi32>) group(512)
    weight(%w : !rotq.weight<16x1024, #offset, tiles>) outs(%y : memref<?x16xf32>) {kernels = [#mma]}
  return
}
