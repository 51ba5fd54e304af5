// RUN: quant-opt %s --convert-rotq-to-gpu | FileCheck %s
// RUN: quant-opt %s --rotq-select-kernels=target=sm_90a --convert-rotq-to-gpu | FileCheck %s

// A product of no rows launches nothing: a grid of no blocks is an error.
// CHECK-NOT: gpu.func
// CHECK: func.func @no_rows
// CHECK-NOT: {{^ +}}rotq.
// CHECK-NOT: gpu.launch_func
// CHECK: return
#int4 = #rotq.format<"int4_g128">
func.func @no_rows(%x: memref<0x256xf32>, %codes: memref<0x256xi8>, %scales: memref<0x1xf32>, %sums: memref<0x1xi32>,
                   %w: !rotq.weight<64x256, #int4, tiles>, %y: memref<0x64xf32>) {
  rotq.quantize_activation #rotq.identity group(256) ins(%x : memref<0x256xf32>)
    outs(%codes, %scales, %sums : memref<0x256xi8>, memref<0x1xf32>, memref<0x1xi32>)
  rotq.matmul ins(%codes, %scales, %sums : memref<0x256xi8>, memref<0x1xf32>, memref<0x1xi32>) group(256)
    weight(%w : !rotq.weight<64x256, #int4, tiles>) outs(%y : memref<0x64xf32>)
  return
}
