// REQUIRES: quant-run
// A matmul on an emulated GPU gives what it gives on the host: the activation
// of eight ones, then of zeros, is quantized exactly.
// RUN: rm -rf %t && mkdir %t
// RUN: python3 %S/../Tools/quant-run/Inputs/npy.py make %t/x.npy "<f4" 1x64 1
// RUN: python3 %S/../Tools/quant-run/Inputs/npy.py make %t/x9.npy "<f4" 9x64 1
// RUN: python3 %S/../Tools/quant-run/Inputs/npy.py make %t/x0.npy "<f4" 0x64 1
// RUN: python3 %S/../Tools/quant-run/Inputs/npy.py make %t/w.npy "|u1" 144 "255*128" "0,56*8"
// RUN: quant-run %s --entry=f --arg=%t/x.npy --arg=%t/w.npy --out=%t/host.npy
// RUN: python3 %S/../Tools/quant-run/Inputs/npy.py show %t/host.npy | FileCheck %s
// CHECK: <f4 (1, 8) 3840.0 3840.0

// RUN: quant-run %s --device=simt --entry=f --arg=%t/x.npy --arg=%t/w.npy --out=%t/y.npy 2>&1 | count 0
// RUN: cmp %t/host.npy %t/y.npy
// RUN: quant-run %s --device=simt:sm_80 --schedule=3 --entry=f --arg=%t/x.npy --arg=%t/w.npy --out=%t/y.npy
// RUN: cmp %t/host.npy %t/y.npy

// More rows take another kernel, no rows none.
// RUN: quant-run %s --device=simt:sm_120a --schedule=7 --entry=f --arg=%t/x9.npy --arg=%t/w.npy --out=%t/y9.npy
// RUN: python3 %S/../Tools/quant-run/Inputs/npy.py show %t/y9.npy | FileCheck %s --check-prefix=NINE
// NINE: <f4 (9, 8) 3840.0 3840.0
// RUN: quant-run %s --device=simt --entry=f --arg=%t/x0.npy --arg=%t/w.npy --out=%t/y0.npy
// RUN: python3 %S/../Tools/quant-run/Inputs/npy.py show %t/y0.npy | FileCheck %s --check-prefix=NONE
// NONE: <f4 (0, 8)

// Devices that do not exist.
// RUN: not quant-run %s --device=moon 2>&1 | FileCheck %s --check-prefix=DEVICE
// DEVICE: error: expected --device=host, simt, simt:<chip>, cuda or cuda:<chip> but got 'moon'
// RUN: not quant-run %s --device=simt:sm_1 2>&1 | FileCheck %s --check-prefix=CHIP
// CHIP: error: unknown target 'sm_1'
// RUN: env CUDA_HOME=%t not quant-run %s --device=cuda 2>&1 | FileCheck %s --check-prefix=GPU
// GPU: error: {{cannot open libcuda.so.1|cannot find 'ptxas'|cuInit|no device}}

#flat = #rotq.format<"flat", rotation = #rotq.identity, scale = #rotq.scale<64>,
                     codebook = #rotq.table<2, [-120, -36, 36, 120]>,
                     coding = #rotq.fixed<2>>

func.func @f(%x: tensor<?x64xf32>, %w: !rotq.weight<8x64, #flat>) -> tensor<?x8xf32> {
  %c0 = arith.constant 0 : index
  %m = tensor.dim %x, %c0 : tensor<?x64xf32>
  %e = tensor.empty(%m) : tensor<?x8xf32>
  %y = rotq.matmul ins(%x : tensor<?x64xf32>) weight(%w : !rotq.weight<8x64, #flat>)
    outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}
