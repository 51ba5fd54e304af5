// RUN: quant-opt %s -rotq-quantize-weights=format=int4_g128 | FileCheck %s

// The same matrix in every element type and both orientations, as numbers and
// as a resource: the same bytes. A 4-bit word holds weight i of eight in nibble
// i; a step of 1.0 is 0x3C00.

// CHECK: rotq_w0_int4_g128: "[[BLOB:0x100000001032547698BADCFE[0-9A-F]+003C003C]]"
// CHECK: rotq_w1_int4_g128: "[[BLOB]]"
// CHECK: rotq_w2_int4_g128: "[[BLOB]]"
// CHECK: rotq_w3_int4_g128: "[[BLOB]]"
// CHECK-NOT: source
func.func @f(%x: tensor<4x32xf32>, %y: tensor<4x2xf32>) -> (tensor<4x2xf32>, tensor<4x2xf32>, tensor<4x2xf32>, !rotq.weight<2x32, #rotq.format<"int4_g128">>) {
  %a = arith.constant dense<[[-8.0, -5.0], [-7.0, 0.0], [-6.0, 5.0], [-5.0, -6.0], [-4.0, -1.0], [-3.0, 4.0], [-2.0, -7.0], [-1.0, -2.0], [0.0, 3.0], [1.0, -8.0], [2.0, -3.0], [3.0, 2.0], [4.0, 7.0], [5.0, -4.0], [6.0, 1.0], [7.0, 6.0], [-8.0, -5.0], [-7.0, 0.0], [-6.0, 5.0], [-5.0, -6.0], [-4.0, -1.0], [-3.0, 4.0], [-2.0, -7.0], [-1.0, -2.0], [0.0, 3.0], [1.0, -8.0], [2.0, -3.0], [3.0, 2.0], [4.0, 7.0], [5.0, -4.0], [6.0, 1.0], [7.0, 6.0]]> : tensor<32x2xf32>
  %b = arith.constant dense<[[-8.0, -5.0], [-7.0, 0.0], [-6.0, 5.0], [-5.0, -6.0], [-4.0, -1.0], [-3.0, 4.0], [-2.0, -7.0], [-1.0, -2.0], [0.0, 3.0], [1.0, -8.0], [2.0, -3.0], [3.0, 2.0], [4.0, 7.0], [5.0, -4.0], [6.0, 1.0], [7.0, 6.0], [-8.0, -5.0], [-7.0, 0.0], [-6.0, 5.0], [-5.0, -6.0], [-4.0, -1.0], [-3.0, 4.0], [-2.0, -7.0], [-1.0, -2.0], [0.0, 3.0], [1.0, -8.0], [2.0, -3.0], [3.0, 2.0], [4.0, 7.0], [5.0, -4.0], [6.0, 1.0], [7.0, 6.0]]> : tensor<32x2xbf16>
  %c = arith.constant dense<[[-8.0, -7.0, -6.0, -5.0, -4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, -8.0, -7.0, -6.0, -5.0, -4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], [-5.0, 0.0, 5.0, -6.0, -1.0, 4.0, -7.0, -2.0, 3.0, -8.0, -3.0, 2.0, 7.0, -4.0, 1.0, 6.0, -5.0, 0.0, 5.0, -6.0, -1.0, 4.0, -7.0, -2.0, 3.0, -8.0, -3.0, 2.0, 7.0, -4.0, 1.0, 6.0]]> : tensor<2x32xf16>
  %d = arith.constant dense_resource<source> : tensor<2x32xf16>
  %0 = linalg.matmul ins(%x, %a : tensor<4x32xf32>, tensor<32x2xf32>) outs(%y : tensor<4x2xf32>) -> tensor<4x2xf32>
  %1 = linalg.matmul ins(%x, %b : tensor<4x32xf32>, tensor<32x2xbf16>) outs(%y : tensor<4x2xf32>) -> tensor<4x2xf32>
  %e = tensor.empty() : tensor<32x2xf16>
  %t = linalg.transpose ins(%c : tensor<2x32xf16>) outs(%e : tensor<32x2xf16>) permutation = [1, 0]
  %2 = linalg.matmul ins(%x, %t : tensor<4x32xf32>, tensor<32x2xf16>) outs(%y : tensor<4x2xf32>) -> tensor<4x2xf32>
  %3 = rotq.quantize %d : tensor<2x32xf16> -> !rotq.weight<2x32, #rotq.format<"int4_g128">>
  return %0, %1, %2, %3 : tensor<4x2xf32>, tensor<4x2xf32>, tensor<4x2xf32>, !rotq.weight<2x32, #rotq.format<"int4_g128">>
}

{-# dialect_resources: { builtin: { source: "0x0200000000C800C700C600C500C400C200C000BC0000003C00400042004400450046004700C800C700C600C500C400C200C000BC0000003C00400042004400450046004700C50000004500C600BC004400C700C0004200C800C20040004700C4003C004600C50000004500C600BC004400C700C0004200C800C20040004700C4003C0046" } } #-}
