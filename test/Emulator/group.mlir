// REQUIRES: quant-run
// Matmuls of one activation give in one launch what they give in three: members
// of other N, that fill no strip, and a tail of K.
// RUN: rm -rf %t && mkdir %t
// RUN: python3 %S/../Tools/quant-run/Inputs/npy.py make %t/x.npy "<f4" 3x90 1 -2.5 0.25 3 -0.75 1.5 -1
// RUN: python3 %S/../Tools/quant-run/Inputs/npy.py make %t/x70.npy "<f4" 70x90 1 -2.5 0.25 3 -0.75 1.5 -1
// RUN: python3 %S/../Tools/quant-run/Inputs/npy.py make %t/q.npy "|u1" 1440 27 56 201 54 99 57
// RUN: python3 %S/../Tools/quant-run/Inputs/npy.py make %t/k.npy "|u1" 756 228 55 13 58 91 57
// RUN: python3 %S/../Tools/quant-run/Inputs/npy.py make %t/v.npy "|u1" 756 130 52 77 57 6 56

// RUN: quant-opt %s --rotq-to-nvptx=chip=sm_80 | FileCheck %s --check-prefix=ONE
// ONE-NOT: \22name\22:\22matmul_flat_n21_k90
// ONE: \22name\22:\22matmul_flat_n40_21_21_k90
// RUN: quant-opt %s --rotq-to-nvptx="chip=sm_80 fuse=false" | FileCheck %s --check-prefix=THREE
// THREE-NOT: _n40_21_21_
// THREE: \22name\22:\22matmul_flat_n21_k90

// RUN: quant-run %s --device=simt:sm_80 --entry=f --arg=%t/x.npy --arg=%t/q.npy --arg=%t/k.npy --arg=%t/v.npy \
// RUN:   --out=%t/q1.npy --out=%t/k1.npy --out=%t/v1.npy 2>&1 | count 0
// RUN: quant-run %s --device=simt:sm_80 --options=fuse=false --entry=f --arg=%t/x.npy --arg=%t/q.npy --arg=%t/k.npy --arg=%t/v.npy \
// RUN:   --out=%t/q3.npy --out=%t/k3.npy --out=%t/v3.npy
// RUN: cmp %t/q1.npy %t/q3.npy && cmp %t/k1.npy %t/k3.npy && cmp %t/v1.npy %t/v3.npy
// RUN: python3 %S/../Tools/quant-run/Inputs/npy.py show %t/k1.npy | FileCheck %s
// CHECK: <f4 (3, 21) {{-?[1-9]}}

// The kernels of more rows, in another order of the threads.
// RUN: quant-run %s --device=simt:sm_90a --schedule=5 --entry=f --arg=%t/x70.npy --arg=%t/q.npy --arg=%t/k.npy --arg=%t/v.npy \
// RUN:   --out=%t/q1.npy --out=%t/k1.npy --out=%t/v1.npy
// RUN: quant-run %s --device=simt:sm_90a --options=fuse=false --entry=f --arg=%t/x70.npy --arg=%t/q.npy --arg=%t/k.npy --arg=%t/v.npy \
// RUN:   --out=%t/q3.npy --out=%t/k3.npy --out=%t/v3.npy
// RUN: cmp %t/q1.npy %t/q3.npy && cmp %t/k1.npy %t/k3.npy && cmp %t/v1.npy %t/v3.npy

#flat = #rotq.format<"flat", rotation = #rotq.identity, scale = #rotq.scale<64>,
                     codebook = #rotq.table<2, [-120, -36, 36, 120]>,
                     coding = #rotq.fixed<2>>
!q = !rotq.weight<40x90, #flat>
!k = !rotq.weight<21x90, #flat>

func.func @f(%x: tensor<?x90xf32>, %wq: !q, %wk: !k, %wv: !k) -> (tensor<?x40xf32>, tensor<?x21xf32>, tensor<?x21xf32>) {
  %c0 = arith.constant 0 : index
  %m = tensor.dim %x, %c0 : tensor<?x90xf32>
  %e0 = tensor.empty(%m) : tensor<?x40xf32>
  %e1 = tensor.empty(%m) : tensor<?x21xf32>
  %0 = rotq.matmul ins(%x : tensor<?x90xf32>) weight(%wq : !q) outs(%e0 : tensor<?x40xf32>) -> tensor<?x40xf32>
  %1 = rotq.matmul ins(%x : tensor<?x90xf32>) weight(%wk : !k) outs(%e1 : tensor<?x21xf32>) -> tensor<?x21xf32>
  %2 = rotq.matmul ins(%x : tensor<?x90xf32>) weight(%wv : !k) outs(%e1 : tensor<?x21xf32>) -> tensor<?x21xf32>
  return %0, %1, %2 : tensor<?x40xf32>, tensor<?x21xf32>, tensor<?x21xf32>
}
