// RUN: quant-opt %s -rotq-block-reductions -canonicalize | FileCheck %s

#jgd = affine_map<(j, g, d, s) -> (j, g, d)>
#jds = affine_map<(j, g, d, s) -> (j, d, s)>
#jgs = affine_map<(j, g, d, s) -> (j, g, s)>

// The number of terms is a multiple of four, that of sums is not known.
// CHECK-DAG: #[[A:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d1, d3)>
// CHECK-DAG: #[[B:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d3, d2)>
// CHECK-DAG: #[[C:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
// CHECK-LABEL: func.func @scores(
// CHECK-SAME:    %[[Q:[a-z0-9]*]]: tensor<2x3x64xf32>, %[[K:[a-z0-9]*]]: tensor<2x64x?xf32>
// CHECK:         scf.for %[[D:.*]] = %c0 to %c64 step %c4
// CHECK-DAG:       tensor.extract_slice %[[Q]][0, 0, %[[D]]] [2, 3, 4]
// CHECK-DAG:       tensor.extract_slice %[[K]][0, %[[D]], 0] [2, 4, %{{.*}}]
// CHECK:           linalg.generic {indexing_maps = [#[[A]], #[[B]], #[[C]]], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
// CHECK-NOT:     linalg.generic
// CHECK:         return
func.func @scores(%q: tensor<2x3x64xf32>, %k: tensor<2x64x?xf32>, %s: tensor<2x3x?xf32>) -> tensor<2x3x?xf32> {
  %0 = linalg.generic {indexing_maps = [#jgd, #jds, #jgs], iterator_types = ["parallel", "parallel", "reduction", "parallel"]}
      ins(%q, %k : tensor<2x3x64xf32>, tensor<2x64x?xf32>) outs(%s : tensor<2x3x?xf32>) {
  ^bb0(%a: f32, %b: f32, %sum: f32):
    %1 = arith.mulf %a, %b : f32
    %2 = arith.addf %sum, %1 : f32
    linalg.yield %2 : f32
  } -> tensor<2x3x?xf32>
  return %0 : tensor<2x3x?xf32>
}

// The number of terms is not known: whole blocks, then what is left.
// CHECK-LABEL: func.func @values(
// CHECK:         %[[WHOLE:.*]] = affine.apply
// CHECK:         scf.for %{{.*}} = %c0 to %[[WHOLE]] step %c4
// CHECK:           linalg.generic {{.*}} ins(%{{.*}} : tensor<2x3x4xf32>, tensor<2x4x64xf32>)
// CHECK:         scf.for %{{.*}} = %[[WHOLE]] to %{{.*}} step %c4
// CHECK:           linalg.generic {{.*}} ins(%{{.*}} : tensor<2x3x?xf32>, tensor<2x?x64xf32>)
func.func @values(%p: tensor<2x3x?xf32>, %v: tensor<2x?x64xf32>, %y: tensor<2x3x64xf32>) -> tensor<2x3x64xf32> {
  %0 = linalg.generic {indexing_maps = [#jgd, #jds, #jgs], iterator_types = ["parallel", "parallel", "reduction", "parallel"]}
      ins(%p, %v : tensor<2x3x?xf32>, tensor<2x?x64xf32>) outs(%y : tensor<2x3x64xf32>) {
  ^bb0(%a: f32, %b: f32, %sum: f32):
    %1 = arith.mulf %a, %b : f32
    %2 = arith.addf %sum, %1 : f32
    linalg.yield %2 : f32
  } -> tensor<2x3x64xf32>
  return %0 : tensor<2x3x64xf32>
}

// Sums that stay in a register, and products with a matrix, are left alone.
// CHECK-LABEL: func.func @others(
// CHECK-NOT:     scf.for
// CHECK:         return
func.func @others(%q: tensor<2x3x64xf32>, %k: tensor<2x8x64xf32>, %s: tensor<2x3x8xf32>, %x: tensor<4x64xf32>, %w: tensor<64x8xf32>, %y: tensor<4x8xf32>)
    -> (tensor<2x3x8xf32>, tensor<4x8xf32>) {
  %0 = linalg.generic {indexing_maps = [affine_map<(j, g, s, d) -> (j, g, d)>, affine_map<(j, g, s, d) -> (j, s, d)>, affine_map<(j, g, s, d) -> (j, g, s)>],
                       iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<2x3x64xf32>, tensor<2x8x64xf32>) outs(%s : tensor<2x3x8xf32>) {
  ^bb0(%a: f32, %b: f32, %sum: f32):
    %1 = arith.mulf %a, %b : f32
    %2 = arith.addf %sum, %1 : f32
    linalg.yield %2 : f32
  } -> tensor<2x3x8xf32>
  %3 = linalg.generic {indexing_maps = [affine_map<(m, k, n) -> (m, k)>, affine_map<(m, k, n) -> (k, n)>, affine_map<(m, k, n) -> (m, n)>],
                       iterator_types = ["parallel", "reduction", "parallel"]}
      ins(%x, %w : tensor<4x64xf32>, tensor<64x8xf32>) outs(%y : tensor<4x8xf32>) {
  ^bb0(%a: f32, %b: f32, %sum: f32):
    %1 = arith.mulf %a, %b : f32
    %2 = arith.addf %sum, %1 : f32
    linalg.yield %2 : f32
  } -> tensor<4x8xf32>
  return %0, %3 : tensor<2x3x8xf32>, tensor<4x8xf32>
}
