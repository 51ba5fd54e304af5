// RUN: quant-opt %s -rotq-fuse-rows -cse -split-input-file | FileCheck %s
// RUN: quant-opt %s -rotq-fuse-rows --remarks-filter=".*" -split-input-file -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARKS

#t = affine_map<(t, k) -> (t)>
#tk = affine_map<(t, k) -> (t, k)>

// A sum, what is made of it, and what reads both: one loop. The fill is inside.

// REMARKS: 4 operations computed row by row
// CHECK-LABEL: func.func @norm(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x64xf32>
// CHECK-NOT: linalg.
// CHECK: %[[R:.*]] = scf.forall (%[[I:.*]]) in (%{{.*}}) shared_outs(
// CHECK: tensor.extract_slice %[[X]][%[[I]], 0] [1, 64]
// CHECK: linalg.fill {{.*}} -> tensor<1xf32>
// CHECK-COUNT-3: linalg.generic
// CHECK: tensor.parallel_insert_slice %{{.*}} into %{{.*}}[%[[I]], 0] [1, 64]
// CHECK-NOT: linalg.
// CHECK: return %[[R]]
func.func @norm(%x: tensor<?x64xf32>, %y: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %rows = tensor.dim %x, %c0 : tensor<?x64xf32>
  %e = tensor.empty(%rows) : tensor<?xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<?xf32>) -> tensor<?xf32>
  %0 = linalg.generic {indexing_maps = [#tk, #t], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<?x64xf32>) outs(%z : tensor<?xf32>) {
  ^bb0(%v: f32, %sum: f32):
    %s = arith.addf %v, %sum : f32
    linalg.yield %s : f32
  } -> tensor<?xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(t) -> (t)>, affine_map<(t) -> (t)>], iterator_types = ["parallel"]} ins(%0 : tensor<?xf32>) outs(%e : tensor<?xf32>) {
  ^bb0(%sum: f32, %o: f32):
    %s = math.sqrt %sum : f32
    linalg.yield %s : f32
  } -> tensor<?xf32>
  %2 = linalg.generic {indexing_maps = [#tk, #t, #tk], iterator_types = ["parallel", "parallel"]} ins(%x, %1 : tensor<?x64xf32>, tensor<?xf32>) outs(%y : tensor<?x64xf32>) {
  ^bb0(%v: f32, %sum: f32, %o: f32):
    %s = arith.divf %v, %sum : f32
    linalg.yield %s : f32
  } -> tensor<?x64xf32>
  return %2 : tensor<?x64xf32>
}

// -----

// A product with a matrix is none of it, and parts what is around it.

// REMARKS: 1 operations computed row by row
// CHECK-LABEL: func.func @product(
// CHECK-COUNT-1: scf.forall
// CHECK: linalg.matmul {{.*}} -> tensor<?x32xf32>
// CHECK-NOT: scf.forall
// CHECK: return
func.func @product(%x: tensor<?x64xf32>, %w: tensor<64x32xf32>, %y: tensor<?x32xf32>) -> tensor<?x32xf32> {
  %0 = linalg.exp ins(%x : tensor<?x64xf32>) outs(%x : tensor<?x64xf32>) -> tensor<?x64xf32>
  %1 = linalg.matmul ins(%0, %w : tensor<?x64xf32>, tensor<64x32xf32>) outs(%y : tensor<?x32xf32>) -> tensor<?x32xf32>
  return %1 : tensor<?x32xf32>
}

// -----

#q = affine_map<(t, h, d, s) -> (t, h, d)>
#k = affine_map<(t, h, d, s) -> (h, d, s)>
#p = affine_map<(t, h, d, s) -> (t, h, s)>
#ths = affine_map<(t, h, s) -> (t, h, s)>
#th = affine_map<(t, h, s) -> (t, h)>

// Of one token, heads are apart: what is computed of one is as long as the cache.

