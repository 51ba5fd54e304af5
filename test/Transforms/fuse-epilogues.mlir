// RUN: quant-opt %s -allow-unregistered-dialect -rotq-fuse-epilogues | FileCheck %s

#rq3 = #rotq.format<"rq3">
#mn = affine_map<(m, n) -> (m, n)>
#nm = affine_map<(m, n) -> (n, m)>
#n = affine_map<(m, n) -> (n)>
#m = affine_map<(m, n) -> (m)>
!w = !rotq.weight<64x256, #rq3>
!x = tensor<?x256xf16>

// A bias, SiLU from ops whose results have several users among the fused, a
// conversion, a residual: the order of operations and every rounding stay.
// CHECK-LABEL: func @chain(
//  CHECK-SAME:   %[[X:[a-z0-9]*]]: tensor<?x256xf16>, %[[W:[a-z0-9]*]]: !rotq.weight<64x256, #rq3>, %[[B:[a-z0-9]*]]: tensor<64xf16>, %[[R:[a-z0-9]*]]: tensor<?x64xbf16>
//       CHECK:   %[[EMPTY:.*]] = tensor.empty(%{{.*}}) : tensor<?x64xbf16>
//  CHECK-NEXT:   %[[Y:.*]] = rotq.matmul ins(%[[X]] : tensor<?x256xf16>) weight(%[[W]] : <64x256, #rq3>)
//  CHECK-SAME:     outs(%[[EMPTY]] : tensor<?x64xbf16>) epilogue(%[[B]], %[[R]] : tensor<64xf16>, tensor<?x64xbf16>) {
//  CHECK-NEXT:   ^bb0(%[[SUM:.*]]: f32, %[[B:.*]]: f16, %[[R:.*]]: bf16):
//  CHECK-NEXT:     %[[WIDE:.*]] = arith.extf %[[B]] : f16 to f32
//  CHECK-NEXT:     %[[A:.*]] = arith.addf %[[SUM]], %[[WIDE]] : f32
//  CHECK-NEXT:     %[[N:.*]] = arith.negf %[[A]] : f32
//  CHECK-NEXT:     %[[E:.*]] = math.exp %[[N]] : f32
//  CHECK-NEXT:     %[[ONE:.*]] = arith.constant 1.0
//  CHECK-NEXT:     %[[D:.*]] = arith.addf %[[E]], %[[ONE]] : f32
//  CHECK-NEXT:     %[[S:.*]] = arith.divf %[[A]], %[[D]] : f32
//  CHECK-NEXT:     %[[T:.*]] = arith.truncf %[[S]] : f32 to bf16
//  CHECK-NEXT:     %[[Z:.*]] = arith.addf %[[T]], %[[R]] : bf16
//  CHECK-NEXT:     rotq.yield %[[Z]] : bf16
//  CHECK-NEXT:   } -> tensor<?x64xbf16>
//  CHECK-NEXT:   return %[[Y]]
func.func @chain(%x: !x, %w: !w, %b: tensor<64xf16>, %r: tensor<?x64xbf16>, %y: tensor<?x64xf32>) -> tensor<?x64xbf16> {
  %one = arith.constant 1.0 : f32
  %0 = rotq.matmul ins(%x : !x) weight(%w : !w) outs(%y : tensor<?x64xf32>) -> tensor<?x64xf32>
  %1 = linalg.generic {indexing_maps = [#mn, #n, #mn], iterator_types = ["parallel", "parallel"]}
      ins(%0, %b : tensor<?x64xf32>, tensor<64xf16>) outs(%y : tensor<?x64xf32>) {
  ^bb0(%a: f32, %e: f16, %o: f32):
    %f = arith.extf %e : f16 to f32
    %s = arith.addf %a, %f : f32
    linalg.yield %s : f32
  } -> tensor<?x64xf32>
  %2 = arith.negf %1 : tensor<?x64xf32>
  %3 = linalg.exp ins(%2 : tensor<?x64xf32>) outs(%y : tensor<?x64xf32>) -> tensor<?x64xf32>
  %4 = linalg.generic {indexing_maps = [#mn, #mn], iterator_types = ["parallel", "parallel"]}
      ins(%3 : tensor<?x64xf32>) outs(%y : tensor<?x64xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %a, %one : f32
    linalg.yield %s : f32
  } -> tensor<?x64xf32>
  %5 = linalg.div ins(%1, %4 : tensor<?x64xf32>, tensor<?x64xf32>) outs(%y : tensor<?x64xf32>) -> tensor<?x64xf32>
  %6 = arith.truncf %5 : tensor<?x64xf32> to tensor<?x64xbf16>
  %7 = arith.addf %6, %r : tensor<?x64xbf16>
  return %7 : tensor<?x64xbf16>
}

// Of f16, the sum is rounded first; splat constants; an operand read twice, and
// one that the matmul has already, are one.
// CHECK-LABEL: func @constants(
//       CHECK:   rotq.matmul {{.*}} outs(%{{.*}} : tensor<4x64xf16>) epilogue(%[[B:[a-z0-9]*]] : tensor<64xf16>) {
//  CHECK-NEXT:   ^bb0(%[[SUM:.*]]: f32, %[[B:.*]]: f16):
//  CHECK-NEXT:     %[[T:.*]] = arith.truncf %[[SUM]] : f32 to f16
//  CHECK-NEXT:     %[[A:.*]] = arith.addf %[[T]], %[[B]] : f16
//  CHECK-NEXT:     %[[HALF:.*]] = arith.constant 5.000000e-01 : f16
//  CHECK-NEXT:     %[[M:.*]] = arith.mulf %[[A]], %[[HALF]] : f16
//  CHECK-NEXT:     %[[Z:.*]] = arith.mulf %[[M]], %[[B]] : f16
//  CHECK-NEXT:     rotq.yield %[[Z]] : f16
func.func @constants(%x: tensor<4x256xf16>, %w: !w, %b: tensor<64xf16>, %y: tensor<4x64xf16>) -> tensor<4x64xf16> {
  %half = arith.constant dense<0.5> : tensor<4x64xf16>
  %0 = rotq.matmul ins(%x : tensor<4x256xf16>) weight(%w : !w) outs(%y : tensor<4x64xf16>) epilogue(%b : tensor<64xf16>) {
  ^bb0(%s: f32, %e: f16):
    %t = arith.truncf %s : f32 to f16
    %a = arith.addf %t, %e : f16
    rotq.yield %a : f16
  } -> tensor<4x64xf16>
  %1 = arith.mulf %0, %half : tensor<4x64xf16>
  %2 = linalg.broadcast ins(%b : tensor<64xf16>) outs(%y : tensor<4x64xf16>) dimensions = [0]
  %3 = linalg.mul ins(%1, %2 : tensor<4x64xf16>, tensor<4x64xf16>) outs(%y : tensor<4x64xf16>) -> tensor<4x64xf16>
  return %3 : tensor<4x64xf16>
}

// Loops in another order; an accumulation, whose destination is read.
// CHECK-LABEL: func @accumulate(
//  CHECK-SAME:   %[[R:[a-z0-9]*]]: tensor<4x64xf32>)
//       CHECK:   %[[EMPTY:.*]] = tensor.empty() : tensor<4x64xf32>
//       CHECK:   rotq.matmul {{.*}} outs(%[[EMPTY]] : tensor<4x64xf32>) epilogue(%[[R]] : tensor<4x64xf32>)
//   CHECK-NOT:   linalg.generic
func.func @accumulate(%x: tensor<4x256xf16>, %w: !w, %y: tensor<4x64xf32>, %r: tensor<4x64xf32>) -> tensor<4x64xf32> {
  %0 = rotq.matmul ins(%x : tensor<4x256xf16>) weight(%w : !w) outs(%y : tensor<4x64xf32>) -> tensor<4x64xf32>
  %1 = linalg.generic {indexing_maps = [#nm, #nm], iterator_types = ["parallel", "parallel"]}
      ins(%0 : tensor<4x64xf32>) outs(%r : tensor<4x64xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %o, %a : f32
    linalg.yield %s : f32
  } -> tensor<4x64xf32>
  return %1 : tensor<4x64xf32>
}

// The one that comes last takes the other's result.
// CHECK-LABEL: func @two_products(
//       CHECK:   %[[OTHER:.*]] = rotq.matmul {{.*}} -> tensor<4x64xf32>
//       CHECK:   rotq.matmul {{.*}} epilogue(%[[OTHER]] : tensor<4x64xf32>)
//   CHECK-NOT:   linalg.add
func.func @two_products(%x: tensor<4x256xf16>, %z: tensor<4x256xf16>, %w: !w, %v: !w, %y: tensor<4x64xf32>) -> tensor<4x64xf32> {
  %0 = rotq.matmul ins(%x : tensor<4x256xf16>) weight(%w : !w) outs(%y : tensor<4x64xf32>) -> tensor<4x64xf32>
  %1 = rotq.matmul ins(%z : tensor<4x256xf16>) weight(%v : !w) outs(%y : tensor<4x64xf32>) -> tensor<4x64xf32>
  %2 = linalg.add ins(%0, %1 : tensor<4x64xf32>, tensor<4x64xf32>) outs(%y : tensor<4x64xf32>) -> tensor<4x64xf32>
  return %2 : tensor<4x64xf32>
}

// Fused as far as one result is left.
// CHECK-LABEL: func @other_use(
//       CHECK:   %[[Y:.*]] = rotq.matmul {{.*}} epilogue {
//       CHECK:     arith.negf
//       CHECK:   } -> tensor<4x64xf32>
//       CHECK:   %[[E:.*]] = math.exp %[[Y]]
//       CHECK:   "test.use"(%[[Y]])
//       CHECK:   return %[[E]]
func.func @other_use(%x: tensor<4x256xf16>, %w: !w, %y: tensor<4x64xf32>) -> tensor<4x64xf32> {
  %0 = rotq.matmul ins(%x : tensor<4x256xf16>) weight(%w : !w) outs(%y : tensor<4x64xf32>) -> tensor<4x64xf32>
  %1 = arith.negf %0 : tensor<4x64xf32>
  %2 = math.exp %1 : tensor<4x64xf32>
  "test.use"(%1) : (tensor<4x64xf32>) -> ()
  return %2 : tensor<4x64xf32>
}

// A use in a loop, and one after it.
// CHECK-LABEL: func @nested(
//   CHECK-NOT:   epilogue
func.func @nested(%x: tensor<4x256xf16>, %w: !w, %y: tensor<4x64xf32>, %c: i1) -> tensor<4x64xf32> {
  %0 = rotq.matmul ins(%x : tensor<4x256xf16>) weight(%w : !w) outs(%y : tensor<4x64xf32>) -> tensor<4x64xf32>
  %1 = scf.if %c -> tensor<4x64xf32> {
    %2 = arith.negf %0 : tensor<4x64xf32>
    scf.yield %2 : tensor<4x64xf32>
  } else {
    scf.yield %0 : tensor<4x64xf32>
  }
  return %1 : tensor<4x64xf32>
}
