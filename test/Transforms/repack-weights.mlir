// RUN: quant-opt %s -rotq-repack-weights | FileCheck %s
// RUN: quant-opt %s -rotq-repack-weights -rotq-repack-weights | FileCheck %s

#rq3 = #rotq.format<"rq3">
#rotated = #rotq.format<"rq3_rotated", rotation = #rotq.identity, scale = #rotq.scale<256>,
                        codebook = #rotq.table<3, [-114, -71, -40, -13, 13, 40, 71, 114]>, coding = #rotq.fixed<3>>
#mma = #rotq.kernel<mma_f16, m = [1, 0], rows = 16, cols = 8, warps = 4>
#host = #rotq.kernel<host_vector, m = [1, 0], rows = 1, cols = 1, warps = 1>
!w = !rotq.weight<64x256, #rq3>
!v = !rotq.weight<64x256, #rotated>

// Once for both matmuls, ahead of the view.
// CHECK-LABEL: func @shared
//  CHECK-SAME: %[[X:[a-z0-9]*]]: tensor<4x256xf16>, %[[W:[a-z0-9]*]]: !rotq.weight
//       CHECK: %[[T:.*]] = rotq.repack %[[W]] : <64x256, #rq3> -> <64x256, #rq3, tiles>
//   CHECK-NOT: rotq.repack
//       CHECK: %[[V:.*]] = rotq.rotated_view %[[T]] : <64x256, #rq3, tiles> -> <64x256, #rq3_rotated, tiles>
//       CHECK: rotq.matmul {{.*}} weight(%[[V]] : <64x256, #rq3_rotated, tiles>)
//       CHECK: rotq.matmul {{.*}} weight(%[[T]] : <64x256, #rq3, tiles>)
func.func @shared(%x: tensor<4x256xf16>, %w: !w, %y: tensor<4x64xf32>) -> (tensor<4x64xf32>, tensor<4x64xf32>) {
  %v = rotq.rotated_view %w : !w -> !v
  %0 = rotq.matmul ins(%x : tensor<4x256xf16>) weight(%v : !v) outs(%y : tensor<4x64xf32>) {kernels = [#mma]} -> tensor<4x64xf32>
  %1 = rotq.matmul ins(%x : tensor<4x256xf16>) weight(%w : !w) outs(%y : tensor<4x64xf32>) {kernels = [#mma]} -> tensor<4x64xf32>
  return %0, %1 : tensor<4x64xf32>, tensor<4x64xf32>
}

// The host reads the canonical layout, and so does what has no kernels yet.
// CHECK-LABEL: func @host
//   CHECK-NOT: rotq.repack
func.func @host(%x: tensor<4x256xf16>, %w: !w, %y: tensor<4x64xf32>) -> (tensor<4x64xf32>, tensor<4x64xf32>) {
  %0 = rotq.matmul ins(%x : tensor<4x256xf16>) weight(%w : !w) outs(%y : tensor<4x64xf32>) {kernels = [#host]} -> tensor<4x64xf32>
  %1 = rotq.matmul ins(%x : tensor<4x256xf16>) weight(%w : !w) outs(%y : tensor<4x64xf32>) -> tensor<4x64xf32>
  return %0, %1 : tensor<4x64xf32>, tensor<4x64xf32>
}

// What comes in tiles stays.
// CHECK-LABEL: func @tiles
//   CHECK-NOT: rotq.repack
func.func @tiles(%x: tensor<4x256xf16>, %w: !rotq.weight<64x256, #rq3, tiles>, %y: tensor<4x64xf32>) -> tensor<4x64xf32> {
  %0 = rotq.matmul ins(%x : tensor<4x256xf16>) weight(%w : !rotq.weight<64x256, #rq3, tiles>) outs(%y : tensor<4x64xf32>) {kernels = [#mma]} -> tensor<4x64xf32>
  return %0 : tensor<4x64xf32>
}

// Every weight of a group, once each.
// CHECK-LABEL: func @grouped
//  CHECK-SAME: %[[X:[a-z0-9]*]]: tensor<4x256xf16>, %[[W:[a-z0-9]*]]: !rotq.weight<64x256, #rq3>, %[[V:[a-z0-9]*]]: !rotq.weight<16x256, #rq3>
//   CHECK-DAG: %[[TW:.*]] = rotq.repack %[[W]]
//   CHECK-DAG: %[[TV:.*]] = rotq.repack %[[V]]
//   CHECK-NOT: rotq.repack
//       CHECK: rotq.grouped_matmul {{.*}} weights(%[[TW]], %[[TV]], %[[TW]] :
func.func @grouped(%x: tensor<4x256xf16>, %w: !w, %v: !rotq.weight<16x256, #rq3>, %y: tensor<4x64xf32>, %z: tensor<4x16xf32>) -> (tensor<4x64xf32>, tensor<4x16xf32>, tensor<4x64xf32>) {
  %0:3 = rotq.grouped_matmul ins(%x : tensor<4x256xf16>) weights(%w, %v, %w : !w, !rotq.weight<16x256, #rq3>, !w)
    outs(%y, %z, %y : tensor<4x64xf32>, tensor<4x16xf32>, tensor<4x64xf32>) {kernels = [#mma]} -> tensor<4x64xf32>, tensor<4x16xf32>, tensor<4x64xf32>
  return %0#0, %0#1, %0#2 : tensor<4x64xf32>, tensor<4x16xf32>, tensor<4x64xf32>
}
