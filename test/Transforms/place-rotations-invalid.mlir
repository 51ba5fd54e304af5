// RUN: quant-opt %s -rotq-place-rotations -split-input-file -verify-diagnostics
// RUN: quant-opt %s -rotq-place-rotations=placement=load -split-input-file -verify-diagnostics

// A view, but nobody rotated the activation.

#rq3 = #rotq.format<"rq3">
#rq3_rotated = #rotq.format<"rq3_rotated", rotation = #rotq.identity, scale = #rotq.scale<256>,
  codebook = #rotq.table<3, [-114, -71, -40, -13, 13, 40, 71, 114]>, coding = #rotq.fixed<3>>
func.func @unrotated(%x: tensor<4x576xf32>, %w: !rotq.weight<8x576, #rq3>, %y: tensor<4x8xf32>) -> tensor<4x8xf32> {
  // expected-note @below {{the weight leaves its rotation to the activation here}}
  %v = rotq.rotated_view %w : !rotq.weight<8x576, #rq3> -> !rotq.weight<8x576, #rq3_rotated>
  // expected-error @below {{expected the activation to be rotated by #rotq.hadamard<256> as its weight is}}
  %0 = rotq.matmul ins(%x : tensor<4x576xf32>) weight(%v : !rotq.weight<8x576, #rq3_rotated>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %0 : tensor<4x8xf32>
}

// -----

// Rotated, but otherwise.

#rq3 = #rotq.format<"rq3">
#rq3_rotated = #rotq.format<"rq3_rotated", rotation = #rotq.identity, scale = #rotq.scale<256>,
  codebook = #rotq.table<3, [-114, -71, -40, -13, 13, 40, 71, 114]>, coding = #rotq.fixed<3>>
func.func @other_block(%x: tensor<4x576xf32>, %w: !rotq.weight<8x576, #rq3>, %y: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %e = tensor.empty() : tensor<4x576xf32>
  %r = rotq.rotate #rotq.hadamard<128> ins(%x : tensor<4x576xf32>) outs(%e : tensor<4x576xf32>) -> tensor<4x576xf32>
  // expected-note @below {{the weight leaves its rotation to the activation here}}
  %v = rotq.rotated_view %w : !rotq.weight<8x576, #rq3> -> !rotq.weight<8x576, #rq3_rotated>
  // expected-error @below {{expected the activation to be rotated by #rotq.hadamard<256> as its weight is}}
  %0 = rotq.matmul ins(%r : tensor<4x576xf32>) weight(%v : !rotq.weight<8x576, #rq3_rotated>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %0 : tensor<4x8xf32>
}

// -----

// Rotated backwards.

#rq3 = #rotq.format<"rq3">
#rq3_rotated = #rotq.format<"rq3_rotated", rotation = #rotq.identity, scale = #rotq.scale<256>,
  codebook = #rotq.table<3, [-114, -71, -40, -13, 13, 40, 71, 114]>, coding = #rotq.fixed<3>>
func.func @inverse(%x: tensor<4x576xf32>, %w: !rotq.weight<8x576, #rq3>, %y: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %e = tensor.empty() : tensor<4x576xf32>
  %r = rotq.rotate #rotq.hadamard<256> inverse ins(%x : tensor<4x576xf32>) outs(%e : tensor<4x576xf32>) -> tensor<4x576xf32>
  // expected-note @below {{the weight leaves its rotation to the activation here}}
  %v = rotq.rotated_view %w : !rotq.weight<8x576, #rq3> -> !rotq.weight<8x576, #rq3_rotated>
  // expected-error @below {{expected the activation to be rotated by #rotq.hadamard<256> as its weight is}}
  %0 = rotq.matmul ins(%r : tensor<4x576xf32>) weight(%v : !rotq.weight<8x576, #rq3_rotated>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %0 : tensor<4x8xf32>
}

// -----

// Rotated rows are still those of the unrotated activation.

#rq3 = #rotq.format<"rq3">
#rq3_rotated = #rotq.format<"rq3_rotated", rotation = #rotq.identity, scale = #rotq.scale<256>,
  codebook = #rotq.table<3, [-114, -71, -40, -13, 13, 40, 71, 114]>, coding = #rotq.fixed<3>>
func.func @rows(%x: tensor<4x576xf32>, %w: !rotq.weight<16x576, #rq3>, %y: tensor<4x8xf32>, %i: index) -> tensor<4x8xf32> {
  %r = rotq.extract_rows %w[%i] : !rotq.weight<16x576, #rq3> -> !rotq.weight<8x576, #rq3>
  // expected-note @below {{the weight leaves its rotation to the activation here}}
  %v = rotq.rotated_view %r : !rotq.weight<8x576, #rq3> -> !rotq.weight<8x576, #rq3_rotated>
  // expected-error @below {{expected the activation to be rotated by #rotq.hadamard<256> as its weight is}}
  %0 = rotq.matmul ins(%x : tensor<4x576xf32>) weight(%v : !rotq.weight<8x576, #rq3_rotated>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %0 : tensor<4x8xf32>
}

// -----

// The same in int8.

#rq3 = #rotq.format<"rq3">
#rq3_rotated = #rotq.format<"rq3_rotated", rotation = #rotq.identity, scale = #rotq.scale<256>,
  codebook = #rotq.table<3, [-114, -71, -40, -13, 13, 40, 71, 114]>, coding = #rotq.fixed<3>>
func.func @quantized(%x: tensor<4x576xf32>, %w: !rotq.weight<8x576, #rq3>, %y: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %c = tensor.empty() : tensor<4x576xi8>
  %s = tensor.empty() : tensor<4x3xf32>
  %t = tensor.empty() : tensor<4x3xi32>
  %q:3 = rotq.quantize_activation #rotq.identity group(256) ins(%x : tensor<4x576xf32>)
    outs(%c, %s, %t : tensor<4x576xi8>, tensor<4x3xf32>, tensor<4x3xi32>) -> tensor<4x576xi8>, tensor<4x3xf32>, tensor<4x3xi32>
  // expected-note @below {{the weight leaves its rotation to the activation here}}
  %v = rotq.rotated_view %w : !rotq.weight<8x576, #rq3> -> !rotq.weight<8x576, #rq3_rotated>
  // expected-error @below {{expected the activation to be rotated by #rotq.hadamard<256> as its weight is}}
  %0 = rotq.matmul ins(%q#0, %q#1, %q#2 : tensor<4x576xi8>, tensor<4x3xf32>, tensor<4x3xi32>) group(256)
    weight(%v : !rotq.weight<8x576, #rq3_rotated>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %0 : tensor<4x8xf32>
}

// -----

#rq3 = #rotq.format<"rq3">
#rq3_rotated = #rotq.format<"rq3_rotated", rotation = #rotq.identity, scale = #rotq.scale<256>,
  codebook = #rotq.table<3, [-114, -71, -40, -13, 13, 40, 71, 114]>, coding = #rotq.fixed<3>>
func.func @quantized_other_block(%x: tensor<4x576xf32>, %w: !rotq.weight<8x576, #rq3>, %y: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %c = tensor.empty() : tensor<4x576xi8>
  %s = tensor.empty() : tensor<4x3xf32>
  %t = tensor.empty() : tensor<4x3xi32>
  %q:3 = rotq.quantize_activation #rotq.hadamard<64> group(256) ins(%x : tensor<4x576xf32>)
    outs(%c, %s, %t : tensor<4x576xi8>, tensor<4x3xf32>, tensor<4x3xi32>) -> tensor<4x576xi8>, tensor<4x3xf32>, tensor<4x3xi32>
  // expected-note @below {{the weight leaves its rotation to the activation here}}
  %v = rotq.rotated_view %w : !rotq.weight<8x576, #rq3> -> !rotq.weight<8x576, #rq3_rotated>
  // expected-error @below {{expected the activation to be rotated by #rotq.hadamard<256> as its weight is}}
  %0 = rotq.matmul ins(%q#0, %q#1, %q#2 : tensor<4x576xi8>, tensor<4x3xf32>, tensor<4x3xi32>) group(256)
    weight(%v : !rotq.weight<8x576, #rq3_rotated>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %0 : tensor<4x8xf32>
}

// -----

// A rotated activation, but a weight that never was.

#rq3 = #rotq.format<"rq3">
#rq3_rotated = #rotq.format<"rq3_rotated", rotation = #rotq.identity, scale = #rotq.scale<256>,
  codebook = #rotq.table<3, [-114, -71, -40, -13, 13, 40, 71, 114]>, coding = #rotq.fixed<3>>
func.func @unrotated_weight(%x: tensor<4x576xf32>, %w: !rotq.weight<8x576, #rotq.format<"int4_g128">>, %y: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %e = tensor.empty() : tensor<4x576xf32>
  // expected-note @below {{the activation is rotated here}}
  %r = rotq.rotate #rotq.hadamard<256> ins(%x : tensor<4x576xf32>) outs(%e : tensor<4x576xf32>) -> tensor<4x576xf32>
  // expected-error @below {{expected a rotated view of a weight rotated by #rotq.hadamard<256> as its activation is but got '!rotq.weight<8x576, #rotq.format<"int4_g128">>'}}
  %0 = rotq.matmul ins(%r : tensor<4x576xf32>) weight(%w : !rotq.weight<8x576, #rotq.format<"int4_g128">>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %0 : tensor<4x8xf32>
}

// -----

#rq3 = #rotq.format<"rq3">
#rq3_rotated = #rotq.format<"rq3_rotated", rotation = #rotq.identity, scale = #rotq.scale<256>,
  codebook = #rotq.table<3, [-114, -71, -40, -13, 13, 40, 71, 114]>, coding = #rotq.fixed<3>>
func.func @unrotated_weight_quantized(%x: tensor<4x576xf32>, %w: !rotq.weight<8x576, #rotq.format<"int4_g128">>, %y: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %c = tensor.empty() : tensor<4x576xi8>
  %s = tensor.empty() : tensor<4x3xf32>
  %t = tensor.empty() : tensor<4x3xi32>
  // expected-note @below {{the activation is rotated here}}
  %q:3 = rotq.quantize_activation #rotq.hadamard<256> group(256) ins(%x : tensor<4x576xf32>)
    outs(%c, %s, %t : tensor<4x576xi8>, tensor<4x3xf32>, tensor<4x3xi32>) -> tensor<4x576xi8>, tensor<4x3xf32>, tensor<4x3xi32>
  // expected-error @below {{expected a rotated view of a weight rotated by #rotq.hadamard<256> as its activation is but got '!rotq.weight<8x576, #rotq.format<"int4_g128">>'}}
  %0 = rotq.matmul ins(%q#0, %q#1, %q#2 : tensor<4x576xi8>, tensor<4x3xf32>, tensor<4x3xi32>) group(256)
    weight(%w : !rotq.weight<8x576, #rotq.format<"int4_g128">>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %0 : tensor<4x8xf32>
}

// -----

// One view of a group, and a rotated activation.

#rq3 = #rotq.format<"rq3">
#rq3_rotated = #rotq.format<"rq3_rotated", rotation = #rotq.identity, scale = #rotq.scale<256>,
  codebook = #rotq.table<3, [-114, -71, -40, -13, 13, 40, 71, 114]>, coding = #rotq.fixed<3>>
func.func @group(%x: tensor<4x576xf32>, %w: !rotq.weight<8x576, #rq3>, %v: !rotq.weight<8x576, #rq3_rotated>, %y: tensor<4x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>) {
  %e = tensor.empty() : tensor<4x576xf32>
  // expected-note @below {{the activation is rotated here}}
  %r = rotq.rotate #rotq.hadamard<256> ins(%x : tensor<4x576xf32>) outs(%e : tensor<4x576xf32>) -> tensor<4x576xf32>
  %u = rotq.rotated_view %w : !rotq.weight<8x576, #rq3> -> !rotq.weight<8x576, #rq3_rotated>
  // expected-error @below {{expected a rotated view of a weight rotated by #rotq.hadamard<256> as its activation is}}
  %0:2 = rotq.grouped_matmul ins(%r : tensor<4x576xf32>) weights(%u, %v : !rotq.weight<8x576, #rq3_rotated>, !rotq.weight<8x576, #rq3_rotated>)
    outs(%y, %y : tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>, tensor<4x8xf32>
  return %0#0, %0#1 : tensor<4x8xf32>, tensor<4x8xf32>
}
