// RUN: quant-opt %s -rotq-quantize-weights -split-input-file | FileCheck %s

// A K x N constant: encoded transposed, into an empty tensor.

// CHECK-LABEL: func @constant_k_by_n
// CHECK-SAME: (%[[X:.*]]: tensor<4x64xf32>)
// CHECK-NOT: arith.constant dense
// CHECK: %[[W:.*]] = rotq.constant dense_resource<rotq_w0_rq3> : tensor<1248xi8> : <48x64, #rq3>
// CHECK: %[[E:.*]] = tensor.empty() : tensor<4x48xf32>
// CHECK: %[[Y:.*]] = rotq.matmul ins(%[[X]] : tensor<4x64xf32>) weight(%[[W]] : <48x64, #rq3>) outs(%[[E]] : tensor<4x48xf32>) -> tensor<4x48xf32>
// CHECK: return %[[Y]]
// CHECK: rotq_w0_rq3: "0x10000000
func.func @constant_k_by_n(%x: tensor<4x64xf32>) -> tensor<4x48xf32> {
  %w = arith.constant dense<0.5> : tensor<64x48xf32>
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x48xf32>
  %i = linalg.fill ins(%z : f32) outs(%e : tensor<4x48xf32>) -> tensor<4x48xf32>
  %y = linalg.matmul ins(%x, %w : tensor<4x64xf32>, tensor<64x48xf32>) outs(%i : tensor<4x48xf32>) -> tensor<4x48xf32>
  return %y : tensor<4x48xf32>
}

// -----

// N x K, through indexing maps; f16 x f16 -> f32; M dynamic.

