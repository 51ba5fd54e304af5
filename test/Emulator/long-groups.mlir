// REQUIRES: quant-run
// A scale of the activation for more than a tile of K, whose tail has one of its
// own: kernels that stage it give what others do.
// RUN: rm -rf %t && mkdir %t
// RUN: python3 %S/../Tools/quant-run/Inputs/npy.py make %t/codes.npy "|i1" 9x768 1 -2 3 5 -7
// RUN: python3 %S/../Tools/quant-run/Inputs/npy.py make %t/scales.npy "<f4" 9x2 1 64
// RUN: python3 %S/../Tools/quant-run/Inputs/npy.py make %t/sums.npy "<i4" 9x2 0
// RUN: python3 %S/../Tools/quant-run/Inputs/npy.py make %t/w.npy "|u1" 3168 27,54,201,99*792
// RUN: quant-run %s --device=simt:sm_90a --entry=f --arg=%t/codes.npy --arg=%t/scales.npy --arg=%t/sums.npy --arg=%t/w.npy \
// RUN:   --out=%t/plain.npy --out=%t/staged.npy --out=%t/wgmma.npy
// RUN: cmp %t/plain.npy %t/staged.npy && cmp %t/plain.npy %t/wgmma.npy
// RUN: python3 %S/../Tools/quant-run/Inputs/npy.py show %t/plain.npy | FileCheck %s
// CHECK: <f4 (9, 16) {{-?[1-9]}}

#flat = #rotq.format<"flat", rotation = #rotq.identity, scale = #rotq.scale<256>,
                     codebook = #rotq.table<2, [-120, -36, 36, 120]>, coding = #rotq.fixed<2>>
#plain = #rotq.kernel<mma_s8, m = [1, 0], rows = 16, cols = 16, warps = 1>
#staged = #rotq.kernel<mma_s8, m = [1, 0], rows = 16, cols = 16, warps = 1, stages = 2>
#wgmma = #rotq.kernel<wgmma_s8, m = [1, 0], rows = 16, cols = 16, warps = 4, stages = 2>

func.func @f(%c: tensor<9x768xi8>, %s: tensor<9x2xf32>, %t: tensor<9x2xi32>, %w: !rotq.weight<16x768, #flat>)
    -> (tensor<9x16xf32>, tensor<9x16xf32>, tensor<9x16xf32>) {
  %e = tensor.empty() : tensor<9x16xf32>
  %0 = rotq.matmul ins(%c, %s, %t : tensor<9x768xi8>, tensor<9x2xf32>, tensor<9x2xi32>) group(1024)
    weight(%w : !rotq.weight<16x768, #flat>) outs(%e : tensor<9x16xf32>) {kernels = [#plain]} -> tensor<9x16xf32>
  %1 = rotq.matmul ins(%c, %s, %t : tensor<9x768xi8>, tensor<9x2xf32>, tensor<9x2xi32>) group(1024)
    weight(%w : !rotq.weight<16x768, #flat>) outs(%e : tensor<9x16xf32>) {kernels = [#staged]} -> tensor<9x16xf32>
  %2 = rotq.matmul ins(%c, %s, %t : tensor<9x768xi8>, tensor<9x2xf32>, tensor<9x2xi32>) group(1024)
    weight(%w : !rotq.weight<16x768, #flat>) outs(%e : tensor<9x16xf32>) {kernels = [#wgmma]} -> tensor<9x16xf32>
  return %0, %1, %2 : tensor<9x16xf32>, tensor<9x16xf32>, tensor<9x16xf32>
}
