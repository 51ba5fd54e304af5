// RUN: quant-opt %s -transform-interpreter -split-input-file -verify-diagnostics

// Rows of a packed weight are counted in its type: 24 does not divide 64.
func.func @f(%x: tensor<4x576xf32>, %w: !rotq.weight<64x576, #rotq.format<"rq3">>, %y: tensor<4x64xf32>) -> tensor<4x64xf32> {
  // expected-error @below {{faild to tile operation}}
  // expected-error @below {{failed to generate tiling loops}}
  // expected-error @below {{expected a tile size along N that divides 64: the rows of a packed weight are static}}
  %0 = rotq.matmul ins(%x : tensor<4x576xf32>) weight(%w : !rotq.weight<64x576, #rotq.format<"rq3">>) outs(%y : tensor<4x64xf32>) -> tensor<4x64xf32>
  return %0 : tensor<4x64xf32>
}

module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["rotq.matmul"]} in %root : (!transform.any_op) -> !transform.any_op
    %tiled, %loop = transform.structured.tile_using_for %op tile_sizes [0, 24] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

func.func @f(%x: memref<4x576xf32>, %w: !rotq.weight<64x576, #rotq.format<"rq3">>, %y: memref<4x64xf32>) {
  // expected-error @below {{faild to tile operation}}
  // expected-error @below {{failed to generate tiling loops}}
  // expected-error @below {{expected tensors to tile}}
  rotq.matmul ins(%x : memref<4x576xf32>) weight(%w : !rotq.weight<64x576, #rotq.format<"rq3">>) outs(%y : memref<4x64xf32>)
  return
}

module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["rotq.matmul"]} in %root : (!transform.any_op) -> !transform.any_op
    %tiled, %loop = transform.structured.tile_using_for %op tile_sizes [2, 0] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}
