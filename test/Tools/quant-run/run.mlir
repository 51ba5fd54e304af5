// REQUIRES: quant-run
// RUN: rm -rf %t && mkdir %t
// A 2-bit plane of 8 rows of 64 weights, all code 3 (the largest level, 120),
// then one step of 0.5 a row, in f16.
// RUN: python3 %S/Inputs/npy.py make %t/x.npy "<f4" 2x64 1 0 0 0
// RUN: python3 %S/Inputs/npy.py make %t/ids.npy "<i4" 3 0 7 0
// RUN: python3 %S/Inputs/npy.py make %t/w.npy "|u1" 144 "255*128" "0,56*8"

// RUN: quant-run %s --entry=product --arg=%t/x.npy --arg=%t/w.npy --out=%t/y.npy
// RUN: python3 %S/Inputs/npy.py show %t/y.npy | FileCheck %s --check-prefix=PRODUCT
// RUN: quant-run %s --reference --entry=product --arg=%t/x.npy --arg=%t/w.npy --out=%t/y.npy
// RUN: python3 %S/Inputs/npy.py show %t/y.npy | FileCheck %s --check-prefix=PRODUCT
// RUN: quant-run %s --features= --options="activations=float" --entry=product \
// RUN:   --arg=%t/x.npy --arg=%t/w.npy --out=%t/y.npy
// RUN: python3 %S/Inputs/npy.py show %t/y.npy | FileCheck %s --check-prefix=PRODUCT
// PRODUCT: <f4 (2, 8) 960.0 960.0 960.0

// Two results, and a module that is lowered already.
// RUN: quant-opt %s --rotq-to-host -o %t/lowered.mlir
// RUN: quant-run %t/lowered.mlir --pipeline-done --entry=rows \
// RUN:   --arg=%t/ids.npy --arg=%t/w.npy --out=%t/rows.npy --out=%t/ids-out.npy
// RUN: python3 %S/Inputs/npy.py show %t/rows.npy | FileCheck %s --check-prefix=ROWS
// RUN: python3 %S/Inputs/npy.py show %t/ids-out.npy | FileCheck %s --check-prefix=IDS
// ROWS: <f2 (3, 64) 60.0 60.0
// IDS: <i4 (3,) 0 7 0

#flat = #rotq.format<"flat", rotation = #rotq.identity, scale = #rotq.scale<64>,
                     codebook = #rotq.table<2, [-120, -36, 36, 120]>,
                     coding = #rotq.fixed<2>>
!w = !rotq.weight<8x64, #flat>

func.func @product(%x: tensor<?x64xf32>, %w: !w) -> tensor<?x8xf32> {
  %c0 = arith.constant 0 : index
  %m = tensor.dim %x, %c0 : tensor<?x64xf32>
  %e = tensor.empty(%m) : tensor<?x8xf32>
  %y = rotq.matmul ins(%x : tensor<?x64xf32>) weight(%w : !w)
    outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

func.func @rows(%ids: tensor<?xi32>, %w: !w) -> (tensor<?x64xf16>, tensor<?xi32>) {
  %c0 = arith.constant 0 : index
  %m = tensor.dim %ids, %c0 : tensor<?xi32>
  %e = tensor.empty(%m) : tensor<?x64xf16>
  %y = rotq.gather ins(%ids : tensor<?xi32>) weight(%w : !w)
    outs(%e : tensor<?x64xf16>) -> tensor<?x64xf16>
  return %y, %ids : tensor<?x64xf16>, tensor<?xi32>
}

// Results in one buffer, in an argument's and in a constant: freed once, or not
// at all.
// RUN: quant-run %s --entry=shared --arg=%t/w.npy \
// RUN:   --out=%t/all.npy --out=%t/again.npy --out=%t/part.npy --out=%t/w-out.npy --out=%t/zero.npy
// RUN: python3 %S/Inputs/npy.py show %t/again.npy | FileCheck %s --check-prefix=AGAIN
// RUN: python3 %S/Inputs/npy.py show %t/part.npy | FileCheck %s --check-prefix=PART
// RUN: python3 %S/Inputs/npy.py show %t/w-out.npy | FileCheck %s --check-prefix=BYTES
// AGAIN: <f4 (8, 64) 60.0 60.0
// PART: <f4 (2, 64) 60.0 60.0
// BYTES: |i1 (144,) -1 -1
func.func @shared(%w: !w) -> (tensor<8x64xf32>, tensor<8x64xf32>, tensor<2x64xf32>, !w, !w) {
  %e = tensor.empty() : tensor<8x64xf32>
  %d = rotq.dequantize weight(%w : !w) outs(%e : tensor<8x64xf32>) -> tensor<8x64xf32>
  %s = tensor.extract_slice %d[1, 0] [2, 64] [1, 1] : tensor<8x64xf32> to tensor<2x64xf32>
  %z = rotq.constant dense<0> : tensor<144xi8> : !w
  return %d, %d, %s, %w, %z : tensor<8x64xf32>, tensor<8x64xf32>, tensor<2x64xf32>, !w, !w
}
