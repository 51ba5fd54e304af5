// RUN: quant-opt %s -allow-unregistered-dialect -rotq-fuse-matmuls | FileCheck %s

#rq3 = #rotq.format<"rq3">
#small = #rotq.kernel<mma_f16, m = [1, 0], rows = 16, cols = 8, warps = 4>
#wide = #rotq.kernel<mma_f16, m = [1, 0], rows = 16, cols = 32, warps = 4>
!q = !rotq.weight<64x256, #rq3>
!k = !rotq.weight<24x256, #rq3>

// The destinations move ahead of the first matmul; N differs.
// CHECK-LABEL: func @qkv(
//  CHECK-SAME:   %[[X:[a-z0-9]*]]: tensor<?x256xf16>, %[[Q:[a-z0-9]*]]: !rotq.weight<64x256, #rq3>, %[[K:[a-z0-9]*]]: !rotq.weight<24x256, #rq3>, %[[V:[a-z0-9]*]]: !rotq.weight<24x256, #rq3>
//       CHECK:   %[[E0:.*]] = tensor.empty(%{{.*}}) : tensor<?x64xf32>
//       CHECK:   %[[E1:.*]] = tensor.empty(%{{.*}}) : tensor<?x24xf32>
//       CHECK:   %[[E2:.*]] = tensor.empty(%{{.*}}) : tensor<?x24xf32>
//       CHECK:   %[[Y:.*]]:3 = rotq.grouped_matmul ins(%[[X]] : tensor<?x256xf16>)
//  CHECK-SAME:     weights(%[[Q]], %[[K]], %[[V]] : !rotq.weight<64x256, #rq3>, !rotq.weight<24x256, #rq3>, !rotq.weight<24x256, #rq3>)
//  CHECK-SAME:     outs(%[[E0]], %[[E1]], %[[E2]] : tensor<?x64xf32>, tensor<?x24xf32>, tensor<?x24xf32>)
//  CHECK-SAME:     -> tensor<?x64xf32>, tensor<?x24xf32>, tensor<?x24xf32>
//       CHECK:   "test.use"(%[[Y]]#0)
//       CHECK:   "test.use"(%[[Y]]#1)
//       CHECK:   return %[[Y]]#2
func.func @qkv(%x: tensor<?x256xf16>, %q: !q, %k: !k, %v: !k) -> tensor<?x24xf32> {
  %c0 = arith.constant 0 : index
  %m0 = tensor.dim %x, %c0 : tensor<?x256xf16>
  %e0 = tensor.empty(%m0) : tensor<?x64xf32>
  %0 = rotq.matmul ins(%x : tensor<?x256xf16>) weight(%q : !q) outs(%e0 : tensor<?x64xf32>) -> tensor<?x64xf32>
  "test.use"(%0) : (tensor<?x64xf32>) -> ()
  %m1 = tensor.dim %x, %c0 : tensor<?x256xf16>
  %e1 = tensor.empty(%m1) : tensor<?x24xf32>
  %1 = rotq.matmul ins(%x : tensor<?x256xf16>) weight(%k : !k) outs(%e1 : tensor<?x24xf32>) -> tensor<?x24xf32>
  "test.use"(%1) : (tensor<?x24xf32>) -> ()
  %e2 = tensor.empty(%m1) : tensor<?x24xf32>
  %2 = rotq.matmul ins(%x : tensor<?x256xf16>) weight(%v : !k) outs(%e2 : tensor<?x24xf32>) -> tensor<?x24xf32>
  return %2 : tensor<?x24xf32>
}

// Quantized, with kernels that are the same; a view of a weight moves as well.
// CHECK-LABEL: func @quantized(
//       CHECK:   rotq.rotated_view
//       CHECK:   rotq.rotated_view
//       CHECK:   rotq.grouped_matmul ins(%{{.*}}, %{{.*}}, %{{.*}} : tensor<4x256xi8>, tensor<4x1xf32>, tensor<4x1xi32>) group(256)
//  CHECK-SAME:     {kernels = [#rotq.kernel<mma_s8, m = [1, 0], rows = 16, cols = 8, warps = 4>]}
//   CHECK-NOT:   rotq.matmul
#rotated = #rotq.format<"rq3_rotated", rotation = #rotq.identity, scale = #rotq.scale<256>,
                        codebook = #rotq.table<3, [-114, -71, -40, -13, 13, 40, 71, 114]>, coding = #rotq.fixed<3>>
