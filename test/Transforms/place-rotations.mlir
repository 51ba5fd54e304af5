// RUN: quant-opt %s -rotq-place-rotations | FileCheck %s
// RUN: quant-opt %s -rotq-place-rotations=placement=activation | FileCheck %s
// RUN: quant-opt %s -rotq-place-rotations=placement=load | FileCheck %s --check-prefix=LOAD

#rq3 = #rotq.format<"rq3">
#rq2 = #rotq.format<"rq2">
#rq3_rotated = #rotq.format<"rq3_rotated", rotation = #rotq.identity, scale = #rotq.scale<256>,
  codebook = #rotq.table<3, [-114, -71, -40, -13, 13, 40, 71, 114]>, coding = #rotq.fixed<3>>
#other = #rotq.format<"other", rotation = #rotq.hadamard<128>, scale = #rotq.scale<128>,
                      codebook = #rotq.table<1, [-1, 1]>, coding = #rotq.fixed<1>>

// One rotation for q and k, right behind x; another for the weight that is
// rotated otherwise; none for the weight that is not.

// CHECK-LABEL: func @share
// CHECK-SAME: (%[[X:.*]]: tensor<4x570xf32>, %[[Q:.*]]: !rotq.weight<8x570, #rq3>, %[[K:.*]]: !rotq.weight<4x570, #rq2>, %[[O:.*]]: !rotq.weight<4x570, #other>, %[[I:.*]]: !rotq.weight<4x570, #int4_g128>
// CHECK-DAG: %[[R:.*]] = rotq.rotate #rotq.hadamard<256> ins(%[[X]] : tensor<4x570xf32>) outs(%{{.*}} : tensor<4x576xf32>)
// CHECK-DAG: %[[S:.*]] = rotq.rotate #rotq.hadamard<128> ins(%[[X]] : tensor<4x570xf32>) outs(%{{.*}} : tensor<4x576xf32>)
// CHECK-NOT: rotq.rotate #
// CHECK: %[[QV:.*]] = rotq.rotated_view %[[Q]] : <8x570, #rq3> -> <8x576, #rq3_rotated>
// CHECK: rotq.matmul ins(%[[R]] : tensor<4x576xf32>) weight(%[[QV]]
// CHECK: %[[KV:.*]] = rotq.rotated_view %[[K]] : <4x570, #rq2> -> <4x576, #rq2_rotated>
// CHECK: rotq.matmul ins(%[[R]] : tensor<4x576xf32>) weight(%[[KV]]
// CHECK: %[[OV:.*]] = rotq.rotated_view %[[O]]
// CHECK: rotq.matmul ins(%[[S]] : tensor<4x576xf32>) weight(%[[OV]]
// CHECK: rotq.matmul ins(%[[X]] : tensor<4x570xf32>) weight(%[[I]]

