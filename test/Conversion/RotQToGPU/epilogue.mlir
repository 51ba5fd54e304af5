// RUN: quant-opt %s --convert-rotq-to-gpu=overlap=true --canonicalize --cse | FileCheck %s
// RUN: quant-opt %s --convert-rotq-to-gpu=overlap=true --canonicalize --cse | FileCheck %s --check-prefix=PAIR
// RUN: quant-opt %s --convert-rotq-to-gpu | FileCheck %s --check-prefix=NAMES

#rotated = #rotq.format<"rq3_rotated", rotation = #rotq.identity, scale = #rotq.scale<256>,
                        codebook = #rotq.table<3, [-114, -71, -40, -13, 13, 40, 71, 114]>, coding = #rotq.fixed<3>>
#small = #rotq.kernel<mma_s8, m = [1, 0], rows = 16, cols = 8, warps = 4>
#split = #rotq.kernel<mma_s8, m = [1, 0], rows = 16, cols = 8, warps = 8, split = 4>
!w = !rotq.weight<256x256, #rotated, tiles>

// The manifest has the operands ahead of y, and what is computed; the name its
// hash. Operands may come from the launch before: they are not known to alias
// nothing, and are not loaded as constants, behind the wait. An element is
// computed where it is stored; a vector's are loaded once for all columns, of
// both rows of a lane.
//   CHECK-LABEL: gpu.module @rotq_kernels
//    CHECK-SAME: {\22name\22:\22weight\22,{{[^}]*}}},{\22name\22:\22epilogue0\22,\22kind\22:\22pointer\22,\22access\22:\22read\22,\22type\22:\22f32\22,\22shape\22:[256]}
//    CHECK-SAME: {\22name\22:\22epilogue1\22,\22kind\22:\22pointer\22,\22access\22:\22read\22,\22type\22:\22bf16\22,\22shape\22:[\22m\22,256]}
//    CHECK-SAME: {\22name\22:\22y\22,\22kind\22:\22pointer\22,\22access\22:\22write\22,\22type\22:\22bf16\22,\22shape\22:[\22m\22,256]}
//    CHECK-SAME: \22epilogue\22:\22%0 = arith.addf %arg0, %arg1 : f32; %1 = arith.truncf %0 : f32 to bf16; %2 = arith.addf %1, %arg2 : bf16; rotq.yield %2 : bf16\22
//         CHECK: gpu.func @matmul_rq3_rotated_n256_k256_mma_s8_m1_0_r16c8w4_bf16_g256_e{{[0-9a-f]*}}(
//    CHECK-SAME:   %{{[a-z0-9]+}}: !llvm.ptr<1>, %{{[a-z0-9]+}}: !llvm.ptr<1>, %{{[a-z0-9]+}}: !llvm.ptr<1>, %{{[a-z0-9]+}}: !llvm.ptr<1> {llvm.noalias},
//    CHECK-SAME:   %[[BIAS:[a-z0-9]+]]: !llvm.ptr<1>, %[[RES:[a-z0-9]+]]: !llvm.ptr<1>, %[[Y:[a-z0-9]+]]: !llvm.ptr<1> {llvm.noalias},
//     CHECK-NOT: %[[BIAS]]
//         CHECK: nvvm.griddepcontrol wait
//         CHECK: nvvm.mma.sync
//         CHECK: %[[BP:.*]] = llvm.getelementptr %[[BIAS]][
//    CHECK-NEXT: %[[B:.*]] = llvm.load %[[BP]] {alignment = 4 : i64} : !llvm.ptr<1> -> f32
//         CHECK: %[[BP8:.*]] = llvm.getelementptr %[[BIAS]][
//    CHECK-NEXT: %[[B8:.*]] = llvm.load %[[BP8]] {alignment = 4 : i64} : !llvm.ptr<1> -> f32
//         CHECK: scf.if
//         CHECK:     %[[RP:.*]] = llvm.getelementptr %[[RES]][
//    CHECK-NEXT:     %[[R:.*]] = llvm.load %[[RP]] {alignment = 2 : i64} : !llvm.ptr<1> -> bf16
//    CHECK-NEXT:     %[[S:.*]] = arith.addf %{{.*}}, %[[B]] : f32
//    CHECK-NEXT:     %[[T:.*]] = arith.truncf %[[S]] : f32 to bf16
//    CHECK-NEXT:     %[[Z:.*]] = arith.addf %[[T]], %[[R]] : bf16
//         CHECK:     %[[YP:.*]] = llvm.getelementptr %[[Y]][
//    CHECK-NEXT:     llvm.store %[[Z]], %[[YP]] {alignment = 2 : i64} : bf16, !llvm.ptr<1>
//         CHECK: scf.if
//     CHECK-NOT:     %[[BIAS]]
//         CHECK:     arith.addf %{{.*}}, %[[B]] : f32
//     CHECK-NOT:     %[[BIAS]]
//         CHECK:     arith.addf %{{.*}}, %[[B8]] : f32
func.func @bias(%c: memref<4x256xi8>, %s: memref<4x1xf32>, %t: memref<4x1xi32>, %w: !w, %b: memref<256xf32>, %r: memref<4x256xbf16>, %y: memref<4x256xbf16>) {
  rotq.matmul ins(%c, %s, %t : memref<4x256xi8>, memref<4x1xf32>, memref<4x1xi32>) group(256) weight(%w : !w)
    outs(%y : memref<4x256xbf16>) {kernels = [#small]} epilogue(%b, %r : memref<256xf32>, memref<4x256xbf16>) {
  ^bb0(%sum: f32, %e: f32, %f: bf16):
    %0 = arith.addf %sum, %e : f32
    %1 = arith.truncf %0 : f32 to bf16
    %2 = arith.addf %1, %f : bf16
    rotq.yield %2 : bf16
  }
  return
}

// Four of eight warps take 16 rows of one weight, and the others the same of the
// other: as many blocks as one weight has. Both sums of an element are added up
// where it is stored.
//  PAIR-LABEL: gpu.module @rotq_kernels
//   PAIR-SAME: \22name\22:\22matmul_rq3_rotated_n256_256_k256_mma_s8_m1_0_r16c8w8s4_f32_g256_e
//   PAIR-SAME: \22name\22:\22weight0\22
//   PAIR-SAME: \22name\22:\22weight1\22
//   PAIR-SAME: \22name\22:\22y\22
//   PAIR-SAME: \22grid\22:[{\22count\22:16},
//        PAIR: gpu.func @matmul_rq3_rotated_n256_256_k256_mma_s8_m1_0_r16c8w8s4_f32_g256_e{{[0-9a-f]*}}(
//   PAIR-SAME:   %[[W0:[a-z0-9]+]]: !llvm.ptr<1> {llvm.noalias}, %[[W1:[a-z0-9]+]]: !llvm.ptr<1> {llvm.noalias}, %[[Y:[a-z0-9]+]]: !llvm.ptr<1> {llvm.noalias}, %{{[a-z0-9]+}}: i32)
//        PAIR:   %[[WARP:.*]] = arith.divui %{{.*}}, %c32
//        PAIR:   %[[OF_BOTH:.*]] = arith.divui %[[WARP]], %c4
//        PAIR:   %[[SUM:.*]] = arith.remui %[[OF_BOTH]], %c2
//        PAIR:   %[[IS_FIRST:.*]] = arith.cmpi ult, %[[SUM]], %c1
//        PAIR:   %[[W:.*]] = arith.select %[[IS_FIRST]], %[[W0]], %[[W1]]
//        PAIR:   llvm.getelementptr %[[W]][
//        PAIR:   gpu.barrier
//        PAIR:   scf.for %{{.*}} to %c4 step %c8
// PAIR-COUNT-2:     arith.addf
//        PAIR:     %[[FIRST:.*]] = arith.addf
// PAIR-COUNT-2:     arith.addf
//        PAIR:     %[[SECOND:.*]] = arith.addf
//        PAIR:     %[[Z:.*]] = arith.mulf %[[FIRST]], %[[SECOND]] : f32
//        PAIR:     %[[YP:.*]] = llvm.getelementptr %[[Y]][
//   PAIR-NEXT:     llvm.store %[[Z]], %[[YP]]
func.func @pair(%c: memref<4x256xi8>, %s: memref<4x1xf32>, %t: memref<4x1xi32>, %w: !w, %v: !w, %y: memref<4x256xf32>) {
  rotq.grouped_matmul ins(%c, %s, %t : memref<4x256xi8>, memref<4x1xf32>, memref<4x1xi32>) group(256) weights(%w, %v : !w, !w)
    outs(%y : memref<4x256xf32>) {kernels = [#split]} epilogue {
  ^bb0(%sum: f32, %other: f32):
    %0 = arith.mulf %sum, %other : f32
    rotq.yield %0 : f32
  }
  return
}

// Kernels of one epilogue are one, whatever its values are called; of another,
// another.
// NAMES-LABEL: func.func @same(
//     NAMES: gpu.launch_func @rotq_kernels::@[[NEG:matmul_[a-z0-9_]*]]
//     NAMES: gpu.launch_func @rotq_kernels::@[[NEG]]
// NAMES-NOT: @[[NEG]]
//     NAMES: gpu.launch_func @rotq_kernels::@matmul_
func.func @same(%c: memref<4x256xi8>, %s: memref<4x1xf32>, %t: memref<4x1xi32>, %w: !w, %y: memref<4x256xf32>) {
  rotq.matmul ins(%c, %s, %t : memref<4x256xi8>, memref<4x1xf32>, memref<4x1xi32>) group(256) weight(%w : !w)
    outs(%y : memref<4x256xf32>) {kernels = [#small]} epilogue {
  ^bb0(%sum: f32):
    %0 = arith.negf %sum : f32
    rotq.yield %0 : f32
  }
  rotq.matmul ins(%c, %s, %t : memref<4x256xi8>, memref<4x1xf32>, memref<4x1xi32>) group(256) weight(%w : !w)
    outs(%y : memref<4x256xf32>) {kernels = [#small]} epilogue {
  ^bb0(%other: f32):
    %negated = arith.negf %other : f32
    rotq.yield %negated : f32
  }
  rotq.matmul ins(%c, %s, %t : memref<4x256xi8>, memref<4x1xf32>, memref<4x1xi32>) group(256) weight(%w : !w)
    outs(%y : memref<4x256xf32>) {kernels = [#small]} epilogue {
  ^bb0(%sum: f32):
    rotq.yield %sum : f32
  }
  return
}
