// RUN: quant-opt %s --rotq-quantize-weights --canonicalize | FileCheck %s

// A constant is repacked here and now; the same layout again is nothing.
// CHECK-LABEL: func @constant
//  CHECK-NEXT: %[[W:.*]] = rotq.constant dense_resource<rotq_w0_int4_g128_tiles> : tensor<2112xi8> : <16x256, #int4_g128, tiles>
//  CHECK-NEXT: return %[[W]]
!w = !rotq.weight<16x256, #rotq.format<"int4_g128">>
!t = !rotq.weight<16x256, #rotq.format<"int4_g128">, tiles>
func.func @constant() -> !t {
  %c = arith.constant dense<1.0> : tensor<16x256xf32>
  %q = rotq.quantize %c : tensor<16x256xf32> -> !w
  %t = rotq.repack %q : !w -> !t
  %u = rotq.repack %t : !t -> !t
  return %u : !t
}

// CHECK-LABEL: func @argument
//  CHECK-NEXT: rotq.repack %arg0
//  CHECK-NEXT: return
func.func @argument(%w: !w) -> !t {
  %t = rotq.repack %w : !w -> !t
  return %t : !t
}

// CHECK: rotq_w0_int4_g128_tiles: "0x10000000{{([0-9A-F]{2})+}}"
