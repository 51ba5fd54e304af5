// REQUIRES: quant-run
// Codes and points in e4m3: kernels of few rows and of many, on chips with and
// without warpgroups, give what the reference does. 127 and 100 of the table
// become 128 and 96, and so do halves between them; products are exact in f32.
// DEFINE: %{npy} = python3 %S/../Tools/quant-run/Inputs/npy.py
// RUN: rm -rf %t && mkdir %t
// RUN: %{npy} make %t/few.npy "<f4" 3x64 448 0.5 -2.25 3 -104 1.5 -1.125
// RUN: %{npy} make %t/many.npy "<f4" 40x64 448 0.5 -2.25 3 -104 1.5 -1.125
// RUN: %{npy} make %t/w.npy "|u1" 378 "27,201,54*112" "0,60*21"
// RUN: sed 's/ROWS/3/g' %s > %t/few.mlir
// RUN: sed 's/ROWS/40/g' %s > %t/many.mlir
// RUN: quant-run %t/few.mlir --reference --entry=f --arg=%t/few.npy --arg=%t/w.npy --out=%t/few-reference.npy
// RUN: quant-run %t/few.mlir --device=simt:sm_89 --options=operand=e4m3 --entry=f --arg=%t/few.npy --arg=%t/w.npy --out=%t/few.89.npy
// RUN: quant-run %t/few.mlir --device=simt:sm_90a --options=operand=e4m3 --entry=f --arg=%t/few.npy --arg=%t/w.npy --out=%t/few.90.npy
// RUN: quant-run %t/many.mlir --reference --entry=f --arg=%t/many.npy --arg=%t/w.npy --out=%t/many-reference.npy
// RUN: quant-run %t/many.mlir --device=simt:sm_90a --options=operand=e4m3 --entry=f --arg=%t/many.npy --arg=%t/w.npy --out=%t/many.90.npy
// RUN: quant-run %t/many.mlir --device=simt:sm_120a --options=operand=e4m3 --entry=f --arg=%t/many.npy --arg=%t/w.npy --out=%t/many.120.npy
// RUN: cmp %t/few-reference.npy %t/few.89.npy && cmp %t/few-reference.npy %t/few.90.npy
// RUN: cmp %t/many-reference.npy %t/many.90.npy && cmp %t/many-reference.npy %t/many.120.npy
// RUN: %{npy} show %t/few-reference.npy | FileCheck %s
// CHECK: <f4 (3, 21) {{-?[1-9]}}

// The host has none.
// RUN: not quant-run %t/few.mlir --entry=f --arg=%t/few.npy --arg=%t/w.npy --out=%t/host.npy 2>&1 | FileCheck %s --check-prefix=HOST
// HOST: error: 'rotq.matmul' op expected int8 codes, since host has no products of e4m3

!w = !rotq.weight<21x64, #rotq.format<"flat", rotation = #rotq.identity, scale = #rotq.scale<64>,
                  codebook = #rotq.table<2, [-127, -36, 36, 100]>, coding = #rotq.fixed<2>>>

func.func @f(%x: tensor<ROWSx64xf32>, %w: !w) -> tensor<ROWSx21xf32> {
  %a = tensor.empty() : tensor<ROWSx64xf8E4M3FN>
  %b = tensor.empty() : tensor<ROWSx1xf32>
  %c = tensor.empty() : tensor<ROWSx1xi32>
  %q:3 = rotq.quantize_activation #rotq.identity group(64) ins(%x : tensor<ROWSx64xf32>)
    outs(%a, %b, %c : tensor<ROWSx64xf8E4M3FN>, tensor<ROWSx1xf32>, tensor<ROWSx1xi32>)
    -> tensor<ROWSx64xf8E4M3FN>, tensor<ROWSx1xf32>, tensor<ROWSx1xi32>
  %e = tensor.empty() : tensor<ROWSx21xf32>
  %y = rotq.matmul ins(%q#0, %q#1, %q#2 : tensor<ROWSx64xf8E4M3FN>, tensor<ROWSx1xf32>, tensor<ROWSx1xi32>) group(64)
    weight(%w : !w) outs(%e : tensor<ROWSx21xf32>) -> tensor<ROWSx21xf32>
  return %y : tensor<ROWSx21xf32>
}
