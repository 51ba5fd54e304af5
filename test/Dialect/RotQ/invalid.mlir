// RUN: quant-opt %s -split-input-file -verify-diagnostics

func.func @f() {
  // expected-error @below {{expected a blob of type tensor<52xi8> but got 'tensor<51xi8>'}}
  %0 = rotq.constant dense<0> : tensor<51xi8> : !rotq.weight<2x32, #rotq.format<"rq3">>
  return
}

// -----

func.func @f() {
  // expected-error @below {{expected a blob of type tensor<52xi8> but got 'tensor<13xi32>'}}
  %0 = rotq.constant dense<0> : tensor<13xi32> : !rotq.weight<2x32, #rotq.format<"rq3">>
  return
}

// -----

func.func @f() {
  // expected-error @below {{expected a blob of type tensor<52xi8> but got 'tensor<4x13xi8>'}}
  %0 = rotq.constant dense<0> : tensor<4x13xi8> : !rotq.weight<2x32, #rotq.format<"rq3">>
  return
}

// -----

func.func @f() {
  // expected-error @below {{expected a resource of 52 bytes but got 3}}
  %0 = rotq.constant dense_resource<short> : tensor<52xi8> : !rotq.weight<2x32, #rotq.format<"rq3">>
  return
}

{-# dialect_resources: { builtin: { short: "0x10000000010203" } } #-}

// -----

func.func @f(%x: tensor<576x8xf32>) {
  // expected-error @below {{expected a source of shape 8x576 but got 'tensor<576x8xf32>'}}
  %0 = rotq.quantize %x : tensor<576x8xf32> -> !rotq.weight<8x576, #rotq.format<"rq3">>
  return
}

// -----

func.func @f(%x: tensor<8x?xf32>) {
  // expected-error @below {{expected a source of shape 8x576 but got 'tensor<8x?xf32>'}}
  %0 = rotq.quantize %x : tensor<8x?xf32> -> !rotq.weight<8x576, #rotq.format<"rq3">>
  return
}

// -----

func.func @f(%x: tensor<8x576xi8>) {
  // expected-error @below {{operand #0 must be ranked tensor of 32-bit float or 16-bit float or bfloat16 type values}}
  %0 = rotq.quantize %x : tensor<8x576xi8> -> !rotq.weight<8x576, #rotq.format<"rq3">>
  return
}

// -----

func.func @f(%w: !rotq.weight<8x576, #rotq.format<"rq3">>) {
  // expected-error @below {{expected result type '!rotq.weight<8x576, #rotq.format<"rq3_rotated", rotation = #rotq.identity}}
  %0 = rotq.rotated_view %w : !rotq.weight<8x576, #rotq.format<"rq3">> -> !rotq.weight<8x576, #rotq.format<"int4_g128">>
  return
}

// -----

func.func @f(%w: !rotq.weight<8x570, #rotq.format<"rq3">>) {
  // expected-error @below {{expected result type}}
  %0 = rotq.rotated_view %w : !rotq.weight<8x570, #rotq.format<"rq3">> -> !rotq.weight<8x570, #rotq.format<"rq3">>
  return
}

// -----

func.func @f(%w: !rotq.weight<8x576, #rotq.format<"rq3">>, %i: index) {
  // expected-error @below {{expected rows of}}
  %0 = rotq.extract_rows %w[%i] : !rotq.weight<8x576, #rotq.format<"rq3">> -> !rotq.weight<8x576, #rotq.format<"rq2">>
  return
}

// -----

func.func @f(%w: !rotq.weight<8x576, #rotq.format<"rq3">>, %i: index) {
  // expected-error @below {{expected rows of}}
  %0 = rotq.extract_rows %w[%i] : !rotq.weight<8x576, #rotq.format<"rq3">> -> !rotq.weight<8x512, #rotq.format<"rq3">>
  return
}

// -----

func.func @f(%w: !rotq.weight<8x576, #rotq.format<"rq3">>, %i: index) {
  // expected-error @below {{expected at most 8 rows but got 9}}
  %0 = rotq.extract_rows %w[%i] : !rotq.weight<8x576, #rotq.format<"rq3">> -> !rotq.weight<9x576, #rotq.format<"rq3">>
  return
}

// -----

func.func @f(%w: !rotq.weight<8x576, #rotq.format<"rq3">>) {
  %i = arith.constant 5 : index
  // expected-error @below {{expected rows within [0, 8) but got 4 from 5}}
  %0 = rotq.extract_rows %w[%i] : !rotq.weight<8x576, #rotq.format<"rq3">> -> !rotq.weight<4x576, #rotq.format<"rq3">>
  return
}

// -----

func.func @f(%w: !rotq.weight<8x576, #rotq.format<"rq3">>) {
  %i = arith.constant -1 : index
  // expected-error @below {{expected rows within [0, 8) but got 4 from -1}}
  %0 = rotq.extract_rows %w[%i] : !rotq.weight<8x576, #rotq.format<"rq3">> -> !rotq.weight<4x576, #rotq.format<"rq3">>
  return
}

// -----

func.func @f(%w: !rotq.weight<8x576, #rotq.format<"rq3">>) {
  // expected-error @below {{expected result type 'memref<1776xi8>' but got 'memref<4xi8>'}}
  %0 = rotq.storage %w : !rotq.weight<8x576, #rotq.format<"rq3">> -> memref<4xi8>
  return
}

// -----

func.func @f(%w: !rotq.weight<8x576, #rotq.format<"rq3">>, %o: tensor<576x8xf32>) {
  // expected-error @below {{expected a destination of shape 8x576 but got 'tensor<576x8xf32>'}}
  %0 = rotq.dequantize weight(%w : !rotq.weight<8x576, #rotq.format<"rq3">>) outs(%o : tensor<576x8xf32>) -> tensor<576x8xf32>
  return
}

// -----

func.func @f(%w: !rotq.weight<8x576, #rotq.format<"rq3">>, %o: tensor<8x?xf32>) {
  // expected-error @below {{expected a destination of shape 8x576 but got 'tensor<8x?xf32>'}}
  %0 = rotq.dequantize weight(%w : !rotq.weight<8x576, #rotq.format<"rq3">>) outs(%o : tensor<8x?xf32>) -> tensor<8x?xf32>
  return
}

// -----

func.func @f(%w: !rotq.weight<8x576, #rotq.format<"rq3">>, %o: tensor<8x576xf32>) {
  // expected-error @below {{expected 1 results but got 0}}
  rotq.dequantize weight(%w : !rotq.weight<8x576, #rotq.format<"rq3">>) outs(%o : tensor<8x576xf32>)
  return
}

// -----

func.func @f(%w: !rotq.weight<8x576, #rotq.format<"rq3">>, %o: memref<8x576xf32>) {
  // expected-error @below {{expected 0 results but got 1}}
  %0 = rotq.dequantize weight(%w : !rotq.weight<8x576, #rotq.format<"rq3">>) outs(%o : memref<8x576xf32>) -> tensor<8x576xf32>
  return
}

// -----

func.func @f(%w: !rotq.weight<8x576, #rotq.format<"rq3">>, %o: tensor<8x576xf32>) {
  // expected-error @below {{expected type of operand #1}}
  %0 = rotq.dequantize weight(%w : !rotq.weight<8x576, #rotq.format<"rq3">>) outs(%o : tensor<8x576xf32>) -> tensor<8x576xf16>
  return
}

// -----

func.func @f(%w: !rotq.weight<8x576, #rotq.format<"rq3">>, %i: tensor<4x4xi32>, %o: tensor<4x576xf32>) {
  // expected-error @below {{expected ids of shape ? but got 'tensor<4x4xi32>'}}
  %0 = rotq.gather ins(%i : tensor<4x4xi32>) weight(%w : !rotq.weight<8x576, #rotq.format<"rq3">>) outs(%o : tensor<4x576xf32>) -> tensor<4x576xf32>
  return
}

// -----

func.func @f(%w: !rotq.weight<8x576, #rotq.format<"rq3">>, %i: tensor<4xi32>, %o: tensor<5x576xf32>) {
  // expected-error @below {{expected a destination of shape 4x576 but got 'tensor<5x576xf32>'}}
  %0 = rotq.gather ins(%i : tensor<4xi32>) weight(%w : !rotq.weight<8x576, #rotq.format<"rq3">>) outs(%o : tensor<5x576xf32>) -> tensor<5x576xf32>
  return
}

// -----

func.func @f(%w: !rotq.weight<8x576, #rotq.format<"rq3">>, %i: tensor<4xi32>, %o: memref<4x576xf32>) {
  // expected-error @below {{expected tensors or memrefs but got both}}
  rotq.gather ins(%i : tensor<4xi32>) weight(%w : !rotq.weight<8x576, #rotq.format<"rq3">>) outs(%o : memref<4x576xf32>)
  return
}

// -----

func.func @f(%x: tensor<576xf32>, %o: tensor<576xf32>) {
  // expected-error @below {{expected an input of rank 2 but got 'tensor<576xf32>'}}
  %0 = rotq.rotate #rotq.hadamard<256> ins(%x : tensor<576xf32>) outs(%o : tensor<576xf32>) -> tensor<576xf32>
  return
}

// -----

func.func @f(%x: tensor<4x?xf32>, %o: tensor<4x?xf32>) {
  // expected-error @below {{expected an input with a static, positive row length but got 'tensor<4x?xf32>'}}
  %0 = rotq.rotate #rotq.hadamard<256> ins(%x : tensor<4x?xf32>) outs(%o : tensor<4x?xf32>) -> tensor<4x?xf32>
  return
}

// -----

func.func @f(%x: tensor<4x0xf32>, %o: tensor<4x0xf32>) {
  // expected-error @below {{expected an input with a static, positive row length but got 'tensor<4x0xf32>'}}
  %0 = rotq.rotate #rotq.hadamard<256> ins(%x : tensor<4x0xf32>) outs(%o : tensor<4x0xf32>) -> tensor<4x0xf32>
  return
}

// -----

func.func @f(%x: tensor<4x570xf32>, %o: tensor<4x570xf32>) {
  // expected-error @below {{expected a destination of shape 4x576 but got 'tensor<4x570xf32>'}}
  %0 = rotq.rotate #rotq.hadamard<256> ins(%x : tensor<4x570xf32>) outs(%o : tensor<4x570xf32>) -> tensor<4x570xf32>
  return
}

// -----

func.func @f(%x: tensor<4x570xf32>, %o: tensor<4x570xf32>) {
  // expected-error @below {{expected an input of shape 4x576 but got 'tensor<4x570xf32>'}}
  %0 = rotq.rotate #rotq.hadamard<256> inverse ins(%x : tensor<4x570xf32>) outs(%o : tensor<4x570xf32>) -> tensor<4x570xf32>
  return
}

// -----

func.func @f(%x: tensor<4x576xf32>, %o: tensor<4x?xf32>) {
  // expected-error @below {{expected a destination with a static, positive row length but got 'tensor<4x?xf32>'}}
  %0 = rotq.rotate #rotq.hadamard<256> inverse ins(%x : tensor<4x576xf32>) outs(%o : tensor<4x?xf32>) -> tensor<4x?xf32>
  return
}

// -----

func.func @f(%x: tensor<4x576xf32>, %c: tensor<4x576xi8>, %s: tensor<4x3xf32>, %t: tensor<4x3xi32>) {
  // expected-error @below {{expected the activation group to be a power of two from 32 to 4096 but got 100}}
  %0:3 = rotq.quantize_activation #rotq.identity group(100) ins(%x : tensor<4x576xf32>) outs(%c, %s, %t : tensor<4x576xi8>, tensor<4x3xf32>, tensor<4x3xi32>) -> tensor<4x576xi8>, tensor<4x3xf32>, tensor<4x3xi32>
  return
}

// -----

func.func @f(%x: tensor<4x576xf32>, %c: tensor<4x576xi8>, %s: tensor<4x3xf32>, %t: tensor<4x3xi32>) {
  // expected-error @below {{expected the activation group to be a power of two from 32 to 4096 but got 16}}
  %0:3 = rotq.quantize_activation #rotq.identity group(16) ins(%x : tensor<4x576xf32>) outs(%c, %s, %t : tensor<4x576xi8>, tensor<4x3xf32>, tensor<4x3xi32>) -> tensor<4x576xi8>, tensor<4x3xf32>, tensor<4x3xi32>
  return
}

// -----

func.func @f(%x: tensor<4x576xf32>, %c: tensor<4x576xi8>, %s: tensor<4x3xf32>, %t: tensor<4x3xi32>) {
  // expected-error @below {{expected the activation group to be a power of two from 32 to 4096 but got 8192}}
  %0:3 = rotq.quantize_activation #rotq.identity group(8192) ins(%x : tensor<4x576xf32>) outs(%c, %s, %t : tensor<4x576xi8>, tensor<4x3xf32>, tensor<4x3xi32>) -> tensor<4x576xi8>, tensor<4x3xf32>, tensor<4x3xi32>
  return
}

// -----

func.func @f(%x: tensor<4x576xf32>, %c: tensor<4x576xi8>, %s: tensor<4x3xf32>, %t: tensor<4x3xi32>) {
  // expected-error @below {{expected the activation group to be a power of two from 32 to 4096 but got -256}}
  %0:3 = rotq.quantize_activation #rotq.identity group(-256) ins(%x : tensor<4x576xf32>) outs(%c, %s, %t : tensor<4x576xi8>, tensor<4x3xf32>, tensor<4x3xi32>) -> tensor<4x576xi8>, tensor<4x3xf32>, tensor<4x3xi32>
  return
}

// -----

func.func @f(%x: tensor<4x570xf32>, %c: tensor<4x570xi8>, %s: tensor<4x3xf32>, %t: tensor<4x3xi32>) {
  // expected-error @below {{expected codes of shape 4x576xi8 but got 'tensor<4x570xi8>'}}
  %0:3 = rotq.quantize_activation #rotq.identity group(256) ins(%x : tensor<4x570xf32>) outs(%c, %s, %t : tensor<4x570xi8>, tensor<4x3xf32>, tensor<4x3xi32>) -> tensor<4x570xi8>, tensor<4x3xf32>, tensor<4x3xi32>
  return
}

// -----

func.func @f(%x: tensor<4x576xf32>, %c: tensor<4x576xf32>, %s: tensor<4x3xf32>, %t: tensor<4x3xi32>) {
  // expected-error @below {{expected codes of shape 4x576xi8 but got 'tensor<4x576xf32>'}}
  %0:3 = rotq.quantize_activation #rotq.identity group(256) ins(%x : tensor<4x576xf32>) outs(%c, %s, %t : tensor<4x576xf32>, tensor<4x3xf32>, tensor<4x3xi32>) -> tensor<4x576xf32>, tensor<4x3xf32>, tensor<4x3xi32>
  return
}

// -----

func.func @f(%x: tensor<4x576xf32>, %c: tensor<4x576xi8>, %s: tensor<4x2xf32>, %t: tensor<4x3xi32>) {
  // expected-error @below {{expected scales of shape 4x3xf32 but got 'tensor<4x2xf32>'}}
  %0:3 = rotq.quantize_activation #rotq.identity group(256) ins(%x : tensor<4x576xf32>) outs(%c, %s, %t : tensor<4x576xi8>, tensor<4x2xf32>, tensor<4x3xi32>) -> tensor<4x576xi8>, tensor<4x2xf32>, tensor<4x3xi32>
  return
}

// -----

func.func @f(%x: tensor<4x576xf32>, %c: tensor<4x576xi8>, %s: tensor<4x3xf32>, %t: tensor<4x3xf32>) {
  // expected-error @below {{expected sums of shape 4x3xi32 but got 'tensor<4x3xf32>'}}
  %0:3 = rotq.quantize_activation #rotq.identity group(256) ins(%x : tensor<4x576xf32>) outs(%c, %s, %t : tensor<4x576xi8>, tensor<4x3xf32>, tensor<4x3xf32>) -> tensor<4x576xi8>, tensor<4x3xf32>, tensor<4x3xf32>
  return
}

// -----

func.func @f(%x: tensor<4x?xf32>, %c: tensor<4x576xi8>, %s: tensor<4x3xf32>, %t: tensor<4x3xi32>) {
  // expected-error @below {{expected an input with a static, positive row length but got 'tensor<4x?xf32>'}}
  %0:3 = rotq.quantize_activation #rotq.identity group(256) ins(%x : tensor<4x?xf32>) outs(%c, %s, %t : tensor<4x576xi8>, tensor<4x3xf32>, tensor<4x3xi32>) -> tensor<4x576xi8>, tensor<4x3xf32>, tensor<4x3xi32>
  return
}

// -----

func.func @f(%x: tensor<4x576xf32>, %c: tensor<4x576xi8>) {
  // expected-error @below {{expected 3 destinations (codes, scales, sums) but got 1}}
  %0 = rotq.quantize_activation #rotq.identity group(256) ins(%x : tensor<4x576xf32>) outs(%c : tensor<4x576xi8>) -> tensor<4x576xi8>
  return
}

// -----

func.func @f(%x: tensor<4x512xf32>, %w: !rotq.weight<8x576, #rotq.format<"rq3">>, %y: tensor<4x8xf32>) {
  // expected-error @below {{expected an input of shape 4x576 but got 'tensor<4x512xf32>'}}
  %0 = rotq.matmul ins(%x : tensor<4x512xf32>) weight(%w : !rotq.weight<8x576, #rotq.format<"rq3">>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x?xf32>, %w: !rotq.weight<8x576, #rotq.format<"rq3">>, %y: tensor<4x8xf32>) {
  // expected-error @below {{expected an input of shape 4x576 but got 'tensor<4x?xf32>'}}
  %0 = rotq.matmul ins(%x : tensor<4x?xf32>) weight(%w : !rotq.weight<8x576, #rotq.format<"rq3">>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<5x576xf32>, %w: !rotq.weight<8x576, #rotq.format<"rq3">>, %y: tensor<4x8xf32>) {
  // expected-error @below {{expected a destination of shape 5x8 but got 'tensor<4x8xf32>'}}
  %0 = rotq.matmul ins(%x : tensor<5x576xf32>) weight(%w : !rotq.weight<8x576, #rotq.format<"rq3">>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x576xf32>, %w: !rotq.weight<8x576, #rotq.format<"rq3">>, %y: tensor<4x9xf32>) {
  // expected-error @below {{expected a destination of shape 4x8 but got 'tensor<4x9xf32>'}}
  %0 = rotq.matmul ins(%x : tensor<4x576xf32>) weight(%w : !rotq.weight<8x576, #rotq.format<"rq3">>) outs(%y : tensor<4x9xf32>) -> tensor<4x9xf32>
  return
}

// -----

func.func @f(%x: tensor<4x576xf32>, %w: !rotq.weight<8x576, #rotq.format<"rq3">>, %y: tensor<4x?xf32>) {
  // expected-error @below {{expected a destination of shape 4x8 but got 'tensor<4x?xf32>'}}
  %0 = rotq.matmul ins(%x : tensor<4x576xf32>) weight(%w : !rotq.weight<8x576, #rotq.format<"rq3">>) outs(%y : tensor<4x?xf32>) -> tensor<4x?xf32>
  return
}

// -----

func.func @f(%x: tensor<4x576xf32>, %w: !rotq.weight<8x576, #rotq.format<"rq3">>, %y: tensor<8xf32>) {
  // expected-error @below {{expected a destination of shape 4x8 but got 'tensor<8xf32>'}}
  %0 = rotq.matmul ins(%x : tensor<4x576xf32>) weight(%w : !rotq.weight<8x576, #rotq.format<"rq3">>) outs(%y : tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

func.func @f(%x: tensor<576xf32>, %w: !rotq.weight<8x576, #rotq.format<"rq3">>, %y: tensor<4x8xf32>) {
  // expected-error @below {{expected an input of shape ?x576 but got 'tensor<576xf32>'}}
  %0 = rotq.matmul ins(%x : tensor<576xf32>) weight(%w : !rotq.weight<8x576, #rotq.format<"rq3">>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x576xi8>, %w: !rotq.weight<8x576, #rotq.format<"rq3">>, %y: tensor<4x8xf32>) {
  // expected-error @below {{expected a float input but got 'i8'}}
  %0 = rotq.matmul ins(%x : tensor<4x576xi8>) weight(%w : !rotq.weight<8x576, #rotq.format<"rq3">>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x576xf32>, %w: !rotq.weight<8x576, #rotq.format<"rq3">>, %y: tensor<4x8xf32>) {
  // expected-error @below {{expected no activation group, and no rests, on a float input}}
  %0 = rotq.matmul ins(%x : tensor<4x576xf32>) group(256) weight(%w : !rotq.weight<8x576, #rotq.format<"rq3">>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x576xf32>, %w: !rotq.weight<8x576, #rotq.format<"rq3">>, %y: tensor<4x8xf32>) {
  // expected-error @below {{expected at least one kernel}}
  %0 = rotq.matmul ins(%x : tensor<4x576xf32>) weight(%w : !rotq.weight<8x576, #rotq.format<"rq3">>) outs(%y : tensor<4x8xf32>) {kernels = []} -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x576xf32>, %w: !rotq.weight<8x576, #rotq.format<"rq3">>, %y: tensor<4x8xf32>) {
  // expected-error @below {{expected kernels by rising M but got}}
  %0 = rotq.matmul ins(%x : tensor<4x576xf32>) weight(%w : !rotq.weight<8x576, #rotq.format<"rq3">>) outs(%y : tensor<4x8xf32>) {kernels = [#rotq.kernel<mma_f16, m = [1, 16], rows = 16, cols = 8, warps = 4>, #rotq.kernel<mma_f16, m = [1, 16], rows = 16, cols = 8, warps = 4>]} -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x576xf32>, %w: !rotq.weight<8x576, #rotq.format<"rq3">>, %y: tensor<4x8xf32>) {
  // expected-error @below {{expected kernels by rising M but got}}
  %0 = rotq.matmul ins(%x : tensor<4x576xf32>) weight(%w : !rotq.weight<8x576, #rotq.format<"rq3">>) outs(%y : tensor<4x8xf32>) {kernels = [#rotq.kernel<mma_f16, m = [1, 0], rows = 16, cols = 8, warps = 4>, #rotq.kernel<mma_f16, m = [1, 16], rows = 16, cols = 8, warps = 4>]} -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x576xf32>, %w: !rotq.weight<8x576, #rotq.format<"rq3">>, %y: tensor<4x8xf32>) {
  // expected-error @below {{expected a kernel for a float activation but got #rotq.kernel<mma_s8}}
  %0 = rotq.matmul ins(%x : tensor<4x576xf32>) weight(%w : !rotq.weight<8x576, #rotq.format<"rq3">>) outs(%y : tensor<4x8xf32>) {kernels = [#rotq.kernel<mma_s8, m = [1, 0], rows = 16, cols = 8, warps = 4>]} -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x576xf32>, %w: !rotq.weight<8x576, #rotq.format<"rq3">>, %y: tensor<4x8xf32>) {
  // expected-error @below {{kernels}}
  %0 = rotq.matmul ins(%x : tensor<4x576xf32>) weight(%w : !rotq.weight<8x576, #rotq.format<"rq3">>) outs(%y : tensor<4x8xf32>) {kernels = [1]} -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%c: tensor<4x576xi8>, %s: tensor<4x3xf32>, %t: tensor<4x3xi32>, %w: !rotq.weight<8x576, #rotq.format<"int4_g128">>, %y: tensor<4x8xf32>) {
  // expected-error @below {{expected the group of the quantized activation}}
  %0 = rotq.matmul ins(%c, %s, %t : tensor<4x576xi8>, tensor<4x3xf32>, tensor<4x3xi32>) weight(%w : !rotq.weight<8x576, #rotq.format<"int4_g128">>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%c: tensor<4x576xi8>, %s: tensor<4x3xf32>, %t: tensor<4x3xi32>, %w: !rotq.weight<8x576, #rotq.format<"int4_g128">>, %y: tensor<4x8xf32>) {
  // expected-error @below {{expected the activation group to be a power of two from 32 to 4096 but got 48}}
  %0 = rotq.matmul ins(%c, %s, %t : tensor<4x576xi8>, tensor<4x3xf32>, tensor<4x3xi32>) group(48) weight(%w : !rotq.weight<8x576, #rotq.format<"int4_g128">>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%c: tensor<4x576xi8>, %s: tensor<4x3xf32>, %t: tensor<4x3xi32>, %w: !rotq.weight<8x576, #rotq.format<"rq3">>, %y: tensor<4x8xf32>) {
  // expected-error @below {{expected a rotated view of the weight beside a quantized activation}}
  %0 = rotq.matmul ins(%c, %s, %t : tensor<4x576xi8>, tensor<4x3xf32>, tensor<4x3xi32>) group(256) weight(%w : !rotq.weight<8x576, #rotq.format<"rq3">>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%c: tensor<4x512xi8>, %s: tensor<4x3xf32>, %t: tensor<4x3xi32>, %w: !rotq.weight<8x576, #rotq.format<"int4_g128">>, %y: tensor<4x8xf32>) {
  // expected-error @below {{expected codes of shape 4x576xi8 but got 'tensor<4x512xi8>'}}
  %0 = rotq.matmul ins(%c, %s, %t : tensor<4x512xi8>, tensor<4x3xf32>, tensor<4x3xi32>) group(256) weight(%w : !rotq.weight<8x576, #rotq.format<"int4_g128">>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%c: tensor<4x576xf32>, %s: tensor<4x3xf32>, %t: tensor<4x3xi32>, %w: !rotq.weight<8x576, #rotq.format<"int4_g128">>, %y: tensor<4x8xf32>) {
  // expected-error @below {{expected codes of shape 4x576xi8 but got 'tensor<4x576xf32>'}}
  %0 = rotq.matmul ins(%c, %s, %t : tensor<4x576xf32>, tensor<4x3xf32>, tensor<4x3xi32>) group(256) weight(%w : !rotq.weight<8x576, #rotq.format<"int4_g128">>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%c: tensor<4x576xi8>, %s: tensor<4x5xf32>, %t: tensor<4x3xi32>, %w: !rotq.weight<8x576, #rotq.format<"int4_g128">>, %y: tensor<4x8xf32>) {
  // expected-error @below {{expected scales of shape 4x3xf32 but got 'tensor<4x5xf32>'}}
  %0 = rotq.matmul ins(%c, %s, %t : tensor<4x576xi8>, tensor<4x5xf32>, tensor<4x3xi32>) group(256) weight(%w : !rotq.weight<8x576, #rotq.format<"int4_g128">>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%c: tensor<4x576xi8>, %s: tensor<4x3xf32>, %t: tensor<3x3xi32>, %w: !rotq.weight<8x576, #rotq.format<"int4_g128">>, %y: tensor<4x8xf32>) {
  // expected-error @below {{expected sums of shape 4x3xi32 but got 'tensor<3x3xi32>'}}
  %0 = rotq.matmul ins(%c, %s, %t : tensor<4x576xi8>, tensor<4x3xf32>, tensor<3x3xi32>) group(256) weight(%w : !rotq.weight<8x576, #rotq.format<"int4_g128">>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%c: tensor<4x576xi8>, %s: tensor<4x3xf32>, %t: tensor<4x3xi32>, %w: !rotq.weight<8x576, #rotq.format<"int4_g128">>, %y: tensor<4x8xf32>) {
  // expected-error @below {{expected a kernel for an int8 activation but got #rotq.kernel<mma_f16}}
  %0 = rotq.matmul ins(%c, %s, %t : tensor<4x576xi8>, tensor<4x3xf32>, tensor<4x3xi32>) group(256) weight(%w : !rotq.weight<8x576, #rotq.format<"int4_g128">>) outs(%y : tensor<4x8xf32>) {kernels = [#rotq.kernel<mma_f16, m = [1, 16], rows = 16, cols = 8, warps = 4>]} -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%c: tensor<4x576xi8>, %s: tensor<4x3xf32>, %t: tensor<4x3xi32>, %w: !rotq.weight<8x576, #rotq.format<"o", rotation = #rotq.identity, scale = #rotq.scale<64, offset>, codebook = #rotq.table<1, [0, 1]>, coding = #rotq.fixed<1>>>, %y: tensor<4x8xf32>) {
  // expected-error @below {{expected an activation group of at most 64, that of a scale with offset, but got 256}}
  %0 = rotq.matmul ins(%c, %s, %t : tensor<4x576xi8>, tensor<4x3xf32>, tensor<4x3xi32>) group(256) weight(%w : !rotq.weight<8x576, #rotq.format<"o", rotation = #rotq.identity, scale = #rotq.scale<64, offset>, codebook = #rotq.table<1, [0, 1]>, coding = #rotq.fixed<1>>>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x576xf32>, %w: !rotq.weight<8x576, #rotq.format<"rq3">>, %y: tensor<4x8xf32>) {
  // expected-error @below {{expected 1 input (x) or 3 (codes, scales, sums) but got 2}}
  %0 = rotq.matmul ins(%x, %x : tensor<4x576xf32>, tensor<4x576xf32>) weight(%w : !rotq.weight<8x576, #rotq.format<"rq3">>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: memref<4x576xf32>, %w: !rotq.weight<8x576, #rotq.format<"rq3">>, %y: tensor<4x8xf32>) {
  // expected-error @below {{expected tensors or memrefs but got both}}
  %0 = rotq.matmul ins(%x : memref<4x576xf32>) weight(%w : !rotq.weight<8x576, #rotq.format<"rq3">>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%p: vector<5xi32>) {
  // expected-error @below {{expected codes of a multiple of 32 weights but got 40}}
  %0 = rotq.unpack #rotq.fixed<4> %p : vector<5xi32> -> vector<40xi4>
  return
}

// -----

func.func @f(%p: vector<4xi32>) {
  // expected-error @below {{expected 2 planes but got 1}}
  %0 = rotq.unpack #rotq.fixed<3> %p : vector<4xi32> -> vector<64xi4>
  return
}

// -----

func.func @f(%p: vector<4xi32>) {
  // expected-error @below {{expected 2 words in plane 1 but got 4}}
  %0 = rotq.unpack #rotq.fixed<3> %p, %p : vector<4xi32>, vector<4xi32> -> vector<64xi4>
  return
}

// -----

func.func @f(%p: vector<3xi32>) {
  // expected-error @below {{expected 2 planes but got 1}}
  %0 = rotq.unpack #rotq.window<3> %p : vector<3xi32> -> vector<32xi32>
  return
}

// -----

func.func @f(%p: vector<6xi32>, %before: vector<1xi32>) {
  // expected-error @below {{expected 2 words in plane 1 but got 1}}
  %0 = rotq.unpack #rotq.window<3> %p, %before : vector<6xi32>, vector<1xi32> -> vector<64xi32>
  return
}

// -----

func.func @f(%c: vector<64xi4>) {
  // expected-error @below {{expected 64 values but got 32}}
  %0 = rotq.decode #rotq.table<1, [0, 1]> %c : vector<64xi4> -> vector<32xi8>
  return
}

// -----

func.func @f(%v: vector<8xf32>) {
  // expected-error @below {{expected 1 to 32 lanes, a power of two, but got 3}}
  %0 = rotq.fwht %v block(8) {lanes = 3} : vector<8xf32>
  return
}

// -----

func.func @f(%v: vector<8xf32>) {
  // expected-error @below {{expected 1 to 32 lanes, a power of two, but got 64}}
  %0 = rotq.fwht %v block(8) {lanes = 64} : vector<8xf32>
  return
}

// -----

func.func @f(%v: vector<6xf32>) {
  // expected-error @below {{expected a vector of a power of two but got 6}}
  %0 = rotq.fwht %v block(2) : vector<6xf32>
  return
}

// -----

func.func @f(%v: vector<8xf32>) {
  // expected-error @below {{expected a block of a power of two up to 8 but got 16}}
  %0 = rotq.fwht %v block(16) : vector<8xf32>
  return
}

// -----

func.func @f(%v: vector<8xf32>) {
  // expected-error @below {{expected a block of a power of two up to 8 but got 6}}
  %0 = rotq.fwht %v block(6) : vector<8xf32>
  return
}

// -----

func.func @f(%v: vector<6xi8>, %a: i32) {
  // expected-error @below {{expected a multiple of 4 values but got 6}}
  %0 = rotq.dot %v, %v, %a : vector<6xi8>, i32
  return
}

// -----

func.func @f(%v: vector<8xi8>, %a: vector<4xi32>) {
  // expected-error @below {{expected 2 accumulators but got 4}}
  %0 = rotq.dot %v, %v, %a : vector<8xi8>, vector<4xi32>
  return
}

// -----

func.func @f(%v: vector<[8]xi8>, %a: i32) {
  // expected-error @below {{must be fixed-length vector}}
  %0 = rotq.dot %v, %v, %a : vector<[8]xi8>, i32
  return
}

// -----

// expected-error @below {{expected 'rotq.parameter' of argument 1 to be a name but got 1 : i32}}
func.func private @f(%x: i32, %w: tensor<8x576xf32> {rotq.parameter = 1 : i32})

// -----

// expected-error @below {{expected 'rotq.parameter' of argument 0 to be a name but got ""}}
func.func private @f(%w: tensor<8x576xf32> {rotq.parameter = ""})

// -----

func.func @f(%w: !rotq.weight<64x256, #rotq.format<"rq3">>) {
  // expected-error @below {{expected result type '!rotq.weight<64x256, #rotq.format<"rq3">, tiles>' but got '!rotq.weight<32x256, #rotq.format<"rq3">, tiles>'}}
  %0 = rotq.repack %w : !rotq.weight<64x256, #rotq.format<"rq3">> -> !rotq.weight<32x256, #rotq.format<"rq3">, tiles>
  return
}

// -----

// There is no way back.
func.func @f(%w: !rotq.weight<64x256, #rotq.format<"rq3">, tiles>) {
  // expected-error @below {{expected a weight in the canonical layout but got '!rotq.weight<64x256, #rotq.format<"rq3">, tiles>'}}
  %0 = rotq.repack %w : !rotq.weight<64x256, #rotq.format<"rq3">, tiles> -> !rotq.weight<64x256, #rotq.format<"rq3">>
  return
}

// -----

func.func @f(%w: !rotq.weight<64x256, #rotq.format<"rq3">, tiles>, %i: index) {
  // expected-error @below {{expected a weight in the canonical layout but got '!rotq.weight<64x256, #rotq.format<"rq3">, tiles>'}}
  %0 = rotq.extract_rows %w[%i] : !rotq.weight<64x256, #rotq.format<"rq3">, tiles> -> !rotq.weight<32x256, #rotq.format<"rq3">, tiles>
  return
}

// -----

func.func @f(%w: !rotq.weight<64x256, #rotq.format<"rq3">, tiles>, %y: tensor<64x256xf32>) {
  // expected-error @below {{expected a weight in the canonical layout}}
  %0 = rotq.dequantize weight(%w : !rotq.weight<64x256, #rotq.format<"rq3">, tiles>) outs(%y : tensor<64x256xf32>) -> tensor<64x256xf32>
  return
}

// -----

func.func @f(%ids: tensor<4xi32>, %w: !rotq.weight<64x256, #rotq.format<"rq3">, tiles>, %y: tensor<4x256xf32>) {
  // expected-error @below {{expected a weight in the canonical layout}}
  %0 = rotq.gather ins(%ids : tensor<4xi32>) weight(%w : !rotq.weight<64x256, #rotq.format<"rq3">, tiles>) outs(%y : tensor<4x256xf32>) -> tensor<4x256xf32>
  return
}

// -----

// 16 rows more: 48 x 64 in tiles takes 48 x 256.
func.func @f() -> !rotq.weight<40x64, #rotq.format<"rq3">, tiles> {
  // expected-error @below {{expected a blob of type tensor<4704xi8> but got 'tensor<1040xi8>'}}
  %0 = rotq.constant dense<0> : tensor<1040xi8> : !rotq.weight<40x64, #rotq.format<"rq3">, tiles>
  return %0 : !rotq.weight<40x64, #rotq.format<"rq3">, tiles>
}

// -----

func.func @f(%x: tensor<4x576xf32>, %w0: !rotq.weight<8x576, #rotq.format<"rq3">>, %y0: tensor<4x8xf32>) {
  // expected-error @below {{expected at least 2 weights but got 1}}
  %0 = rotq.grouped_matmul ins(%x : tensor<4x576xf32>)
    weights(%w0 : !rotq.weight<8x576, #rotq.format<"rq3">>)
    outs(%y0 : tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x576xf32>, %w0: !rotq.weight<8x576, #rotq.format<"rq3">>, %w1: !rotq.weight<16x576, #rotq.format<"rq3">>, %y0: tensor<4x8xf32>) {
  // expected-error @below {{expected destinations that share 2 weights out evenly but got 3}}
  %0:3 = rotq.grouped_matmul ins(%x : tensor<4x576xf32>)
    weights(%w0, %w1 : !rotq.weight<8x576, #rotq.format<"rq3">>, !rotq.weight<16x576, #rotq.format<"rq3">>)
    outs(%y0, %y0, %y0 : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x576xf32>, %w0: !rotq.weight<8x576, #rotq.format<"rq3">>, %w1: !rotq.weight<16x576, #rotq.format<"rq2">>, %y0: tensor<4x8xf32>, %y1: tensor<4x16xf32>) {
  // expected-error @below {{expected weights of one format, layout and K but got '!rotq.weight<8x576, #rotq.format<"rq3">>' and '!rotq.weight<16x576, #rotq.format<"rq2">>'}}
  %0:2 = rotq.grouped_matmul ins(%x : tensor<4x576xf32>)
    weights(%w0, %w1 : !rotq.weight<8x576, #rotq.format<"rq3">>, !rotq.weight<16x576, #rotq.format<"rq2">>)
    outs(%y0, %y1 : tensor<4x8xf32>, tensor<4x16xf32>) -> tensor<4x8xf32>, tensor<4x16xf32>
  return
}

// -----

func.func @f(%x: tensor<4x576xf32>, %w0: !rotq.weight<8x576, #rotq.format<"rq3">>, %w1: !rotq.weight<16x512, #rotq.format<"rq3">>, %y0: tensor<4x8xf32>, %y1: tensor<4x16xf32>) {
  // expected-error @below {{expected weights of one format, layout and K but got '!rotq.weight<8x576, #rotq.format<"rq3">>' and '!rotq.weight<16x512, #rotq.format<"rq3">>'}}
  %0:2 = rotq.grouped_matmul ins(%x : tensor<4x576xf32>)
    weights(%w0, %w1 : !rotq.weight<8x576, #rotq.format<"rq3">>, !rotq.weight<16x512, #rotq.format<"rq3">>)
    outs(%y0, %y1 : tensor<4x8xf32>, tensor<4x16xf32>) -> tensor<4x8xf32>, tensor<4x16xf32>
  return
}

// -----

func.func @f(%x: tensor<4x576xf32>, %w0: !rotq.weight<8x576, #rotq.format<"rq3">>, %w1: !rotq.weight<16x576, #rotq.format<"rq3">, tiles>, %y0: tensor<4x8xf32>, %y1: tensor<4x16xf32>) {
  // expected-error @below {{expected weights of one format, layout and K but got '!rotq.weight<8x576, #rotq.format<"rq3">>' and '!rotq.weight<16x576, #rotq.format<"rq3">, tiles>'}}
  %0:2 = rotq.grouped_matmul ins(%x : tensor<4x576xf32>)
    weights(%w0, %w1 : !rotq.weight<8x576, #rotq.format<"rq3">>, !rotq.weight<16x576, #rotq.format<"rq3">, tiles>)
    outs(%y0, %y1 : tensor<4x8xf32>, tensor<4x16xf32>) -> tensor<4x8xf32>, tensor<4x16xf32>
  return
}

// -----

func.func @f(%x: tensor<4x576xf32>, %w0: !rotq.weight<8x576, #rotq.format<"rq3">>, %w1: !rotq.weight<16x576, #rotq.format<"rq3">>, %y0: tensor<4x8xf32>, %y1: tensor<4x16xf16>) {
  // expected-error @below {{expected destinations of one element type but got 'tensor<4x8xf32>' and 'tensor<4x16xf16>'}}
  %0:2 = rotq.grouped_matmul ins(%x : tensor<4x576xf32>)
    weights(%w0, %w1 : !rotq.weight<8x576, #rotq.format<"rq3">>, !rotq.weight<16x576, #rotq.format<"rq3">>)
    outs(%y0, %y1 : tensor<4x8xf32>, tensor<4x16xf16>) -> tensor<4x8xf32>, tensor<4x16xf16>
  return
}

// -----

func.func @f(%x: tensor<4x576xf32>, %w0: !rotq.weight<8x576, #rotq.format<"rq3">>, %w1: !rotq.weight<16x576, #rotq.format<"rq3">>, %y0: tensor<4x8xf32>, %y1: tensor<4x8xf32>) {
  // expected-error @below {{expected a destination of shape 4x16 but got 'tensor<4x8xf32>'}}
  %0:2 = rotq.grouped_matmul ins(%x : tensor<4x576xf32>)
    weights(%w0, %w1 : !rotq.weight<8x576, #rotq.format<"rq3">>, !rotq.weight<16x576, #rotq.format<"rq3">>)
    outs(%y0, %y1 : tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>, tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x576xf32>, %w0: !rotq.weight<8x576, #rotq.format<"rq3">>, %w1: !rotq.weight<16x576, #rotq.format<"rq3">>, %y0: tensor<4x8xf32>, %y1: tensor<5x16xf32>) {
  // expected-error @below {{expected a destination of shape 4x16 but got 'tensor<5x16xf32>'}}
  %0:2 = rotq.grouped_matmul ins(%x : tensor<4x576xf32>)
    weights(%w0, %w1 : !rotq.weight<8x576, #rotq.format<"rq3">>, !rotq.weight<16x576, #rotq.format<"rq3">>)
    outs(%y0, %y1 : tensor<4x8xf32>, tensor<5x16xf32>) -> tensor<4x8xf32>, tensor<5x16xf32>
  return
}

// -----

func.func @f(%x: tensor<4x512xf32>, %w0: !rotq.weight<8x576, #rotq.format<"rq3">>, %w1: !rotq.weight<16x576, #rotq.format<"rq3">>, %y0: tensor<4x8xf32>, %y1: tensor<4x16xf32>) {
  // expected-error @below {{expected an input of shape 4x576 but got 'tensor<4x512xf32>'}}
  %0:2 = rotq.grouped_matmul ins(%x : tensor<4x512xf32>)
    weights(%w0, %w1 : !rotq.weight<8x576, #rotq.format<"rq3">>, !rotq.weight<16x576, #rotq.format<"rq3">>)
    outs(%y0, %y1 : tensor<4x8xf32>, tensor<4x16xf32>) -> tensor<4x8xf32>, tensor<4x16xf32>
  return
}

// -----

func.func @f(%x: tensor<4x576xf32>, %w0: !rotq.weight<8x576, #rotq.format<"rq3">>, %w1: !rotq.weight<16x576, #rotq.format<"rq3">>, %y0: tensor<4x8xf32>, %y1: tensor<4x16xf32>) {
  // expected-error @below {{expected 2 results but got 1}}
  %0 = rotq.grouped_matmul ins(%x : tensor<4x576xf32>)
    weights(%w0, %w1 : !rotq.weight<8x576, #rotq.format<"rq3">>, !rotq.weight<16x576, #rotq.format<"rq3">>)
    outs(%y0, %y1 : tensor<4x8xf32>, tensor<4x16xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x576xf32>, %w0: !rotq.weight<8x576, #rotq.format<"rq3">>, %w1: !rotq.weight<16x576, #rotq.format<"rq3">>, %y0: tensor<4x8xf32>, %y1: tensor<4x16xf32>) {
  // expected-error @below {{expected no activation group, and no rests, on a float input}}
  %0:2 = rotq.grouped_matmul ins(%x : tensor<4x576xf32>) group(256)
    weights(%w0, %w1 : !rotq.weight<8x576, #rotq.format<"rq3">>, !rotq.weight<16x576, #rotq.format<"rq3">>)
    outs(%y0, %y1 : tensor<4x8xf32>, tensor<4x16xf32>) -> tensor<4x8xf32>, tensor<4x16xf32>
  return
}

// -----

func.func @f(%x: tensor<4x576xf32>, %w0: !rotq.weight<8x576, #rotq.format<"rq3">>, %w1: !rotq.weight<16x576, #rotq.format<"rq3">>, %y0: tensor<4x8xf32>, %y1: tensor<4x16xf32>) {
  // expected-error @below {{expected a kernel for a float activation but got}}
  %0:2 = rotq.grouped_matmul ins(%x : tensor<4x576xf32>)
    weights(%w0, %w1 : !rotq.weight<8x576, #rotq.format<"rq3">>, !rotq.weight<16x576, #rotq.format<"rq3">>)
    outs(%y0, %y1 : tensor<4x8xf32>, tensor<4x16xf32>) {kernels = [#rotq.kernel<mma_s8, m = [1, 0], rows = 16, cols = 8, warps = 4>]} -> tensor<4x8xf32>, tensor<4x16xf32>
  return
}

// -----

func.func @f(%x: tensor<4x576xf32>, %w: !rotq.weight<8x576, #rotq.format<"rq3">>, %y: tensor<4x8xf32>) {
  // expected-error @below {{expected 1 input (x) or 3 (codes, scales, sums) but got 2}}
  %0:2 = rotq.grouped_matmul ins(%x, %x : tensor<4x576xf32>, tensor<4x576xf32>)
    weights(%w, %w : !rotq.weight<8x576, #rotq.format<"rq3">>, !rotq.weight<8x576, #rotq.format<"rq3">>)
    outs(%y, %y : tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>, tensor<4x8xf32>
  return
}

// -----

func.func @f(%c: tensor<4x576xi8>, %s: tensor<4x3xf32>, %t: tensor<4x3xi32>, %w: !rotq.weight<8x576, #rotq.format<"rq3">>, %y: tensor<4x8xf32>) {
  // expected-error @below {{expected a rotated view of the weight beside a quantized activation but got '!rotq.weight<8x576, #rotq.format<"rq3">>'}}
  %0:2 = rotq.grouped_matmul ins(%c, %s, %t : tensor<4x576xi8>, tensor<4x3xf32>, tensor<4x3xi32>) group(256)
    weights(%w, %w : !rotq.weight<8x576, #rotq.format<"rq3">>, !rotq.weight<8x576, #rotq.format<"rq3">>)
    outs(%y, %y : tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>, tensor<4x8xf32>
  return
}

// -----

// Eight stages of a tile of 64 columns and of the weights of four warps: 8 * (64 * 256 + 64 * 4 + 4 * (3 * 512 + 32 * 4)).
func.func @stages_beyond_shared_memory(%c: tensor<64x256xi8>, %s: tensor<64x1xf32>, %t: tensor<64x1xi32>, %w: !rotq.weight<64x256, #rotq.format<"rq3">>, %y: tensor<64x64xf32>) -> tensor<64x64xf32> {
  %v = rotq.rotated_view %w : <64x256, #rotq.format<"rq3">> -> <64x256, #rotq.format<"rq3_rotated", rotation = #rotq.identity, scale = #rotq.scale<256>, codebook = #rotq.table<3, [-114, -71, -40, -13, 13, 40, 71, 114]>, coding = #rotq.fixed<3>>>
  // expected-error @below {{expected at most 101376 bytes of shared memory but #rotq.kernel<mma_s8, m = [1, 0], rows = 16, cols = 64, warps = 4, stages = 8> takes 186368}}
  %0 = rotq.matmul ins(%c, %s, %t : tensor<64x256xi8>, tensor<64x1xf32>, tensor<64x1xi32>) group(256) weight(%v : <64x256, #rotq.format<"rq3_rotated", rotation = #rotq.identity, scale = #rotq.scale<256>, codebook = #rotq.table<3, [-114, -71, -40, -13, 13, 40, 71, 114]>, coding = #rotq.fixed<3>>>) outs(%y : tensor<64x64xf32>) {kernels = [#rotq.kernel<mma_s8, m = [1, 0], rows = 16, cols = 64, warps = 4, stages = 8>]} -> tensor<64x64xf32>
  return %0 : tensor<64x64xf32>
}

// -----

func.func @sums_beyond_shared_memory(%c: tensor<64x256xi8>, %s: tensor<64x1xf32>, %t: tensor<64x1xi32>, %w: !rotq.weight<64x256, #rotq.format<"rq3">>, %y: tensor<64x64xf32>) -> tensor<64x64xf32> {
  %v = rotq.rotated_view %w : <64x256, #rotq.format<"rq3">> -> <64x256, #rotq.format<"rq3_rotated", rotation = #rotq.identity, scale = #rotq.scale<256>, codebook = #rotq.table<3, [-114, -71, -40, -13, 13, 40, 71, 114]>, coding = #rotq.fixed<3>>>
  // expected-error @below {{takes 131072}}
  %0 = rotq.matmul ins(%c, %s, %t : tensor<64x256xi8>, tensor<64x1xf32>, tensor<64x1xi32>) group(256) weight(%v : <64x256, #rotq.format<"rq3_rotated", rotation = #rotq.identity, scale = #rotq.scale<256>, codebook = #rotq.table<3, [-114, -71, -40, -13, 13, 40, 71, 114]>, coding = #rotq.fixed<3>>>) outs(%y : tensor<64x64xf32>) {kernels = [#rotq.kernel<mma_s8, m = [1, 0], rows = 64, cols = 64, warps = 8, split = 8>]} -> tensor<64x64xf32>
  return %0 : tensor<64x64xf32>
}

// -----

func.func @f(%x: tensor<4x576xf32>, %c: tensor<4x576xi8>, %s: tensor<4x6xf32>, %t: tensor<4x6xi32>) {
  // expected-error @below {{expected codes of shape 4x1152xi8 but got 'tensor<4x576xi8>'}}
  %0:3 = rotq.quantize_activation #rotq.identity group(256) ins(%x : tensor<4x576xf32>) outs(%c, %s, %t : tensor<4x576xi8>, tensor<4x6xf32>, tensor<4x6xi32>) {rests} -> tensor<4x576xi8>, tensor<4x6xf32>, tensor<4x6xi32>
  return
}

// -----

func.func @f(%c: tensor<4x1152xi8>, %s: tensor<4x3xf32>, %t: tensor<4x6xi32>, %w: !rotq.weight<8x576, #rotq.format<"int4_g128">>, %y: tensor<4x8xf32>) {
  // expected-error @below {{expected scales of shape 4x6xf32 but got 'tensor<4x3xf32>'}}
  %0 = rotq.matmul ins(%c, %s, %t : tensor<4x1152xi8>, tensor<4x3xf32>, tensor<4x6xi32>) group(256) weight(%w : !rotq.weight<8x576, #rotq.format<"int4_g128">>)
    outs(%y : tensor<4x8xf32>) {rests} -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%c: tensor<4x1152xi8>, %s: tensor<4x6xf32>, %t: tensor<4x6xi32>, %w: !rotq.weight<8x576, #rotq.format<"int4_g128">>, %y: tensor<4x8xf32>) {
  // expected-error @below {{expected kernels of 8 columns and without stages for up to 4 rows, which have rests, but got #rotq.kernel<mma_s8, m = [1, 8], rows = 16, cols = 8, warps = 4>}}
  %0 = rotq.matmul ins(%c, %s, %t : tensor<4x1152xi8>, tensor<4x6xf32>, tensor<4x6xi32>) group(256) weight(%w : !rotq.weight<8x576, #rotq.format<"int4_g128">>)
    outs(%y : tensor<4x8xf32>) {rests, kernels = [#rotq.kernel<mma_s8, m = [1, 8], rows = 16, cols = 8, warps = 4>]} -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%c: tensor<4x1152xi8>, %s: tensor<4x6xf32>, %t: tensor<4x6xi32>, %w: !rotq.weight<8x576, #rotq.format<"int4_g128">>, %y: tensor<4x8xf32>) {
  // expected-error @below {{expected kernels of 8 columns and without stages for up to 4 rows, which have rests, but got #rotq.kernel<mma_s8, m = [2, 4], rows = 16, cols = 16, warps = 4>}}
  %0 = rotq.matmul ins(%c, %s, %t : tensor<4x1152xi8>, tensor<4x6xf32>, tensor<4x6xi32>) group(256) weight(%w : !rotq.weight<8x576, #rotq.format<"int4_g128">>)
    outs(%y : tensor<4x8xf32>) {rests, kernels = [#rotq.kernel<mma_s8, m = [1, 1], rows = 16, cols = 8, warps = 4>, #rotq.kernel<mma_s8, m = [2, 4], rows = 16, cols = 16, warps = 4>]} -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%p: vector<6xi32>) {
  // expected-error @below {{expected codes of type i32 but got 'i4'}}
  %0 = rotq.unpack #rotq.field<11, 2> %p : vector<6xi32> -> vector<16xi4>
  return
}

// -----

func.func @f(%c: vector<64xi32>) {
  // expected-error @below {{expected codes of type i4 but got 'i32'}}
  %0 = rotq.decode #rotq.table<1, [0, 1]> %c : vector<64xi32> -> vector<64xi8>
  return
}

// -----

func.func @f(%p: vector<4xi32>, %q: vector<1xi32>) {
  // expected-error @below {{expected codes of type i64 but got 'i32'}}
  %0 = rotq.unpack #rotq.field<34, 8> %p, %q : vector<4xi32>, vector<1xi32> -> vector<4xi32>
  return
}

// -----

func.func @f(%c: vector<4xi32>) {
  // expected-error @below {{expected codes of type i64 but got 'i32'}}
  %0 = rotq.decode #rotq.voronoi<16, [3, 4, 5, 7]> %c : vector<4xi32> -> vector<32xi8>
  return
}

// -----

func.func @bits_of_a_table(%c: tensor<?x576xi8>, %s: tensor<?x3xf32>, %t: tensor<?x3xi32>, %w: !rotq.weight<8x576, #rotq.format<"int4_g128">>, %y: tensor<?x8xf32>) {
  // expected-error @below {{expected codes of a frame, one behind the other, scales of at least 256 weights without offsets and an activation group of 256 for #rotq.kernel<mma_b1, m = [1, 1], rows = 16, cols = 1, warps = 4>}}
  %0 = rotq.matmul ins(%c, %s, %t : tensor<?x576xi8>, tensor<?x3xf32>, tensor<?x3xi32>) group(256) weight(%w : !rotq.weight<8x576, #rotq.format<"int4_g128">>)
    outs(%y : tensor<?x8xf32>) {kernels = [#rotq.kernel<mma_b1, m = [1, 1], rows = 16, cols = 1, warps = 4>]} -> tensor<?x8xf32>
  return
}

// -----

func.func @bits_of_a_grid(%c: tensor<?x576xi8>, %s: tensor<?x3xf32>, %t: tensor<?x3xi32>, %w: !rotq.weight<8x576, #rotq.format<"g", rotation = #rotq.identity, scale = #rotq.scale<row>, codebook = #rotq.grid<2, 1, "81c03f7f">, coding = #rotq.field<2, 1>>>, %y: tensor<?x8xf32>) {
  // expected-error @below {{expected codes of a frame, one behind the other, scales of at least 256 weights without offsets and an activation group of 256 for #rotq.kernel<mma_b1, m = [1, 1], rows = 16, cols = 1, warps = 4>}}
  %0 = rotq.matmul ins(%c, %s, %t : tensor<?x576xi8>, tensor<?x3xf32>, tensor<?x3xi32>) group(256) weight(%w : !rotq.weight<8x576, #rotq.format<"g", rotation = #rotq.identity, scale = #rotq.scale<row>, codebook = #rotq.grid<2, 1, "81c03f7f">, coding = #rotq.field<2, 1>>>)
    outs(%y : tensor<?x8xf32>) {kernels = [#rotq.kernel<mma_b1, m = [1, 1], rows = 16, cols = 1, warps = 4>]} -> tensor<?x8xf32>
  return
}

// -----

func.func @bits_and_fine_scales(%c: tensor<?x576xi8>, %s: tensor<?x3xf32>, %t: tensor<?x3xi32>, %w: !rotq.weight<8x576, #rotq.format<"f", rotation = #rotq.identity, scale = #rotq.scale<128>, codebook = #rotq.frame<4, 24, "28000000002800000000280000000028f0f0f010">, coding = #rotq.field<5, 4>>>, %y: tensor<?x8xf32>) {
  // expected-error @below {{expected codes of a frame, one behind the other, scales of at least 256 weights without offsets and an activation group of 256 for #rotq.kernel<mma_b1, m = [1, 1], rows = 16, cols = 1, warps = 4>}}
  %0 = rotq.matmul ins(%c, %s, %t : tensor<?x576xi8>, tensor<?x3xf32>, tensor<?x3xi32>) group(256) weight(%w : !rotq.weight<8x576, #rotq.format<"f", rotation = #rotq.identity, scale = #rotq.scale<128>, codebook = #rotq.frame<4, 24, "28000000002800000000280000000028f0f0f010">, coding = #rotq.field<5, 4>>>)
    outs(%y : tensor<?x8xf32>) {kernels = [#rotq.kernel<mma_b1, m = [1, 1], rows = 16, cols = 1, warps = 4>]} -> tensor<?x8xf32>
  return
}

// -----

func.func @bits_and_offsets(%c: tensor<?x576xi8>, %s: tensor<?x3xf32>, %t: tensor<?x3xi32>, %w: !rotq.weight<8x576, #rotq.format<"f", rotation = #rotq.identity, scale = #rotq.scale<256, offset>, codebook = #rotq.frame<4, 24, "28000000002800000000280000000028f0f0f010">, coding = #rotq.field<5, 4>>>, %y: tensor<?x8xf32>) {
  // expected-error @below {{expected codes of a frame, one behind the other, scales of at least 256 weights without offsets and an activation group of 256 for #rotq.kernel<mma_b1, m = [1, 1], rows = 16, cols = 1, warps = 4>}}
  %0 = rotq.matmul ins(%c, %s, %t : tensor<?x576xi8>, tensor<?x3xf32>, tensor<?x3xi32>) group(256) weight(%w : !rotq.weight<8x576, #rotq.format<"f", rotation = #rotq.identity, scale = #rotq.scale<256, offset>, codebook = #rotq.frame<4, 24, "28000000002800000000280000000028f0f0f010">, coding = #rotq.field<5, 4>>>)
    outs(%y : tensor<?x8xf32>) {kernels = [#rotq.kernel<mma_b1, m = [1, 1], rows = 16, cols = 1, warps = 4>]} -> tensor<?x8xf32>
  return
}

// -----

func.func @bits_and_another_group(%c: tensor<?x576xi8>, %s: tensor<?x5xf32>, %t: tensor<?x5xi32>, %w: !rotq.weight<8x576, #rotq.format<"f", rotation = #rotq.identity, scale = #rotq.scale<row>, codebook = #rotq.frame<4, 24, "28000000002800000000280000000028f0f0f010">, coding = #rotq.field<5, 4>>>, %y: tensor<?x8xf32>) {
  // expected-error @below {{expected codes of a frame, one behind the other, scales of at least 256 weights without offsets and an activation group of 256 for #rotq.kernel<mma_b1, m = [1, 1], rows = 16, cols = 1, warps = 4>}}
  %0 = rotq.matmul ins(%c, %s, %t : tensor<?x576xi8>, tensor<?x5xf32>, tensor<?x5xi32>) group(128) weight(%w : !rotq.weight<8x576, #rotq.format<"f", rotation = #rotq.identity, scale = #rotq.scale<row>, codebook = #rotq.frame<4, 24, "28000000002800000000280000000028f0f0f010">, coding = #rotq.field<5, 4>>>)
    outs(%y : tensor<?x8xf32>) {kernels = [#rotq.kernel<mma_b1, m = [1, 1], rows = 16, cols = 1, warps = 4>]} -> tensor<?x8xf32>
  return
}

// -----

func.func @bits_and_rests(%c: tensor<?x1152xi8>, %s: tensor<?x6xf32>, %t: tensor<?x6xi32>, %w: !rotq.weight<8x576, #rotq.format<"f", rotation = #rotq.identity, scale = #rotq.scale<row>, codebook = #rotq.frame<4, 24, "28000000002800000000280000000028f0f0f010">, coding = #rotq.field<5, 4>>>, %y: tensor<?x8xf32>) {
  // expected-error @below {{expected kernels of their own for up to 4 rows, which have rests, but got #rotq.kernel<mma_b1, m = [1, 8], rows = 16, cols = 8, warps = 4>}}
  %0 = rotq.matmul ins(%c, %s, %t : tensor<?x1152xi8>, tensor<?x6xf32>, tensor<?x6xi32>) group(256) weight(%w : !rotq.weight<8x576, #rotq.format<"f", rotation = #rotq.identity, scale = #rotq.scale<row>, codebook = #rotq.frame<4, 24, "28000000002800000000280000000028f0f0f010">, coding = #rotq.field<5, 4>>>)
    outs(%y : tensor<?x8xf32>) {rests, kernels = [#rotq.kernel<mma_b1, m = [1, 8], rows = 16, cols = 8, warps = 4>]} -> tensor<?x8xf32>
  return
}

// -----

func.func @bits_of_floats(%x: tensor<4x576xf32>, %w: !rotq.weight<8x576, #rotq.format<"f", rotation = #rotq.identity, scale = #rotq.scale<row>, codebook = #rotq.frame<4, 24, "28000000002800000000280000000028f0f0f010">, coding = #rotq.field<5, 4>>>, %y: tensor<4x8xf32>) {
  // expected-error @below {{expected a kernel for a float activation but got #rotq.kernel<mma_b1, m = [1, 1], rows = 16, cols = 1, warps = 4>}}
  %0 = rotq.matmul ins(%x : tensor<4x576xf32>) weight(%w : !rotq.weight<8x576, #rotq.format<"f", rotation = #rotq.identity, scale = #rotq.scale<row>, codebook = #rotq.frame<4, 24, "28000000002800000000280000000028f0f0f010">, coding = #rotq.field<5, 4>>>) outs(%y : tensor<4x8xf32>) {kernels = [#rotq.kernel<mma_b1, m = [1, 1], rows = 16, cols = 1, warps = 4>]} -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%b: tensor<?xi8>, %d: tensor<64xi8>) {
  // expected-error @below {{expected a coding that archives compress but got #rotq.fixed<3>}}
  %0, %1 = rotq.decompress ins(%b : tensor<?xi8>) outs(%d : tensor<64xi8>) -> tensor<64xi8>, !rotq.weight<64x256, #rotq.format<"rq3">>
  return
}

// -----

func.func @f(%b: tensor<?xi8>, %d: tensor<64xi8>) {
  // expected-error @below {{expected a destination of shape 128 but got}}
  %0, %1 = rotq.decompress ins(%b : tensor<?xi8>) outs(%d : tensor<64xi8>) -> tensor<64xi8>, !rotq.weight<64x600, #rotq.format<"hyperquant_rice_3">>
  return
}

// -----

func.func @f(%b: tensor<?xi8>, %d: tensor<64xi8>) {
  // expected-error @below {{expected 1 results but got 0}}
  %1 = rotq.decompress ins(%b : tensor<?xi8>) outs(%d : tensor<64xi8>) -> !rotq.weight<64x256, #rotq.format<"hyperquant_rice_3">>
  return
}

// -----

func.func @f(%b: memref<?xi8>, %d: memref<64xi8>) {
  // expected-error @below {{expected a weight in the canonical layout}}
  %1 = rotq.decompress ins(%b : memref<?xi8>) outs(%d : memref<64xi8>) -> !rotq.weight<64x256, #rotq.format<"hyperquant_rice_3">, tiles>
  return
}

// -----

func.func @rests_of_e4m3(%x: tensor<4x64xf16>, %c: tensor<4x128xf8E4M3FN>, %s: tensor<4x2xf32>, %t: tensor<4x2xi32>) {
  // expected-error @below {{expected no rests of codes in e4m3}}
  %0:3 = rotq.quantize_activation #rotq.identity group(64) ins(%x : tensor<4x64xf16>) outs(%c, %s, %t : tensor<4x128xf8E4M3FN>, tensor<4x2xf32>, tensor<4x2xi32>) {rests} -> tensor<4x128xf8E4M3FN>, tensor<4x2xf32>, tensor<4x2xi32>
  return
}

// -----

func.func @frame_of_e4m3(%x: tensor<4x256xf16>, %c: tensor<4x256xf8E4M3FN>, %s: tensor<4x1xf32>, %t: tensor<4x1xi32>) {
  // expected-error @below {{expected no frame with codes in e4m3}}
  %0:3 = rotq.quantize_activation #rotq.identity group(256) ins(%x : tensor<4x256xf16>) outs(%c, %s, %t : tensor<4x256xf8E4M3FN>, tensor<4x1xf32>, tensor<4x1xi32>) {frame = #rotq.frame<4, 24, "28000000002800000000280000000028f0f0f010">} -> tensor<4x256xf8E4M3FN>, tensor<4x1xf32>, tensor<4x1xi32>
  return
}

// -----

func.func @float_sums(%x: tensor<4x64xf16>, %c: tensor<4x64xf8E4M3FN>, %s: tensor<4x1xf32>, %t: tensor<4x1xf32>) {
  // expected-error @below {{expected sums of shape 4x1xi32 but got 'tensor<4x1xf32>'}}
  %0:3 = rotq.quantize_activation #rotq.identity group(64) ins(%x : tensor<4x64xf16>) outs(%c, %s, %t : tensor<4x64xf8E4M3FN>, tensor<4x1xf32>, tensor<4x1xf32>) -> tensor<4x64xf8E4M3FN>, tensor<4x1xf32>, tensor<4x1xf32>
  return
}

// -----

func.func @float_codes(%x: tensor<4x64xf16>, %c: tensor<4x64xf16>, %s: tensor<4x1xf32>, %t: tensor<4x1xi32>) {
  // expected-error @below {{expected codes of shape 4x64xi8 but got 'tensor<4x64xf16>'}}
  %0:3 = rotq.quantize_activation #rotq.identity group(64) ins(%x : tensor<4x64xf16>) outs(%c, %s, %t : tensor<4x64xf16>, tensor<4x1xf32>, tensor<4x1xi32>) -> tensor<4x64xf16>, tensor<4x1xf32>, tensor<4x1xi32>
  return
}

// -----

#flat = #rotq.format<"flat", rotation = #rotq.identity, scale = #rotq.scale<64>, codebook = #rotq.table<2, [-120, -36, 36, 120]>, coding = #rotq.fixed<2>>
func.func @int8_kernel(%c: tensor<4x64xf8E4M3FN>, %s: tensor<4x1xf32>, %t: tensor<4x1xi32>, %w: !rotq.weight<8x64, #flat>, %y: tensor<4x8xf32>) {
  // expected-error @below {{expected a kernel for an e4m3 activation but got #rotq.kernel<mma_s8}}
  %0 = rotq.matmul ins(%c, %s, %t : tensor<4x64xf8E4M3FN>, tensor<4x1xf32>, tensor<4x1xi32>) group(64) weight(%w : !rotq.weight<8x64, #flat>)
    outs(%y : tensor<4x8xf32>) {kernels = [#rotq.kernel<mma_s8, m = [1, 0], rows = 16, cols = 8, warps = 4>]} -> tensor<4x8xf32>
  return
}

// -----

#flat = #rotq.format<"flat", rotation = #rotq.identity, scale = #rotq.scale<64>, codebook = #rotq.table<2, [-120, -36, 36, 120]>, coding = #rotq.fixed<2>>
func.func @e4m3_kernel(%c: tensor<4x64xi8>, %s: tensor<4x1xf32>, %t: tensor<4x1xi32>, %w: !rotq.weight<8x64, #flat>, %y: tensor<4x8xf32>) {
  // expected-error @below {{expected a kernel for an int8 activation but got #rotq.kernel<mma_e4m3}}
  %0 = rotq.matmul ins(%c, %s, %t : tensor<4x64xi8>, tensor<4x1xf32>, tensor<4x1xi32>) group(64) weight(%w : !rotq.weight<8x64, #flat>)
    outs(%y : tensor<4x8xf32>) {kernels = [#rotq.kernel<mma_e4m3, m = [1, 0], rows = 16, cols = 8, warps = 4>]} -> tensor<4x8xf32>
  return
}
