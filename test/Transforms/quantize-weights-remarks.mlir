// RUN: quant-opt %s -rotq-quantize-weights --remarks-filter=".*" -verify-diagnostics -o /dev/null

func.func @f(%x: tensor<4x32xf32>, %v: tensor<32x8xf32>, %y: tensor<4x8xf32>,
             %both: tensor<32x32xf32> {rotq.parameter = "both"}, %b: tensor<4x32xf32>,
             %used: tensor<32x8xf32> {rotq.parameter = "used"},
             %dynamic: tensor<32x?xf32> {rotq.parameter = "dynamic"})
    -> (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x32xf32>, tensor<4x32xf32>, tensor<4x8xf32>, tensor<32x8xf32>, tensor<4x8xf32>) {
  %w = arith.constant dense<1.0> : tensor<32x8xf32>
  %0 = linalg.matmul ins(%x, %w : tensor<4x32xf32>, tensor<32x8xf32>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
  %1 = linalg.matmul ins(%x, %w : tensor<4x32xf32>, tensor<32x8xf32>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>

  // expected-remark @below {{[Missed] QuantizeWeight | Category:rotq-quantize-weights | Remark="weight is not constant"}}
  %2 = linalg.matmul ins(%x, %v : tensor<4x32xf32>, tensor<32x8xf32>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>

  // expected-remark @below {{the parameter is read along both of its sizes}}
  %3 = linalg.matmul ins(%x, %both : tensor<4x32xf32>, tensor<32x32xf32>) outs(%b : tensor<4x32xf32>) -> tensor<4x32xf32>
  // expected-remark @below {{the parameter is read along both of its sizes}}
  %4 = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
    ins(%x, %both : tensor<4x32xf32>, tensor<32x32xf32>) outs(%b : tensor<4x32xf32>) -> tensor<4x32xf32>

  // expected-remark @below {{the parameter has uses that are no matmul}}
  %5 = linalg.matmul ins(%x, %used : tensor<4x32xf32>, tensor<32x8xf32>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>

  // expected-remark @below {{the parameter has no static shape}}
  %6 = linalg.matmul ins(%x, %dynamic : tensor<4x32xf32>, tensor<32x?xf32>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %0, %1, %2, %3, %4, %5, %used, %6 : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x32xf32>, tensor<4x32xf32>, tensor<4x8xf32>, tensor<32x8xf32>, tensor<4x8xf32>
}
