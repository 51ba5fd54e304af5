// RUN: quant-opt %s -canonicalize | FileCheck %s

#rq3 = #rotq.format<"rq3">

// CHECK-LABEL: func @cancel_forward_inverse
// CHECK-SAME: (%[[X:.*]]: tensor<?x570xf32>,
func.func @cancel_forward_inverse(%x: tensor<?x570xf32>, %e: tensor<?x576xf32>) -> tensor<?x570xf32> {
  %r = rotq.rotate #rotq.hadamard<256> ins(%x : tensor<?x570xf32>) outs(%e : tensor<?x576xf32>) -> tensor<?x576xf32>
  %b = rotq.rotate #rotq.hadamard<256> inverse ins(%r : tensor<?x576xf32>) outs(%x : tensor<?x570xf32>) -> tensor<?x570xf32>
  // CHECK-NEXT: return %[[X]]
  return %b : tensor<?x570xf32>
}

// CHECK-LABEL: func @cancel_inverse_forward
// CHECK-SAME: (%[[X:.*]]: tensor<4x576xf32>)
func.func @cancel_inverse_forward(%x: tensor<4x576xf32>) -> tensor<4x576xf32> {
  %b = rotq.rotate #rotq.hadamard<256> inverse ins(%x : tensor<4x576xf32>) outs(%x : tensor<4x576xf32>) -> tensor<4x576xf32>
  %r = rotq.rotate #rotq.hadamard<256> ins(%b : tensor<4x576xf32>) outs(%x : tensor<4x576xf32>) -> tensor<4x576xf32>
  // CHECK-NEXT: return %[[X]]
  return %r : tensor<4x576xf32>
}

// The inverse rotation dropped six values that the forward one would need.
// CHECK-LABEL: func @keep_dropped_padding
func.func @keep_dropped_padding(%x: tensor<4x576xf32>, %e: tensor<4x570xf32>) -> tensor<4x576xf32> {
  // CHECK-COUNT-2: rotq.rotate
  %b = rotq.rotate #rotq.hadamard<256> inverse ins(%x : tensor<4x576xf32>) outs(%e : tensor<4x570xf32>) -> tensor<4x570xf32>
  %r = rotq.rotate #rotq.hadamard<256> ins(%b : tensor<4x570xf32>) outs(%x : tensor<4x576xf32>) -> tensor<4x576xf32>
  return %r : tensor<4x576xf32>
}

// Twice the same map is no pair, even if the map is its own inverse.
// CHECK-LABEL: func @keep_same_direction
func.func @keep_same_direction(%x: tensor<4x576xf32>) -> tensor<4x576xf32> {
  // CHECK-COUNT-2: rotq.rotate
  %b = rotq.rotate #rotq.hadamard<256> ins(%x : tensor<4x576xf32>) outs(%x : tensor<4x576xf32>) -> tensor<4x576xf32>
  %r = rotq.rotate #rotq.hadamard<256> ins(%b : tensor<4x576xf32>) outs(%x : tensor<4x576xf32>) -> tensor<4x576xf32>
  return %r : tensor<4x576xf32>
}

// CHECK-LABEL: func @keep_other_rotation
func.func @keep_other_rotation(%x: tensor<4x576xf32>) -> tensor<4x576xf32> {
  // CHECK-COUNT-2: rotq.rotate
  %b = rotq.rotate #rotq.hadamard<128> ins(%x : tensor<4x576xf32>) outs(%x : tensor<4x576xf32>) -> tensor<4x576xf32>
  %r = rotq.rotate #rotq.hadamard<256> inverse ins(%b : tensor<4x576xf32>) outs(%x : tensor<4x576xf32>) -> tensor<4x576xf32>
  return %r : tensor<4x576xf32>
}

// Between f32 and f16 the pair rounds.
// CHECK-LABEL: func @keep_conversion
func.func @keep_conversion(%x: tensor<4x576xf32>, %e: tensor<4x576xf16>) -> tensor<4x576xf16> {
  // CHECK-COUNT-2: rotq.rotate
  %b = rotq.rotate #rotq.hadamard<256> ins(%x : tensor<4x576xf32>) outs(%x : tensor<4x576xf32>) -> tensor<4x576xf32>
  %r = rotq.rotate #rotq.hadamard<256> inverse ins(%b : tensor<4x576xf32>) outs(%e : tensor<4x576xf16>) -> tensor<4x576xf16>
  return %r : tensor<4x576xf16>
}

