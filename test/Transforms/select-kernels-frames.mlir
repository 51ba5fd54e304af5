// RUN: quant-opt %s -rotq-select-kernels=target=sm_90a | FileCheck %s
// RUN: quant-opt %s -rotq-select-kernels=target=host | FileCheck %s --check-prefix=HOST

// Few rows of an activation are multiplied by the bits of a frame's codes, and
// the op that quantizes them is told to lift them by it.

#w20 = #rotq.format<"liftquant_w20_rotated", rotation = #rotq.identity, scale = #rotq.scale<row>,
  codebook = #rotq.frame<8, 603, "1900000000000000001b00000000000000001b00000000000000001a00000000000000001b00000000000000001a00000000000000001b0000000000000000190bf407ff0601f70c08f8f8f4060a0af9000bfdf3f907f1fe0c0a0af9f508ff0709f60af8f9fa06f301090e06030908f30407f7f70af6f9f30d0409090bf6f8fb0909fb030e0d08080907f40df2fc06fe0df6f709f90af6f90d03fcf6fdf30b0c">, coding = #rotq.field<20, 8>>
#other = #rotq.format<"other", rotation = #rotq.identity, scale = #rotq.scale<row>,
  codebook = #rotq.frame<4, 24, "28000000002800000000280000000028f0f0f010">, coding = #rotq.field<5, 4>>
#fine = #rotq.format<"fine", rotation = #rotq.identity, scale = #rotq.scale<128>,
  codebook = #rotq.frame<4, 24, "28000000002800000000280000000028f0f0f010">, coding = #rotq.field<5, 4>>
!w20 = !rotq.weight<4096x4096, #w20>
!other = !rotq.weight<4096x4096, #other>
!fine = !rotq.weight<4096x4096, #fine>

// CHECK-LABEL: func @any
// CHECK: rotq.quantize_activation {{.*}} {frame = #rotq.frame<8, 603, "19000000{{[0-9a-f]*}}">, rests} -> tensor<?x8192xi8>
// Rests are a second part, so that four rows and five do not share a kernel.
// CHECK: rotq.matmul {{.*}}kernels = [#rotq.kernel<mma_b1, m = [1, {{.*}}#rotq.kernel<mma_b1, m = [{{[0-9]+}}, 4], {{[^#]*}}#rotq.kernel<mma_b1, m = [5, {{.*}}#rotq.kernel<wgmma_s8, m = [{{[0-9]+}}, 0],

