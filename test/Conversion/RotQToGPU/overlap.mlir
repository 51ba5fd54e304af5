// RUN: quant-opt %s --convert-rotq-to-gpu=overlap=true | FileCheck %s
// RUN: quant-opt %s --convert-rotq-to-gpu | FileCheck %s --check-prefix=SERIAL

// The next launch may start at once. The first weights are on their way before
// the kernel waits for the one that makes the activation; the activation is read
// behind.
//   CHECK-LABEL: gpu.module @rotq_kernels
//    CHECK-SAME: pdl\22:true
//         CHECK: gpu.func @matmul_int4_g128_n16_k256_mma_s8_m1_8_r16c8w1_f32_g256(%[[CODES:[a-z0-9]*]]: !llvm.ptr<1>, %{{.*}} %[[W:[a-z0-9]*]]: !llvm.ptr<1> {llvm.noalias}
//         CHECK: nvvm.griddepcontrol launch_dependents
//     CHECK-NOT: llvm.getelementptr %[[CODES]]
// CHECK-COUNT-4: llvm.inline_asm has_side_effects "ld.global.L1::no_allocate.L2::256B.v4.b32 {$0, $1, $2, $3}, [$4];"
//         CHECK: %[[WORD:.*]] = vector.extract {{.*}} : i32 from vector<4xi32>
//         CHECK: llvm.inline_asm has_side_effects "", "r,r,{{.*}}~{memory}" %[[WORD]],
//    CHECK-NEXT: nvvm.griddepcontrol wait
//    CHECK-NEXT: llvm.inline_asm has_side_effects "", "~{memory}"
//         CHECK: llvm.getelementptr %[[CODES]]

// SERIAL-NOT: pdl\22:true
// SERIAL-NOT: griddepcontrol
// SERIAL-NOT: ~{memory}
#int4 = #rotq.format<"int4_g128">
func.func @f(%codes: memref<1x256xi8>, %scales: memref<1x1xf32>, %sums: memref<1x1xi32>,
             %w: !rotq.weight<16x256, #int4, tiles>, %y: memref<1x16xf32>) {
  rotq.matmul ins(%codes, %scales, %sums : memref<1x256xi8>, memref<1x1xf32>, memref<1x1xi32>) group(256)
    weight(%w : !rotq.weight<16x256, #int4, tiles>) outs(%y : memref<1x16xf32>)
    {kernels = [#rotq.kernel<mma_s8, m = [1, 8], rows = 16, cols = 8, warps = 1>]}
  return
}
