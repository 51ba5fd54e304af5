// REQUIRES: quant-run
// Both sums of an element come from other warps of a block, however these
// divide it: alone, K, staged or in warpgroups. All sums are exact, and so the
// same in every order. Of 24 rows the second strip is half empty; the tail of K
// is 192 long.
// DEFINE: %{scales} = scales
// DEFINE: %{args} = --arg=%t/codes.npy --arg=%t/%{scales}.npy --arg=%t/sums.npy --arg=%t/w.npy --arg=%t/v.npy
// DEFINE: %{kernel} =
// DEFINE: %{chip} =
// DEFINE: %{run} = sed 's/KERNEL/%{kernel}/' %s > %t/f.mlir && \
// DEFINE:   quant-run %t/f.mlir --device=simt:%{chip} --schedule=3 --entry=f %{args} --out=%t/y.npy 2>&1 | count 0 && cmp %t/y.npy %t/reference.npy
// RUN: rm -rf %t && mkdir %t
// Codes are the same in a tile, and so in every order.
// RUN: python3 %S/../Tools/quant-run/Inputs/npy.py make %t/codes.npy "|i1" 40x1216 1*256 -2*256 3*256 5*256 -7*192
// RUN: python3 %S/../Tools/quant-run/Inputs/npy.py make %t/scales.npy "<f4" 40x6 1 2 0.5
// RUN: python3 %S/../Tools/quant-run/Inputs/npy.py make %t/scales-by-segment.npy "<f4" 40x6 1*40 2*40 0.5*40
// RUN: python3 %S/../Tools/quant-run/Inputs/npy.py make %t/sums.npy "<i4" 40x6 0
// RUN: python3 %S/../Tools/quant-run/Inputs/npy.py make %t/w.npy "|u1" 7584 27,255,201*2432 0,52,0,56*72
// RUN: python3 %S/../Tools/quant-run/Inputs/npy.py make %t/v.npy "|u1" 7584 228,13,58*2432 0,56,0,60,0,52*48
// RUN: sed 's/KERNEL/host_vector, m = [1, 0], rows = 1, cols = 1, warps = 1/' %s > %t/host.mlir
// RUN: quant-run %t/host.mlir --reference --entry=f %{args} --out=%t/reference.npy
// RUN: python3 %S/../Tools/quant-run/Inputs/npy.py show %t/reference.npy | FileCheck %s
// CHECK: <f4 (40, 24) -0.81{{[0-9]*}} -0.79{{[0-9]*}} -0.71

// REDEFINE: %{chip} = sm_80
// REDEFINE: %{kernel} = mma_s8, m = [1, 0], rows = 16, cols = 16, warps = 4
// RUN: %{run}
// REDEFINE: %{kernel} = mma_s8, m = [1, 0], rows = 32, cols = 8, warps = 6, split = 3, depth = 2
// RUN: %{run}
// REDEFINE: %{kernel} = mma_s8, m = [1, 0], rows = 16, cols = 16, warps = 4, stages = 2
// RUN: %{run}
// REDEFINE: %{chip} = sm_90a
// REDEFINE: %{scales} = scales-by-segment
// REDEFINE: %{kernel} = wgmma_s8, m = [33, 0], rows = 32, cols = 16, warps = 8, stages = 2
// RUN: %{run}
// REDEFINE: %{kernel} = wgmma_s8, m = [33, 0], rows = 16, cols = 32, warps = 16, split = 2, stages = 3
// RUN: %{run}

#flat = #rotq.format<"flat", rotation = #rotq.identity, scale = #rotq.scale<256>,
                     codebook = #rotq.table<2, [-120, -36, 36, 120]>, coding = #rotq.fixed<2>>
!w = !rotq.weight<24x1216, #flat>

func.func @f(%c: tensor<40x1216xi8>, %s: tensor<40x6xf32>, %t: tensor<40x6xi32>, %w: !w, %v: !w) -> tensor<40x24xf32> {
  %e = tensor.empty() : tensor<40x24xf32>
  %y = rotq.grouped_matmul ins(%c, %s, %t : tensor<40x1216xi8>, tensor<40x6xf32>, tensor<40x6xi32>) group(256)
      weights(%w, %v : !w, !w) outs(%e : tensor<40x24xf32>) {kernels = [#rotq.kernel<KERNEL>]} epilogue {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.divf %a, %b : f32
    rotq.yield %0 : f32
  } -> tensor<40x24xf32>
  return %y : tensor<40x24xf32>
}
