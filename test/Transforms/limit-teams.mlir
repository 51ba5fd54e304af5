// RUN: quant-opt %s --rotq-limit-teams | FileCheck %s

// CHECK-LABEL: func.func @loop(
// CHECK-SAME:    %[[BEGIN:[a-z0-9]*]]: index, %[[END:[a-z0-9]*]]: index, %[[STEP:[a-z0-9]*]]: index
// CHECK:         %[[LENGTH:.*]] = arith.subi %[[END]], %[[BEGIN]]
// CHECK:         %[[IS_WORTH:.*]] = arith.cmpi sgt, %[[LENGTH]], %[[STEP]]
// CHECK:         omp.parallel if(%[[IS_WORTH]])
// CHECK-NEXT:      omp.wsloop nowait
func.func @loop(%begin: index, %end: index, %step: index, %x: memref<?xf32>, %v: f32) {
  omp.parallel {
    omp.wsloop {
      omp.loop_nest (%i) : index = (%begin) to (%end) step (%step) {
        memref.store %v, %x[%i] : memref<?xf32>
        omp.yield
      }
    }
    omp.terminator
  }
  return
}

// Two loops in one: either may have the iterations.
// CHECK-LABEL: func.func @nest(
// CHECK:         %[[OUTER:.*]] = arith.cmpi sgt
// CHECK:         %[[INNER:.*]] = arith.cmpi sgt
// CHECK:         %[[EITHER:.*]] = arith.ori %[[OUTER]], %[[INNER]]
// CHECK:         omp.parallel if(%[[EITHER]])
func.func @nest(%m: index, %n: index, %x: memref<?x?xf32>, %v: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  omp.parallel {
    omp.wsloop {
      omp.loop_nest (%i, %j) : index = (%c0, %c0) to (%m, %n) step (%c1, %c1) {
        memref.store %v, %x[%i, %j] : memref<?x?xf32>
        omp.yield
      }
    }
    omp.terminator
  }
  return
}

// Bounds that the team computes are not known before there is one.
// CHECK-LABEL: func.func @late(
// CHECK:         omp.parallel {
// CHECK:           omp.wsloop {
func.func @late(%x: memref<?xf32>, %v: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  omp.parallel {
    %n = memref.dim %x, %c0 : memref<?xf32>
    omp.wsloop {
      omp.loop_nest (%i) : index = (%c0) to (%n) step (%c1) {
        memref.store %v, %x[%i] : memref<?xf32>
        omp.yield
      }
    }
    omp.terminator
  }
  return
}
