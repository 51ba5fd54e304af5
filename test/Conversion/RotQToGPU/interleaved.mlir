// RUN: quant-opt %s --convert-rotq-to-gpu=warpgroups=true | FileCheck %s
// RUN: quant-opt %s --convert-rotq-to-gpu | FileCheck %s --check-prefix=ORDER

// The kernels of warpgroups, which take many rows, read codes that are
// interleaved: a kernel of its own makes them so, two words of a lane 16 bytes
// apart.
//       CHECK: gpu.func @quantize_activation_k320_r0_g256_f32(
//       CHECK: llvm.store {{.*}} vector<8xi8>
//       CHECK: gpu.func @quantize_activation_k320_r0_g256_f32_interleaved(
// CHECK-COUNT-2: llvm.store %{{.*}}, %{{.*}} {alignment = 4 : i64} : i32, !llvm.ptr<1>
// What is behind the last whole tile stays in order.
//       CHECK: llvm.store {{.*}} vector<8xi8>
//       CHECK: func.func @any
//       CHECK: arith.cmpi ule, %{{.*}}, %c32
//       CHECK: scf.if
//       CHECK: gpu.launch_func @rotq_kernels::@quantize_activation_k320_r0_g256_f32 blocks
//       CHECK: } else {
//       CHECK: gpu.launch_func @rotq_kernels::@quantize_activation_k320_r0_g256_f32_interleaved blocks

// Where M is known, so is the kernel.
//       CHECK: func.func @many
//   CHECK-NOT: scf.if
//       CHECK: gpu.launch_func @rotq_kernels::@quantize_activation_k320_r0_g256_f32_interleaved blocks
//       CHECK: func.func @few
//   CHECK-NOT: scf.if
//       CHECK: gpu.launch_func @rotq_kernels::@quantize_activation_k320_r0_g256_f32 blocks

//   ORDER-NOT: interleaved
func.func @any(%x: memref<?x320xf32>, %c: memref<?x320xi8>, %s: memref<?x2xf32>, %t: memref<?x2xi32>) {
  rotq.quantize_activation #rotq.identity group(256) ins(%x : memref<?x320xf32>)
    outs(%c, %s, %t : memref<?x320xi8>, memref<?x2xf32>, memref<?x2xi32>)
  return
}

func.func @many(%x: memref<33x320xf32>, %c: memref<33x320xi8>, %s: memref<33x2xf32>, %t: memref<33x2xi32>) {
  rotq.quantize_activation #rotq.identity group(256) ins(%x : memref<33x320xf32>)
    outs(%c, %s, %t : memref<33x320xi8>, memref<33x2xf32>, memref<33x2xi32>)
  return
}

func.func @few(%x: memref<32x320xf32>, %c: memref<32x320xi8>, %s: memref<32x2xf32>, %t: memref<32x2xi32>) {
  rotq.quantize_activation #rotq.identity group(256) ins(%x : memref<32x320xf32>)
    outs(%c, %s, %t : memref<32x320xi8>, memref<32x2xf32>, memref<32x2xi32>)
  return
}