// REMARKS: 3 operations computed row by row
// CHECK-LABEL: func.func @heads(
// CHECK-SAME: %[[Q:[a-z0-9]+]]: tensor<1x3x64xf32>, %[[K:[a-z0-9]+]]: tensor<3x64x?xf32>
// CHECK-NOT: linalg.
// CHECK: scf.forall (%[[T:.*]], %[[H:.*]]) in (1, 3) shared_outs(
// CHECK-DAG: tensor.extract_slice %[[Q]][%[[T]], %[[H]], 0] [1, 1, 64]
// CHECK-DAG: tensor.extract_slice %[[K]][%[[H]], 0, 0] [1, 64, %{{.*}}]
// CHECK: linalg.fill {{.*}} -> tensor<1x1x?xf32>
// CHECK-COUNT-2: linalg.generic
// CHECK: tensor.parallel_insert_slice
// CHECK-NOT: linalg.
// CHECK: return
func.func @heads(%q: tensor<1x3x64xf32>, %k: tensor<3x64x?xf32>, %e: tensor<1x3x?xf32>, %y: tensor<1x3xf32>) -> tensor<1x3xf32> {
  %zero = arith.constant 0.0 : f32
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<1x3x?xf32>) -> tensor<1x3x?xf32>
  %0 = linalg.generic {indexing_maps = [#q, #k, #p], iterator_types = ["parallel", "parallel", "reduction", "parallel"]}
      ins(%q, %k : tensor<1x3x64xf32>, tensor<3x64x?xf32>) outs(%z : tensor<1x3x?xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %2 = arith.mulf %a, %b : f32
    %3 = arith.addf %o, %2 : f32
    linalg.yield %3 : f32
  } -> tensor<1x3x?xf32>
  %1 = linalg.generic {indexing_maps = [#ths, #th], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%0 : tensor<1x3x?xf32>) outs(%y : tensor<1x3xf32>) {
  ^bb0(%a: f32, %o: f32):
    %2 = arith.maximumf %a, %o : f32
    linalg.yield %2 : f32
  } -> tensor<1x3xf32>
  return %1 : tensor<1x3xf32>
}

// -----

#t1 = affine_map<(t, k) -> (t)>
#tk1 = affine_map<(t, k) -> (t, k)>

// What is of one row and of a known length stays as it is.

// CHECK-LABEL: func.func @one_short_row(
// CHECK-NOT: scf.forall
// CHECK: return
func.func @one_short_row(%x: tensor<1x576xf32>, %s: tensor<1xf32>, %y: tensor<1x576xf32>) -> tensor<1x576xf32> {
  %0 = linalg.generic {indexing_maps = [#tk1, #t1], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<1x576xf32>) outs(%s : tensor<1xf32>) {
  ^bb0(%v: f32, %o: f32):
    %2 = arith.addf %v, %o : f32
    linalg.yield %2 : f32
  } -> tensor<1xf32>
  %1 = linalg.generic {indexing_maps = [#tk1, #t1, #tk1], iterator_types = ["parallel", "parallel"]} ins(%x, %0 : tensor<1x576xf32>, tensor<1xf32>) outs(%y : tensor<1x576xf32>) {
  ^bb0(%v: f32, %sum: f32, %o: f32):
    %2 = arith.divf %v, %sum : f32
    linalg.yield %2 : f32
  } -> tensor<1x576xf32>
  return %1 : tensor<1x576xf32>
}

// -----

// What every row reads all of is computed once, ahead of the loop: here values
// that are weighted for each query.

// CHECK-LABEL: func.func @all_rows(
// CHECK: %[[VALUES:.*]] = scf.forall
// CHECK: linalg.exp
// CHECK: scf.forall (%[[I:.*]]) in
// CHECK-NOT: linalg.exp
// CHECK: %[[ALL:.*]] = tensor.extract_slice %[[VALUES]][0, 0, 0] [%{{.*}}, 2, 8]
// CHECK-NOT: linalg.exp
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %[[ALL]] : tensor<1x2x?xf32>, tensor<?x2x8xf32>)
func.func @all_rows(%p: tensor<?x2x?xf32>, %v: tensor<?x2x8xf32>, %y: tensor<?x2x8xf32>) -> tensor<?x2x8xf32> {
  %0 = linalg.exp ins(%v : tensor<?x2x8xf32>) outs(%v : tensor<?x2x8xf32>) -> tensor<?x2x8xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(t, h, s, d) -> (t, h, s)>, affine_map<(t, h, s, d) -> (s, h, d)>, affine_map<(t, h, s, d) -> (t, h, d)>],
                       iterator_types = ["parallel", "parallel", "reduction", "parallel"]}
      ins(%p, %0 : tensor<?x2x?xf32>, tensor<?x2x8xf32>) outs(%y : tensor<?x2x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %2 = arith.mulf %a, %b : f32
    %3 = arith.addf %o, %2 : f32
    linalg.yield %3 : f32
  } -> tensor<?x2x8xf32>
  return %1 : tensor<?x2x8xf32>
}

// -----

#tk = affine_map<(t, k) -> (t, k)>

// Both results of a root, and the number of its row in its body.

// CHECK-LABEL: func.func @several_results(
// CHECK: %[[R:.*]]:2 = scf.forall (%[[I:.*]]) in
// CHECK: affine.apply {{.*}}%[[I]]
// CHECK: return %[[R]]#0, %[[R]]#1
func.func @several_results(%x: tensor<?x8xf32>, %y: tensor<?x8xf32>, %z: tensor<?x8xindex>) -> (tensor<?x8xf32>, tensor<?x8xindex>) {
  %0:2 = linalg.generic {indexing_maps = [#tk, #tk, #tk], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<?x8xf32>) outs(%y, %z : tensor<?x8xf32>, tensor<?x8xindex>) {
  ^bb0(%v: f32, %a: f32, %b: index):
    %t = linalg.index 0 : index
    %s = arith.addf %v, %v : f32
    linalg.yield %s, %t : f32, index
  } -> (tensor<?x8xf32>, tensor<?x8xindex>)
  return %0#0, %0#1 : tensor<?x8xf32>, tensor<?x8xindex>
}

// -----

#t = affine_map<(t, k) -> (t)>
#tk = affine_map<(t, k) -> (t, k)>

// Both results of what goes into the loop: it is nowhere else.

// CHECK-LABEL: func.func @two_results_inside(
// CHECK-NOT: linalg.
// CHECK: scf.forall
// CHECK-COUNT-2: linalg.generic
// CHECK-NOT: linalg.generic
// CHECK: return
func.func @two_results_inside(%x: tensor<?x8xf32>, %y: tensor<?x8xf32>, %z: tensor<?xf32>) -> tensor<?x8xf32> {
  %0:2 = linalg.generic {indexing_maps = [#tk, #tk, #t], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<?x8xf32>) outs(%y, %z : tensor<?x8xf32>, tensor<?xf32>) {
  ^bb0(%v: f32, %a: f32, %b: f32):
    %s = arith.addf %v, %b : f32
    linalg.yield %v, %s : f32, f32
  } -> (tensor<?x8xf32>, tensor<?xf32>)
  %1 = linalg.generic {indexing_maps = [#tk, #t, #tk], iterator_types = ["parallel", "parallel"]} ins(%0#0, %0#1 : tensor<?x8xf32>, tensor<?xf32>) outs(%y : tensor<?x8xf32>) {
  ^bb0(%v: f32, %sum: f32, %o: f32):
    %s = arith.divf %v, %sum : f32
    linalg.yield %s : f32
  } -> tensor<?x8xf32>
  return %1 : tensor<?x8xf32>
}

// -----

// A result that others read as well is not computed a second time; one of which
// the size is asked keeps it.

// CHECK-LABEL: func.func @read_by_others(
// CHECK-COUNT-1: linalg.exp
// CHECK-NOT: linalg.exp
// CHECK: return
func.func @read_by_others(%x: tensor<?x8xf32>) -> (tensor<?x8xf32>, tensor<?x8xf32>) {
  %0 = linalg.exp ins(%x : tensor<?x8xf32>) outs(%x : tensor<?x8xf32>) -> tensor<?x8xf32>
  %1 = linalg.sqrt ins(%0 : tensor<?x8xf32>) outs(%x : tensor<?x8xf32>) -> tensor<?x8xf32>
  return %0, %1 : tensor<?x8xf32>, tensor<?x8xf32>
}

// CHECK-LABEL: func.func @asked_for_size(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x8xf32>
// CHECK: %[[DIM:.*]] = tensor.dim %[[X]],
// CHECK-COUNT-1: linalg.exp
// CHECK-NOT: linalg.exp
// CHECK: return %{{.*}}, %{{.*}} : tensor<?x8xf32>, index
func.func @asked_for_size(%x: tensor<?x8xf32>) -> (tensor<?x8xf32>, index) {
  %c0 = arith.constant 0 : index
  %0 = linalg.exp ins(%x : tensor<?x8xf32>) outs(%x : tensor<?x8xf32>) -> tensor<?x8xf32>
  %dim = tensor.dim %0, %c0 : tensor<?x8xf32>
  %e = tensor.empty(%dim) : tensor<?x8xf32>
  %1 = linalg.sqrt ins(%0 : tensor<?x8xf32>) outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
  return %1, %dim : tensor<?x8xf32>, index
}

// -----

// In the body of a loop; what is ahead of the loop stays there.

// CHECK-LABEL: func.func @in_a_loop(
// CHECK: scf.forall
// CHECK: linalg.exp
// CHECK: scf.for
// CHECK: scf.forall
// CHECK: linalg.add
// CHECK-NOT: linalg.exp
func.func @in_a_loop(%x: tensor<?x8xf32>, %n: index) -> tensor<?x8xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %0 = linalg.exp ins(%x : tensor<?x8xf32>) outs(%x : tensor<?x8xf32>) -> tensor<?x8xf32>
  %1 = scf.for %i = %c0 to %n step %c1 iter_args(%s = %x) -> tensor<?x8xf32> {
    %2 = linalg.add ins(%0, %s : tensor<?x8xf32>, tensor<?x8xf32>) outs(%s : tensor<?x8xf32>) -> tensor<?x8xf32>
    scf.yield %2 : tensor<?x8xf32>
  }
  return %1 : tensor<?x8xf32>
}

// -----

// Nothing to do: a number of rows that is known, rows that depend on each other,
// columns, no rows, memrefs, no body.

// CHECK-LABEL: func.func @others(
// CHECK-NOT: scf.forall
// CHECK: return
func.func @others(%a: tensor<4x8xf32>, %x: tensor<?x8xf32>, %s: tensor<8xf32>, %f: tensor<f32>, %m: memref<?x8xf32>, %u: tensor<8x?xf32>)
    -> (tensor<4x8xf32>, tensor<8xf32>, tensor<f32>, tensor<8x?xf32>) {
  %0 = linalg.exp ins(%a : tensor<4x8xf32>) outs(%a : tensor<4x8xf32>) -> tensor<4x8xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(t, k) -> (t, k)>, affine_map<(t, k) -> (k)>], iterator_types = ["reduction", "parallel"]} ins(%x : tensor<?x8xf32>) outs(%s : tensor<8xf32>) {
  ^bb0(%v: f32, %sum: f32):
    %4 = arith.addf %v, %sum : f32
    linalg.yield %4 : f32
  } -> tensor<8xf32>
  %2 = linalg.exp ins(%f : tensor<f32>) outs(%f : tensor<f32>) -> tensor<f32>
  linalg.exp ins(%m : memref<?x8xf32>) outs(%m : memref<?x8xf32>)
  %3 = linalg.exp ins(%u : tensor<8x?xf32>) outs(%u : tensor<8x?xf32>) -> tensor<8x?xf32>
  return %0, %1, %2, %3 : tensor<4x8xf32>, tensor<8xf32>, tensor<f32>, tensor<8x?xf32>
}

// CHECK: func.func private @declaration
func.func private @declaration(tensor<?x8xf32>) -> tensor<?x8xf32>

// -----

// Of a product that is no sum alone the last parallel loop stays: a row of a
// head and not one entry of it.

// CHECK-LABEL: func.func @batch_matmul(
// CHECK: scf.forall (%{{.*}}, %{{.*}}) in (9, 4)
// CHECK: linalg.batch_matmul {{.*}} outs(%{{.*}} : tensor<1x1x64xf32>)
func.func @batch_matmul(%p: tensor<9x4x?xf32>, %v: tensor<9x?x64xf32>) -> tensor<9x4x64xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<9x4x64xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<9x4x64xf32>) -> tensor<9x4x64xf32>
  %0 = linalg.batch_matmul ins(%p, %v : tensor<9x4x?xf32>, tensor<9x?x64xf32>) outs(%z : tensor<9x4x64xf32>) -> tensor<9x4x64xf32>
  return %0 : tensor<9x4x64xf32>
}
