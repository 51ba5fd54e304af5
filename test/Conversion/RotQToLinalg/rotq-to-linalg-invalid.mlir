// RUN: quant-opt %s --convert-rotq-to-linalg -split-input-file -verify-diagnostics

func.func @quantize(%x: tensor<2x64xf32>) -> !rotq.weight<2x64, #rotq.format<"rq2">> {
  // expected-error @below {{'rotq.quantize' op has no lowering: its source is not a constant}}
  %0 = rotq.quantize %x : tensor<2x64xf32> -> !rotq.weight<2x64, #rotq.format<"rq2">>
  return %0 : !rotq.weight<2x64, #rotq.format<"rq2">>
}

// -----

// The reference is made of tensors.
func.func @memrefs(%x: memref<2x64xf32>, %out: memref<2x64xf32>) {
  // expected-error @below {{failed to legalize operation 'rotq.rotate'}}
  rotq.rotate #rotq.hadamard<64> ins(%x : memref<2x64xf32>) outs(%out : memref<2x64xf32>)
  return
}
