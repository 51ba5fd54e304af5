// RUN: quant-opt %s -transform-interpreter -canonicalize -split-input-file | FileCheck %s

// Along M: the weight stays whole.

// CHECK-LABEL: func @tile_m
// CHECK-SAME: (%[[X:.*]]: tensor<?x576xf32>, %[[W:.*]]: !rotq.weight<64x576, #rq3>, %[[Y:.*]]: tensor<?x64xf32>)
// CHECK: scf.for %[[I:.*]] = %{{.*}} to %{{.*}} step %{{.*}} iter_args(%[[ACC:.*]] = %[[Y]])
// CHECK:   %[[SIZE:.*]] = affine.min
// CHECK:   %[[XS:.*]] = tensor.extract_slice %[[X]][%[[I]], 0] [%[[SIZE]], 576] [1, 1]
// CHECK:   %[[YS:.*]] = tensor.extract_slice %[[ACC]][%[[I]], 0] [%[[SIZE]], 64] [1, 1]
// CHECK:   %[[T:.*]] = rotq.matmul ins(%[[XS]] : tensor<?x576xf32>) weight(%[[W]] : <64x576, #rq3>) outs(%[[YS]] : tensor<?x64xf32>)
// CHECK:   tensor.insert_slice %[[T]] into %[[ACC]][%[[I]], 0] [%[[SIZE]], 64] [1, 1]
func.func @tile_m(%x: tensor<?x576xf32>, %w: !rotq.weight<64x576, #rotq.format<"rq3">>, %y: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %0 = rotq.matmul ins(%x : tensor<?x576xf32>) weight(%w : !rotq.weight<64x576, #rotq.format<"rq3">>) outs(%y : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}

module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["rotq.matmul"]} in %root : (!transform.any_op) -> !transform.any_op
    %tiled, %loop = transform.structured.tile_using_for %op tile_sizes [8, 0] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// Along N: rows of the weight, for a quantized activation.

// CHECK-LABEL: func @tile_n
// CHECK-SAME: (%[[C:.*]]: tensor<4x576xi8>, %[[S:.*]]: tensor<4x3xf32>, %[[T:.*]]: tensor<4x3xi32>, %[[W:[^:]*]]:
// CHECK: scf.forall (%[[TILE:.*]]) in (4) shared_outs(%[[ACC:.*]] = %{{.*}})
// CHECK:   %[[I:.*]] = affine.apply #{{.*}}(%[[TILE]])
// CHECK:   %[[ROWS:.*]] = rotq.extract_rows %[[W]][%[[I]]] : <64x576, #int4_g128> -> <16x576, #int4_g128>
// CHECK:   %[[YS:.*]] = tensor.extract_slice %[[ACC]][0, %[[I]]] [4, 16] [1, 1]
// CHECK:   %[[R:.*]] = rotq.matmul ins(%[[C]], %[[S]], %[[T]] : tensor<4x576xi8>, tensor<4x3xf32>, tensor<4x3xi32>) group(256) weight(%[[ROWS]] : <16x576, #int4_g128>) outs(%[[YS]] : tensor<4x16xf32>)
// CHECK:   tensor.parallel_insert_slice %[[R]] into %[[ACC]][0, %[[I]]] [4, 16] [1, 1]
func.func @tile_n(%c: tensor<4x576xi8>, %s: tensor<4x3xf32>, %t: tensor<4x3xi32>,
                  %w: !rotq.weight<64x576, #rotq.format<"int4_g128">>, %y: tensor<4x64xf32>) -> tensor<4x64xf32> {
  %0 = rotq.matmul ins(%c, %s, %t : tensor<4x576xi8>, tensor<4x3xf32>, tensor<4x3xi32>) group(256)
    weight(%w : !rotq.weight<64x576, #rotq.format<"int4_g128">>) outs(%y : tensor<4x64xf32>) -> tensor<4x64xf32>
  return %0 : tensor<4x64xf32>
}

module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["rotq.matmul"]} in %root : (!transform.any_op) -> !transform.any_op
    %tiled, %loop = transform.structured.tile_using_forall %op tile_sizes [0, 16] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// Along both: two loops.

// CHECK-LABEL: func @tile_m_n
// CHECK: scf.for
// CHECK:   scf.for
// CHECK:     rotq.extract_rows %{{.*}}[%{{.*}}] : <64x576, #rq3> -> <32x576, #rq3>
// CHECK:     rotq.matmul ins(%{{.*}} : tensor<2x576xf32>) weight(%{{.*}} : <32x576, #rq3>) outs(%{{.*}} : tensor<2x32xf32>) -> tensor<2x32xf32>
func.func @tile_m_n(%x: tensor<4x576xf32>, %w: !rotq.weight<64x576, #rotq.format<"rq3">>, %y: tensor<4x64xf32>) -> tensor<4x64xf32> {
  %0 = rotq.matmul ins(%x : tensor<4x576xf32>) weight(%w : !rotq.weight<64x576, #rotq.format<"rq3">>) outs(%y : tensor<4x64xf32>) -> tensor<4x64xf32>
  return %0 : tensor<4x64xf32>
}

module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["rotq.matmul"]} in %root : (!transform.any_op) -> !transform.any_op
    %tiled, %loops:2 = transform.structured.tile_using_for %op tile_sizes [2, 32] : (!transform.any_op) -> (!transform.any_op, !transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// What an epilogue reads is sliced with y: matrices along both, vectors along N.

// CHECK-LABEL: func @tile_epilogue
// CHECK-SAME: %[[B:[a-z0-9]*]]: tensor<64xf32>, %[[R:[a-z0-9]*]]: tensor<?x64xf16>
// CHECK: scf.for %[[M:[a-z0-9]*]] =
// CHECK:   scf.for %[[N:[a-z0-9]*]] =
// CHECK:     %[[BS:.*]] = tensor.extract_slice %[[B]][%[[N]]] [32] [1] : tensor<64xf32> to tensor<32xf32>
// CHECK:     %[[RS:.*]] = tensor.extract_slice %[[R]][%[[M]], %[[N]]] [%{{.*}}, 32] [1, 1] : tensor<?x64xf16> to tensor<?x32xf16>
// CHECK:     rotq.matmul {{.*}} epilogue(%[[BS]], %[[RS]] : tensor<32xf32>, tensor<?x32xf16>) {
// CHECK:       rotq.yield %{{.*}} : f16
// CHECK:     } -> tensor<?x32xf16>
func.func @tile_epilogue(%x: tensor<?x576xf32>, %w: !rotq.weight<64x576, #rotq.format<"rq3">>, %b: tensor<64xf32>, %r: tensor<?x64xf16>, %y: tensor<?x64xf16>) -> tensor<?x64xf16> {
  %0 = rotq.matmul ins(%x : tensor<?x576xf32>) weight(%w : !rotq.weight<64x576, #rotq.format<"rq3">>)
    outs(%y : tensor<?x64xf16>) epilogue(%b, %r : tensor<64xf32>, tensor<?x64xf16>) {
  ^bb0(%s: f32, %e: f32, %f: f16):
    %1 = arith.addf %s, %e : f32
    %2 = arith.truncf %1 : f32 to f16
    %3 = arith.addf %2, %f : f16
    rotq.yield %3 : f16
  } -> tensor<?x64xf16>
  return %0 : tensor<?x64xf16>
}

module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["rotq.matmul"]} in %root : (!transform.any_op) -> !transform.any_op
    %tiled, %loops:2 = transform.structured.tile_using_for %op tile_sizes [8, 32] : (!transform.any_op) -> (!transform.any_op, !transform.any_op, !transform.any_op)
    transform.yield
  }
}
