// RUN: quant-opt %s --rotq-quantize-weights=format=rq3 --rotq-to-nvptx=chip=sm_90a | quant-translate --to=ptx | FileCheck %s
// RUN: quant-opt %s --rotq-quantize-weights=format=rq3 --rotq-to-nvptx="chip=sm_90a placement=load" | quant-translate --to=ptx | FileCheck %s --check-prefix=LOAD
// RUN: quant-opt %s --rotq-quantize-weights=format=rq3 --rotq-to-nvptx=chip=sm_120a | quant-translate --to=ptx | FileCheck %s --check-prefix=SM120
// RUN: quant-opt %s --rotq-quantize-weights=format=rq3 --rotq-to-nvptx=chip=sm_90a,sm_80 | quant-translate --to=ptx | FileCheck %s --check-prefix=TWO

// A lane loads 16 bytes of weights and of codes at a time, the first weights ahead
// of the wait for the kernel that makes the codes. Weights are decoded by PRMT and
// multiplied by mma on int8.

//       CHECK: .version 8.0
//       CHECK: .target sm_90a
//       CHECK: .visible .entry quantize_activation_k4096_r256_g256_f16(
//   CHECK-NOT: {{dp4a\.s32|mma\.sync}}
//       CHECK: griddepcontrol.wait
//       CHECK: ld.global.v4
// CHECK-COUNT-40: shfl.sync.bfly
//   CHECK-NOT: {{dp4a\.s32|mma\.sync}}
//       CHECK: .visible .entry matmul_rq3_rotated_n4096_k4096_mma_s8_m1_4_
//   CHECK-NOT: dp4a.s32
//       CHECK: griddepcontrol.launch_dependents
//   CHECK-NOT: ld.global.v4
//       CHECK: ld.global.L1::no_allocate.L2::256B.v4.b32
//   CHECK-NOT: ld.global.v4
//       CHECK: griddepcontrol.wait
//       CHECK: prmt.b32
//       CHECK: mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32
//   CHECK-NOT: dp4a.s32
//
// Many rows take wgmma.
//       CHECK: .visible .entry matmul_rq3_rotated_n4096_k4096_wgmma_s8_
//   CHECK-DAG: fence.proxy.async.shared::cta
//   CHECK-DAG: wgmma.mma_async.sync.aligned.m64n{{[0-9]+}}k32.s32.s8.s8

// Undoing the rotation at load: the butterflies that cross lanes are shuffles,
// the products f16.
//   LOAD-NOT: {{dp4a\.s32|m16n8k32}}
//       LOAD: .visible .entry matmul_rq3_n4096_k4096_mma_f16_m1_16_
//       LOAD: ld.global.L1::no_allocate.L2::256B.v4.b32
//       LOAD: shfl.sync.bfly
//       LOAD: mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32
//   LOAD-NOT: {{dp4a\.s32|m16n8k32}}

// SM120: .version 8.7
// SM120: .target sm_120a

// No launch overlaps where one of the chips cannot, and kernels are of those that
// all chips run.
// TWO: .target sm_90a
// TWO-NOT: {{griddepcontrol|wgmma}}
// TWO: .target sm_80
// TWO-NOT: {{griddepcontrol|wgmma}}

func.func @linear(%x: tensor<?x4096xf16>, %w: tensor<4096x4096xf32> {rotq.parameter = "w"}) -> tensor<?x4096xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %m = tensor.dim %x, %c0 : tensor<?x4096xf16>
  %empty = tensor.empty(%m) : tensor<?x4096xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x4096xf32>) -> tensor<?x4096xf32>
  %y = linalg.matmul
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%x, %w : tensor<?x4096xf16>, tensor<4096x4096xf32>) outs(%init : tensor<?x4096xf32>) -> tensor<?x4096xf32>
  return %y : tensor<?x4096xf32>
}
