// RUN: quant-opt %s --convert-rotq-to-linalg --canonicalize --cse | FileCheck %s

// CHECK-LABEL: func.func @float(
// CHECK-SAME:    %[[X:[a-z0-9]*]]: tensor<?x64xf16>
// CHECK:         %[[W:.*]] = linalg.generic
// CHECK:         linalg.fill
// CHECK:         linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "reduction"]} ins(%[[X]], %{{.*}} : tensor<?x64xf16>, tensor<16x64xf32>)
// CHECK:           arith.extf
// CHECK:           arith.mulf
// CHECK:           arith.addf
func.func @float(%x: tensor<?x64xf16>, %w: !rotq.weight<16x64, #rotq.format<"rq2">>, %out: tensor<?x16xf32>) -> tensor<?x16xf32> {
  %0 = rotq.matmul ins(%x : tensor<?x64xf16>) weight(%w : !rotq.weight<16x64, #rotq.format<"rq2">>)
    outs(%out : tensor<?x16xf32>) -> tensor<?x16xf32>
  return %0 : tensor<?x16xf32>
}

// Two groups of the activation in the one of the weight.
// CHECK-LABEL: func.func @quantized(
// CHECK-SAME:    %[[CODES:[a-z0-9]*]]: tensor<?x128xi8>, %[[SCALES:[a-z0-9]*]]: tensor<?x2xf32>
// CHECK:         %[[POINTS:.*]] = scf.for %{{.*}} -> (tensor<16x32xi32>)
// CHECK:         scf.for %{{.*}} = %c0 to %c2 step %c1
// CHECK:           scf.for
// CHECK:             tensor.extract %[[POINTS]]
// CHECK:             tensor.extract %[[CODES]]
// CHECK:             arith.muli {{.*}} : i32
// CHECK:           arith.sitofp
// CHECK:           tensor.extract %[[SCALES]]
func.func @quantized(%codes: tensor<?x128xi8>, %scales: tensor<?x2xf32>, %sums: tensor<?x2xi32>,
                     %w: !rotq.weight<16x128, #rotq.format<"int4_g128">>, %out: tensor<?x16xf32>) -> tensor<?x16xf32> {
  %0 = rotq.matmul ins(%codes, %scales, %sums : tensor<?x128xi8>, tensor<?x2xf32>, tensor<?x2xi32>)
    group(64) weight(%w : !rotq.weight<16x128, #rotq.format<"int4_g128">>)
    outs(%out : tensor<?x16xf32>) -> tensor<?x16xf32>
  return %0 : tensor<?x16xf32>
}

// A group is its matmuls.
// CHECK-LABEL: func.func @grouped(
// CHECK-SAME:    %[[X:[a-z0-9]*]]: tensor<?x64xf16>
// CHECK:         %[[Y0:.*]] = linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "reduction"]} ins(%[[X]], %{{.*}} : tensor<?x64xf16>, tensor<16x64xf32>)
// CHECK:         %[[Y1:.*]] = linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "reduction"]} ins(%[[X]], %{{.*}} : tensor<?x64xf16>, tensor<5x64xf32>)
// CHECK:         return %[[Y0]], %[[Y1]]
func.func @grouped(%x: tensor<?x64xf16>, %w: !rotq.weight<16x64, #rotq.format<"rq2">>, %v: !rotq.weight<5x64, #rotq.format<"rq2">>,
                   %out: tensor<?x16xf32>, %out1: tensor<?x5xf32>) -> (tensor<?x16xf32>, tensor<?x5xf32>) {
  %0:2 = rotq.grouped_matmul ins(%x : tensor<?x64xf16>)
    weights(%w, %v : !rotq.weight<16x64, #rotq.format<"rq2">>, !rotq.weight<5x64, #rotq.format<"rq2">>)
    outs(%out, %out1 : tensor<?x16xf32>, tensor<?x5xf32>) -> tensor<?x16xf32>, tensor<?x5xf32>
  return %0#0, %0#1 : tensor<?x16xf32>, tensor<?x5xf32>
}
