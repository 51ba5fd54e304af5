// RUN: quant-opt %s --convert-rotq-to-vector -split-input-file -verify-diagnostics

// Kernels are built on memrefs.
func.func @tensors(%x: tensor<2x64xf32>, %out: tensor<2x64xf32>) -> tensor<2x64xf32> {
  // expected-error @below {{failed to legalize operation 'rotq.rotate'}}
  %r = rotq.rotate #rotq.hadamard<64> ins(%x : tensor<2x64xf32>) outs(%out : tensor<2x64xf32>) -> tensor<2x64xf32>
  return %r : tensor<2x64xf32>
}

// -----

func.func @strided(%x: memref<2x64xf32, strided<[128, 2]>>, %out: memref<2x64xf32>) {
  // expected-error @below {{failed to legalize operation 'rotq.rotate'}}
  rotq.rotate #rotq.hadamard<64> ins(%x : memref<2x64xf32, strided<[128, 2]>>) outs(%out : memref<2x64xf32>)
  return
}

// -----

func.func @quantize(%x: memref<2x64xf32>) -> !rotq.weight<2x64, #rotq.format<"rq2">> {
  // expected-error @below {{'rotq.quantize' op has no lowering on the host: its source is not a constant}}
  %0 = rotq.quantize %x : memref<2x64xf32> -> !rotq.weight<2x64, #rotq.format<"rq2">>
  return %0 : !rotq.weight<2x64, #rotq.format<"rq2">>
}
