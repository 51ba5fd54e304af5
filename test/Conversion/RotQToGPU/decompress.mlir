// RUN: quant-opt %s --split-input-file --convert-rotq-to-gpu --convert-rotq-weights-to-memref | FileCheck %s

// Into a buffer of its own, which a function hands on. The kernel is told how
// many bytes there are.
//       CHECK: gpu.module @rotq_kernels
//  CHECK-SAME: \22role\22:\22decompress\22
//       CHECK: gpu.func @decompress_hyperquant_rice_4_n3_k1000(%{{.*}}: !llvm.ptr<1>,
//  CHECK-SAME: %{{.*}}: !llvm.ptr<1> {llvm.noalias}, %{{.*}}: !llvm.ptr<1> {llvm.noalias}, %{{.*}}: i32)
//       CHECK: llvm.intr.fshl
// CHECK-LABEL: func.func @f
//  CHECK-SAME: (%[[CODES:.*]]: memref<?xi8>, %[[DAMAGE:.*]]: memref<6xi8>) -> memref<3078xi8>
//       CHECK: %[[W:.*]] = memref.alloc() : memref<3078xi8>
//       CHECK: %[[BYTES:.*]] = memref.dim %[[CODES]]
//       CHECK: arith.index_cast %[[BYTES]] : index to i32
//       CHECK: gpu.launch_func @rotq_kernels::@decompress_hyperquant_rice_4_n3_k1000
//       CHECK: return %[[W]]
#rice = #rotq.format<"hyperquant_rice_4">
func.func @f(%bytes: memref<?xi8>, %damage: memref<6xi8>) -> !rotq.weight<3x1000, #rice> {
  %w = rotq.decompress ins(%bytes : memref<?xi8>) outs(%damage : memref<6xi8>) -> !rotq.weight<3x1000, #rice>
  return %w : !rotq.weight<3x1000, #rice>
}

// -----

// What is repacked at once is handed on in tiles.
// CHECK-LABEL: func.func @g
//  CHECK-SAME: -> memref<{{[0-9]+}}xi8>
//       CHECK: %[[W:.*]] = memref.alloc()
//       CHECK: gpu.launch_func @rotq_kernels::@decompress_hyperquant_rice_4_n16_k256
//       CHECK: %[[TILES:.*]] = memref.alloc()
//       CHECK: gpu.launch_func @rotq_kernels::@repack_hyperquant_rice_4_n16_k256
//       CHECK: return %[[TILES]]
#rice = #rotq.format<"hyperquant_rice_4">
func.func @g(%bytes: memref<?xi8>, %damage: memref<16xi8>) -> !rotq.weight<16x256, #rice, tiles> {
  %w = rotq.decompress ins(%bytes : memref<?xi8>) outs(%damage : memref<16xi8>) -> !rotq.weight<16x256, #rice>
  %t = rotq.repack %w : <16x256, #rice> -> <16x256, #rice, tiles>
  return %t : !rotq.weight<16x256, #rice, tiles>
}
