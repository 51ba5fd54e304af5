// REQUIRES: quant-run
// Epilogues give the same on every path, fused or not: a bias, SiLU, a residual
// in bf16 and a sum rounded to it; and SiLU of one product times another. Bits
// of bf16 are told as integers. Five rows have no rests, which the host has not.
// RUN: rm -rf %t && mkdir %t
// RUN: python3 %S/../Tools/quant-run/Inputs/npy.py make %t/x.npy "<f4" 5x64 1 -2.5 0.25 3 -0.75 1.5 -1
// RUN: python3 %S/../Tools/quant-run/Inputs/npy.py make %t/b.npy "<f4" 21 0.5 -3 10 2
// RUN: python3 %S/../Tools/quant-run/Inputs/npy.py make %t/r.npy "<i4" 5x21 16256 -16128 0 17000 16300
// RUN: python3 %S/../Tools/quant-run/Inputs/npy.py make %t/g.npy "|u1" 378 "27,201,54*112" "0,24*21"
// RUN: python3 %S/../Tools/quant-run/Inputs/npy.py make %t/u.npy "|u1" 378 "228,13,58,99*84" "0,28*21"

// DEFINE: %{args} = --arg=%t/x.npy --arg=%t/g.npy --arg=%t/b.npy --arg=%t/r.npy --arg=%t/u.npy
// RUN: quant-run %s --reference --entry=f %{args} --out=%t/y0.npy --out=%t/z0.npy
// RUN: quant-run %s --entry=f %{args} --out=%t/y1.npy --out=%t/z1.npy
// RUN: quant-run %s --features= --entry=f %{args} --out=%t/y2.npy --out=%t/z2.npy
// RUN: quant-run %s --device=simt:sm_80 --entry=f %{args} --out=%t/y3.npy --out=%t/z3.npy 2>&1 | count 0
// RUN: quant-run %s --device=simt:sm_90a --schedule=3 --entry=f %{args} --out=%t/y4.npy --out=%t/z4.npy 2>&1 | count 0
// RUN: cmp %t/y0.npy %t/y1.npy && cmp %t/y0.npy %t/y2.npy && cmp %t/y0.npy %t/y3.npy && cmp %t/y0.npy %t/y4.npy
// RUN: cmp %t/z0.npy %t/z1.npy && cmp %t/z0.npy %t/z2.npy && cmp %t/z0.npy %t/z3.npy && cmp %t/z0.npy %t/z4.npy
// RUN: python3 %S/../Tools/quant-run/Inputs/npy.py show %t/y0.npy | FileCheck %s --check-prefix=BITS
// BITS: <i4 (5, 21) {{-?[1-9]}}
// RUN: python3 %S/../Tools/quant-run/Inputs/npy.py show %t/z0.npy | FileCheck %s --check-prefix=HALF
// HALF: <f2 (5, 21) 1.041015625 -0.06243896484375 -0.06787109375 1.041015625

// Both matmuls are launched with what follows them.
// RUN: quant-opt %s --rotq-to-nvptx=chip=sm_80 | FileCheck %s
//  CHECK-DAG: \22name\22:\22matmul_flat_n21_k64_{{[^\\]*}}_bf16_g256_e{{[0-9a-f]*}}\22
//  CHECK-DAG: \22name\22:\22matmul_flat_n21_21_k64_{{[^\\]*}}_f16_g256_e{{[0-9a-f]*}}\22

#flat = #rotq.format<"flat", rotation = #rotq.identity, scale = #rotq.scale<64>,
                     codebook = #rotq.table<2, [-120, -36, 36, 120]>,
                     coding = #rotq.fixed<2>>
#mn = affine_map<(m, n) -> (m, n)>
#n = affine_map<(m, n) -> (n)>
!w = !rotq.weight<21x64, #flat>

func.func @f(%x: tensor<5x64xf32>, %g: !w, %b: tensor<21xf32>, %bits: tensor<5x21xi32>, %u: !w) -> (tensor<5x21xi32>, tensor<5x21xf16>) {
  %one = arith.constant 1.0 : f32
  %e = tensor.empty() : tensor<5x21xf32>
  %ebf = tensor.empty() : tensor<5x21xbf16>
  %ei = tensor.empty() : tensor<5x21xi32>
  %eh = tensor.empty() : tensor<5x21xf16>
  %r = linalg.generic {indexing_maps = [#mn, #mn], iterator_types = ["parallel", "parallel"]}
      ins(%bits : tensor<5x21xi32>) outs(%ebf : tensor<5x21xbf16>) {
  ^bb0(%a: i32, %o: bf16):
    %l = arith.trunci %a : i32 to i16
    %s = arith.bitcast %l : i16 to bf16
    linalg.yield %s : bf16
  } -> tensor<5x21xbf16>
  %0 = rotq.matmul ins(%x : tensor<5x64xf32>) weight(%g : !w) outs(%e : tensor<5x21xf32>) -> tensor<5x21xf32>
  %1 = linalg.generic {indexing_maps = [#mn, #n, #mn, #mn], iterator_types = ["parallel", "parallel"]}
      ins(%0, %b, %r : tensor<5x21xf32>, tensor<21xf32>, tensor<5x21xbf16>) outs(%ebf : tensor<5x21xbf16>) {
  ^bb0(%a: f32, %bias: f32, %res: bf16, %o: bf16):
    %s = arith.addf %a, %bias : f32
    %n = arith.negf %s : f32
    %exp = math.exp %n : f32
    %d = arith.addf %exp, %one : f32
    %q = arith.divf %s, %d : f32
    %t = arith.truncf %q : f32 to bf16
    %y = arith.addf %t, %res : bf16
    linalg.yield %y : bf16
  } -> tensor<5x21xbf16>
  %2 = linalg.generic {indexing_maps = [#mn, #mn], iterator_types = ["parallel", "parallel"]}
      ins(%1 : tensor<5x21xbf16>) outs(%ei : tensor<5x21xi32>) {
  ^bb0(%a: bf16, %o: i32):
    %l = arith.bitcast %a : bf16 to i16
    %s = arith.extsi %l : i16 to i32
    linalg.yield %s : i32
  } -> tensor<5x21xi32>
  %3 = rotq.matmul ins(%x : tensor<5x64xf32>) weight(%g : !w) outs(%e : tensor<5x21xf32>) -> tensor<5x21xf32>
  %4 = rotq.matmul ins(%x : tensor<5x64xf32>) weight(%u : !w) outs(%e : tensor<5x21xf32>) -> tensor<5x21xf32>
  %5 = linalg.generic {indexing_maps = [#mn, #mn, #mn], iterator_types = ["parallel", "parallel"]}
      ins(%3, %4 : tensor<5x21xf32>, tensor<5x21xf32>) outs(%eh : tensor<5x21xf16>) {
  ^bb0(%a: f32, %up: f32, %o: f16):
    %n = arith.negf %a : f32
    %exp = math.exp %n : f32
    %d = arith.addf %exp, %one : f32
    %q = arith.divf %a, %d : f32
    %y = arith.mulf %q, %up : f32
    %t = arith.truncf %y : f32 to f16
    linalg.yield %t : f16
  } -> tensor<5x21xf16>
  return %2, %5 : tensor<5x21xi32>, tensor<5x21xf16>
}