// LOAD-LABEL: func @share
// LOAD-NOT: rotq.rotate
// LOAD: return
func.func @share(%x: tensor<4x570xf32>, %q: !rotq.weight<8x570, #rq3>, %k: !rotq.weight<4x570, #rq2>,
                 %o: !rotq.weight<4x570, #other>, %i: !rotq.weight<4x570, #rotq.format<"int4_g128">>,
                 %y8: tensor<4x8xf32>, %y4: tensor<4x4xf32>)
    -> (tensor<4x8xf32>, tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) {
  %0 = rotq.matmul ins(%x : tensor<4x570xf32>) weight(%q : !rotq.weight<8x570, #rq3>) outs(%y8 : tensor<4x8xf32>) -> tensor<4x8xf32>
  %1 = rotq.matmul ins(%x : tensor<4x570xf32>) weight(%k : !rotq.weight<4x570, #rq2>) outs(%y4 : tensor<4x4xf32>) -> tensor<4x4xf32>
  %2 = rotq.matmul ins(%x : tensor<4x570xf32>) weight(%o : !rotq.weight<4x570, #other>) outs(%y4 : tensor<4x4xf32>) -> tensor<4x4xf32>
  %3 = rotq.matmul ins(%x : tensor<4x570xf32>) weight(%i : !rotq.weight<4x570, #rotq.format<"int4_g128">>) outs(%y4 : tensor<4x4xf32>) -> tensor<4x4xf32>
  return %0, %1, %2, %3 : tensor<4x8xf32>, tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>
}

// The rotation of an activation that two branches read dominates both.

// CHECK-LABEL: func @branches
// CHECK: %[[X:.*]] = arith.addf
// CHECK-NEXT: %[[C0:.*]] = arith.constant 0
// CHECK-NEXT: %[[M:.*]] = tensor.dim %[[X]], %[[C0]]
// CHECK-NEXT: %[[E:.*]] = tensor.empty(%[[M]]) : tensor<?x576xf16>
// CHECK-NEXT: %[[R:.*]] = rotq.rotate #rotq.hadamard<256> ins(%[[X]] : tensor<?x576xf16>) outs(%[[E]] : tensor<?x576xf16>)
// CHECK: scf.if
// CHECK: rotq.matmul ins(%[[R]] : tensor<?x576xf16>)
// CHECK: else
// CHECK: rotq.matmul ins(%[[R]] : tensor<?x576xf16>)
func.func @branches(%a: tensor<?x576xf16>, %c: i1, %q: !rotq.weight<8x576, #rq3>, %k: !rotq.weight<8x576, #rq3>,
                    %y: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %x = arith.addf %a, %a : tensor<?x576xf16>
  %r = scf.if %c -> tensor<?x8xf32> {
    %0 = rotq.matmul ins(%x : tensor<?x576xf16>) weight(%q : !rotq.weight<8x576, #rq3>) outs(%y : tensor<?x8xf32>) -> tensor<?x8xf32>
    scf.yield %0 : tensor<?x8xf32>
  } else {
    %1 = rotq.matmul ins(%x : tensor<?x576xf16>) weight(%k : !rotq.weight<8x576, #rq3>) outs(%y : tensor<?x8xf32>) -> tensor<?x8xf32>
    scf.yield %1 : tensor<?x8xf32>
  }
  return %r : tensor<?x8xf32>
}

// An activation that comes out of an inverse rotation is not rotated again.

// CHECK-LABEL: func @cancel
// CHECK-SAME: (%[[X:.*]]: tensor<4x576xf32>
// CHECK-NOT: rotq.rotate #
// CHECK: rotq.matmul ins(%[[X]] : tensor<4x576xf32>)
func.func @cancel(%x: tensor<4x576xf32>, %q: !rotq.weight<8x576, #rq3>, %y: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %e = tensor.empty() : tensor<4x576xf32>
  %b = rotq.rotate #rotq.hadamard<256> inverse ins(%x : tensor<4x576xf32>) outs(%e : tensor<4x576xf32>) -> tensor<4x576xf32>
  %0 = rotq.matmul ins(%b : tensor<4x576xf32>) weight(%q : !rotq.weight<8x576, #rq3>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %0 : tensor<4x8xf32>
}

// What is placed already, on whole activations or on slices of their rows,
// float or int8, stays.

// CHECK-LABEL: func @placed
// CHECK-COUNT-1: rotq.rotate #
// CHECK-NOT: rotq.rotate #
// LOAD-LABEL: func @placed
func.func @placed(%x: tensor<4x576xf32>, %w: !rotq.weight<8x576, #rq3>, %y: tensor<4x8xf32>, %z: tensor<2x8xf32>, %i: index)
    -> (tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x8xf32>) {
  %e = tensor.empty() : tensor<4x576xf32>
  %r = rotq.rotate #rotq.hadamard<256> ins(%x : tensor<4x576xf32>) outs(%e : tensor<4x576xf32>) -> tensor<4x576xf32>
  %v = rotq.rotated_view %w : !rotq.weight<8x576, #rq3> -> !rotq.weight<8x576, #rq3_rotated>
  %0 = rotq.matmul ins(%r : tensor<4x576xf32>) weight(%v : !rotq.weight<8x576, #rq3_rotated>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
  %u = tensor.extract_slice %r[%i, 0] [2, 576] [1, 1] : tensor<4x576xf32> to tensor<2x576xf32>
  %d = tensor.cast %u : tensor<2x576xf32> to tensor<?x576xf32>
  %1 = rotq.matmul ins(%d : tensor<?x576xf32>) weight(%v : !rotq.weight<8x576, #rq3_rotated>) outs(%z : tensor<2x8xf32>) -> tensor<2x8xf32>
  %c = tensor.empty() : tensor<4x576xi8>
  %s = tensor.empty() : tensor<4x3xf32>
  %t = tensor.empty() : tensor<4x3xi32>
  %q:3 = rotq.quantize_activation #rotq.hadamard<256> group(256) ins(%x : tensor<4x576xf32>)
    outs(%c, %s, %t : tensor<4x576xi8>, tensor<4x3xf32>, tensor<4x3xi32>) -> tensor<4x576xi8>, tensor<4x3xf32>, tensor<4x3xi32>
  %2 = rotq.matmul ins(%q#0, %q#1, %q#2 : tensor<4x576xi8>, tensor<4x3xf32>, tensor<4x3xi32>) group(256)
    weight(%v : !rotq.weight<8x576, #rq3_rotated>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %0, %1, %2 : tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x8xf32>
}
