// RUN: quant-opt %s --one-shot-bufferize="bufferize-function-boundaries function-boundary-type-conversion=identity-layout-map" | FileCheck %s

!w = !rotq.weight<16x64, #rotq.format<"rq3">>

// A destination is overwritten: what it held is not copied. Weights pass
// through.
// CHECK-LABEL: func.func @matmul(
// CHECK-SAME:    %[[X:.*]]: memref<?x64xf32>, %[[W:.*]]: !rotq.weight<16x64, #rq3>, %[[OUT:.*]]: memref<?x16xf32>) -> memref<?x16xf32>
// CHECK-NOT:     memref.copy
// CHECK:         rotq.matmul ins(%[[X]] : memref<?x64xf32>) weight(%[[W]] : {{.*}}) outs(%[[OUT]] : memref<?x16xf32>)
// CHECK-NEXT:    return %[[OUT]]
func.func @matmul(%x: tensor<?x64xf32>, %w: !w, %out: tensor<?x16xf32>) -> tensor<?x16xf32> {
  %0 = rotq.matmul ins(%x : tensor<?x64xf32>) weight(%w : !w) outs(%out : tensor<?x16xf32>) -> tensor<?x16xf32>
  return %0 : tensor<?x16xf32>
}

// An op that reads its input all along cannot write over it.
// CHECK-LABEL: func.func @rotate_in_place(
// CHECK-SAME:    %[[X:.*]]: memref<4x64xf32>
// CHECK:         %[[COPY:.*]] = memref.alloc()
// CHECK:         rotq.rotate #rotq.hadamard<64> ins(%[[X]] : {{.*}}) outs(%[[COPY]] :
func.func @rotate_in_place(%x: tensor<4x64xf32>) -> tensor<4x64xf32> {
  %0 = rotq.rotate #rotq.hadamard<64> ins(%x : tensor<4x64xf32>) outs(%x : tensor<4x64xf32>) -> tensor<4x64xf32>
  return %0 : tensor<4x64xf32>
}

// CHECK-LABEL: func.func @three_results(
// CHECK:         rotq.quantize_activation #rotq.identity group(32)
// CHECK-SAME:      outs(%{{.*}}, %{{.*}}, %{{.*}} : memref<2x64xi8>, memref<2x2xf32>, memref<2x2xi32>)
func.func @three_results(%x: tensor<2x64xf32>) -> (tensor<2x64xi8>, tensor<2x2xf32>, tensor<2x2xi32>) {
  %a = tensor.empty() : tensor<2x64xi8>
  %b = tensor.empty() : tensor<2x2xf32>
  %c = tensor.empty() : tensor<2x2xi32>
  %0:3 = rotq.quantize_activation #rotq.identity group(32) ins(%x : tensor<2x64xf32>)
    outs(%a, %b, %c : tensor<2x64xi8>, tensor<2x2xf32>, tensor<2x2xi32>)
    -> tensor<2x64xi8>, tensor<2x2xf32>, tensor<2x2xi32>
  return %0#0, %0#1, %0#2 : tensor<2x64xi8>, tensor<2x2xf32>, tensor<2x2xi32>
}

// A weight among the results passes through.
// CHECK-LABEL: func.func @decompress(
// CHECK-SAME:    %[[B:.*]]: memref<?xi8>, %[[D:.*]]: memref<16xi8>) -> (memref<16xi8>, !rotq.weight<8x576, #hyperquant_rice_4>)
// CHECK-NEXT:    %[[W:.*]] = rotq.decompress ins(%[[B]] : memref<?xi8>) outs(%[[D]] : memref<16xi8>)
// CHECK-NEXT:    return %[[D]], %[[W]]
!rice = !rotq.weight<8x576, #rotq.format<"hyperquant_rice_4">>
func.func @decompress(%b: tensor<?xi8>, %d: tensor<16xi8>) -> (tensor<16xi8>, !rice) {
  %0, %1 = rotq.decompress ins(%b : tensor<?xi8>) outs(%d : tensor<16xi8>) -> tensor<16xi8>, !rice
  return %0, %1 : tensor<16xi8>, !rice
}

// CHECK-LABEL: func.func @gather_and_dequantize(
// CHECK:         rotq.gather ins(%{{.*}} : memref<2xi64>)
// CHECK:         rotq.dequantize weight(
func.func @gather_and_dequantize(%ids: tensor<2xi64>, %w: !w) -> (tensor<2x64xf16>, tensor<16x64xf32>) {
  %a = tensor.empty() : tensor<2x64xf16>
  %b = tensor.empty() : tensor<16x64xf32>
  %0 = rotq.gather ins(%ids : tensor<2xi64>) weight(%w : !w) outs(%a : tensor<2x64xf16>) -> tensor<2x64xf16>
  %1 = rotq.dequantize weight(%w : !w) outs(%b : tensor<16x64xf32>) -> tensor<16x64xf32>
  return %0, %1 : tensor<2x64xf16>, tensor<16x64xf32>
}

// Of one tensor for two results, one is a buffer of its own.
// CHECK-LABEL: func.func @grouped_matmul(
// CHECK-SAME:    %[[X:[a-z0-9]*]]: memref<?x64xf32>, %[[W:[a-z0-9]*]]: !rotq.weight<16x64, #rq3>, %[[V:[a-z0-9]*]]: !rotq.weight<16x64, #rq3>, %[[OUT:[a-z0-9]*]]: memref<?x16xf32>)
// CHECK:         %[[OTHER:.*]] = memref.alloc(
// CHECK-NOT:     memref.copy
// CHECK:         rotq.grouped_matmul ins(%[[X]] : memref<?x64xf32>) weights(%[[W]], %[[V]] : {{.*}}) outs(%[[OUT]], %[[OTHER]] : memref<?x16xf32>, memref<?x16xf32>)
// CHECK-NEXT:    return %[[OUT]], %[[OTHER]]
func.func @grouped_matmul(%x: tensor<?x64xf32>, %w: !w, %v: !w, %out: tensor<?x16xf32>) -> (tensor<?x16xf32>, tensor<?x16xf32>) {
  %0:2 = rotq.grouped_matmul ins(%x : tensor<?x64xf32>) weights(%w, %v : !w, !w)
    outs(%out, %out : tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>, tensor<?x16xf32>
  return %0#0, %0#1 : tensor<?x16xf32>, tensor<?x16xf32>
}

// CHECK-LABEL: func.func @quantize(
// CHECK-SAME:    %[[X:.*]]: memref<16x64xf32>)
// CHECK-NEXT:    %[[W:.*]] = rotq.quantize %[[X]] : memref<16x64xf32>
// CHECK-NEXT:    return %[[W]]
func.func @quantize(%x: tensor<16x64xf32>) -> !w {
  %0 = rotq.quantize %x : tensor<16x64xf32> -> !w
  return %0 : !w
}
