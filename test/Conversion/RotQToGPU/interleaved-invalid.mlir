// RUN: quant-opt %s --convert-rotq-to-gpu=warpgroups=true --verify-diagnostics

#int4 = #rotq.format<"int4_g128">
func.func @f(%codes: memref<64x256xi8>, %scales: memref<64x1xf32>, %sums: memref<64x1xi32>,
             %w: !rotq.weight<64x256, #int4, tiles>, %y: memref<64x64xf32>) {
  // expected-error @below {{expected wgmma for more than 32 rows but got #rotq.kernel<mma_s8, m = [1, 0], rows = 16, cols = 16, warps = 4>: on a chip with warpgroups their codes are interleaved}}
  rotq.matmul ins(%codes, %scales, %sums : memref<64x256xi8>, memref<64x1xf32>, memref<64x1xi32>) group(256)
    weight(%w : !rotq.weight<64x256, #int4, tiles>) outs(%y : memref<64x64xf32>)
    {kernels = [#rotq.kernel<mma_s8, m = [1, 0], rows = 16, cols = 16, warps = 4>]}
  return
}