// CHECK-LABEL: func @fold_identity
// CHECK-SAME: (%[[X:.*]]: tensor<4x576xf32>)
func.func @fold_identity(%x: tensor<4x576xf32>) -> tensor<4x576xf32> {
  %r = rotq.rotate #rotq.identity ins(%x : tensor<4x576xf32>) outs(%x : tensor<4x576xf32>) -> tensor<4x576xf32>
  // CHECK-NEXT: return %[[X]]
  return %r : tensor<4x576xf32>
}

// CHECK-LABEL: func @keep_identity_that_pads
func.func @keep_identity_that_pads(%x: tensor<4x570xf32>, %e: tensor<4x576xf32>) -> tensor<4x576xf32> {
  // CHECK: rotq.rotate
  %r = rotq.rotate #rotq.identity ins(%x : tensor<4x570xf32>) outs(%e : tensor<4x576xf32>) -> tensor<4x576xf32>
  return %r : tensor<4x576xf32>
}

// CHECK-LABEL: func @fold_view_of_view
func.func @fold_view_of_view(%w: !rotq.weight<8x576, #rq3>) ->
    !rotq.weight<8x576, #rotq.format<"rq3_rotated", rotation = #rotq.identity, scale = #rotq.scale<256>,
      codebook = #rotq.table<3, [-114, -71, -40, -13, 13, 40, 71, 114]>, coding = #rotq.fixed<3>>> {
  // CHECK: %[[V:.*]] = rotq.rotated_view
  %v = rotq.rotated_view %w : !rotq.weight<8x576, #rq3> ->
    !rotq.weight<8x576, #rotq.format<"rq3_rotated", rotation = #rotq.identity, scale = #rotq.scale<256>,
      codebook = #rotq.table<3, [-114, -71, -40, -13, 13, 40, 71, 114]>, coding = #rotq.fixed<3>>>
  %u = rotq.rotated_view %v :
    !rotq.weight<8x576, #rotq.format<"rq3_rotated", rotation = #rotq.identity, scale = #rotq.scale<256>,
      codebook = #rotq.table<3, [-114, -71, -40, -13, 13, 40, 71, 114]>, coding = #rotq.fixed<3>>> ->
    !rotq.weight<8x576, #rotq.format<"rq3_rotated", rotation = #rotq.identity, scale = #rotq.scale<256>,
      codebook = #rotq.table<3, [-114, -71, -40, -13, 13, 40, 71, 114]>, coding = #rotq.fixed<3>>>
  // CHECK-NEXT: return %[[V]]
  return %u :
    !rotq.weight<8x576, #rotq.format<"rq3_rotated", rotation = #rotq.identity, scale = #rotq.scale<256>,
      codebook = #rotq.table<3, [-114, -71, -40, -13, 13, 40, 71, 114]>, coding = #rotq.fixed<3>>>
}

// On memrefs, ops write: nothing is dead and nothing is merged.
// CHECK-LABEL: func @keep_memrefs
func.func @keep_memrefs(%x: memref<4x576xf32>, %y: memref<4x576xf32>) {
  // CHECK-COUNT-2: rotq.rotate
  rotq.rotate #rotq.hadamard<256> ins(%x : memref<4x576xf32>) outs(%y : memref<4x576xf32>)
  rotq.rotate #rotq.hadamard<256> inverse ins(%y : memref<4x576xf32>) outs(%x : memref<4x576xf32>)
  return
}

// On tensors, what nobody reads is gone.
// CHECK-LABEL: func @drop_dead
func.func @drop_dead(%x: tensor<4x576xf32>, %w: !rotq.weight<8x576, #rq3>, %y: tensor<4x8xf32>) {
  // CHECK-NEXT: return
  %0 = rotq.matmul ins(%x : tensor<4x576xf32>) weight(%w : !rotq.weight<8x576, #rq3>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}