// CHECK-LABEL: func @transposed_maps
// CHECK-SAME: (%[[X:.*]]: tensor<?x64xf16>
// CHECK: %[[W:.*]] = rotq.constant dense_resource<rotq_w0_rq3> : tensor<832xi8> : <32x64, #rq3>
// CHECK: %[[M:.*]] = tensor.dim %[[X]], %c0
// CHECK: %[[E:.*]] = tensor.empty(%[[M]]) : tensor<?x32xf32>
// CHECK: rotq.matmul ins(%[[X]] : tensor<?x64xf16>) weight(%[[W]] : <32x64, #rq3>) outs(%[[E]] : tensor<?x32xf32>)
#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>
func.func @transposed_maps(%x: tensor<?x64xf16>, %m: index) -> tensor<?x32xf32> {
  %w = arith.constant dense<0.5> : tensor<32x64xf16>
  %z = arith.constant 0.0 : f32
  %e = tensor.empty(%m) : tensor<?x32xf32>
  %i = linalg.fill ins(%z : f32) outs(%e : tensor<?x32xf32>) -> tensor<?x32xf32>
  %y = linalg.matmul indexing_maps = [#x, #w, #y]
    ins(%x, %w : tensor<?x64xf16>, tensor<32x64xf16>) outs(%i : tensor<?x32xf32>) -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}

// -----

// A linalg.generic and a linalg.contract say the same. Equal constants are one
// blob, whatever the shape of the ops that read them.

// CHECK-LABEL: func @generic_and_contract
// CHECK-COUNT-2: rotq.constant dense_resource<rotq_w0_rq3> : tensor<832xi8> : <32x64, #rq3>
// CHECK-NOT: rotq.constant
// CHECK-COUNT-2: rotq.matmul
// CHECK-NOT: linalg
#x = affine_map<(m, k, n) -> (m, k)>
#w = affine_map<(m, k, n) -> (n, k)>
#y = affine_map<(m, k, n) -> (m, n)>
func.func @generic_and_contract(%x: tensor<4x64xf32>) -> (tensor<4x32xf32>, tensor<4x32xf32>) {
  %w = arith.constant dense<0.5> : tensor<32x64xbf16>
  %v = arith.constant dense<0.5> : tensor<32x64xbf16>
  %i = arith.constant dense<0.0> : tensor<4x32xf32>
  %0 = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "reduction", "parallel"]}
      ins(%x, %w : tensor<4x64xf32>, tensor<32x64xbf16>) outs(%i : tensor<4x32xf32>) {
  ^bb0(%a: f32, %b: bf16, %c: f32):
    %e = arith.extf %b : bf16 to f32
    %p = arith.mulf %a, %e : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<4x32xf32>
  %1 = linalg.contract indexing_maps = [#x, #w, #y]
    ins(%x, %v : tensor<4x64xf32>, tensor<32x64xbf16>) outs(%i : tensor<4x32xf32>) -> tensor<4x32xf32>
  return %0, %1 : tensor<4x32xf32>, tensor<4x32xf32>
}

// -----

// An f32 parameter beside f16 activations: the packed weight is never f16.

// CHECK-LABEL: func @truncated
// CHECK-SAME: %[[X:.*]]: tensor<4x64xf16>, %[[W:.*]]: !rotq.weight<32x64, #rq3>
// CHECK: rotq.matmul ins(%[[X]] : tensor<4x64xf16>) weight(%[[W]] : <32x64, #rq3>) outs(%{{.*}} : tensor<4x32xf16>) -> tensor<4x32xf16>
func.func @truncated(%x: tensor<4x64xf16>, %w: tensor<64x32xf32> {rotq.parameter = "w"}) -> tensor<4x32xf16> {
  %i = arith.constant dense<0.0> : tensor<4x32xf16>
  %y = linalg.matmul ins(%x, %w : tensor<4x64xf16>, tensor<64x32xf32>) outs(%i : tensor<4x32xf16>) -> tensor<4x32xf16>
  return %y : tensor<4x32xf16>
}

// -----

// What the destination held is added.

// CHECK-LABEL: func @accumulate
// CHECK-SAME: (%[[X:.*]]: tensor<4x64xf32>, %[[I:.*]]: tensor<4x32xf32>)
// CHECK: %[[R:.*]] = rotq.matmul
// CHECK: %[[S:.*]] = linalg.add ins(%[[R]], %[[I]] : tensor<4x32xf32>, tensor<4x32xf32>) outs(%[[I]] : tensor<4x32xf32>)
// CHECK: return %[[S]]
func.func @accumulate(%x: tensor<4x64xf32>, %i: tensor<4x32xf32>) -> tensor<4x32xf32> {
  %w = arith.constant dense<0.5> : tensor<64x32xf32>
  %y = linalg.matmul ins(%x, %w : tensor<4x64xf32>, tensor<64x32xf32>) outs(%i : tensor<4x32xf32>) -> tensor<4x32xf32>
  return %y : tensor<4x32xf32>
}

// -----

// Sizes known on one side only meet in casts.

// CHECK-LABEL: func @partly_dynamic
// CHECK-SAME: (%[[X:.*]]: tensor<?x?xf32>, %[[I:.*]]: tensor<4x?xf32>)
// CHECK: %[[C:.*]] = tensor.cast %[[X]] : tensor<?x?xf32> to tensor<4x64xf32>
// CHECK: %[[R:.*]] = rotq.matmul ins(%[[C]] : tensor<4x64xf32>)
// CHECK: %[[D:.*]] = tensor.cast %[[I]] : tensor<4x?xf32> to tensor<4x32xf32>
// CHECK: %[[S:.*]] = linalg.add ins(%[[R]], %[[D]]
// CHECK: %[[Y:.*]] = tensor.cast %[[S]] : tensor<4x32xf32> to tensor<4x?xf32>
// CHECK: return %[[Y]]
func.func @partly_dynamic(%x: tensor<?x?xf32>, %i: tensor<4x?xf32>) -> tensor<4x?xf32> {
  %w = arith.constant dense<0.5> : tensor<64x32xf32>
  %y = linalg.matmul ins(%x, %w : tensor<?x?xf32>, tensor<64x32xf32>) outs(%i : tensor<4x?xf32>) -> tensor<4x?xf32>
  return %y : tensor<4x?xf32>
}

// -----

// Parameters change the type of their argument, seen through transposes.

// CHECK-LABEL: func @parameters
// CHECK-SAME: (%[[X:.*]]: tensor<4x64xf32>, %[[Q:.*]]: !rotq.weight<32x64, #rq3> {rotq.parameter = "q"}, %[[B:.*]]: i32, %[[K:.*]]: !rotq.weight<16x64, #rq3> {rotq.parameter = "k"})
// CHECK-NOT: linalg
// CHECK: rotq.matmul ins(%[[X]] : tensor<4x64xf32>) weight(%[[Q]] : <32x64, #rq3>)
// CHECK: rotq.matmul ins(%[[X]] : tensor<4x64xf32>) weight(%[[K]] : <16x64, #rq3>)
// CHECK: rotq.matmul ins(%[[X]] : tensor<4x64xf32>) weight(%[[Q]] : <32x64, #rq3>)
func.func @parameters(%x: tensor<4x64xf32>, %q: tensor<32x64xf32> {rotq.parameter = "q"}, %b: i32,
                      %k: tensor<64x16xf32> {rotq.parameter = "k"})
    -> (tensor<4x32xf32>, tensor<4x16xf32>, tensor<4x32xf32>) {
  %i = arith.constant dense<0.0> : tensor<4x32xf32>
  %j = arith.constant dense<0.0> : tensor<4x16xf32>
  %e = tensor.empty() : tensor<64x32xf32>
  %t = linalg.transpose ins(%q : tensor<32x64xf32>) outs(%e : tensor<64x32xf32>) permutation = [1, 0]
  %c = tensor.cast %t : tensor<64x32xf32> to tensor<?x32xf32>
  %0 = linalg.matmul ins(%x, %t : tensor<4x64xf32>, tensor<64x32xf32>) outs(%i : tensor<4x32xf32>) -> tensor<4x32xf32>
  %1 = linalg.matmul ins(%x, %k : tensor<4x64xf32>, tensor<64x16xf32>) outs(%j : tensor<4x16xf32>) -> tensor<4x16xf32>
  %2 = linalg.matmul ins(%x, %c : tensor<4x64xf32>, tensor<?x32xf32>) outs(%i : tensor<4x32xf32>) -> tensor<4x32xf32>
  return %0, %1, %2 : tensor<4x32xf32>, tensor<4x16xf32>, tensor<4x32xf32>
}

// -----

// The weight of a matmul that is itself the input of another.

// CHECK-LABEL: func @chain
// CHECK: %[[H:.*]] = rotq.matmul ins(%{{.*}} : tensor<4x64xf32>)
// CHECK: linalg.matmul ins(%{{.*}}, %[[H]] : tensor<4x4xf32>, tensor<4x64xf32>)
func.func @chain(%x: tensor<4x64xf32>, %s: tensor<4x4xf32>) -> tensor<4x64xf32> {
  %w = arith.constant dense<0.5> : tensor<64x64xf32>
  %i = arith.constant dense<0.0> : tensor<4x64xf32>
  %h = linalg.matmul ins(%x, %w : tensor<4x64xf32>, tensor<64x64xf32>) outs(%i : tensor<4x64xf32>) -> tensor<4x64xf32>
  %y = linalg.matmul ins(%s, %h : tensor<4x4xf32>, tensor<4x64xf32>) outs(%i : tensor<4x64xf32>) -> tensor<4x64xf32>
  return %y : tensor<4x64xf32>
}

// -----

// A product with a dequantized weight reads the packed one.

// CHECK-LABEL: func @dequantize
// CHECK-SAME: (%[[X:.*]]: tensor<4x64xf32>, %[[W:.*]]: !rotq.weight<32x64, #rq3>)
// CHECK-NEXT: %[[E:.*]] = tensor.empty() : tensor<4x32xf32>
// CHECK-NEXT: %[[Y:.*]] = rotq.matmul ins(%[[X]] : tensor<4x64xf32>) weight(%[[W]] : <32x64, #rq3>) outs(%[[E]] : tensor<4x32xf32>)
// CHECK-NEXT: return %[[Y]]
func.func @dequantize(%x: tensor<4x64xf32>, %w: !rotq.weight<32x64, #rotq.format<"rq3">>) -> tensor<4x32xf32> {
  %e = tensor.empty() : tensor<32x64xf32>
  %d = rotq.dequantize weight(%w : !rotq.weight<32x64, #rotq.format<"rq3">>) outs(%e : tensor<32x64xf32>) -> tensor<32x64xf32>
  %f = tensor.empty() : tensor<64x32xf32>
  %t = linalg.transpose ins(%d : tensor<32x64xf32>) outs(%f : tensor<64x32xf32>) permutation = [1, 0]
  %i = arith.constant dense<0.0> : tensor<4x32xf32>
  %y = linalg.matmul ins(%x, %t : tensor<4x64xf32>, tensor<64x32xf32>) outs(%i : tensor<4x32xf32>) -> tensor<4x32xf32>
  return %y : tensor<4x32xf32>
}

// -----

// Along N the packed weight cannot be read.

// CHECK-LABEL: func @dequantize_k_by_n
// CHECK: rotq.dequantize
// CHECK: linalg.matmul
func.func @dequantize_k_by_n(%x: tensor<4x32xf32>, %w: !rotq.weight<32x64, #rotq.format<"rq3">>) -> tensor<4x64xf32> {
  %e = tensor.empty() : tensor<32x64xf32>
  %d = rotq.dequantize weight(%w : !rotq.weight<32x64, #rotq.format<"rq3">>) outs(%e : tensor<32x64xf32>) -> tensor<32x64xf32>
  %i = arith.constant dense<0.0> : tensor<4x64xf32>
  %y = linalg.matmul ins(%x, %d : tensor<4x32xf32>, tensor<32x64xf32>) outs(%i : tensor<4x64xf32>) -> tensor<4x64xf32>
  return %y : tensor<4x64xf32>
}

// -----

// Not a plain product: an op between, another reduction, a batch, integers.

// CHECK-LABEL: func @others
// CHECK-NOT: rotq
#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>
func.func @others(%x: tensor<4x64xf32>, %bx: tensor<2x4x64xf32>, %ix: tensor<4x64xi32>, %i: tensor<4x32xf32>,
                  %bi: tensor<2x4x32xf32>, %ii: tensor<4x32xi32>)
    -> (tensor<4x32xf32>, tensor<4x32xf32>, tensor<2x4x32xf32>, tensor<4x32xi32>) {
  %w = arith.constant dense<0.5> : tensor<32x64xf32>
  %bw = arith.constant dense<0.5> : tensor<2x64x32xf32>
  %iw = arith.constant dense<1> : tensor<64x32xi32>
  %0 = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<4x64xf32>, tensor<32x64xf32>) outs(%i : tensor<4x32xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %e = math.exp %b : f32
    %p = arith.mulf %a, %e : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<4x32xf32>
  %1 = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<4x64xf32>, tensor<32x64xf32>) outs(%i : tensor<4x32xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.addf %a, %b : f32
    %s = arith.mulf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<4x32xf32>
  %2 = linalg.batch_matmul ins(%bx, %bw : tensor<2x4x64xf32>, tensor<2x64x32xf32>) outs(%bi : tensor<2x4x32xf32>) -> tensor<2x4x32xf32>
  %3 = linalg.matmul ins(%ix, %iw : tensor<4x64xi32>, tensor<64x32xi32>) outs(%ii : tensor<4x32xi32>) -> tensor<4x32xi32>
  return %0, %1, %2, %3 : tensor<4x32xf32>, tensor<4x32xf32>, tensor<2x4x32xf32>, tensor<4x32xi32>
}
