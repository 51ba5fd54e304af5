// RUN: quant-opt %s -rotq-quantize-weights -split-input-file -verify-diagnostics

func.func @nan(%x: tensor<4x32xf32>, %y: tensor<4x2xf32>) -> tensor<4x2xf32> {
  // expected-error @below {{weight is nan at row 1, column 3}}
  %w = arith.constant dense<[[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 0x7FC00000, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]]> : tensor<2x32xf32>
  %e = tensor.empty() : tensor<32x2xf32>
  %t = linalg.transpose ins(%w : tensor<2x32xf32>) outs(%e : tensor<32x2xf32>) permutation = [1, 0]
  %0 = linalg.matmul ins(%x, %t : tensor<4x32xf32>, tensor<32x2xf32>) outs(%y : tensor<4x2xf32>) -> tensor<4x2xf32>
  return %0 : tensor<4x2xf32>
}

// -----

// Rows and columns are those of the packed N x K weight.
func.func @infinity(%x: tensor<4x32xf32>, %y: tensor<4x2xf32>) -> tensor<4x2xf32> {
  // expected-error @below {{weight is -inf at row 1, column 5}}
  %w = arith.constant dense<[[1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 0xFF800000], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]> : tensor<32x2xf32>
  %0 = linalg.matmul ins(%x, %w : tensor<4x32xf32>, tensor<32x2xf32>) outs(%y : tensor<4x2xf32>) -> tensor<4x2xf32>
  return %0 : tensor<4x2xf32>
}

// -----

func.func @resource(%x: tensor<4x32xf32>, %y: tensor<4x2xf32>) -> tensor<4x2xf32> {
  // expected-error @below {{expected a constant of 256 bytes but got 4}}
  %w = arith.constant dense_resource<short> : tensor<32x2xf32>
  %0 = linalg.matmul ins(%x, %w : tensor<4x32xf32>, tensor<32x2xf32>) outs(%y : tensor<4x2xf32>) -> tensor<4x2xf32>
  return %0 : tensor<4x2xf32>
}

{-# dialect_resources: { builtin: { short: "0x0400000001020304" } } #-}

// -----

func.func @elided(%x: tensor<4x32xf32>, %y: tensor<4x2xf32>) -> tensor<4x2xf32> {
  // expected-error @below {{expected a constant of 256 bytes but got 0}}
  %w = arith.constant dense_resource<__elided__> : tensor<32x2xf32>
  %0 = linalg.matmul ins(%x, %w : tensor<4x32xf32>, tensor<32x2xf32>) outs(%y : tensor<4x2xf32>) -> tensor<4x2xf32>
  return %0 : tensor<4x2xf32>
}

// -----

func.func @empty_k(%x: tensor<4x0xf32>, %y: tensor<4x2xf32>) -> tensor<4x2xf32> {
  %w = arith.constant dense<1.0> : tensor<0x2xf32>
  // expected-error @below {{expected N and K from 1 to 2^31 - 1 but got 2 x 0}}
  %0 = linalg.matmul ins(%x, %w : tensor<4x0xf32>, tensor<0x2xf32>) outs(%y : tensor<4x2xf32>) -> tensor<4x2xf32>
  return %0 : tensor<4x2xf32>
}

// -----

func.func @empty_n(%x: tensor<4x32xf32>, %w: tensor<32x0xf32> {rotq.parameter = "w"}, %y: tensor<4x0xf32>) -> tensor<4x0xf32> {
  // expected-error @below {{expected N and K from 1 to 2^31 - 1 but got 0 x 32}}
  %0 = linalg.matmul ins(%x, %w : tensor<4x32xf32>, tensor<32x0xf32>) outs(%y : tensor<4x0xf32>) -> tensor<4x0xf32>
  return %0 : tensor<4x0xf32>
}

// -----

// expected-error @below {{expected no callers of 'callee', whose parameters become packed weights}}
func.func @callee(%x: tensor<4x32xf32>, %w: tensor<32x2xf32> {rotq.parameter = "w"}, %y: tensor<4x2xf32>) -> tensor<4x2xf32> {
  %0 = linalg.matmul ins(%x, %w : tensor<4x32xf32>, tensor<32x2xf32>) outs(%y : tensor<4x2xf32>) -> tensor<4x2xf32>
  return %0 : tensor<4x2xf32>
}
func.func @caller(%x: tensor<4x32xf32>, %w: tensor<32x2xf32>, %y: tensor<4x2xf32>) -> tensor<4x2xf32> {
  // expected-note @below {{used here}}
  %0 = call @callee(%x, %w, %y) : (tensor<4x32xf32>, tensor<32x2xf32>, tensor<4x2xf32>) -> tensor<4x2xf32>
  return %0 : tensor<4x2xf32>
}

// -----

func.func @splat(%x: tensor<4x2147483647xf32>, %y: tensor<4x2147483647xf32>) -> tensor<4x2147483647xf32> {
  // expected-error @below {{expected at most 1073741824 equal weights but got 'tensor<2147483647x2147483647xf32>'}}
  %w = arith.constant dense<1.0> : tensor<2147483647x2147483647xf32>
  %0 = linalg.matmul ins(%x, %w : tensor<4x2147483647xf32>, tensor<2147483647x2147483647xf32>) outs(%y : tensor<4x2147483647xf32>) -> tensor<4x2147483647xf32>
  return %0 : tensor<4x2147483647xf32>
}