!view = !rotq.weight<64x256, #rotated>
#mma = #rotq.kernel<mma_s8, m = [1, 0], rows = 16, cols = 8, warps = 4>
func.func @quantized(%c: tensor<4x256xi8>, %s: tensor<4x1xf32>, %t: tensor<4x1xi32>, %q: !q, %k: !q, %y: tensor<4x64xf32>) -> (tensor<4x64xf32>, tensor<4x64xf32>) {
  %v0 = rotq.rotated_view %q : !q -> !view
  %0 = rotq.matmul ins(%c, %s, %t : tensor<4x256xi8>, tensor<4x1xf32>, tensor<4x1xi32>) group(256) weight(%v0 : !view)
    outs(%y : tensor<4x64xf32>) {kernels = [#mma]} -> tensor<4x64xf32>
  %v1 = rotq.rotated_view %k : !q -> !view
  %1 = rotq.matmul ins(%c, %s, %t : tensor<4x256xi8>, tensor<4x1xf32>, tensor<4x1xi32>) group(256) weight(%v1 : !view)
    outs(%y : tensor<4x64xf32>) {kernels = [#mma]} -> tensor<4x64xf32>
  return %0, %1 : tensor<4x64xf32>, tensor<4x64xf32>
}

// What differs makes groups of its own: in type of y, kernels or layout.
// CHECK-LABEL: func @several_groups(
//       CHECK:   %[[F32:.*]]:2 = rotq.grouped_matmul {{.*}} outs(%{{.*}}, %{{.*}} : tensor<4x64xf32>, tensor<4x64xf32>) -> tensor<4x64xf32>
//       CHECK:   %[[F16:.*]]:2 = rotq.grouped_matmul {{.*}} outs(%{{.*}}, %{{.*}} : tensor<4x64xf16>, tensor<4x64xf16>) -> tensor<4x64xf16>
//       CHECK:   %[[SMALL:.*]] = rotq.matmul {{.*}}cols = 8
//       CHECK:   %[[WIDE:.*]]:2 = rotq.grouped_matmul {{.*}}cols = 32
//       CHECK:   %[[TILES:.*]] = rotq.matmul {{.*}}tiles
//       CHECK:   return %[[F32]]#0, %[[F16]]#0, %[[F32]]#1, %[[F16]]#1, %[[SMALL]], %[[WIDE]]#0, %[[WIDE]]#1, %[[TILES]]
func.func @several_groups(%x: tensor<4x256xf16>, %w: !q, %t: !rotq.weight<64x256, #rq3, tiles>, %y: tensor<4x64xf32>, %z: tensor<4x64xf16>)
    -> (tensor<4x64xf32>, tensor<4x64xf16>, tensor<4x64xf32>, tensor<4x64xf16>, tensor<4x64xf32>, tensor<4x64xf32>, tensor<4x64xf32>, tensor<4x64xf32>) {
  %0 = rotq.matmul ins(%x : tensor<4x256xf16>) weight(%w : !q) outs(%y : tensor<4x64xf32>) -> tensor<4x64xf32>
  %1 = rotq.matmul ins(%x : tensor<4x256xf16>) weight(%w : !q) outs(%z : tensor<4x64xf16>) -> tensor<4x64xf16>
  %2 = rotq.matmul ins(%x : tensor<4x256xf16>) weight(%w : !q) outs(%y : tensor<4x64xf32>) -> tensor<4x64xf32>
  %3 = rotq.matmul ins(%x : tensor<4x256xf16>) weight(%w : !q) outs(%z : tensor<4x64xf16>) -> tensor<4x64xf16>
  %4 = rotq.matmul ins(%x : tensor<4x256xf16>) weight(%w : !q) outs(%y : tensor<4x64xf32>) {kernels = [#small]} -> tensor<4x64xf32>
  %5 = rotq.matmul ins(%x : tensor<4x256xf16>) weight(%w : !q) outs(%y : tensor<4x64xf32>) {kernels = [#wide]} -> tensor<4x64xf32>
  %6 = rotq.matmul ins(%x : tensor<4x256xf16>) weight(%w : !q) outs(%y : tensor<4x64xf32>) {kernels = [#wide]} -> tensor<4x64xf32>
  %7 = rotq.matmul ins(%x : tensor<4x256xf16>) weight(%t : !rotq.weight<64x256, #rq3, tiles>) outs(%y : tensor<4x64xf32>) -> tensor<4x64xf32>
  return %0, %1, %2, %3, %4, %5, %6, %7 : tensor<4x64xf32>, tensor<4x64xf16>, tensor<4x64xf32>, tensor<4x64xf16>, tensor<4x64xf32>, tensor<4x64xf32>, tensor<4x64xf32>, tensor<4x64xf32>
}

// Another activation, format or K.
// CHECK-LABEL: func @nothing_shared(
//   CHECK-NOT:   rotq.grouped_matmul
func.func @nothing_shared(%x: tensor<4x256xf16>, %z: tensor<4x256xf16>, %w: !q, %v: !rotq.weight<64x256, #rotq.format<"rq2">>, %y: tensor<4x64xf32>)
    -> (tensor<4x64xf32>, tensor<4x64xf32>, tensor<4x64xf32>) {
  %0 = rotq.matmul ins(%x : tensor<4x256xf16>) weight(%w : !q) outs(%y : tensor<4x64xf32>) -> tensor<4x64xf32>
  %1 = rotq.matmul ins(%z : tensor<4x256xf16>) weight(%w : !q) outs(%y : tensor<4x64xf32>) -> tensor<4x64xf32>
  %2 = rotq.matmul ins(%x : tensor<4x256xf16>) weight(%v : !rotq.weight<64x256, #rotq.format<"rq2">>) outs(%y : tensor<4x64xf32>) -> tensor<4x64xf32>
  return %0, %1, %2 : tensor<4x64xf32>, tensor<4x64xf32>, tensor<4x64xf32>
}

// The second needs what the first gives, and what an effect ahead of it gives:
// both stay where they are, and the third joins the first.
// CHECK-LABEL: func @dependent(
//       CHECK:   %[[Y:.*]]:2 = rotq.grouped_matmul
//       CHECK:   %[[NEXT:.*]] = rotq.matmul {{.*}} outs(%[[Y]]#0 :
//       CHECK:   %[[GIVEN:.*]] = "test.give"()
//       CHECK:   %[[LAST:.*]] = rotq.matmul {{.*}} outs(%[[GIVEN]] :
//       CHECK:   return %[[NEXT]], %[[LAST]], %[[Y]]#1
func.func @dependent(%x: tensor<4x256xf16>, %w: !q, %v: !q, %y: tensor<4x64xf32>) -> (tensor<4x64xf32>, tensor<4x64xf32>, tensor<4x64xf32>) {
  %0 = rotq.matmul ins(%x : tensor<4x256xf16>) weight(%w : !q) outs(%y : tensor<4x64xf32>) -> tensor<4x64xf32>
  %1 = rotq.matmul ins(%x : tensor<4x256xf16>) weight(%v : !q) outs(%0 : tensor<4x64xf32>) -> tensor<4x64xf32>
  %given = "test.give"() : () -> tensor<4x64xf32>
  %2 = rotq.matmul ins(%x : tensor<4x256xf16>) weight(%v : !q) outs(%given : tensor<4x64xf32>) -> tensor<4x64xf32>
  %3 = rotq.matmul ins(%x : tensor<4x256xf16>) weight(%v : !q) outs(%y : tensor<4x64xf32>) -> tensor<4x64xf32>
  return %1, %2, %3 : tensor<4x64xf32>, tensor<4x64xf32>, tensor<4x64xf32>
}

// Of another block, where it may not run.
// CHECK-LABEL: func @blocks(
//   CHECK-NOT:   rotq.grouped_matmul
func.func @blocks(%x: tensor<4x256xf16>, %w: !q, %y: tensor<4x64xf32>, %c: i1) -> (tensor<4x64xf32>, tensor<4x64xf32>) {
  %0 = rotq.matmul ins(%x : tensor<4x256xf16>) weight(%w : !q) outs(%y : tensor<4x64xf32>) -> tensor<4x64xf32>
  %1 = scf.if %c -> tensor<4x64xf32> {
    %2 = rotq.matmul ins(%x : tensor<4x256xf16>) weight(%w : !q) outs(%y : tensor<4x64xf32>) -> tensor<4x64xf32>
    scf.yield %2 : tensor<4x64xf32>
  } else {
    scf.yield %y : tensor<4x64xf32>
  }
  return %0, %1 : tensor<4x64xf32>, tensor<4x64xf32>
}

// Buffers have an order.
// CHECK-LABEL: func @memrefs(
//   CHECK-NOT:   rotq.grouped_matmul
func.func @memrefs(%x: memref<4x256xf16>, %w: !q, %y: memref<4x64xf32>, %z: memref<4x64xf32>) {
  rotq.matmul ins(%x : memref<4x256xf16>) weight(%w : !q) outs(%y : memref<4x64xf32>)
  rotq.matmul ins(%x : memref<4x256xf16>) weight(%w : !q) outs(%z : memref<4x64xf32>)
  return
}

// Equal epilogues are one, with the operands of every matmul.
// CHECK-LABEL: func @biases(
//  CHECK-SAME:   %[[B:[a-z0-9]*]]: tensor<64xf32>, %[[C:[a-z0-9]*]]: tensor<24xf32>,
//       CHECK:   rotq.grouped_matmul {{.*}} epilogue(%[[B]], %[[C]] : tensor<64xf32>, tensor<24xf32>) {
//  CHECK-NEXT:   ^bb0(%[[S:.*]]: f32, %[[E:.*]]: f32):
//  CHECK-NEXT:     %[[A:.*]] = arith.addf %[[S]], %[[E]] : f32
//  CHECK-NEXT:     rotq.yield %[[A]] : f32
//  CHECK-NEXT:   } -> tensor<4x64xf32>, tensor<4x24xf32>
func.func @biases(%x: tensor<4x256xf16>, %q: !q, %k: !k, %b: tensor<64xf32>, %c: tensor<24xf32>,
                  %y: tensor<4x64xf32>, %z: tensor<4x24xf32>) -> (tensor<4x64xf32>, tensor<4x24xf32>) {
  %0 = rotq.matmul ins(%x : tensor<4x256xf16>) weight(%q : !q) outs(%y : tensor<4x64xf32>) epilogue(%b : tensor<64xf32>) {
  ^bb0(%s: f32, %e: f32):
    %a = arith.addf %s, %e : f32
    rotq.yield %a : f32
  } -> tensor<4x64xf32>
  %1 = rotq.matmul ins(%x : tensor<4x256xf16>) weight(%k : !k) outs(%z : tensor<4x24xf32>) epilogue(%c : tensor<24xf32>) {
  ^bb0(%s: f32, %e: f32):
    %a = arith.addf %s, %e : f32
    rotq.yield %a : f32
  } -> tensor<4x24xf32>
  return %0, %1 : tensor<4x64xf32>, tensor<4x24xf32>
}

// Other ones are not, nor are equal ones of a vector and of a matrix, nor does
// a matmul that reads another's result join it.
// CHECK-LABEL: func @epilogues_differ(
//   CHECK-NOT:   rotq.grouped_matmul
//       CHECK:   return
func.func @epilogues_differ(%x: tensor<4x256xf16>, %q: !q, %b: tensor<64xf32>, %y: tensor<4x64xf32>)
    -> (tensor<4x64xf32>, tensor<4x64xf32>, tensor<4x64xf32>, tensor<4x64xf32>, tensor<4x64xf32>) {
  %0 = rotq.matmul ins(%x : tensor<4x256xf16>) weight(%q : !q) outs(%y : tensor<4x64xf32>) epilogue(%b : tensor<64xf32>) {
  ^bb0(%s: f32, %e: f32):
    %a = arith.addf %s, %e : f32
    rotq.yield %a : f32
  } -> tensor<4x64xf32>
  %1 = rotq.matmul ins(%x : tensor<4x256xf16>) weight(%q : !q) outs(%y : tensor<4x64xf32>) epilogue(%b : tensor<64xf32>) {
  ^bb0(%s: f32, %e: f32):
    %a = arith.subf %s, %e : f32
    rotq.yield %a : f32
  } -> tensor<4x64xf32>
  %2 = rotq.matmul ins(%x : tensor<4x256xf16>) weight(%q : !q) outs(%y : tensor<4x64xf32>) epilogue(%1 : tensor<4x64xf32>) {
  ^bb0(%s: f32, %e: f32):
    %a = arith.addf %s, %e : f32
    rotq.yield %a : f32
  } -> tensor<4x64xf32>
  %3 = rotq.matmul ins(%x : tensor<4x256xf16>) weight(%q : !q) outs(%y : tensor<4x64xf32>) epilogue(%2 : tensor<4x64xf32>) {
  ^bb0(%s: f32, %e: f32):
    %a = arith.addf %s, %e : f32
    rotq.yield %a : f32
  } -> tensor<4x64xf32>
  %4 = rotq.matmul ins(%x : tensor<4x256xf16>) weight(%q : !q) outs(%y : tensor<4x64xf32>) -> tensor<4x64xf32>
  return %0, %1, %2, %3, %4 : tensor<4x64xf32>, tensor<4x64xf32>, tensor<4x64xf32>, tensor<4x64xf32>, tensor<4x64xf32>
}

// SiLU of one times another with a bias: one matmul of two sums. It stands
// where the one stood that reads the other's result.
// CHECK-LABEL: func @gate_up(
//  CHECK-SAME:   %[[X:[a-z0-9]*]]: tensor<4x256xf16>, %[[G:[a-z0-9]*]]: !rotq.weight<64x256, #rq3>, %[[U:[a-z0-9]*]]: !rotq.weight<64x256, #rq3>, %[[B:[a-z0-9]*]]: tensor<64xf32>, %[[R:[a-z0-9]*]]: tensor<4x64xf16>,
//       CHECK:   %[[Y:.*]] = rotq.grouped_matmul ins(%[[X]] : tensor<4x256xf16>) weights(%[[G]], %[[U]] :
//  CHECK-SAME:     outs(%{{.*}} : tensor<4x64xf16>) epilogue(%[[B]], %[[R]] : tensor<64xf32>, tensor<4x64xf16>) {
//  CHECK-NEXT:   ^bb0(%[[SG:.*]]: f32, %[[SU:.*]]: f32, %[[B:.*]]: f32, %[[R:.*]]: f16):
//  CHECK-NEXT:     %[[UP:.*]] = arith.addf %[[SU]], %[[B]] : f32
//  CHECK-NEXT:     %[[N:.*]] = arith.negf %[[SG]] : f32
//  CHECK-NEXT:     %[[Z:.*]] = arith.mulf %[[N]], %[[UP]] : f32
//  CHECK-NEXT:     %[[T:.*]] = arith.truncf %[[Z]] : f32 to f16
//  CHECK-NEXT:     %[[A:.*]] = arith.addf %[[T]], %[[R]] : f16
//  CHECK-NEXT:     rotq.yield %[[A]] : f16
//  CHECK-NEXT:   } -> tensor<4x64xf16>
//  CHECK-NEXT:   return %[[Y]]
func.func @gate_up(%x: tensor<4x256xf16>, %g: !q, %u: !q, %b: tensor<64xf32>, %r: tensor<4x64xf16>,
                   %y: tensor<4x64xf32>, %z: tensor<4x64xf16>) -> tensor<4x64xf16> {
  %0 = rotq.matmul ins(%x : tensor<4x256xf16>) weight(%u : !q) outs(%y : tensor<4x64xf32>) epilogue(%b : tensor<64xf32>) {
  ^bb0(%s: f32, %e: f32):
    %a = arith.addf %s, %e : f32
    rotq.yield %a : f32
  } -> tensor<4x64xf32>
  %1 = rotq.matmul ins(%x : tensor<4x256xf16>) weight(%g : !q) outs(%z : tensor<4x64xf16>)
      epilogue(%0, %r : tensor<4x64xf32>, tensor<4x64xf16>) {
  ^bb0(%s: f32, %up: f32, %e: f16):
    %n = arith.negf %s : f32
    %a = arith.mulf %n, %up : f32
    %t = arith.truncf %a : f32 to f16
    %c = arith.addf %t, %e : f16
    rotq.yield %c : f16
  } -> tensor<4x64xf16>
  return %1 : tensor<4x64xf16>
}

// To ask for the size of a result is not to read it.
// CHECK-LABEL: func @rows_known_late(
//  CHECK-SAME:   %[[Y:[a-z0-9]*]]: tensor<?x64xf32>)
//       CHECK:   %[[ROWS:.*]] = tensor.dim %[[Y]], %{{.*}}
//       CHECK:   %[[INIT:.*]] = tensor.empty(%[[ROWS]])
//       CHECK:   rotq.grouped_matmul {{.*}} outs(%[[INIT]] :
//   CHECK-NOT:   rotq.matmul
func.func @rows_known_late(%x: tensor<?x256xf16>, %g: !q, %u: !q, %y: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %c0 = arith.constant 0 : index
  %0 = rotq.matmul ins(%x : tensor<?x256xf16>) weight(%g : !q) outs(%y : tensor<?x64xf32>) -> tensor<?x64xf32>
  %rows = tensor.dim %0, %c0 : tensor<?x64xf32>
  %e = tensor.empty(%rows) : tensor<?x64xf32>
  %1 = rotq.matmul ins(%x : tensor<?x256xf16>) weight(%u : !q) outs(%e : tensor<?x64xf32>) epilogue(%0 : tensor<?x64xf32>) {
  ^bb0(%s: f32, %gate: f32):
    %a = arith.mulf %s, %gate : f32
    rotq.yield %a : f32
  } -> tensor<?x64xf32>
  return %1 : tensor<?x64xf32>
}

// Not of another activation, and not where others read the result.
// CHECK-LABEL: func @no_pairs(
//   CHECK-NOT:   rotq.grouped_matmul
//       CHECK:   return
func.func @no_pairs(%x: tensor<4x256xf16>, %z: tensor<4x256xf16>, %g: !q, %u: !q, %y: tensor<4x64xf32>)
    -> (tensor<4x64xf32>, tensor<4x64xf32>) {
  %0 = rotq.matmul ins(%z : tensor<4x256xf16>) weight(%u : !q) outs(%y : tensor<4x64xf32>) -> tensor<4x64xf32>
  %1 = rotq.matmul ins(%x : tensor<4x256xf16>) weight(%g : !q) outs(%y : tensor<4x64xf32>) epilogue(%0 : tensor<4x64xf32>) {
  ^bb0(%s: f32, %up: f32):
    %a = arith.mulf %s, %up : f32
    rotq.yield %a : f32
  } -> tensor<4x64xf32>
  %2 = rotq.matmul ins(%x : tensor<4x256xf16>) weight(%g : !q) outs(%y : tensor<4x64xf32>) epilogue(%1 : tensor<4x64xf32>) {
  ^bb0(%s: f32, %up: f32):
    %a = arith.subf %s, %up : f32
    rotq.yield %a : f32
  } -> tensor<4x64xf32>
  return %1, %2 : tensor<4x64xf32>, tensor<4x64xf32>
}
