// RUN: quant-opt %s -rotq-quantize-activations | FileCheck %s
// RUN: quant-opt %s -rotq-quantize-activations=group=64 | FileCheck %s --check-prefix=G64
// RUN: quant-opt %s -rotq-quantize-activations=rests=true | FileCheck %s --check-prefix=RESTS

#int4 = #rotq.format<"int4_g128">
#rq3 = #rotq.format<"rq3">
#rq3_rotated = #rotq.format<"rq3_rotated", rotation = #rotq.identity, scale = #rotq.scale<256>,
  codebook = #rotq.table<3, [-114, -71, -40, -13, 13, 40, 71, 114]>, coding = #rotq.fixed<3>>
#offset = #rotq.format<"offset", rotation = #rotq.identity, scale = #rotq.scale<128, offset>,
  codebook = #rotq.table<1, [0, 1]>, coding = #rotq.fixed<1>>

// The rotation is folded: the op reads x, K = 570, and there is no rotated x.
// Two weights, one activation.

// CHECK-LABEL: func @rotated
// CHECK-SAME: (%[[X:.*]]: tensor<?x570xf16>, %[[V:.*]]: !rotq.weight<8x576, #rq3_rotated>, %[[U:.*]]: !rotq.weight<8x576, #rq3_rotated>,
// CHECK: %[[M:.*]] = tensor.dim %[[X]], %{{.*}}
// CHECK: %[[C:.*]] = tensor.empty(%[[M]]) : tensor<?x576xi8>
// CHECK: %[[S:.*]] = tensor.empty(%[[M]]) : tensor<?x3xf32>
// CHECK: %[[T:.*]] = tensor.empty(%[[M]]) : tensor<?x3xi32>
// CHECK: %[[Q:.*]]:3 = rotq.quantize_activation #rotq.hadamard<256> group(256) ins(%[[X]] : tensor<?x570xf16>)
// CHECK-SAME: outs(%[[C]], %[[S]], %[[T]] : tensor<?x576xi8>, tensor<?x3xf32>, tensor<?x3xi32>)
// CHECK-NOT: rotq.rotate
// CHECK: rotq.matmul ins(%[[Q]]#0, %[[Q]]#1, %[[Q]]#2 : tensor<?x576xi8>, tensor<?x3xf32>, tensor<?x3xi32>) group(256) weight(%[[V]]
// CHECK-NOT: rotq.quantize_activation
// CHECK: rotq.matmul ins(%[[Q]]#0, %[[Q]]#1, %[[Q]]#2 : tensor<?x576xi8>, tensor<?x3xf32>, tensor<?x3xi32>) group(256) weight(%[[U]]

// RESTS-LABEL: func @rotated
// RESTS: rotq.quantize_activation {{.*}} {rests} -> tensor<?x1152xi8>, tensor<?x6xf32>, tensor<?x6xi32>
// RESTS: rotq.matmul {{.*}} {rests} -> tensor

