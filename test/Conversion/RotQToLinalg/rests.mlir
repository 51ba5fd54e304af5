// RUN: quant-opt %s --convert-rotq-to-linalg --canonicalize --cse | FileCheck %s

// Behind the codes, and the scales, of a row are those of what is left, unless
// there are more rows.
// CHECK-LABEL: func.func @quantize(
//   CHECK-DAG:   %[[PARTS:.*]] = arith.constant 2.540000e+02 : f32
//   CHECK-DAG:   %[[STORED:.*]] = arith.constant 128 : index
//   CHECK-DAG:   %[[MOST:.*]] = arith.constant 4 : index
//       CHECK:   %[[FEW:.*]] = arith.cmpi ule, %{{.*}}, %[[MOST]]
//       CHECK:   linalg.generic {{.*}} outs(%{{.*}} : tensor<?x4xf32>)
//       CHECK:     arith.divf %{{.*}}, %[[PARTS]]
//       CHECK:   linalg.generic {{.*}} outs(%{{.*}} : tensor<?x256xi8>)
//       CHECK:     %[[IS_REST:.*]] = arith.cmpi uge, %{{.*}}, %[[STORED]]
//       CHECK:     %[[CODE:.*]] = math.roundeven %[[STEPS:.*]] : f32
//       CHECK:     %[[LEFT:.*]] = arith.subf %[[STEPS]], %[[CODE]]
//       CHECK:     %[[SCALED:.*]] = arith.mulf %[[LEFT]], %[[PARTS]]
//       CHECK:     %[[REST:.*]] = math.roundeven %[[SCALED]]
//       CHECK:     %[[OF_FEW:.*]] = arith.select %[[FEW]], %[[REST]]
//       CHECK:     arith.select %[[IS_REST]], %[[OF_FEW]], %[[CODE]]
func.func @quantize(%x: tensor<?x96xf16>, %a: tensor<?x256xi8>, %b: tensor<?x4xf32>, %c: tensor<?x4xi32>)
    -> (tensor<?x256xi8>, tensor<?x4xf32>, tensor<?x4xi32>) {
  %0:3 = rotq.quantize_activation #rotq.identity group(64) ins(%x : tensor<?x96xf16>)
    outs(%a, %b, %c : tensor<?x256xi8>, tensor<?x4xf32>, tensor<?x4xi32>) {rests}
    -> tensor<?x256xi8>, tensor<?x4xf32>, tensor<?x4xi32>
  return %0#0, %0#1, %0#2 : tensor<?x256xi8>, tensor<?x4xf32>, tensor<?x4xi32>
}

// CHECK-LABEL: func.func @multiply(
// CHECK-COUNT-2: arith.muli {{.*}} : i32
//   CHECK-NOT:   arith.muli {{.*}} : i32
func.func @multiply(%c: tensor<3x256xi8>, %s: tensor<3x4xf32>, %t: tensor<3x4xi32>,
                    %w: !rotq.weight<8x96, #rotq.format<"int4_g128">>, %y: tensor<3x8xf32>) -> tensor<3x8xf32> {
  %0 = rotq.matmul ins(%c, %s, %t : tensor<3x256xi8>, tensor<3x4xf32>, tensor<3x4xi32>) group(64)
    weight(%w : <8x96, #rotq.format<"int4_g128">>) outs(%y : tensor<3x8xf32>) {rests} -> tensor<3x8xf32>
  return %0 : tensor<3x8xf32>
}
