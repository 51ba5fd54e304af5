// RUN: quant-opt %s --convert-rotq-to-gpu --convert-rotq-weights-to-memref | FileCheck %s

// Codes begin in the run before, whose last word another lane has: one shuffle
// for each of the four runs of a tile. 300 weights are a circle of 256 and one
// of 64, whose last run the kernel that repacks writes where a whole circle has
// it.
// CHECK-LABEL: gpu.func @repack_trellis3_n16_k300
//       CHECK: %[[LAST:.*]] = arith.constant 15 : index
//       CHECK: %[[IS_LAST:.*]] = arith.cmpi eq, %[[AT:.*]], %[[LAST]] : index
//       CHECK: %[[END:.*]] = arith.constant 9 : index
//       CHECK: arith.select %[[IS_LAST]], %[[END]], %[[AT]] : index
// CHECK-LABEL: gpu.func @matmul_trellis3_rotated
// CHECK-COUNT-4: gpu.shuffle idx
#trellis3 = #rotq.format<"trellis3">
#rotated = #rotq.format<"trellis3_rotated", rotation = #rotq.identity, scale = #rotq.scale<row>,
                        codebook = #rotq.trellis<3, 2212286765, 0>, coding = #rotq.window<3>>
func.func @f(%codes: memref<1x320xi8>, %scales: memref<1x2xf32>, %sums: memref<1x2xi32>,
             %w: !rotq.weight<16x300, #trellis3>, %y: memref<1x16xf32>) {
  %t = rotq.repack %w : !rotq.weight<16x300, #trellis3> -> !rotq.weight<16x300, #trellis3, tiles>
  %v = rotq.rotated_view %t : !rotq.weight<16x300, #trellis3, tiles> -> !rotq.weight<16x320, #rotated, tiles>
  rotq.matmul ins(%codes, %scales, %sums : memref<1x320xi8>, memref<1x2xf32>, memref<1x2xi32>) group(256)
    weight(%v : !rotq.weight<16x320, #rotated, tiles>) outs(%y : memref<1x16xf32>)
    {kernels = [#rotq.kernel<mma_s8, m = [1, 8], rows = 16, cols = 8, warps = 4, split = 4>]}
  return
}
