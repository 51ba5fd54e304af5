// RUN: quant-opt %s --convert-rotq-to-gpu -split-input-file -verify-diagnostics

func.func @levels(%x: memref<2x64xf32>) -> !rotq.weight<2x64, #rotq.format<"rq2">> {
  // expected-error @below {{'rotq.quantize' op expected a format whose codes are a path, as encoders on GPUs find alone, but got #rotq.format<"rq2">}}
  %w = rotq.quantize %x : memref<2x64xf32> -> !rotq.weight<2x64, #rotq.format<"rq2">>
  return %w : !rotq.weight<2x64, #rotq.format<"rq2">>
}

// -----

func.func @tensor(%x: tensor<2x64xf32>) -> !rotq.weight<2x64, #rotq.format<"trellis2">> {
  // expected-error @below {{'rotq.quantize' op expected memrefs: bufferize first}}
  %w = rotq.quantize %x : tensor<2x64xf32> -> !rotq.weight<2x64, #rotq.format<"trellis2">>
  return %w : !rotq.weight<2x64, #rotq.format<"trellis2">>
}

// -----

func.func @strided(%x: memref<2x64xf32, strided<[128, 1]>>) -> !rotq.weight<2x64, #rotq.format<"trellis2">> {
  // expected-error @below {{'rotq.quantize' op expected contiguous memrefs but got 'memref<2x64xf32, strided<[128, 1]>>'}}
  %w = rotq.quantize %x : memref<2x64xf32, strided<[128, 1]>> -> !rotq.weight<2x64, #rotq.format<"trellis2">>
  return %w : !rotq.weight<2x64, #rotq.format<"trellis2">>
}

// -----

#long = #rotq.format<"long", rotation = #rotq.hadamard<512>, scale = #rotq.scale<row>,
                     codebook = #rotq.trellis<2, 2212286765, 0>, coding = #rotq.window<2>>
func.func @long(%x: memref<2x512xf32>) -> !rotq.weight<2x512, #long> {
  // expected-error @below {{expected a rotation of at most 256 on this target but got 512}}
  %w = rotq.quantize %x : memref<2x512xf32> -> !rotq.weight<2x512, #long>
  return %w : !rotq.weight<2x512, #long>
}
