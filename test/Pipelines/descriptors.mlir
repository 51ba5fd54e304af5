// REQUIRES: quant-translate
// RUN: quant-opt %s --rotq-to-nvptx="chip=sm_90a" | quant-translate --to=ptx | FileCheck %s --implicit-check-not="46116862933053603"

// All of K's three tiles are on their way at once, and where they are counts with
// the loop. Descriptors must not: ptxas 13.0 loses the high half of a 64-bit sum
// that it keeps in uniform registers.
// CHECK-LABEL: .visible .entry matmul_rq4_rotated_n64_k768_wgmma_s8
//       CHECK: or.b64 {{.*}}, 4611686293305294848;
//       CHECK: wgmma.mma_async
#rotated = #rotq.format<"rq4_rotated", rotation = #rotq.identity, scale = #rotq.scale<256>,
                        codebook = #rotq.table<4, [-104, -79, -62, -48, -36, -25, -15, -5, 5, 15, 25, 36, 48, 62, 79, 104]>, coding = #rotq.fixed<4>>
func.func @f(%c: tensor<64x768xi8>, %s: tensor<64x3xf32>, %t: tensor<64x3xi32>, %w: !rotq.weight<64x768, #rotated>) -> tensor<64x64xf16> {
  %e = tensor.empty() : tensor<64x64xf16>
  %y = rotq.matmul ins(%c, %s, %t : tensor<64x768xi8>, tensor<64x3xf32>, tensor<64x3xi32>) group(256)
    weight(%w : !rotq.weight<64x768, #rotated>) outs(%e : tensor<64x64xf16>)
    {kernels = [#rotq.kernel<wgmma_s8, m = [33, 0], rows = 16, cols = 32, warps = 4, stages = 4, blocks = 2>]} -> tensor<64x64xf16>
  return %y : tensor<64x64xf16>
}