// G64-LABEL: func @rotated
// G64: rotq.quantize_activation #rotq.hadamard<256> group(64) ins(%{{.*}} : tensor<?x570xf16>)
// G64-SAME: -> tensor<?x576xi8>, tensor<?x9xf32>, tensor<?x9xi32>
// G64: rotq.matmul {{.*}} group(64)
func.func @rotated(%x: tensor<?x570xf16>, %v: !rotq.weight<8x576, #rq3_rotated>, %u: !rotq.weight<8x576, #rq3_rotated>,
                   %e: tensor<?x576xf16>, %y: tensor<?x8xf32>) -> (tensor<?x8xf32>, tensor<?x8xf32>) {
  %r = rotq.rotate #rotq.hadamard<256> ins(%x : tensor<?x570xf16>) outs(%e : tensor<?x576xf16>) -> tensor<?x576xf16>
  %0 = rotq.matmul ins(%r : tensor<?x576xf16>) weight(%v : !rotq.weight<8x576, #rq3_rotated>) outs(%y : tensor<?x8xf32>) -> tensor<?x8xf32>
  %1 = rotq.matmul ins(%r : tensor<?x576xf16>) weight(%u : !rotq.weight<8x576, #rq3_rotated>) outs(%y : tensor<?x8xf32>) -> tensor<?x8xf32>
  return %0, %1 : tensor<?x8xf32>, tensor<?x8xf32>
}

// No rotation; a group of its own where the weight's offset asks for one.

// CHECK-LABEL: func @unrotated
// CHECK-SAME: (%[[X:.*]]: tensor<4x576xf32>, %[[W:.*]]: !rotq.weight<8x576, #int4_g128>, %[[V:.*]]: !rotq.weight<8x576, #offset>
// CHECK-DAG: %[[Q:.*]]:3 = rotq.quantize_activation #rotq.identity group(256) ins(%[[X]] : tensor<4x576xf32>) outs(%{{.*}} : tensor<4x576xi8>, tensor<4x3xf32>, tensor<4x3xi32>)
// CHECK-DAG: %[[P:.*]]:3 = rotq.quantize_activation #rotq.identity group(128) ins(%[[X]] : tensor<4x576xf32>) outs(%{{.*}} : tensor<4x576xi8>, tensor<4x5xf32>, tensor<4x5xi32>)
// CHECK: rotq.matmul ins(%[[Q]]#0, %[[Q]]#1, %[[Q]]#2 {{.*}} group(256) weight(%[[W]]
// CHECK: rotq.matmul ins(%[[P]]#0, %[[P]]#1, %[[P]]#2 {{.*}} group(128) weight(%[[V]]

// G64-LABEL: func @unrotated
// G64-COUNT-1: rotq.quantize_activation #rotq.identity group(64)
// G64-NOT: rotq.quantize_activation
func.func @unrotated(%x: tensor<4x576xf32>, %w: !rotq.weight<8x576, #int4>, %v: !rotq.weight<8x576, #offset>,
                     %y: tensor<4x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>) {
  %0 = rotq.matmul ins(%x : tensor<4x576xf32>) weight(%w : !rotq.weight<8x576, #int4>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
  %1 = rotq.matmul ins(%x : tensor<4x576xf32>) weight(%v : !rotq.weight<8x576, #offset>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %0, %1 : tensor<4x8xf32>, tensor<4x8xf32>
}

// A rotation that something else reads stays; an inverse one is not folded.

// G64-LABEL: func @keep
// CHECK-LABEL: func @keep
// CHECK-SAME: (%[[X:.*]]: tensor<4x576xf32>
// CHECK: rotq.quantize_activation #rotq.hadamard<256> group(256) ins(%[[X]]
// CHECK: %[[R:.*]] = rotq.rotate #rotq.hadamard<256> ins(%[[X]]
// CHECK: %[[B:.*]] = rotq.rotate #rotq.hadamard<256> inverse ins(%[[R]]
// CHECK: rotq.quantize_activation #rotq.identity group(256) ins(%[[B]]
func.func @keep(%x: tensor<4x576xf32>, %w: !rotq.weight<8x576, #int4>, %v: !rotq.weight<8x576, #rq3_rotated>,
                %y: tensor<4x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>) {
  %r = rotq.rotate #rotq.hadamard<256> ins(%x : tensor<4x576xf32>) outs(%x : tensor<4x576xf32>) -> tensor<4x576xf32>
  %b = rotq.rotate #rotq.hadamard<256> inverse ins(%r : tensor<4x576xf32>) outs(%x : tensor<4x576xf32>) -> tensor<4x576xf32>
  %0 = rotq.matmul ins(%r : tensor<4x576xf32>) weight(%v : !rotq.weight<8x576, #rq3_rotated>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
  %1 = rotq.matmul ins(%b : tensor<4x576xf32>) weight(%w : !rotq.weight<8x576, #int4>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %0, %1 : tensor<4x8xf32>, tensor<4x8xf32>
}

// A weight that keeps its rotation wants floats.

// CHECK-LABEL: func @load
// CHECK-NOT: rotq.quantize_activation
// CHECK: return
func.func @load(%x: tensor<4x576xf32>, %w: !rotq.weight<8x576, #rq3>, %y: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %0 = rotq.matmul ins(%x : tensor<4x576xf32>) weight(%w : !rotq.weight<8x576, #rq3>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %0 : tensor<4x8xf32>
}
