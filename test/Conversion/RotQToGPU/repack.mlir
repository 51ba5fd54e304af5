// RUN: quant-opt %s --convert-rotq-to-gpu --convert-rotq-weights-to-memref | FileCheck %s

// A weight is repacked into a buffer of its own, from which its views and all
// its matmuls read. 20 rows are two strips of 16.
//       CHECK: gpu.module @rotq_kernels
//       CHECK: gpu.func @repack_rq3_n20_k256(%{{.*}}: !llvm.ptr<1>, %{{.*}}: !llvm.ptr<1> {llvm.noalias})
// CHECK-LABEL: func.func @f
//  CHECK-SAME: %[[W:.*]]: memref<1960xi8>
//       CHECK: %[[TILES:.*]] = memref.alloc() : memref<3136xi8>
//       CHECK: gpu.launch_func @rotq_kernels::@repack_rq3_n20_k256 blocks in (%c2, %c1, %c1
//       CHECK: memref.extract_aligned_pointer_as_index %[[TILES]]
//       CHECK: gpu.launch_func @rotq_kernels::@matmul_rq3_rotated
//   CHECK-NOT: rotq.
#rq3 = #rotq.format<"rq3">
#rotated = #rotq.format<"rq3_rotated", rotation = #rotq.identity, scale = #rotq.scale<256>,
                        codebook = #rotq.table<3, [-114, -71, -40, -13, 13, 40, 71, 114]>, coding = #rotq.fixed<3>>
func.func @f(%codes: memref<1x256xi8>, %scales: memref<1x1xf32>, %sums: memref<1x1xi32>,
             %w: !rotq.weight<20x256, #rq3>, %y: memref<1x20xf32>) {
  %t = rotq.repack %w : !rotq.weight<20x256, #rq3> -> !rotq.weight<20x256, #rq3, tiles>
  %v = rotq.rotated_view %t : !rotq.weight<20x256, #rq3, tiles> -> !rotq.weight<20x256, #rotated, tiles>
  rotq.matmul ins(%codes, %scales, %sums : memref<1x256xi8>, memref<1x1xf32>, memref<1x1xi32>) group(256)
    weight(%v : !rotq.weight<20x256, #rotated, tiles>) outs(%y : memref<1x20xf32>)
    {kernels = [#rotq.kernel<mma_s8, m = [1, 8], rows = 16, cols = 8, warps = 4, split = 4>]}
  return
}
