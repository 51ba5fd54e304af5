// RUN: quant-opt %s --rotq-to-host="in-place threads=false" | FileCheck %s

// What a row computes in memory of its own is freed before the next row.

// CHECK-LABEL: llvm.func @norm(
// CHECK: llvm.br ^[[ROWS:bb[0-9]+]](
// CHECK: %[[SUM:.*]] = llvm.call @malloc(
// CHECK: llvm.call @free(%[[SUM]])
// CHECK-NEXT: %[[NEXT:.*]] = llvm.add
// CHECK-NEXT: llvm.br ^[[ROWS]](%[[NEXT]] :
// CHECK-NOT: llvm.call @malloc(
// CHECK: llvm.return
func.func @norm(%x: tensor<?x64xf32>, %y: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %rows = tensor.dim %x, %c0 : tensor<?x64xf32>
  %e = tensor.empty(%rows) : tensor<?xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<?xf32>) -> tensor<?xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(t, k) -> (t, k)>, affine_map<(t, k) -> (t)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<?x64xf32>) outs(%z : tensor<?xf32>) {
  ^bb0(%v: f32, %sum: f32):
    %s = arith.addf %v, %sum : f32
    linalg.yield %s : f32
  } -> tensor<?xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(t, k) -> (t, k)>, affine_map<(t, k) -> (t)>, affine_map<(t, k) -> (t, k)>], iterator_types = ["parallel", "parallel"]}
      ins(%x, %0 : tensor<?x64xf32>, tensor<?xf32>) outs(%y : tensor<?x64xf32>) {
  ^bb0(%v: f32, %sum: f32, %o: f32):
    %s = arith.divf %v, %sum : f32
    linalg.yield %s : f32
  } -> tensor<?x64xf32>
  return %1 : tensor<?x64xf32>
}
