// RUN: quant-opt %s --convert-rotq-to-gpu | FileCheck %s

// A lane owns 32 weights in a step, the finest groups and scales there are: one
// of each covers them.

#int4 = #rotq.format<"int4_g128">
#fine = #rotq.format<"fine", rotation = #rotq.identity, scale = #rotq.scale<32>,
                     codebook = #rotq.table<2, [-2, -1, 0, 1]>, coding = #rotq.fixed<2>>
#dp4a = #rotq.kernel<dp4a, m = [1, 1], rows = 1, cols = 1, warps = 4>

// CHECK-LABEL: gpu.func @matmul_int4_g128_{{.*}}_g256(
// CHECK: rotq.dot {{.*}} vector<32xi8>
// CHECK-LABEL: gpu.func @matmul_int4_g128_{{.*}}_g32(
// CHECK: rotq.dot {{.*}} vector<32xi8>
// CHECK-LABEL: gpu.func @matmul_fine_{{.*}}_g256(
// CHECK: rotq.dot {{.*}} vector<32xi8>

func.func @default(%c: memref<1x512xi8>, %s: memref<1x2xf32>, %t: memref<1x2xi32>,
                   %w: !rotq.weight<8x512, #int4>, %y: memref<1x8xf32>) {
  rotq.matmul ins(%c, %s, %t : memref<1x512xi8>, memref<1x2xf32>, memref<1x2xi32>) group(256)
    weight(%w : !rotq.weight<8x512, #int4>) outs(%y : memref<1x8xf32>) {kernels = [#dp4a]}
  return
}
func.func @groups(%c: memref<1x512xi8>, %s: memref<1x16xf32>, %t: memref<1x16xi32>,
                  %w: !rotq.weight<8x512, #int4>, %y: memref<1x8xf32>) {
  rotq.matmul ins(%c, %s, %t : memref<1x512xi8>, memref<1x16xf32>, memref<1x16xi32>) group(32)
    weight(%w : !rotq.weight<8x512, #int4>) outs(%y : memref<1x8xf32>) {kernels = [#dp4a]}
  return
}
func.func @scales(%c: memref<1x512xi8>, %s: memref<1x2xf32>, %t: memref<1x2xi32>,
                  %w: !rotq.weight<8x512, #fine>, %y: memref<1x8xf32>) {
  rotq.matmul ins(%c, %s, %t : memref<1x512xi8>, memref<1x2xf32>, memref<1x2xi32>) group(256)
    weight(%w : !rotq.weight<8x512, #fine>) outs(%y : memref<1x8xf32>) {kernels = [#dp4a]}
  return
}
