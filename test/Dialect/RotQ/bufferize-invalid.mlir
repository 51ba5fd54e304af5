// RUN: quant-opt %s --one-shot-bufferize="bufferize-function-boundaries" -verify-diagnostics

func.func @quantize(%x: tensor<2x64xf32>) -> !rotq.weight<2x64, #rotq.format<"rq2">> {
  // expected-error @below {{'rotq.quantize' op has no lowering: its source is not a constant}}
  // expected-error @below {{failed to bufferize op}}
  %0 = rotq.quantize %x : tensor<2x64xf32> -> !rotq.weight<2x64, #rotq.format<"rq2">>
  return %0 : !rotq.weight<2x64, #rotq.format<"rq2">>
}
