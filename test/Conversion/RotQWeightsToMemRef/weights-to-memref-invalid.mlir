// RUN: quant-opt %s --convert-rotq-weights-to-memref -split-input-file -verify-diagnostics

!w = !rotq.weight<1x32, #rotq.format<"rq2">>
func.func @dequantize(%w: !w, %out: memref<1x32xf32>) {
  // expected-error @below {{failed to legalize operation 'rotq.dequantize'}}
  rotq.dequantize weight(%w : !w) outs(%out : memref<1x32xf32>)
  return
}
