// RUN: quant-opt %s -rotq-quantize-weights=format=rq3 -split-input-file | FileCheck %s

#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>

// Through two levels of private functions, of which each is called twice with
// equal formats and stays one.

// CHECK-LABEL: func.func @main
// CHECK-SAME: %[[A:[a-z0-9]+]]: !rotq.weight<32x32, #rq3> {rotq.parameter = "a"}, %[[B:[a-z0-9]+]]: !rotq.weight<32x32, #rq3> {rotq.parameter = "b"}
// CHECK: call @outer(%{{.*}}, %[[A]], %{{.*}}) : (tensor<4x32xf32>, !rotq.weight<32x32, #rq3>, tensor<4x32xf32>)
// CHECK: call @outer(%{{.*}}, %[[B]], %{{.*}})
func.func @main(%x: tensor<4x32xf32>, %a: tensor<32x32xf32> {rotq.parameter = "a"}, %b: tensor<32x32xf32> {rotq.parameter = "b"}) -> tensor<4x32xf32> {
  %e = tensor.empty() : tensor<4x32xf32>
  %0 = call @outer(%x, %a, %e) : (tensor<4x32xf32>, tensor<32x32xf32>, tensor<4x32xf32>) -> tensor<4x32xf32>
  %1 = call @outer(%0, %b, %e) : (tensor<4x32xf32>, tensor<32x32xf32>, tensor<4x32xf32>) -> tensor<4x32xf32>
  return %1 : tensor<4x32xf32>
}

// CHECK: func.func private @outer(%{{.*}}: tensor<4x32xf32>, %[[W:[a-z0-9]+]]: !rotq.weight<32x32, #rq3>,
// CHECK-COUNT-2: call @inner(%{{.*}}, %[[W]], %{{.*}})
func.func private @outer(%x: tensor<4x32xf32>, %w: tensor<32x32xf32>, %e: tensor<4x32xf32>) -> tensor<4x32xf32> {
  %0 = call @inner(%x, %w, %e) : (tensor<4x32xf32>, tensor<32x32xf32>, tensor<4x32xf32>) -> tensor<4x32xf32>
  %1 = call @inner(%0, %w, %e) : (tensor<4x32xf32>, tensor<32x32xf32>, tensor<4x32xf32>) -> tensor<4x32xf32>
  return %1 : tensor<4x32xf32>
}

// CHECK: func.func private @inner(%{{.*}}: tensor<4x32xf32>, %[[W:[a-z0-9]+]]: !rotq.weight<32x32, #rq3>,
// CHECK-SAME: %[[E:[a-z0-9]+]]: tensor<4x32xf32>
// CHECK: rotq.matmul ins(%{{.*}}) weight(%[[W]] : {{.*}} outs(%[[E]] :
// CHECK-NOT: func.func
func.func private @inner(%x: tensor<4x32xf32>, %w: tensor<32x32xf32>, %e: tensor<4x32xf32>) -> tensor<4x32xf32> {
  %z = arith.constant 0.0 : f32
  %i = linalg.fill ins(%z : f32) outs(%e : tensor<4x32xf32>) -> tensor<4x32xf32>
  %0 = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %w : tensor<4x32xf32>, tensor<32x32xf32>) outs(%i : tensor<4x32xf32>) -> tensor<4x32xf32>
  return %0 : tensor<4x32xf32>
}

// -----

// A parameter, and something else: the function stays for the latter, whichever
// call comes first.

// CHECK-LABEL: func.func @mixed
// CHECK-SAME: %[[A:[a-z0-9]+]]: !rotq.weight<32x32, #rq3> {rotq.parameter = "a"}, %[[B:[a-z0-9]+]]: tensor<32x32xf32>
// CHECK: call @[[PACKED:.*]](%{{.*}}, %[[A]]) : (tensor<4x32xf32>, !rotq.weight<32x32, #rq3>)
// CHECK: call @[[PLAIN:.*]](%{{.*}}, %[[B]]) : (tensor<4x32xf32>, tensor<32x32xf32>)
// CHECK: call @[[PACKED]](%{{.*}}, %[[A]])
func.func @mixed(%x: tensor<4x32xf32>, %a: tensor<32x32xf32> {rotq.parameter = "a"}, %b: tensor<32x32xf32>) -> tensor<4x32xf32> {
  %0 = call @linear(%x, %a) : (tensor<4x32xf32>, tensor<32x32xf32>) -> tensor<4x32xf32>
  %1 = call @linear(%0, %b) : (tensor<4x32xf32>, tensor<32x32xf32>) -> tensor<4x32xf32>
  %2 = call @linear(%1, %a) : (tensor<4x32xf32>, tensor<32x32xf32>) -> tensor<4x32xf32>
  return %2 : tensor<4x32xf32>
}

