// RUN: quant-opt %s --convert-rotq-to-vector --canonicalize --cse | FileCheck %s

!w = !rotq.weight<16x70, #rotq.format<"itq3_s">>

// CHECK-LABEL: func.func @dequantize(
// CHECK:         %[[STEPS:.*]] = memref.view %{{.*}} : memref<{{.*}}> to memref<16x4xf16>
// CHECK:         scf.for %[[N:.*]] =
// CHECK:           memref.load %[[STEPS]][%[[N]], %c0]
// CHECK:           memref.load %[[STEPS]][%[[N]], %c1]
// CHECK:           %[[STEP:.*]] = arith.mulf
// CHECK:           arith.addf %[[STEP]]
// CHECK:           rotq.fwht
func.func @dequantize(%w: !w, %out: memref<16x70xf32>) {
  rotq.dequantize weight(%w : !w) outs(%out : memref<16x70xf32>)
  return
}

// CHECK-LABEL: func.func @gather(
// CHECK-SAME:    %[[IDS:[a-z0-9]*]]: memref<?xi64>
// CHECK:         scf.for %[[T:.*]] =
// CHECK:           %[[ID:.*]] = memref.load %[[IDS]][%[[T]]]
// CHECK:           %[[ROW:.*]] = arith.index_cast %[[ID]]
// CHECK:           vector.load %{{.*}}[%[[ROW]], %c0]
// CHECK:           vector.store %{{.*}}, %{{.*}}[%[[T]], %{{.*}}] : memref<?x70xf32>
func.func @gather(%ids: memref<?xi64>, %w: !w, %out: memref<?x70xf32>) {
  rotq.gather ins(%ids : memref<?xi64>) weight(%w : !w) outs(%out : memref<?x70xf32>)
  return
}