// HOST-LABEL: func @any
// HOST-NOT: frame =
// HOST: kernels = [#rotq.kernel<host_vector, m = [1,
func.func @any(%x: tensor<?x4096xf16>, %w: !w20, %c: tensor<?x8192xi8>, %s: tensor<?x32xf32>, %t: tensor<?x32xi32>, %y: tensor<?x4096xf32>) -> tensor<?x4096xf32> {
  %0:3 = rotq.quantize_activation #rotq.hadamard<256> group(256) ins(%x : tensor<?x4096xf16>)
    outs(%c, %s, %t : tensor<?x8192xi8>, tensor<?x32xf32>, tensor<?x32xi32>) {rests} -> tensor<?x8192xi8>, tensor<?x32xf32>, tensor<?x32xi32>
  %1 = rotq.matmul ins(%0#0, %0#1, %0#2 : tensor<?x8192xi8>, tensor<?x32xf32>, tensor<?x32xi32>) group(256)
    weight(%w : !w20) outs(%y : tensor<?x4096xf32>) {rests} -> tensor<?x4096xf32>
  return %1 : tensor<?x4096xf32>
}

// Nothing lifts what was quantized elsewhere.

// CHECK-LABEL: func @given
// HOST-LABEL: func @given
// CHECK-NOT: mma_b1
func.func @given(%w: !w20, %c: tensor<1x4096xi8>, %s: tensor<1x16xf32>, %t: tensor<1x16xi32>, %y: tensor<1x4096xf32>) -> tensor<1x4096xf32> {
  %0 = rotq.matmul ins(%c, %s, %t : tensor<1x4096xi8>, tensor<1x16xf32>, tensor<1x16xi32>) group(256)
    weight(%w : !w20) outs(%y : tensor<1x4096xf32>) -> tensor<1x4096xf32>
  return %0 : tensor<1x4096xf32>
}

// An activation is lifted by one frame, the first that asks for it.

// CHECK-LABEL: func @two_frames
// CHECK: rotq.quantize_activation {{.*}} {frame = #rotq.frame<8, 603,
// CHECK: rotq.matmul {{.*}}kernels = [#rotq.kernel<mma_b1, m = [1,
// CHECK: rotq.matmul {{.*}}kernels = [#rotq.kernel<mma_b1, m = [1,
// CHECK: rotq.matmul {{.*}}kernels = [#rotq.kernel<mma_s8, m = [1,
func.func @two_frames(%x: tensor<1x4096xf16>, %w: !w20, %u: !other, %c: tensor<1x4096xi8>, %s: tensor<1x16xf32>, %t: tensor<1x16xi32>,
                      %y: tensor<1x4096xf32>) -> (tensor<1x4096xf32>, tensor<1x4096xf32>, tensor<1x4096xf32>) {
  %0:3 = rotq.quantize_activation #rotq.hadamard<256> group(256) ins(%x : tensor<1x4096xf16>)
    outs(%c, %s, %t : tensor<1x4096xi8>, tensor<1x16xf32>, tensor<1x16xi32>) -> tensor<1x4096xi8>, tensor<1x16xf32>, tensor<1x16xi32>
  %1 = rotq.matmul ins(%0#0, %0#1, %0#2 : tensor<1x4096xi8>, tensor<1x16xf32>, tensor<1x16xi32>) group(256)
    weight(%w : !w20) outs(%y : tensor<1x4096xf32>) -> tensor<1x4096xf32>
  %2 = rotq.matmul ins(%0#0, %0#1, %0#2 : tensor<1x4096xi8>, tensor<1x16xf32>, tensor<1x16xi32>) group(256)
    weight(%w : !w20) outs(%y : tensor<1x4096xf32>) -> tensor<1x4096xf32>
  %3 = rotq.matmul ins(%0#0, %0#1, %0#2 : tensor<1x4096xi8>, tensor<1x16xf32>, tensor<1x16xi32>) group(256)
    weight(%u : !other) outs(%y : tensor<1x4096xf32>) -> tensor<1x4096xf32>
  return %1, %2, %3 : tensor<1x4096xf32>, tensor<1x4096xf32>, tensor<1x4096xf32>
}

// Scales within a tile are not for bits.

// CHECK-LABEL: func @fine_scales
// CHECK-NOT: frame =
// CHECK-NOT: mma_b1
func.func @fine_scales(%x: tensor<1x4096xf16>, %w: !fine, %c: tensor<1x4096xi8>, %s: tensor<1x16xf32>, %t: tensor<1x16xi32>, %y: tensor<1x4096xf32>) -> tensor<1x4096xf32> {
  %0:3 = rotq.quantize_activation #rotq.hadamard<256> group(256) ins(%x : tensor<1x4096xf16>)
    outs(%c, %s, %t : tensor<1x4096xi8>, tensor<1x16xf32>, tensor<1x16xi32>) -> tensor<1x4096xi8>, tensor<1x16xf32>, tensor<1x16xi32>
  %1 = rotq.matmul ins(%0#0, %0#1, %0#2 : tensor<1x4096xi8>, tensor<1x16xf32>, tensor<1x16xi32>) group(256)
    weight(%w : !fine) outs(%y : tensor<1x4096xf32>) -> tensor<1x4096xf32>
  return %1 : tensor<1x4096xf32>
}

// What was chosen before has its activation lifted too.

// CHECK-LABEL: func @chosen
// CHECK: rotq.quantize_activation {{.*}} {frame = #rotq.frame<4, 24, "28000000002800000000280000000028f0f0f010">}
// CHECK: kernels = [#rotq.kernel<mma_b1, m = [1, 1], rows = 16, cols = 1, warps = 4>]
func.func @chosen(%x: tensor<1x4096xf16>, %w: !other, %c: tensor<1x4096xi8>, %s: tensor<1x16xf32>, %t: tensor<1x16xi32>, %y: tensor<1x4096xf32>) -> tensor<1x4096xf32> {
  %0:3 = rotq.quantize_activation #rotq.hadamard<256> group(256) ins(%x : tensor<1x4096xf16>)
    outs(%c, %s, %t : tensor<1x4096xi8>, tensor<1x16xf32>, tensor<1x16xi32>) -> tensor<1x4096xi8>, tensor<1x16xf32>, tensor<1x16xi32>
  %1 = rotq.matmul ins(%0#0, %0#1, %0#2 : tensor<1x4096xi8>, tensor<1x16xf32>, tensor<1x16xi32>) group(256)
    weight(%w : !other) outs(%y : tensor<1x4096xf32>) {kernels = [#rotq.kernel<mma_b1, m = [1, 1], rows = 16, cols = 1, warps = 4>]} -> tensor<1x4096xf32>
  return %1 : tensor<1x4096xf32>
}
