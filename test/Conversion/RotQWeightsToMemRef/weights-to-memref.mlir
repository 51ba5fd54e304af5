// RUN: quant-opt %s --convert-rotq-weights-to-memref | FileCheck %s

!w = !rotq.weight<1x32, #rotq.format<"rq2">>
!v = !rotq.weight<1x32, #rotq.format<"rq2_rotated", rotation = #rotq.identity,
       scale = #rotq.scale<256>, codebook = #rotq.table<2, [-120, -36, 36, 120]>,
       coding = #rotq.fixed<2>>>

// One global for equal blobs.
// CHECK: memref.global "private" constant @rotq_weight : memref<18xi8> = dense<1> {alignment = 64 : i64}
// CHECK-NOT: memref.global

// CHECK-LABEL: func.func @storage(
// CHECK-SAME:    %[[W:.*]]: memref<18xi8>) -> (memref<18xi8>, memref<18xi8>)
// CHECK-NEXT:  return %[[W]], %[[W]]
func.func @storage(%w: !w) -> (memref<18xi8>, !v) {
  %b = rotq.storage %w : !w -> memref<18xi8>
  %v = rotq.rotated_view %w : !w -> !v
  return %b, %v : memref<18xi8>, !v
}

// CHECK-LABEL: func.func @constants
// CHECK-COUNT-2: memref.get_global @rotq_weight : memref<18xi8>
func.func @constants() -> (!w, !w) {
  %0 = rotq.constant dense<1> : tensor<18xi8> : !w
  %1 = rotq.constant dense<1> : tensor<18xi8> : !w
  return %0, %1 : !w, !w
}

// CHECK-LABEL: func.func @calls(
// CHECK-SAME:    %[[W:.*]]: memref<18xi8>
// CHECK:         call @storage(%[[W]]) : (memref<18xi8>) -> (memref<18xi8>, memref<18xi8>)
func.func @calls(%w: !w) -> memref<18xi8> {
  %0:2 = call @storage(%w) : (!w) -> (memref<18xi8>, !v)
  return %0#0 : memref<18xi8>
}

// CHECK-LABEL: func.func @branches(
// CHECK:         scf.if %{{.*}} -> (memref<18xi8>)
func.func @branches(%c: i1, %a: !w, %b: !w) -> !w {
  %r = scf.if %c -> !w {
    scf.yield %a : !w
  } else {
    scf.yield %b : !w
  }
  return %r : !w
}

// Handles that nobody reads leave nothing.
// CHECK-LABEL: func.func @unused(
// CHECK-NEXT:    return
func.func @unused(%w: !rotq.weight<4x32, #rotq.format<"rq2">>, %i: index) {
  %0 = rotq.extract_rows %w[%i] : !rotq.weight<4x32, #rotq.format<"rq2">> -> !w
  return
}
