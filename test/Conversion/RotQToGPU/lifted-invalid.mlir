// RUN: quant-opt %s --convert-rotq-to-gpu --split-input-file --verify-diagnostics

#lift = #rotq.format<"liftquant_w20", rotation = #rotq.identity, scale = #rotq.scale<row>,
                     codebook = #rotq.frame<8, 24, "28000000000000000028000000000000">, coding = #rotq.field<2, 8>>
func.func @not_lifted(%codes: memref<1x256xi8>, %scales: memref<1x1xf32>, %sums: memref<1x1xi32>,
                      %w: !rotq.weight<64x256, #lift, tiles>, %y: memref<1x64xf32>) {
  // expected-error @below {{expected an activation that the frame of the weight lifts, as quantize_activation with it does, for #rotq.kernel<mma_b1, m = [1, 1], rows = 16, cols = 1, warps = 4>}}
  rotq.matmul ins(%codes, %scales, %sums : memref<1x256xi8>, memref<1x1xf32>, memref<1x1xi32>) group(256)
    weight(%w : !rotq.weight<64x256, #lift, tiles>) outs(%y : memref<1x64xf32>)
    {kernels = [#rotq.kernel<mma_b1, m = [1, 1], rows = 16, cols = 1, warps = 4>]}
  return
}

// -----

#int4 = #rotq.format<"int4_g128">
func.func @no_frame(%codes: memref<1x256xi8>, %scales: memref<1x1xf32>, %sums: memref<1x1xi32>,
                    %w: !rotq.weight<64x256, #int4, tiles>, %y: memref<1x64xf32>) {
  // expected-error @below {{expected codes of a frame, one behind the other, scales of at least 256 weights without offsets and an activation group of 256 for #rotq.kernel<mma_b1}}
  rotq.matmul ins(%codes, %scales, %sums : memref<1x256xi8>, memref<1x1xf32>, memref<1x1xi32>) group(256)
    weight(%w : !rotq.weight<64x256, #int4, tiles>) outs(%y : memref<1x64xf32>)
    {kernels = [#rotq.kernel<mma_b1, m = [1, 1], rows = 16, cols = 1, warps = 4>]}
  return
}

// -----

// Of another frame.
#frame = #rotq.frame<4, 24, "28000000002800000000280000000028f0f0f010">
#f = #rotq.format<"f", rotation = #rotq.identity, scale = #rotq.scale<row>, codebook = #frame, coding = #rotq.field<5, 4>>
#one = #rotq.kernel<mma_b1, m = [1, 1], rows = 16, cols = 1, warps = 4>
func.func @lifted_otherwise(%x: memref<1x576xf16>, %codes: memref<1x576xi8>, %scales: memref<1x3xf32>, %sums: memref<1x3xi32>,
  %w: !rotq.weight<128x576, #f, tiles>, %y: memref<1x128xf32>) {
  rotq.quantize_activation #rotq.hadamard<256> group(256) ins(%x : memref<1x576xf16>)
    outs(%codes, %scales, %sums : memref<1x576xi8>, memref<1x3xf32>, memref<1x3xi32>) {frame = #rotq.frame<4, 24, "2800000000280000">}
  // expected-error @below {{expected an activation that the frame of the weight lifts, as quantize_activation with it does, for #rotq.kernel<mma_b1, m = [1, 1], rows = 16, cols = 1, warps = 4>}}
  rotq.matmul ins(%codes, %scales, %sums : memref<1x576xi8>, memref<1x3xf32>, memref<1x3xi32>) group(256)
    weight(%w : !rotq.weight<128x576, #f, tiles>) outs(%y : memref<1x128xf32>) {kernels = [#one]}
  return
}

// -----

// These codes are no longer those that were lifted.
#frame = #rotq.frame<4, 24, "28000000002800000000280000000028f0f0f010">
#f = #rotq.format<"f", rotation = #rotq.identity, scale = #rotq.scale<row>, codebook = #frame, coding = #rotq.field<5, 4>>
#one = #rotq.kernel<mma_b1, m = [1, 1], rows = 16, cols = 1, warps = 4>
func.func @overwritten(%x: memref<1x576xf16>, %codes: memref<1x576xi8>, %scales: memref<1x3xf32>, %sums: memref<1x3xi32>,
  %w: !rotq.weight<128x576, #f, tiles>, %y: memref<1x128xf32>) {
  rotq.quantize_activation #rotq.hadamard<256> group(256) ins(%x : memref<1x576xf16>)
    outs(%codes, %scales, %sums : memref<1x576xi8>, memref<1x3xf32>, memref<1x3xi32>) {frame = #frame}
  rotq.quantize_activation #rotq.hadamard<256> group(256) ins(%x : memref<1x576xf16>)
    outs(%codes, %scales, %sums : memref<1x576xi8>, memref<1x3xf32>, memref<1x3xi32>)
  // expected-error @below {{expected an activation that the frame of the weight lifts, as quantize_activation with it does, for #rotq.kernel<mma_b1, m = [1, 1], rows = 16, cols = 1, warps = 4>}}
  rotq.matmul ins(%codes, %scales, %sums : memref<1x576xi8>, memref<1x3xf32>, memref<1x3xi32>) group(256)
    weight(%w : !rotq.weight<128x576, #f, tiles>) outs(%y : memref<1x128xf32>) {kernels = [#one]}
  return
}
