// REQUIRES: quant-run
// A scale of the activation for more than a tile of K, whose tail has one of its
// own: kernels that stage it, and those of warpgroups, give what others do, and
// the same but for the order of sums where warpgroups divide K.
// DEFINE: %{rest} = --arg=%t/sums.npy --arg=%t/w.npy
// DEFINE: %{rows} = --arg=%t/codes.npy --arg=%t/scales.npy %{rest}
// DEFINE: %{interleaved} = --arg=%t/codes.npy --arg=%t/scales-by-segment.npy %{rest}
// RUN: rm -rf %t && mkdir %t
// Codes are the same in a tile, and so in every order.
// RUN: python3 %S/../Tools/quant-run/Inputs/npy.py make %t/codes.npy "|i1" 40x1216 1*256 -2*256 3*256 5*256 -7*192
// RUN: python3 %S/../Tools/quant-run/Inputs/npy.py make %t/scales.npy "<f4" 40x3 1 64 512
// RUN: python3 %S/../Tools/quant-run/Inputs/npy.py make %t/scales-by-segment.npy "<f4" 40x3 1*40 64*40 512*40
// RUN: python3 %S/../Tools/quant-run/Inputs/npy.py make %t/sums.npy "<i4" 40x3 0
// RUN: python3 %S/../Tools/quant-run/Inputs/npy.py make %t/w.npy "|u1" 5056 27,255,201,99*1216 1,52,3,53*48
// RUN: sed 's/KERNEL/mma_s8, m = [1, 0], rows = 16, cols = 16, warps = 1/' %s > %t/plain.mlir
// RUN: sed 's/KERNEL/mma_s8, m = [1, 0], rows = 16, cols = 16, warps = 1, stages = 2/' %s > %t/staged.mlir
// RUN: sed 's/KERNEL/wgmma_s8, m = [33, 0], rows = 16, cols = 16, warps = 4, stages = 2/' %s > %t/wgmma.mlir
// RUN: sed 's/KERNEL/wgmma_s8, m = [33, 0], rows = 16, cols = 32, warps = 12, split = 3, stages = 2/' %s > %t/split.mlir
// RUN: quant-run %t/plain.mlir --device=simt:sm_80 --entry=f %{rows} --out=%t/plain.npy
// RUN: quant-run %t/staged.mlir --device=simt:sm_80 --entry=f %{rows} --out=%t/staged.npy
// RUN: quant-run %t/wgmma.mlir --device=simt:sm_90a --entry=f %{interleaved} --out=%t/wgmma.npy
// RUN: quant-run %t/split.mlir --device=simt:sm_90a --entry=f %{interleaved} --out=%t/split.npy
// RUN: cmp %t/plain.npy %t/staged.npy && cmp %t/plain.npy %t/wgmma.npy
// RUN: python3 %S/../Tools/quant-run/Inputs/npy.py show %t/plain.npy | FileCheck %s
// RUN: python3 %S/../Tools/quant-run/Inputs/npy.py show %t/split.npy | FileCheck %s
// CHECK: <f4 (40, 16) {{-?[1-9]}}

#flat = #rotq.format<"flat", rotation = #rotq.identity, scale = #rotq.scale<256>,
                     codebook = #rotq.table<2, [-120, -36, 36, 120]>, coding = #rotq.fixed<2>>

func.func @f(%c: tensor<40x1216xi8>, %s: tensor<40x3xf32>, %t: tensor<40x3xi32>, %w: !rotq.weight<16x1216, #flat>)
    -> tensor<40x16xf32> {
  %e = tensor.empty() : tensor<40x16xf32>
  %y = rotq.matmul ins(%c, %s, %t : tensor<40x1216xi8>, tensor<40x3xf32>, tensor<40x3xi32>) group(1024)
    weight(%w : !rotq.weight<16x1216, #flat>) outs(%e : tensor<40x16xf32>)
    {kernels = [#rotq.kernel<KERNEL>]} -> tensor<40x16xf32>
  return %y : tensor<40x16xf32>
}
