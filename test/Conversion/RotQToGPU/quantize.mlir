// RUN: quant-opt %s --convert-rotq-to-gpu --convert-rotq-weights-to-memref --split-input-file | FileCheck %s

// One kernel rotates the rows and finds their steps, the other one searches
// circles: two of each row, that of what is left of 300 padded to 320 included.
// A thread's decisions, 2 bits for each of 16 overlaps, are a word.
//       CHECK: gpu.module @rotq_kernels
//       CHECK: gpu.func @rotate_weight_trellis2_n3_k300_f32
//       CHECK: gpu.func @search_paths_trellis2_n3_k300
//  CHECK-SAME: known_block_size = array<i32: 1024, 1, 1>
// CHECK-LABEL: func.func @returned
//  CHECK-SAME: %[[X:.*]]: memref<3x300xf32>) -> memref<246xi8>
//       CHECK: %[[ROTATED:.*]] = memref.alloc() : memref<3x320xf32>
//       CHECK: %[[STEPS:.*]] = memref.alloc() : memref<3xf16>
//       CHECK: gpu.launch_func @rotq_kernels::@rotate_weight_trellis2_n3_k300_f32 blocks in (%c3, %c1, %c1
//       CHECK: %[[WEIGHT:.*]] = memref.alloc() : memref<246xi8>
//       CHECK: %[[DECISIONS:.*]] = memref.alloc() : memref<6x256x1024xi32>
//       CHECK: gpu.launch_func @rotq_kernels::@search_paths_trellis2_n3_k300 blocks in (%c6, %c1
//   CHECK-NOT: rotq.
//       CHECK: return %[[WEIGHT]]
#trellis2 = #rotq.format<"trellis2">
func.func @returned(%x: memref<3x300xf32>) -> !rotq.weight<3x300, #trellis2> {
  %w = rotq.quantize %x : memref<3x300xf32> -> !rotq.weight<3x300, #trellis2>
  return %w : !rotq.weight<3x300, #trellis2>
}

// -----

// The weight that a matmul reads is repacked from the one that was made here.
// CHECK-LABEL: func.func @repacked
//       CHECK: gpu.launch_func @rotq_kernels::@rotate_weight_trellis3v_n16_k256_f16
//       CHECK: %[[WEIGHT:.*]] = memref.alloc() : memref<1568xi8>
//       CHECK: memref.alloc() : memref<16x128x1024xi8>
//       CHECK: gpu.launch_func @rotq_kernels::@search_paths_trellis3v_n16_k256
//       CHECK: memref.alloc() : memref<1568xi8>
//       CHECK: memref.extract_aligned_pointer_as_index %[[WEIGHT]]
//       CHECK: gpu.launch_func @rotq_kernels::@repack_trellis3v_n16_k256
//   CHECK-NOT: rotq.
//       CHECK: return
#trellis3v = #rotq.format<"trellis3v">
func.func @repacked(%x: memref<16x256xf16>) -> !rotq.weight<16x256, #trellis3v, tiles> {
  %w = rotq.quantize %x : memref<16x256xf16> -> !rotq.weight<16x256, #trellis3v>
  %t = rotq.repack %w : !rotq.weight<16x256, #trellis3v> -> !rotq.weight<16x256, #trellis3v, tiles>
  return %t : !rotq.weight<16x256, #trellis3v, tiles>
}

// -----

// Blocks take several circles where there are many.
// CHECK-LABEL: func.func @many
//       CHECK: memref.alloc() : memref<528x256x1024xi16>
//       CHECK: gpu.launch_func @rotq_kernels::@search_paths_trellis4_n100_k4096 blocks in (%c528, %c1
#trellis4 = #rotq.format<"trellis4">
func.func @many(%x: memref<100x4096xbf16>) -> !rotq.weight<100x4096, #trellis4> {
  %w = rotq.quantize %x : memref<100x4096xbf16> -> !rotq.weight<100x4096, #trellis4>
  return %w : !rotq.weight<100x4096, #trellis4>
}
