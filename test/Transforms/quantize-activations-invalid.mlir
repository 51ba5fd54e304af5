// RUN: quant-opt %s -rotq-quantize-activations --remarks-filter=".*" -verify-diagnostics -o /dev/null
// RUN: not quant-opt %s -rotq-quantize-activations=group=100 2>&1 | FileCheck %s --check-prefix=G100
// RUN: not quant-opt %s -rotq-quantize-activations=group=16 2>&1 | FileCheck %s --check-prefix=G16
// RUN: not quant-opt %s -rotq-quantize-activations=group=8192 2>&1 | FileCheck %s --check-prefix=G8192
// RUN: not quant-opt %s '-rotq-quantize-activations=operand=e4m3 rests' 2>&1 | FileCheck %s --check-prefix=RESTS

// G100: error: expected 'group' to be a power of two from 32 to 4096 but got 100
// G16: error: expected 'group' to be a power of two from 32 to 4096 but got 16
// G8192: error: expected 'group' to be a power of two from 32 to 4096 but got 8192
// RESTS: error: expected no 'rests' of e4m3

func.func @load(%x: tensor<4x576xf32>, %w: !rotq.weight<8x576, #rotq.format<"rq3">>, %y: tensor<4x8xf32>) -> tensor<4x8xf32> {
  // expected-remark @below {{[Missed] QuantizeActivation | Category:rotq-quantize-activations | Function=load | Remark="the weight keeps its rotation"}}
  %0 = rotq.matmul ins(%x : tensor<4x576xf32>) weight(%w : !rotq.weight<8x576, #rotq.format<"rq3">>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %0 : tensor<4x8xf32>
}
