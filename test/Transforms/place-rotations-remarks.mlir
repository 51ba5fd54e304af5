// RUN: quant-opt %s -rotq-place-rotations=placement=activation --remarks-filter="rotq-placement" -verify-diagnostics -o /dev/null
// RUN: quant-opt %s -rotq-place-rotations --remarks-filter="rotq-placement" --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=AUTO
// RUN: quant-opt %s -rotq-place-rotations=placement=load --remarks-filter="rotq-placement" --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=LOAD

// AUTO: [Passed] RotationOnActivation | Category:rotq-placement | Function=f | Remark="rotation shared by 3 matmuls"
// AUTO: [Analysis] RotationOnActivation | Category:rotq-placement | Function=f | Remark="an activation is rotated once, a weight every time it is read"
// LOAD-COUNT-4: [Passed] RotationOnWeight | Category:rotq-placement | Function=f | Remark="rotation left to the kernel that loads the weight"

func.func @f(
    // expected-remark @below {{rotation shared by 3 matmuls}}
    %x: tensor<4x576xf32>,
    // expected-remark @below {{rotation placed on the activation of one matmul}}
    %z: tensor<4x576xf32>,
    %w: !rotq.weight<8x576, #rotq.format<"rq3">>, %v: !rotq.weight<8x576, #rotq.format<"rq4">>,
    %y: tensor<4x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) {
  %0 = rotq.matmul ins(%x : tensor<4x576xf32>) weight(%w : !rotq.weight<8x576, #rotq.format<"rq3">>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
  %1 = rotq.matmul ins(%x : tensor<4x576xf32>) weight(%v : !rotq.weight<8x576, #rotq.format<"rq4">>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
  %2 = rotq.matmul ins(%x : tensor<4x576xf32>) weight(%w : !rotq.weight<8x576, #rotq.format<"rq3">>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
  %3 = rotq.matmul ins(%z : tensor<4x576xf32>) weight(%w : !rotq.weight<8x576, #rotq.format<"rq3">>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %0, %1, %2, %3 : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>
}
