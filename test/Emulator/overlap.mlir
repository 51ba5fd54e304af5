// REQUIRES: quant-run
// Kernels that overlap wait for what they read; without their waits the matmul
// may read codes that are still being written.
// RUN: rm -rf %t && mkdir %t
// RUN: python3 %S/../Tools/quant-run/Inputs/npy.py make %t/x.npy "<f4" 9x64 1
// RUN: python3 %S/../Tools/quant-run/Inputs/npy.py make %t/w.npy "|u1" 144 "255*128" "0,56*8"
// RUN: quant-opt %s --rotq-to-nvptx="chip=sm_90a overlap=true" -o %t/waits.mlir
// RUN: quant-run %t/waits.mlir --pipeline-done --device=simt --entry=f --arg=%t/x.npy --arg=%t/w.npy --out=%t/y.npy
// RUN: python3 %S/../Tools/quant-run/Inputs/npy.py show %t/y.npy | FileCheck %s
// CHECK: <f4 (9, 8) 3840.0 3840.0

// RUN: sed '/griddepcontrol.*wait/d' %t/waits.mlir > %t/hurries.mlir
// RUN: not quant-run %t/hurries.mlir --pipeline-done --device=simt --entry=f --arg=%t/x.npy --arg=%t/w.npy --out=%t/y.npy 2>&1 \
// RUN:   | FileCheck %s --check-prefix=HURRIES
// HURRIES: error: kernel 'matmul_{{.*}}', block ({{.*}}), thread ({{.*}}): load of {{.*}} (codes), which kernel 'quantize_activation_{{.*}}' may still write: griddepcontrol.wait has to come first at {{.*}}hurries.mlir:

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