// CHECK-LABEL: func.func @plain_first
// CHECK: call @[[PLAIN]](%{{.*}}) : (tensor<4x32xf32>, tensor<32x32xf32>)
// CHECK: call @[[PACKED]](%{{.*}}) : (tensor<4x32xf32>, !rotq.weight<32x32, #rq3>)
func.func @plain_first(%x: tensor<4x32xf32>, %a: tensor<32x32xf32> {rotq.parameter = "a"}, %b: tensor<32x32xf32>) -> tensor<4x32xf32> {
  %0 = call @linear(%x, %b) : (tensor<4x32xf32>, tensor<32x32xf32>) -> tensor<4x32xf32>
  %1 = call @linear(%0, %a) : (tensor<4x32xf32>, tensor<32x32xf32>) -> tensor<4x32xf32>
  return %1 : tensor<4x32xf32>
}

// CHECK-COUNT-2: func.func private @linear
// CHECK-NOT: func.func
func.func private @linear(%x: tensor<4x32xf32>, %w: tensor<32x32xf32>) -> tensor<4x32xf32> {
  %i = arith.constant dense<0.0> : tensor<4x32xf32>
  %0 = linalg.matmul ins(%x, %w : tensor<4x32xf32>, tensor<32x32xf32>) outs(%i : tensor<4x32xf32>) -> tensor<4x32xf32>
  return %0 : tensor<4x32xf32>
}

// -----

// What calls itself, or in a circle, with its weights in turn.

// CHECK-LABEL: func.func @recursive
// CHECK: call @again(%{{.*}}) : (tensor<4x32xf32>, !rotq.weight<32x32, #rq3>, !rotq.weight<32x32, #rq3>, i1)
func.func @recursive(%x: tensor<4x32xf32>, %a: tensor<32x32xf32> {rotq.parameter = "a"}, %b: tensor<32x32xf32> {rotq.parameter = "b"}, %c: i1) -> tensor<4x32xf32> {
  %0 = call @again(%x, %a, %b, %c) : (tensor<4x32xf32>, tensor<32x32xf32>, tensor<32x32xf32>, i1) -> tensor<4x32xf32>
  return %0 : tensor<4x32xf32>
}

// CHECK: func.func private @again(%{{.*}}: tensor<4x32xf32>, %[[A:[a-z0-9]+]]: !rotq.weight<32x32, #rq3>, %[[B:[a-z0-9]+]]: !rotq.weight<32x32, #rq3>,
// CHECK: call @circle(%{{.*}}, %[[B]], %[[A]], %{{.*}})
func.func private @again(%x: tensor<4x32xf32>, %a: tensor<32x32xf32>, %b: tensor<32x32xf32>, %c: i1) -> tensor<4x32xf32> {
  %i = arith.constant dense<0.0> : tensor<4x32xf32>
  %0 = linalg.matmul ins(%x, %a : tensor<4x32xf32>, tensor<32x32xf32>) outs(%i : tensor<4x32xf32>) -> tensor<4x32xf32>
  %1 = scf.if %c -> tensor<4x32xf32> {
    %2 = func.call @circle(%0, %b, %a, %c) : (tensor<4x32xf32>, tensor<32x32xf32>, tensor<32x32xf32>, i1) -> tensor<4x32xf32>
    scf.yield %2 : tensor<4x32xf32>
  } else {
    scf.yield %0 : tensor<4x32xf32>
  }
  return %1 : tensor<4x32xf32>
}

