// RUN: quant-opt %s --convert-rotq-to-linalg | FileCheck %s

#rq3 = #rotq.format<"rq3">
!w = !rotq.weight<8x64, #rq3>

// CHECK-DAG: #[[MN:.*]] = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-DAG: #[[N:.*]] = affine_map<(d0, d1) -> (d1)>

// CHECK-LABEL: func.func @bias(
//  CHECK-SAME:   %[[B:[a-z0-9]*]]: tensor<8xf16>, %[[R:[a-z0-9]*]]: tensor<?x8xbf16>, %[[Y:[a-z0-9]*]]: tensor<?x8xbf16>)
//       CHECK:   %[[P:.*]] = linalg.generic {{.*}} iterator_types = ["parallel", "parallel", "reduction"]
//       CHECK:   linalg.generic {indexing_maps = [#[[MN]], #[[N]], #[[MN]], #[[MN]]]
//  CHECK-SAME:     ins(%[[P]], %[[B]], %[[R]] : tensor<?x8xf32>, tensor<8xf16>, tensor<?x8xbf16>) outs(%[[Y]] : tensor<?x8xbf16>)
//  CHECK-NEXT:   ^bb0(%[[S:.*]]: f32, %[[E:.*]]: f16, %[[F:.*]]: bf16, %{{.*}}: bf16):
//       CHECK:     arith.extf %[[E]]
//       CHECK:     %[[T:.*]] = arith.truncf
//       CHECK:     %[[Z:.*]] = arith.addf %[[T]], %[[F]] : bf16
//       CHECK:     linalg.yield %[[Z]] : bf16
func.func @bias(%x: tensor<?x64xf32>, %w: !w, %b: tensor<8xf16>, %r: tensor<?x8xbf16>, %y: tensor<?x8xbf16>) -> tensor<?x8xbf16> {
  %0 = rotq.matmul ins(%x : tensor<?x64xf32>) weight(%w : !w) outs(%y : tensor<?x8xbf16>)
      epilogue(%b, %r : tensor<8xf16>, tensor<?x8xbf16>) {
  ^bb0(%s: f32, %e: f16, %f: bf16):
    %1 = arith.extf %e : f16 to f32
    %2 = arith.addf %s, %1 : f32
    %3 = arith.truncf %2 : f32 to bf16
    %4 = arith.addf %3, %f : bf16
    rotq.yield %4 : bf16
  } -> tensor<?x8xbf16>
  return %0 : tensor<?x8xbf16>
}

// The second sum is a matrix in f32 to the first one's matmul.
// CHECK-LABEL: func.func @pair(
//       CHECK:   %[[P1:.*]] = linalg.generic {{.*}} iterator_types = ["parallel", "parallel", "reduction"]
//       CHECK:   %[[UP:.*]] = linalg.generic {{.*}} ins(%[[P1]] : tensor<4x8xf32>) outs(%{{.*}} : tensor<4x8xf32>)
//       CHECK:   %[[P0:.*]] = linalg.generic {{.*}} iterator_types = ["parallel", "parallel", "reduction"]
//       CHECK:   linalg.generic {{.*}} ins(%[[P0]], %[[UP]], %{{.*}} : tensor<4x8xf32>, tensor<4x8xf32>, tensor<8xf32>)
//  CHECK-NEXT:   ^bb0(%[[S:.*]]: f32, %[[T:.*]]: f32, %[[B:.*]]: f32, %{{.*}}: f16):
//  CHECK-NEXT:     %[[D:.*]] = arith.subf %[[S]], %[[T]] : f32
//  CHECK-NEXT:     arith.mulf %[[D]], %[[B]] : f32
func.func @pair(%x: tensor<4x64xf32>, %w: !w, %v: !w, %b: tensor<8xf32>, %y: tensor<4x8xf16>) -> tensor<4x8xf16> {
  %0 = rotq.grouped_matmul ins(%x : tensor<4x64xf32>) weights(%w, %v : !w, !w) outs(%y : tensor<4x8xf16>) epilogue(%b : tensor<8xf32>) {
  ^bb0(%s: f32, %t: f32, %e: f32):
    %1 = arith.subf %s, %t : f32
    %2 = arith.mulf %1, %e : f32
    %3 = arith.truncf %2 : f32 to f16
    rotq.yield %3 : f16
  } -> tensor<4x8xf16>
  return %0 : tensor<4x8xf16>
}

// Members have operands of their own.
// CHECK-LABEL: func.func @group(
//  CHECK-SAME:   %[[B:[a-z0-9]*]]: tensor<8xf32>, %[[C:[a-z0-9]*]]: tensor<8xf32>,
//       CHECK:   linalg.generic {{.*}} ins(%{{.*}}, %[[B]] : tensor<4x8xf32>, tensor<8xf32>)
//       CHECK:     arith.addf
//       CHECK:   linalg.generic {{.*}} ins(%{{.*}}, %[[C]] : tensor<4x8xf32>, tensor<8xf32>)
//       CHECK:     arith.addf
func.func @group(%x: tensor<4x64xf32>, %w: !w, %v: !w, %b: tensor<8xf32>, %c: tensor<8xf32>, %y: tensor<4x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>) {
  %0:2 = rotq.grouped_matmul ins(%x : tensor<4x64xf32>) weights(%w, %v : !w, !w) outs(%y, %y : tensor<4x8xf32>, tensor<4x8xf32>)
      epilogue(%b, %c : tensor<8xf32>, tensor<8xf32>) {
  ^bb0(%s: f32, %e: f32):
    %1 = arith.addf %s, %e : f32
    rotq.yield %1 : f32
  } -> tensor<4x8xf32>, tensor<4x8xf32>
  return %0#0, %0#1 : tensor<4x8xf32>, tensor<4x8xf32>
}
