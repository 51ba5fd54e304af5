// RUN: quant-opt %s --convert-rotq-to-linalg --canonicalize --cse | FileCheck %s

!w = !rotq.weight<16x64, #rotq.format<"rq3">>

// Points run by run, as words of four.
// CHECK-LABEL: func.func @dequantize(
// CHECK-DAG:     %[[LEVELS:.*]] = arith.constant dense<[-114, -71, -40, -13, 13, 40, 71, 114]> : tensor<8xi8>
// CHECK:         %[[BLOB:.*]] = rotq.storage
// CHECK:         %[[LOW:.*]] = bufferization.to_tensor %{{.*}} restrict : memref<16x16xi8> to tensor<16x16xi8>
// CHECK:         %[[HIGH:.*]] = bufferization.to_tensor %{{.*}} restrict : memref<16x8xi8> to tensor<16x8xi8>
// CHECK:         %[[STEPS:.*]] = bufferization.to_tensor %{{.*}} restrict : memref<16x1xf16> to tensor<16x1xf16>
// CHECK:         %[[EMPTY:.*]] = tensor.empty() : tensor<16x16xi32>
// CHECK:         %[[POINTS:.*]] = scf.for %[[N:.*]] = %c0 to %c16 step %c1 iter_args(%{{.*}} = %[[EMPTY]])
// CHECK:           scf.for %[[PART:.*]] = %c0 to %c2 step %c1
// CHECK:             %[[FIRST:.*]] = arith.muli %[[PART]], %c8
// CHECK:             tensor.extract %[[LOW]][%[[N]], %[[FIRST]]]
// CHECK:             tensor.extract %[[HIGH]][%[[N]], %{{.*}}]
// CHECK:             tensor.extract %[[LEVELS]]
// CHECK-COUNT-8:     tensor.insert
// CHECK:         linalg.generic
// CHECK-DAG:       tensor.extract %[[POINTS]]
// CHECK-DAG:       tensor.extract %[[STEPS]]
// CHECK:           arith.mulf
// Six stages for segments of 64, and the factor.
// CHECK-COUNT-7: linalg.generic
// CHECK-NOT:     linalg.generic
func.func @dequantize(%w: !w, %out: tensor<16x64xf32>) -> tensor<16x64xf32> {
  %0 = rotq.dequantize weight(%w : !w) outs(%out : tensor<16x64xf32>) -> tensor<16x64xf32>
  return %0 : tensor<16x64xf32>
}

// CHECK-LABEL: func.func @gather(
// CHECK-SAME:    %[[IDS:[a-z0-9]*]]: tensor<?xi32>
// CHECK:         scf.for %[[T:.*]] = %c0
// CHECK:           %[[ID:.*]] = tensor.extract %[[IDS]][%[[T]]]
// CHECK:           %[[ROW:.*]] = arith.index_cast %[[ID]]
// CHECK:           tensor.extract %{{.*}}[%[[ROW]], %{{.*}}] : tensor<16x16xi8>
// CHECK:         arith.truncf
func.func @gather(%ids: tensor<?xi32>, %w: !w, %out: tensor<?x64xf16>) -> tensor<?x64xf16> {
  %0 = rotq.gather ins(%ids : tensor<?xi32>) weight(%w : !w) outs(%out : tensor<?x64xf16>) -> tensor<?x64xf16>
  return %0 : tensor<?x64xf16>
}

// CHECK-LABEL: func.func @rows(
// CHECK-SAME:    %[[I:[a-z0-9]*]]: index
// CHECK:         tensor.extract_slice %{{.*}}[%[[I]], 0] [4, 16] [1, 1] : tensor<16x16xi8> to tensor<4x16xi8>
// CHECK:         tensor.extract_slice %{{.*}}[%[[I]], 0] [4, 8] [1, 1] : tensor<16x8xi8> to tensor<4x8xi8>
// CHECK:         tensor.extract_slice %{{.*}}[%[[I]], 0] [4, 1] [1, 1] : tensor<16x1xf16> to tensor<4x1xf16>
func.func @rows(%w: !w, %i: index, %out: tensor<4x64xf32>) -> tensor<4x64xf32> {
  %r = rotq.extract_rows %w[%i] : !w -> !rotq.weight<4x64, #rotq.format<"rq3">>
  %0 = rotq.dequantize weight(%r : !rotq.weight<4x64, #rotq.format<"rq3">>) outs(%out : tensor<4x64xf32>) -> tensor<4x64xf32>
  return %0 : tensor<4x64xf32>
}