// CHECK: func.func private @circle(
// CHECK: call @again(
// CHECK: call @circle(
// CHECK-NOT: func.func
func.func private @circle(%x: tensor<4x32xf32>, %a: tensor<32x32xf32>, %b: tensor<32x32xf32>, %c: i1) -> tensor<4x32xf32> {
  %0 = call @again(%x, %a, %b, %c) : (tensor<4x32xf32>, tensor<32x32xf32>, tensor<32x32xf32>, i1) -> tensor<4x32xf32>
  %1 = call @circle(%0, %b, %a, %c) : (tensor<4x32xf32>, tensor<32x32xf32>, tensor<32x32xf32>, i1) -> tensor<4x32xf32>
  return %1 : tensor<4x32xf32>
}

// -----

// Functions that nobody calls: a parameter of a private one is one as well, and
// what they call without parameters is not what others call with them.

// CHECK-LABEL: func.func private @alone(
// CHECK-SAME: !rotq.weight<32x32, #rq3> {rotq.parameter = "w"}
// CHECK: rotq.matmul
func.func private @alone(%x: tensor<4x32xf32>, %w: tensor<32x32xf32> {rotq.parameter = "w"}) -> tensor<4x32xf32> {
  %i = arith.constant dense<0.0> : tensor<4x32xf32>
  %0 = linalg.matmul ins(%x, %w : tensor<4x32xf32>, tensor<32x32xf32>) outs(%i : tensor<4x32xf32>) -> tensor<4x32xf32>
  return %0 : tensor<4x32xf32>
}

// CHECK: func.func private @dead_circle(
// CHECK-DAG: call @dead_circle(
// CHECK-DAG: call @{{shared.*}}(%{{.*}}) : (tensor<4x32xf32>, tensor<32x32xf32>)
func.func private @dead_circle(%x: tensor<4x32xf32>, %w: tensor<32x32xf32>) -> tensor<4x32xf32> {
  %0 = call @dead_circle(%x, %w) : (tensor<4x32xf32>, tensor<32x32xf32>) -> tensor<4x32xf32>
  %1 = call @shared(%0, %w) : (tensor<4x32xf32>, tensor<32x32xf32>) -> tensor<4x32xf32>
  return %1 : tensor<4x32xf32>
}

// CHECK: func.func @live(
// CHECK: call @shared(%{{.*}}) : (tensor<4x32xf32>, !rotq.weight<32x32, #rq3>)
func.func @live(%x: tensor<4x32xf32>, %w: tensor<32x32xf32> {rotq.parameter = "w"}) -> tensor<4x32xf32> {
  %0 = call @shared(%x, %w) : (tensor<4x32xf32>, tensor<32x32xf32>) -> tensor<4x32xf32>
  return %0 : tensor<4x32xf32>
}

func.func private @shared(%x: tensor<4x32xf32>, %w: tensor<32x32xf32>) -> tensor<4x32xf32> {
  %i = arith.constant dense<0.0> : tensor<4x32xf32>
  %0 = linalg.matmul ins(%x, %w : tensor<4x32xf32>, tensor<32x32xf32>) outs(%i : tensor<4x32xf32>) -> tensor<4x32xf32>
  return %0 : tensor<4x32xf32>
}

// -----

// A product of products, all by parameters.

// CHECK-LABEL: func.func @chain
// CHECK: %[[H:.*]] = rotq.matmul
// CHECK: rotq.matmul ins(%[[H]] :
// CHECK-NOT: linalg.matmul
func.func @chain(%x: tensor<4x32xf32>, %a: tensor<32x32xf32> {rotq.parameter = "a"}, %b: tensor<32x32xf32> {rotq.parameter = "b"}) -> tensor<4x32xf32> {
  %i = arith.constant dense<0.0> : tensor<4x32xf32>
  %0 = linalg.matmul ins(%x, %a : tensor<4x32xf32>, tensor<32x32xf32>) outs(%i : tensor<4x32xf32>) -> tensor<4x32xf32>
  %1 = linalg.matmul ins(%0, %b : tensor<4x32xf32>, tensor<32x32xf32>) outs(%i : tensor<4x32xf32>) -> tensor<4x32xf32>
  return %1 : tensor<4x32xf32>
}
