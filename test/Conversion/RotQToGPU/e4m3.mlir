// RUN: quant-opt %s '--convert-rotq-to-gpu=warpgroups=true e4m3=true' | FileCheck %s
// RUN: quant-opt %s '--pass-pipeline=builtin.module(convert-rotq-to-gpu{warpgroups=true e4m3=true},gpu.module(convert-rotq-micro-to-nvvm))' | FileCheck %s --check-prefix=MICRO

// Two floats become an i16; the codes' values, whose sum is one of integers, come
// from it.
// CHECK-LABEL: gpu.func @quantize_activation_k512_r0_g256_f32_e4m3(
//       CHECK: arith.constant 4.480000e+02 : f32
// CHECK-COUNT-4: nvvm.convert.f32x2.to.f8x2 {{.*}} {rnd = #nvvm.fp_rnd_mode<rn>, sat = #nvvm.sat_mode<satfinite>} : i16(f8E4M3FN)
// CHECK-COUNT-4: nvvm.convert.f8x2.to.f16x2
// CHECK-LABEL: gpu.func @matmul_looked_up_n128_k512_mma_e4m3_m1_32_r16c8w4_f32_g256(
//       CHECK: rotq.decode {{.*}} -> vector<32xf8E4M3FN>
//       CHECK: llvm.call_intrinsic "llvm.nvvm.mma.m16n8k32.row.col.f32.e4m3.e4m3.f32"(
//   CHECK-NOT: arith.sitofp
// CHECK-LABEL: gpu.func @matmul_looked_up_n128_k512_wgmma_e4m3_m33_0_r16c32w4t3_f32_g256(
//       CHECK: wgmma.mma_async.sync.aligned.m64n32k32.f32.e4m3.e4m3 {$0, {{.*}}}, {$16, $17, $18, $19}, $48, p, 1, 1;
//  CHECK-SAME: $55, q, 1, 1;
//       CHECK: "wgmma.wait_group.sync.aligned 0;", "=f,
//   CHECK-NOT: arith.sitofp

// Points of a table cost nothing, those that are gathered either: -127 and 127
// become -128 (0xf0) and 128 (0x70). Others are converted by way of f16.
//           MICRO: llvm.mlir.global internal constant @rotq_table_{{.*}}(dense<[240, 232, 104, 112]>
//     MICRO-LABEL: gpu.func @matmul_looked_up_n128_k512_mma_e4m3
//       MICRO-NOT: nvvm.convert.f16x2
//     MICRO-LABEL: gpu.func @matmul_gathered_n128_k512_mma_e4m3
//       MICRO-NOT: nvvm.convert.f16x2
//     MICRO-LABEL: gpu.func @matmul_computed_n128_k512_mma_e4m3
//           MICRO: arith.xori
//           MICRO: nvvm.prmt
//           MICRO: arith.addf {{.*}} : vector<2xf16>
//           MICRO: nvvm.convert.f16x2.to.f8x2
#table = #rotq.format<"looked_up", rotation = #rotq.identity, scale = #rotq.scale<256>,
                      codebook = #rotq.table<2, [-90, -36, 36, 90]>, coding = #rotq.fixed<2>>
#grid = #rotq.format<"gathered", rotation = #rotq.identity, scale = #rotq.scale<256>,
                     codebook = #rotq.grid<2, 1, "81c0407f">, coding = #rotq.field<2, 1>>
#trellis = #rotq.format<"computed", rotation = #rotq.identity, scale = #rotq.scale<row>,
                        codebook = #rotq.trellis<3, 2212286765, 0>, coding = #rotq.window<3>>
#few = #rotq.kernel<mma_e4m3, m = [1, 32], rows = 16, cols = 8, warps = 4>
#many = #rotq.kernel<wgmma_e4m3, m = [33, 0], rows = 16, cols = 32, warps = 4, stages = 3>
func.func @f(%x: memref<?x512xf32>, %codes: memref<?x512xf8E4M3FN>, %scales: memref<?x2xf32>, %sums: memref<?x2xi32>,
             %w: !rotq.weight<128x512, #table, tiles>, %g: !rotq.weight<128x512, #grid, tiles>, %v: !rotq.weight<128x512, #trellis, tiles>,
             %y: memref<?x128xf32>) {
  rotq.quantize_activation #rotq.identity group(256) ins(%x : memref<?x512xf32>)
    outs(%codes, %scales, %sums : memref<?x512xf8E4M3FN>, memref<?x2xf32>, memref<?x2xi32>)
  rotq.matmul ins(%codes, %scales, %sums : memref<?x512xf8E4M3FN>, memref<?x2xf32>, memref<?x2xi32>) group(256)
    weight(%w : !rotq.weight<128x512, #table, tiles>) outs(%y : memref<?x128xf32>) {kernels = [#few, #many]}
  rotq.matmul ins(%codes, %scales, %sums : memref<?x512xf8E4M3FN>, memref<?x2xf32>, memref<?x2xi32>) group(256)
    weight(%g : !rotq.weight<128x512, #grid, tiles>) outs(%y : memref<?x128xf32>) {kernels = [#few, #many]}
  rotq.matmul ins(%codes, %scales, %sums : memref<?x512xf8E4M3FN>, memref<?x2xf32>, memref<?x2xi32>) group(256)
    weight(%v : !rotq.weight<128x512, #trellis, tiles>) outs(%y : memref<?x128xf32>) {kernels = [#few, #many]}
  return
}
