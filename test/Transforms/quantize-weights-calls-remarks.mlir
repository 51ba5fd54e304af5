// RUN: quant-opt %s -rotq-quantize-weights --remarks-filter=".*" -split-input-file -verify-diagnostics | FileCheck %s

// A function of which others may call: not private, or referred to.

// CHECK-LABEL: func.func @passes_on
// CHECK-NOT: !rotq.weight
func.func @passes_on(%x: tensor<4x32xf32>, %w: tensor<32x32xf32> {rotq.parameter = "w"}) -> (tensor<4x32xf32>, tensor<4x32xf32>) {
  %i = arith.constant dense<0.0> : tensor<4x32xf32>
  // expected-remark @below {{the parameter is passed to a function that is not private}}
  %0 = linalg.matmul ins(%x, %w : tensor<4x32xf32>, tensor<32x32xf32>) outs(%i : tensor<4x32xf32>) -> tensor<4x32xf32>
  %1 = call @public(%0, %w) : (tensor<4x32xf32>, tensor<32x32xf32>) -> tensor<4x32xf32>
  return %0, %1 : tensor<4x32xf32>, tensor<4x32xf32>
}
func.func @public(%x: tensor<4x32xf32>, %w: tensor<32x32xf32>) -> tensor<4x32xf32> {
  %i = arith.constant dense<0.0> : tensor<4x32xf32>
  // expected-remark @below {{weight is not constant}}
  %0 = linalg.matmul ins(%x, %w : tensor<4x32xf32>, tensor<32x32xf32>) outs(%i : tensor<4x32xf32>) -> tensor<4x32xf32>
  return %0 : tensor<4x32xf32>
}

// -----

// CHECK-LABEL: func.func @passes_to_external
// CHECK-NOT: !rotq.weight
func.func @passes_to_external(%x: tensor<4x32xf32>, %w: tensor<32x32xf32> {rotq.parameter = "w"}) -> tensor<4x32xf32> {
  %i = arith.constant dense<0.0> : tensor<4x32xf32>
  // expected-remark @below {{the parameter is passed to a function that is not private}}
  %0 = linalg.matmul ins(%x, %w : tensor<4x32xf32>, tensor<32x32xf32>) outs(%i : tensor<4x32xf32>) -> tensor<4x32xf32>
  call @external(%w) : (tensor<32x32xf32>) -> ()
  return %0 : tensor<4x32xf32>
}
func.func private @external(tensor<32x32xf32>)

// -----

// CHECK-LABEL: func.func @passes_to_referred
// CHECK-NOT: !rotq.weight
func.func @passes_to_referred(%x: tensor<4x32xf32>, %w: tensor<32x32xf32> {rotq.parameter = "w"}) -> (tensor<4x32xf32>, (tensor<4x32xf32>, tensor<32x32xf32>) -> tensor<4x32xf32>) {
  %i = arith.constant dense<0.0> : tensor<4x32xf32>
  // expected-remark @below {{the parameter is passed to a function that is not private}}
  %0 = linalg.matmul ins(%x, %w : tensor<4x32xf32>, tensor<32x32xf32>) outs(%i : tensor<4x32xf32>) -> tensor<4x32xf32>
  %1 = call @referred(%0, %w) : (tensor<4x32xf32>, tensor<32x32xf32>) -> tensor<4x32xf32>
  %f = constant @referred : (tensor<4x32xf32>, tensor<32x32xf32>) -> tensor<4x32xf32>
  return %1, %f : tensor<4x32xf32>, (tensor<4x32xf32>, tensor<32x32xf32>) -> tensor<4x32xf32>
}
func.func private @referred(%x: tensor<4x32xf32>, %w: tensor<32x32xf32>) -> tensor<4x32xf32> {
  return %x : tensor<4x32xf32>
}

// -----

// One weight, read along N by one function and along K by another.

