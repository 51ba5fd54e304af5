// RUN: quant-opt %s --convert-rotq-to-vector --canonicalize --cse | FileCheck %s

#mk = affine_map<(m, n, k) -> (m, k)>
#nk = affine_map<(m, n, k) -> (n, k)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>

// Four rows of x by four of w, then what is left; 64 = 4 x 16 positions of K,
// then six.
// CHECK-LABEL: func.func @transposed(
// CHECK-SAME:    %[[X:[a-z0-9]*]]: memref<?x70xf32>, %[[W:[a-z0-9]*]]: memref<256x70xf16>, %[[Y:[a-z0-9]*]]: memref<?x256xf32>)
// CHECK:         scf.parallel (%{{.*}}) = (%c0) to (%c256)
// CHECK:           scf.for %[[M:.*]] = %c0 to %{{.*}} step %c4
// CHECK:             scf.for %[[N:.*]] = %{{.*}} to %{{.*}} step %c4
// CHECK:               scf.for %[[K:.*]] = %c0 to %c64 step %c16
// CHECK:                 vector.load %[[W]][%[[N]], %[[K]]] : memref<256x70xf16>, vector<16xf16>
// CHECK:                 arith.extf
// CHECK:                 vector.load %[[X]][%[[M]], %[[K]]]
// CHECK-COUNT-16:        arith.addf %{{.*}} fastmath<contract> : vector<16xf32>
// CHECK-NEXT:            scf.yield
// CHECK:               %[[MASK:.*]] = vector.constant_mask [6] : vector<16xi1>
// CHECK:               vector.maskedload %[[W]][%[[N]], %c64], %[[MASK]]
// CHECK:               %[[SUM:.*]] = vector.extract %{{.*}}[0] : f32 from vector<16xf32>
// CHECK:               %[[OLD:.*]] = memref.load %[[Y]][%[[M]], %[[N]]]
// CHECK:               %[[NEW:.*]] = arith.addf %[[OLD]], %[[SUM]] : f32
// CHECK:               memref.store %[[NEW]], %[[Y]][%[[M]], %[[N]]]
// CHECK-NOT:     linalg
func.func @transposed(%x: memref<?x70xf32>, %w: memref<256x70xf16>, %y: memref<?x256xf32>) {
  linalg.matmul indexing_maps = [#mk, #nk, #mn]
    ins(%x, %w : memref<?x70xf32>, memref<256x70xf16>) outs(%y : memref<?x256xf32>)
  return
}

// Not rows by rows, no known K, sums that are not f32: these stay.
// CHECK-LABEL: func.func @others(
// CHECK-COUNT-3: linalg.matmul
func.func @others(%x: memref<4x64xf32>, %w: memref<64x8xf32>, %y: memref<4x8xf32>,
                  %a: memref<?x?xf32>, %b: memref<?x?xf32>, %c: memref<?x?xf32>,
                  %h: memref<4x64xf16>, %v: memref<8x64xf16>, %z: memref<4x8xf16>) {
  linalg.matmul ins(%x, %w : memref<4x64xf32>, memref<64x8xf32>) outs(%y : memref<4x8xf32>)
  linalg.matmul indexing_maps = [#mk, #nk, #mn]
    ins(%a, %b : memref<?x?xf32>, memref<?x?xf32>) outs(%c : memref<?x?xf32>)
  linalg.matmul indexing_maps = [#mk, #nk, #mn]
    ins(%h, %v : memref<4x64xf16>, memref<8x64xf16>) outs(%z : memref<4x8xf16>)
  return
}
