// RUN: quant-opt %s --convert-rotq-to-gpu --canonicalize --cse | FileCheck %s
// RUN: quant-opt %s --convert-rotq-to-gpu --canonicalize --cse | FileCheck %s --check-prefix=ONCE
// RUN: quant-opt %s --convert-rotq-to-gpu=overlap=true | FileCheck %s --check-prefix=OVERLAP

#rotated = #rotq.format<"rq3_rotated", rotation = #rotq.identity, scale = #rotq.scale<256>,
                        codebook = #rotq.table<3, [-114, -71, -40, -13, 13, 40, 71, 114]>, coding = #rotq.fixed<3>>
#small = #rotq.kernel<mma_s8, m = [1, 8], rows = 16, cols = 8, warps = 4>
#wide = #rotq.kernel<mma_s8, m = [9, 0], rows = 32, cols = 16, warps = 4, stages = 2>
!w0 = !rotq.weight<576x576, #rotated, tiles>
!w1 = !rotq.weight<200x576, #rotated, tiles>
!w2 = !rotq.weight<100x576, #rotated, tiles>

// A launch of 9, 4 and 2 blocks of 64 rows; every member has its pointers.
//   CHECK-LABEL: gpu.module @rotq_kernels
//    CHECK-SAME: \22name\22:\22matmul_rq3_rotated_n576_200_100_k576_mma_s8_m1_8_r16c8w4_f32_g256\22
//    CHECK-SAME: {\22name\22:\22weight0\22,\22kind\22:\22pointer\22,\22access\22:\22read\22,\22type\22:\22u8\22,\22shape\22:[169344]}
//    CHECK-SAME: {\22name\22:\22weight1\22,
//    CHECK-SAME: {\22name\22:\22weight2\22,
//    CHECK-SAME: {\22name\22:\22y0\22,\22kind\22:\22pointer\22,\22access\22:\22write\22,\22type\22:\22f32\22,\22shape\22:[\22m\22,576]}
//    CHECK-SAME: {\22name\22:\22y1\22,{{[^}]*}}\22shape\22:[\22m\22,200]}
//    CHECK-SAME: {\22name\22:\22y2\22,{{[^}]*}}\22shape\22:[\22m\22,100]}
//    CHECK-SAME: \22grid\22:[{\22count\22:15},
//    CHECK-SAME: \22n\22:876,\22k\22:576

// A block selects what its member has of its own, at the end what it stores
// to; all else is the code of one matmul.
//         CHECK: gpu.func @matmul_rq3_rotated_n576_200_100_k576_mma_s8_m1_8_r16c8w4_f32_g256(
//    CHECK-SAME:   %[[W0:[a-z0-9]+]]: !llvm.ptr<1> {llvm.noalias}, %[[W1:[a-z0-9]+]]: !llvm.ptr<1> {llvm.noalias}, %[[W2:[a-z0-9]+]]: !llvm.ptr<1> {llvm.noalias},
//    CHECK-SAME:   %[[Y0:[a-z0-9]+]]: !llvm.ptr<1> {llvm.noalias}, %[[Y1:[a-z0-9]+]]: !llvm.ptr<1> {llvm.noalias}, %[[Y2:[a-z0-9]+]]: !llvm.ptr<1> {llvm.noalias}, %{{[a-z0-9]+}}: i32)
//         CHECK: %[[BLOCK:.*]] = gpu.block_id x
//         CHECK: %[[FIRST:.*]] = arith.cmpi ult, %[[BLOCK]], %c9 : index
//         CHECK: %[[W01:.*]] = arith.select %[[FIRST]], %[[W0]], %[[W1]] : !llvm.ptr<1>
//         CHECK: %[[SECOND:.*]] = arith.cmpi ult, %[[BLOCK]], %c13 : index
//         CHECK: %[[W:.*]] = arith.select %[[SECOND]], %[[W01]], %[[W2]] : !llvm.ptr<1>
//         CHECK: llvm.getelementptr %[[W]][
//         CHECK: nvvm.mma.sync
//         CHECK: %[[N01:.*]] = arith.select %[[FIRST]], %c576, %c200 : index
//         CHECK: %[[N:.*]] = arith.select %[[SECOND]], %[[N01]], %c100 : index
//         CHECK: arith.cmpi ult, %{{.*}}, %[[N]] : index
//         CHECK: %[[Y01:.*]] = arith.select %[[FIRST]], %[[Y0]], %[[Y1]] : !llvm.ptr<1>
//         CHECK: %[[Y:.*]] = arith.select %[[SECOND]], %[[Y01]], %[[Y2]] : !llvm.ptr<1>
//         CHECK: llvm.getelementptr %[[Y]][

// Where blocks share the activation, the rows of weights are along y.
//         CHECK: gpu.func @matmul_rq3_rotated_n576_200_100_k576_mma_s8_m9_0_r32c16w4t2_f32_g256(
//         CHECK: %[[BLOCK:.*]] = gpu.block_id y
//         CHECK: arith.cmpi ult, %[[BLOCK]], %c5 : index
//         CHECK: arith.cmpi ult, %[[BLOCK]], %c7 : index

// A lane stores its four sums, of whatever member.
//          ONCE: gpu.func @matmul_rq3_rotated_n576_200_100_k576_mma_s8_m1_8
//  ONCE-COUNT-4: llvm.store
//      ONCE-NOT: llvm.store
//          ONCE: gpu.func @matmul_rq3_rotated_n576_200_100_k576_mma_s8_m9_0

// The first weights are read ahead of the wait, the activation behind.
//       OVERLAP: gpu.func @matmul_rq3_rotated_n576_200_100_k576_mma_s8_m1_8{{[^(]*}}(%[[CODES:[a-z0-9]+]]: !llvm.ptr<1>,
//   OVERLAP-NOT: llvm.getelementptr %[[CODES]]
//       OVERLAP: llvm.getelementptr
//   OVERLAP-NOT: llvm.getelementptr %[[CODES]]
//       OVERLAP: nvvm.griddepcontrol wait
//       OVERLAP: llvm.getelementptr %[[CODES]]

//   CHECK-LABEL: func.func @grouped(
//         CHECK: scf.if
//         CHECK:   gpu.launch_func @rotq_kernels::@matmul_rq3_rotated_n576_200_100_k576_mma_s8_m1_8
//         CHECK: else
//         CHECK:   gpu.launch_func @rotq_kernels::@matmul_rq3_rotated_n576_200_100_k576_mma_s8_m9_0
//     CHECK-NOT: gpu.launch_func
func.func @grouped(%codes: memref<?x576xi8>, %scales: memref<?x3xf32>, %sums: memref<?x3xi32>, %w0: !w0, %w1: !w1, %w2: !w2,
                   %y0: memref<?x576xf32>, %y1: memref<?x200xf32>, %y2: memref<?x100xf32>) {
  rotq.grouped_matmul ins(%codes, %scales, %sums : memref<?x576xi8>, memref<?x3xf32>, memref<?x3xi32>) group(256)
    weights(%w0, %w1, %w2 : !w0, !w1, !w2)
    outs(%y0, %y1, %y2 : memref<?x576xf32>, memref<?x200xf32>, memref<?x100xf32>) {kernels = [#small, #wide]}
  return
}