// CHECK-LABEL: func.func @both
// CHECK-NOT: !rotq.weight
func.func @both(%x: tensor<4x32xf32>, %w: tensor<32x32xf32> {rotq.parameter = "w"}) -> tensor<4x32xf32> {
  %0 = call @along_n(%x, %w) : (tensor<4x32xf32>, tensor<32x32xf32>) -> tensor<4x32xf32>
  %1 = call @along_k(%0, %w) : (tensor<4x32xf32>, tensor<32x32xf32>) -> tensor<4x32xf32>
  return %1 : tensor<4x32xf32>
}
func.func private @along_n(%x: tensor<4x32xf32>, %w: tensor<32x32xf32>) -> tensor<4x32xf32> {
  %i = arith.constant dense<0.0> : tensor<4x32xf32>
  // expected-remark @below {{the parameter is read along both of its sizes}}
  %0 = linalg.matmul ins(%x, %w : tensor<4x32xf32>, tensor<32x32xf32>) outs(%i : tensor<4x32xf32>) -> tensor<4x32xf32>
  return %0 : tensor<4x32xf32>
}
func.func private @along_k(%x: tensor<4x32xf32>, %w: tensor<32x32xf32>) -> tensor<4x32xf32> {
  %i = arith.constant dense<0.0> : tensor<4x32xf32>
  // expected-remark @below {{the parameter is read along both of its sizes}}
  %0 = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
    ins(%x, %w : tensor<4x32xf32>, tensor<32x32xf32>) outs(%i : tensor<4x32xf32>) -> tensor<4x32xf32>
  return %0 : tensor<4x32xf32>
}

// -----

// A view of a parameter is no parameter, and stays what is passed.

// CHECK-LABEL: func.func @view
// CHECK-NOT: !rotq.weight
func.func @view(%x: tensor<4x32xf32>, %w: tensor<32x32xf32> {rotq.parameter = "w"}) -> tensor<4x32xf32> {
  %i = arith.constant dense<0.0> : tensor<4x32xf32>
  // expected-remark @below {{the parameter has uses that are no matmul}}
  %0 = linalg.matmul ins(%x, %w : tensor<4x32xf32>, tensor<32x32xf32>) outs(%i : tensor<4x32xf32>) -> tensor<4x32xf32>
  %e = tensor.empty() : tensor<32x32xf32>
  %t = linalg.transpose ins(%w : tensor<32x32xf32>) outs(%e : tensor<32x32xf32>) permutation = [1, 0]
  %1 = call @viewed(%0, %t) : (tensor<4x32xf32>, tensor<32x32xf32>) -> tensor<4x32xf32>
  return %1 : tensor<4x32xf32>
}
func.func private @viewed(%x: tensor<4x32xf32>, %w: tensor<32x32xf32>) -> tensor<4x32xf32> {
  %i = arith.constant dense<0.0> : tensor<4x32xf32>
  // expected-remark @below {{weight is not constant}}
  %0 = linalg.matmul ins(%x, %w : tensor<4x32xf32>, tensor<32x32xf32>) outs(%i : tensor<4x32xf32>) -> tensor<4x32xf32>
  return %0 : tensor<4x32xf32>
}

// -----

// A parameter that is passed to a function whose parameter is another one, and
// read by nothing: each stays what it is.

// CHECK-LABEL: func.func @two_names
// CHECK-NOT: !rotq.weight
func.func @two_names(%x: tensor<4x32xf32>, %w: tensor<32x32xf32> {rotq.parameter = "w"}) -> tensor<4x32xf32> {
  %i = arith.constant dense<0.0> : tensor<4x32xf32>
  // expected-remark @below {{the parameter is passed to a function that is not private}}
  %0 = linalg.matmul ins(%x, %w : tensor<4x32xf32>, tensor<32x32xf32>) outs(%i : tensor<4x32xf32>) -> tensor<4x32xf32>
  call @other_name(%w) : (tensor<32x32xf32>) -> ()
  return %0 : tensor<4x32xf32>
}
func.func private @other_name(%v: tensor<32x32xf32> {rotq.parameter = "v"}) {
  return
}
