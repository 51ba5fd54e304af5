// RUN: quant-opt %s -rotq-quantize-weights="format=int4_g128 include=^layers\.[0-9]+\.(q|k)$" | FileCheck %s

// CHECK-LABEL: func @f
// CHECK-SAME: %{{.*}}: !rotq.weight<8x32, #int4_g128> {rotq.parameter = "layers.0.q"}
// CHECK-SAME: %{{.*}}: tensor<32x8xf32> {rotq.parameter = "layers.0.v"}
func.func @f(%x: tensor<4x32xf32>, %i: tensor<4x8xf32>,
             %q: tensor<32x8xf32> {rotq.parameter = "layers.0.q"},
             %v: tensor<32x8xf32> {rotq.parameter = "layers.0.v"})
    -> (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) {
  // CHECK-DAG: rotq.constant dense_resource<rotq_w0_int4_g128>
  // CHECK-DAG: arith.constant dense<2.0{{.*}}> : tensor<32x8xf32>
  // CHECK-DAG: arith.constant dense<3.0{{.*}}> : tensor<32x8xf32>
  %k = arith.constant dense<1.0> : tensor<32x8xf32> loc("layers.0.k")
  %o = arith.constant dense<2.0> : tensor<32x8xf32> loc("layers.0.o")
  %unnamed = arith.constant dense<3.0> : tensor<32x8xf32>
  // CHECK: rotq.matmul
  // CHECK: linalg.matmul
  // CHECK: rotq.matmul
  // CHECK-COUNT-2: linalg.matmul
  %0 = linalg.matmul ins(%x, %q : tensor<4x32xf32>, tensor<32x8xf32>) outs(%i : tensor<4x8xf32>) -> tensor<4x8xf32>
  %1 = linalg.matmul ins(%x, %v : tensor<4x32xf32>, tensor<32x8xf32>) outs(%i : tensor<4x8xf32>) -> tensor<4x8xf32>
  %2 = linalg.matmul ins(%x, %k : tensor<4x32xf32>, tensor<32x8xf32>) outs(%i : tensor<4x8xf32>) -> tensor<4x8xf32>
  %3 = linalg.matmul ins(%x, %o : tensor<4x32xf32>, tensor<32x8xf32>) outs(%i : tensor<4x8xf32>) -> tensor<4x8xf32>
  %4 = linalg.matmul ins(%x, %unnamed : tensor<4x32xf32>, tensor<32x8xf32>) outs(%i : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %0, %1, %2, %3, %4 : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>
}
