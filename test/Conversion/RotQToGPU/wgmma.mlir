// RUN: quant-opt %s --convert-rotq-to-gpu=warpgroups=true | FileCheck %s

// Words of the weight come into shared memory, 16 bytes a lane, and so do the
// interleaved codes; the fence is for tensor cores, which read these by
// themselves.
//   CHECK-LABEL: gpu.module @rotq_kernels
//         CHECK: llvm.mlir.global external @rotq_shared_memory() {addr_space = 3 : i32, alignment = 1024 : i64} : !llvm.array<0 x i8>
//         CHECK: gpu.func @matmul_rq3_rotated_n128_k512_wgmma_s8_m33_0_r16c32w4t3_f32_g256
//     CHECK-NOT: ld.global
// CHECK-COUNT-3: nvvm.cp.async.shared.global {{.*}}, 16
//         CHECK: nvvm.cp.async.commit.group
//         CHECK: scf.for {{.*}} = %c0
//    CHECK-NEXT: nvvm.cp.async.wait.group 1
//    CHECK-NEXT: nvvm.fence.proxy
//    CHECK-NEXT: gpu.barrier
//         CHECK: nvvm.cp.async.shared.global {{.*}}, 16
//         CHECK: nvvm.cp.async.commit.group
// A tile is decoded and multiplied: a group of eight products, of which the first
// starts from zero.
// CHECK-COUNT-3: llvm.load {{.*}} !llvm.ptr<3> -> vector<4xi32>
// CHECK-COUNT-4: rotq.decode
//         CHECK: llvm.inline_asm has_side_effects "{{.*}}wgmma.fence.sync.aligned;{{.*}}wgmma.mma_async.sync.aligned.m64n32k32.s32.s8.s8 {$0, {{.*}}}, {$16, $17, $18, $19}, $48, p;
//    CHECK-SAME: $55, q;{{.*}}wgmma.commit_group.sync.aligned;
//         CHECK: llvm.inline_asm has_side_effects "wgmma.wait_group.sync.aligned 0;", "=r,
// CHECK-COUNT-16: arith.sitofp

// Three stages of 32 columns, a scale each, and of three words and the scales of
// four warps: 3 * (32 * 256 + 32 * 4 + 4 * (3 * 512 + 32 * 4)).
//         CHECK: func.func @f
//         CHECK: %[[BYTES:.*]] = arith.constant 44928 : i32
//         CHECK: gpu.launch_func @rotq_kernels::@matmul_{{.*}} dynamic_shared_memory_size %[[BYTES]]
#rotated = #rotq.format<"rq3_rotated", rotation = #rotq.identity, scale = #rotq.scale<256>,
                        codebook = #rotq.table<3, [-114, -71, -40, -13, 13, 40, 71, 114]>, coding = #rotq.fixed<3>>
func.func @f(%codes: memref<?x512xi8>, %scales: memref<?x2xf32>, %sums: memref<?x2xi32>,
             %w: !rotq.weight<128x512, #rotated, tiles>, %y: memref<?x128xf32>) {
  rotq.matmul ins(%codes, %scales, %sums : memref<?x512xi8>, memref<?x2xf32>, memref<?x2xi32>) group(256)
    weight(%w : !rotq.weight<128x512, #rotated, tiles>) outs(%y : memref<?x128xf32>)
    {kernels = [#rotq.kernel<wgmma_s8, m = [33, 0], rows = 16, cols = 32, warps = 4, stages = 3>]}
  return
}
