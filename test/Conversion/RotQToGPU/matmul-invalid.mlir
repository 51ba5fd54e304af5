// RUN: quant-opt %s --convert-rotq-to-gpu -split-input-file -verify-diagnostics

#rq3 = #rotq.format<"rq3">
func.func @tensors(%x: tensor<4x256xf16>, %w: !rotq.weight<64x256, #rq3, tiles>, %y: tensor<4x64xf32>) -> tensor<4x64xf32> {
  // expected-error @below {{expected memrefs: bufferize first}}
  %0 = rotq.matmul ins(%x : tensor<4x256xf16>) weight(%w : !rotq.weight<64x256, #rq3, tiles>) outs(%y : tensor<4x64xf32>) -> tensor<4x64xf32>
  return %0 : tensor<4x64xf32>
}

// -----

#rq3 = #rotq.format<"rq3">
func.func @no_kernels(%x: memref<4x256xf16>, %w: !rotq.weight<64x256, #rq3, tiles>, %y: memref<4x64xf32>) {
  // expected-error @below {{expected kernels: run rotq-select-kernels first}}
  rotq.matmul ins(%x : memref<4x256xf16>) weight(%w : !rotq.weight<64x256, #rq3, tiles>) outs(%y : memref<4x64xf32>)
  return
}

// -----

#rq3 = #rotq.format<"rq3">
func.func @host_kernel(%x: memref<4x256xf16>, %w: !rotq.weight<64x256, #rq3, tiles>, %y: memref<4x64xf32>) {
  // expected-error @below {{expected a GPU kernel but got host_vector}}
  rotq.matmul ins(%x : memref<4x256xf16>) weight(%w : !rotq.weight<64x256, #rq3, tiles>) outs(%y : memref<4x64xf32>)
    {kernels = [#rotq.kernel<host_vector, m = [1, 0], rows = 1, cols = 1, warps = 1>]}
  return
}

// -----

// Not every chip has wgmma.
#int4 = #rotq.format<"int4_g128">
func.func @warpgroups(%codes: memref<4x256xi8>, %scales: memref<4x1xf32>, %sums: memref<4x1xi32>,
                      %w: !rotq.weight<64x256, #int4, tiles>, %y: memref<4x64xf32>) {
  // expected-error @below {{expected a kernel that every chip runs but got #rotq.kernel<wgmma_s8, m = [33, 0], rows = 16, cols = 16, warps = 4, stages = 2>: wgmma is of sm_90a alone}}
  rotq.matmul ins(%codes, %scales, %sums : memref<4x256xi8>, memref<4x1xf32>, memref<4x1xi32>) group(256)
    weight(%w : !rotq.weight<64x256, #int4, tiles>) outs(%y : memref<4x64xf32>)
    {kernels = [#rotq.kernel<wgmma_s8, m = [33, 0], rows = 16, cols = 16, warps = 4, stages = 2>]}
  return
}

// -----

// The rotation spans scales of its own: the f16 kernel multiplies by one scale
// behind the rotation.
#fine = #rotq.format<"fine", rotation = #rotq.hadamard<256>, scale = #rotq.scale<128>,
                     codebook = #rotq.table<2, [-120, -36, 36, 120]>, coding = #rotq.fixed<2>>
func.func @fine_scales(%x: memref<4x256xf16>, %w: !rotq.weight<64x256, #fine, tiles>, %y: memref<4x64xf32>) {
  // expected-error @below {{expected a rotation of at most 256 and scales that cover it to undo it in the load stage but got a rotation of 256 and scales of 128}}
  rotq.matmul ins(%x : memref<4x256xf16>) weight(%w : !rotq.weight<64x256, #fine, tiles>) outs(%y : memref<4x64xf32>)
    {kernels = [#rotq.kernel<mma_f16, m = [1, 0], rows = 16, cols = 8, warps = 4>]}
  return
}

// -----

func.func @wide_rotation(%x: memref<4x512xf16>, %c: memref<4x512xi8>, %s: memref<4x2xf32>, %t: memref<4x2xi32>) {
  // expected-error @below {{expected a rotation and a group of at most 256 on this target but got 512 and 256}}
  rotq.quantize_activation #rotq.hadamard<512> group(256) ins(%x : memref<4x512xf16>) outs(%c, %s, %t : memref<4x512xi8>, memref<4x2xf32>, memref<4x2xi32>)
  return
}

// -----

#rq3 = #rotq.format<"rq3">
func.func @gather(%ids: memref<4xi32>, %w: !rotq.weight<64x256, #rq3>, %y: memref<4x256xf32>) {
  // expected-error @below {{has no GPU kernel}}
  rotq.gather ins(%ids : memref<4xi32>) weight(%w : !rotq.weight<64x256, #rq3>) outs(%y : memref<4x256xf32>)
  return
}

// -----

// Rows of a slice: a kernel gets a pointer and M, and nothing that skips.
#rq3 = #rotq.format<"rq3">
func.func @strided(%x: memref<?x256xf16, strided<[512, 1], offset: 256>>, %w: !rotq.weight<64x256, #rq3, tiles>, %y: memref<?x64xf32>) {
  // expected-error @below {{expected contiguous memrefs but got 'memref<?x256xf16, strided<[512, 1], offset: 256>>'}}
  rotq.matmul ins(%x : memref<?x256xf16, strided<[512, 1], offset: 256>>) weight(%w : !rotq.weight<64x256, #rq3, tiles>) outs(%y : memref<?x64xf32>)
    {kernels = [#rotq.kernel<mma_f16, m = [1, 0], rows = 16, cols = 8, warps = 4>]}
  return
}

// -----

func.func @strided_activation(%x: memref<?x256xf16, strided<[512, 1]>>, %codes: memref<?x256xi8>, %scales: memref<?x1xf32>, %sums: memref<?x1xi32>) {
  // expected-error @below {{expected contiguous memrefs but got}}
  rotq.quantize_activation #rotq.identity group(256) ins(%x : memref<?x256xf16, strided<[512, 1]>>)
    outs(%codes, %scales, %sums : memref<?x256xi8>, memref<?x1xf32>, memref<?x1xi32>)
  return
}

// -----

#rq3 = #rotq.format<"rq3">
func.func @canonical(%x: memref<4x256xf16>, %w: !rotq.weight<64x256, #rq3>, %y: memref<4x64xf32>) {
  // expected-error @below {{expected a weight in tiles: run rotq-repack-weights first}}
  rotq.matmul ins(%x : memref<4x256xf16>) weight(%w : !rotq.weight<64x256, #rq3>) outs(%y : memref<4x64xf32>)
    {kernels = [#rotq.kernel<mma_f16, m = [1, 0], rows = 16, cols = 8, warps = 4>]}
  return
}

// -----

#rq3 = #rotq.format<"rq3">
func.func @grouped_no_kernels(%x: memref<4x256xf16>, %w: !rotq.weight<64x256, #rq3, tiles>, %y0: memref<4x64xf32>, %y1: memref<4x64xf32>) {
  // expected-error @below {{expected kernels: run rotq-select-kernels first}}
  rotq.grouped_matmul ins(%x : memref<4x256xf16>) weights(%w, %w : !rotq.weight<64x256, #rq3, tiles>, !rotq.weight<64x256, #rq3, tiles>)
    outs(%y0, %y1 : memref<4x64xf32>, memref<4x64xf32>)
  return
}

// -----

#rq3 = #rotq.format<"rq3">
func.func @grouped_canonical(%x: memref<4x256xf16>, %w: !rotq.weight<64x256, #rq3>, %y0: memref<4x64xf32>, %y1: memref<4x64xf32>) {
  // expected-error @below {{expected a weight in tiles: run rotq-repack-weights first}}
  rotq.grouped_matmul ins(%x : memref<4x256xf16>) weights(%w, %w : !rotq.weight<64x256, #rq3>, !rotq.weight<64x256, #rq3>)
    outs(%y0, %y1 : memref<4x64xf32>, memref<4x64xf32>)
    {kernels = [#rotq.kernel<mma_f16, m = [1, 0], rows = 16, cols = 8, warps = 4>]}
  return
}

// -----

// Not every chip multiplies e4m3.
#int4 = #rotq.format<"int4_g128">
func.func @e4m3(%codes: memref<4x256xf8E4M3FN>, %scales: memref<4x1xf32>, %sums: memref<4x1xi32>,
                %w: !rotq.weight<64x256, #int4, tiles>, %y: memref<4x64xf32>) {
  // expected-error @below {{expected operands that every chip multiplies but got e4m3: sm_89 and later do, with operand=e4m3}}
  rotq.matmul ins(%codes, %scales, %sums : memref<4x256xf8E4M3FN>, memref<4x1xf32>, memref<4x1xi32>) group(256)
    weight(%w : !rotq.weight<64x256, #int4, tiles>) outs(%y : memref<4x64xf32>)
    {kernels = [#rotq.kernel<mma_e4m3, m = [1, 0], rows = 16, cols = 8, warps = 4>]}
  return
}

// -----

func.func @e4m3_activation(%x: memref<4x256xf16>, %c: memref<4x256xf8E4M3FN>, %s: memref<4x1xf32>, %t: memref<4x1xi32>) {
  // expected-error @below {{expected operands that every chip multiplies but got e4m3: sm_89 and later do, with operand=e4m3}}
  rotq.quantize_activation #rotq.hadamard<256> group(256) ins(%x : memref<4x256xf16>) outs(%c, %s, %t : memref<4x256xf8E4M3FN>, memref<4x1xf32>, memref<4x1xi32>)
  return
}
