// RUN: quant-opt %s | quant-opt | FileCheck %s
// RUN: quant-opt %s --canonicalize --cse | FileCheck %s --check-prefix=CLEAN
// RUN: quant-opt %s --one-shot-bufferize="bufferize-function-boundaries function-boundary-type-conversion=identity-layout-map" | FileCheck %s --check-prefix=BUFFER

#rq3 = #rotq.format<"rq3">
!w = !rotq.weight<8x64, #rq3>

// CHECK-LABEL: func.func @bias(
//       CHECK:   rotq.matmul ins(%{{.*}} : tensor<?x64xf32>) weight(%{{.*}} : <8x64, #rq3>) outs(%{{.*}} : tensor<?x8xbf16>)
//  CHECK-SAME:     epilogue(%{{.*}}, %{{.*}} : tensor<8xf16>, tensor<?x8xbf16>) {
//  CHECK-NEXT:   ^bb0(%[[SUM:.*]]: f32, %[[B:.*]]: f16, %[[R:.*]]: bf16):
//       CHECK:     rotq.yield %{{.*}} : bf16
//  CHECK-NEXT:   } -> tensor<?x8xbf16>

// Constants stay in the epilogue; what it does not need goes.
// CLEAN-LABEL: func.func @bias(
//  CLEAN-NEXT:   rotq.matmul
//       CLEAN:   ^bb0
//  CLEAN-NEXT:     %[[TWO:.*]] = arith.constant 2.0
//   CLEAN-NOT:     arith.subf
//       CLEAN:     arith.mulf %{{.*}}, %[[TWO]]

// BUFFER-LABEL: func.func @bias(
//  BUFFER-SAME:   %[[X:.*]]: memref<?x64xf32>, %[[W:.*]]: !rotq.weight<8x64, #rq3>, %[[B:.*]]: memref<8xf16>, %[[R:.*]]: memref<?x8xbf16>, %[[Y:.*]]: memref<?x8xbf16>)
//  BUFFER-NEXT:   rotq.matmul ins(%[[X]] : memref<?x64xf32>) weight(%[[W]] : <8x64, #rq3>) outs(%[[Y]] : memref<?x8xbf16>)
//  BUFFER-SAME:     epilogue(%[[B]], %[[R]] : memref<8xf16>, memref<?x8xbf16>) {
//       BUFFER:     rotq.yield
//       BUFFER:   return %[[Y]]
func.func @bias(%x: tensor<?x64xf32>, %w: !w, %b: tensor<8xf16>, %r: tensor<?x8xbf16>, %y: tensor<?x8xbf16>) -> tensor<?x8xbf16> {
  %0 = rotq.matmul ins(%x : tensor<?x64xf32>) weight(%w : !w) outs(%y : tensor<?x8xbf16>)
      epilogue(%b, %r : tensor<8xf16>, tensor<?x8xbf16>) {
  ^bb0(%s: f32, %e: f16, %f: bf16):
    %two = arith.constant 2.0 : f32
    %unused = arith.subf %s, %two : f32
    %1 = arith.mulf %s, %two : f32
    %2 = arith.extf %e : f16 to f32
    %3 = arith.addf %1, %2 : f32
    %4 = arith.truncf %3 : f32 to bf16
    %5 = arith.addf %4, %f : bf16
    rotq.yield %5 : bf16
  } -> tensor<?x8xbf16>
  return %0 : tensor<?x8xbf16>
}

// What an epilogue reads is not written over.
// BUFFER-LABEL: func.func @in_place(
//  BUFFER-SAME:   %[[R:[a-z0-9]*]]: memref<4x8xf32>)
//       BUFFER:   %[[Y:.*]] = memref.alloc()
//       BUFFER:   outs(%[[Y]] : memref<4x8xf32>) epilogue(%[[R]] : memref<4x8xf32>)
func.func @in_place(%x: tensor<4x64xf32>, %w: !w, %r: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %0 = rotq.matmul ins(%x : tensor<4x64xf32>) weight(%w : !w) outs(%r : tensor<4x8xf32>) epilogue(%r : tensor<4x8xf32>) {
  ^bb0(%s: f32, %e: f32):
    %1 = arith.addf %s, %e : f32
    rotq.yield %1 : f32
  } -> tensor<4x8xf32>
  return %0 : tensor<4x8xf32>
}

// A sum of every weight; no operands.
// CHECK-LABEL: func.func @pair(
//       CHECK:   rotq.grouped_matmul ins(%{{.*}} : tensor<4x64xf32>) weights(%{{.*}}, %{{.*}} : !rotq.weight<8x64, #rq3>, !rotq.weight<8x64, #rq3>)
//  CHECK-SAME:     outs(%{{.*}} : tensor<4x8xf32>) {kernels = {{.*}}} epilogue {
//  CHECK-NEXT:   ^bb0(%{{.*}}: f32, %{{.*}}: f32):
//       CHECK:   } -> tensor<4x8xf32>
func.func @pair(%x: tensor<4x64xf32>, %w: !w, %v: !w, %y: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %0 = rotq.grouped_matmul ins(%x : tensor<4x64xf32>) weights(%w, %v : !w, !w) outs(%y : tensor<4x8xf32>)
      {kernels = [#rotq.kernel<mma_f16, m = [1, 0], rows = 16, cols = 8, warps = 4>]} epilogue {
  ^bb0(%s: f32, %t: f32):
    %1 = arith.mulf %s, %t : f32
    rotq.yield %1 : f32
  } -> tensor<4x8xf32>
  return %0 : tensor<4x8xf32>
}
