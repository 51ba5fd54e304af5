// RUN: split-file %s %t
// RUN: quant-opt %t/module.mlir -rotq-quantize-weights=plan=%t/plan.json | FileCheck %t/module.mlir

//--- plan.json
{
  "q": "rq4",
  "k": "rq2",
  "o": {
    "name": "mine",
    "rotation": {"kind": "hadamard", "block": 32},
    "scale": {"type": "f16", "group": 32, "offset": false},
    "codebook": {"kind": "table", "bits": 2, "levels": [-3, -1, 1, 3]},
    "coding": {"kind": "fixed", "bits": 2}
  },
  "with \"quotes\" */ and ünïcode": "int4_g128"
}

//--- module.mlir
// Each in its format, others as they are, in both functions; a function that is
// called with weights of several formats is cloned, once for each.

// CHECK-LABEL: func.func @prefill
// CHECK-SAME: !rotq.weight<256x256, #rq4> {rotq.parameter = "q"}
// CHECK-SAME: !rotq.weight<256x256, #rq2> {rotq.parameter = "k"}
// CHECK-SAME: !rotq.weight<256x256, #int4_g128> {rotq.parameter = "with \22quotes\22 */ and \C3\BCn\C3\AFcode"}
// CHECK-SAME: tensor<256x256xf32> {rotq.parameter = "v"}
// CHECK: call @[[RQ4:[a-z_0-9]+]](%{{.*}}) : (tensor<4x256xf32>, !rotq.weight<256x256, #rq4>)
// CHECK: call @[[RQ2:[a-z_0-9]+]](%{{.*}}) : (tensor<4x256xf32>, !rotq.weight<256x256, #rq2>)
// CHECK: call @{{.*}}(%{{.*}}) : (tensor<4x256xf32>, !rotq.weight<256x256, #int4_g128>)
// CHECK: call @{{.*}}(%{{.*}}) : (tensor<4x256xf32>, tensor<256x256xf32>)
// CHECK: call @[[RQ4]](
func.func @prefill(%x: tensor<4x256xf32>, %q: tensor<256x256xf32> {rotq.parameter = "q"}, %k: tensor<256x256xf32> {rotq.parameter = "k"},
                   %n: tensor<256x256xf32> {rotq.parameter = "with \"quotes\" */ and ünïcode"}, %v: tensor<256x256xf32> {rotq.parameter = "v"}) -> tensor<4x256xf32> {
  %0 = call @linear(%x, %q) : (tensor<4x256xf32>, tensor<256x256xf32>) -> tensor<4x256xf32>
  %1 = call @linear(%0, %k) : (tensor<4x256xf32>, tensor<256x256xf32>) -> tensor<4x256xf32>
  %2 = call @linear(%1, %n) : (tensor<4x256xf32>, tensor<256x256xf32>) -> tensor<4x256xf32>
  %3 = call @linear(%2, %v) : (tensor<4x256xf32>, tensor<256x256xf32>) -> tensor<4x256xf32>
  %4 = call @linear(%3, %q) : (tensor<4x256xf32>, tensor<256x256xf32>) -> tensor<4x256xf32>
  return %4 : tensor<4x256xf32>
}

// CHECK-LABEL: func.func @decode
// CHECK-SAME: !rotq.weight<256x256, #rq2> {rotq.parameter = "k"}
// CHECK-SAME: !rotq.weight<64x256, #{{.*}}> {rotq.parameter = "o"}
// CHECK: call @[[RQ2]](
func.func @decode(%x: tensor<4x256xf32>, %k: tensor<256x256xf32> {rotq.parameter = "k"}, %o: tensor<64x256xf32> {rotq.parameter = "o"}) -> tensor<4x256xf32> {
  %0 = call @linear(%x, %k) : (tensor<4x256xf32>, tensor<256x256xf32>) -> tensor<4x256xf32>
  return %0 : tensor<4x256xf32>
}

// CHECK-COUNT-4: func.func private @linear
// CHECK-NOT: func.func
func.func private @linear(%x: tensor<4x256xf32>, %w: tensor<256x256xf32>) -> tensor<4x256xf32> {
  %i = arith.constant dense<0.0> : tensor<4x256xf32>
  %0 = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
    ins(%x, %w : tensor<4x256xf32>, tensor<256x256xf32>) outs(%i : tensor<4x256xf32>) -> tensor<4x256xf32>
  return %0 : tensor<4x256xf32>
}
