// REQUIRES: quant-run
// What 8 bits of x leave out is multiplied too where there are few rows, by
// kernels as by the reference; of more rows it is not.
// DEFINE: %{npy} = python3 %S/../Tools/quant-run/Inputs/npy.py
// RUN: rm -rf %t && mkdir %t
// RUN: %{npy} make %t/few.npy "<f4" 3x64 127 0.5 -2.25 3 -0.75 1.5 -1.125
// RUN: %{npy} make %t/many.npy "<f4" 5x64 127 0.5 -2.25 3 -0.75 1.5 -1.125
// RUN: %{npy} make %t/w.npy "|u1" 378 "27,201,54*112" "0,60*21"
// RUN: quant-run %s --reference --entry=few --arg=%t/few.npy --arg=%t/w.npy --out=%t/few-reference.npy
// RUN: quant-run %s --device=simt:sm_80 --entry=few --arg=%t/few.npy --arg=%t/w.npy --out=%t/few-kernels.npy
// RUN: quant-run %s --reference --entry=many --arg=%t/many.npy --arg=%t/w.npy --out=%t/many-reference.npy
// RUN: quant-run %s --device=simt:sm_80 --entry=many --arg=%t/many.npy --arg=%t/w.npy --out=%t/many-kernels.npy
// RUN: %{npy} show %t/few-reference.npy | FileCheck %s --check-prefix=FEW
// RUN: %{npy} show %t/few-kernels.npy | FileCheck %s --check-prefix=FEW
// RUN: %{npy} show %t/many-reference.npy | FileCheck %s --check-prefix=MANY
// RUN: %{npy} show %t/many-kernels.npy | FileCheck %s --check-prefix=MANY

!w = !rotq.weight<21x64, #rotq.format<"flat", rotation = #rotq.identity, scale = #rotq.scale<64>,
                  codebook = #rotq.table<2, [-120, -36, 36, 120]>, coding = #rotq.fixed<2>>>

func.func @few(%x: tensor<3x64xf32>, %w: !w) -> tensor<3x21xf32> {
  %a = tensor.empty() : tensor<3x128xi8>
  %b = tensor.empty() : tensor<3x2xf32>
  %c = tensor.empty() : tensor<3x2xi32>
  %q:3 = rotq.quantize_activation #rotq.identity group(64) ins(%x : tensor<3x64xf32>)
    outs(%a, %b, %c : tensor<3x128xi8>, tensor<3x2xf32>, tensor<3x2xi32>) {rests}
    -> tensor<3x128xi8>, tensor<3x2xf32>, tensor<3x2xi32>
  %e = tensor.empty() : tensor<3x21xf32>
  %y = rotq.matmul ins(%q#0, %q#1, %q#2 : tensor<3x128xi8>, tensor<3x2xf32>, tensor<3x2xi32>) group(64)
    weight(%w : !w) outs(%e : tensor<3x21xf32>) {rests} -> tensor<3x21xf32>
  return %y : tensor<3x21xf32>
}

func.func @many(%x: tensor<5x64xf32>, %w: !w) -> tensor<5x21xf32> {
  %a = tensor.empty() : tensor<5x128xi8>
  %b = tensor.empty() : tensor<5x2xf32>
  %c = tensor.empty() : tensor<5x2xi32>
  %q:3 = rotq.quantize_activation #rotq.identity group(64) ins(%x : tensor<5x64xf32>)
    outs(%a, %b, %c : tensor<5x128xi8>, tensor<5x2xf32>, tensor<5x2xi32>) {rests}
    -> tensor<5x128xi8>, tensor<5x2xf32>, tensor<5x2xi32>
  %e = tensor.empty() : tensor<5x21xf32>
  %y = rotq.matmul ins(%q#0, %q#1, %q#2 : tensor<5x128xi8>, tensor<5x2xf32>, tensor<5x2xi32>) group(64)
    weight(%w : !w) outs(%e : tensor<5x21xf32>) {rests} -> tensor<5x21xf32>
  return %y : tensor<5x21xf32>
}

//  FEW: <f4 (3, 21) 1174.77{{[0-9]*}} -32449.5{{[0-9]*}} 30179.6
// MANY: <f4 (5, 21) 1308.0 -32832.0 30444.0
