// RUN: quant-opt %s --convert-rotq-to-vector --canonicalize --cse | FileCheck %s

// CHECK-LABEL: func.func @rotate(
// CHECK-SAME:    %[[X:[a-z0-9]*]]: memref<?x300xf16>, %[[OUT:[a-z0-9]*]]: memref<?x320xf32>
// CHECK:         scf.parallel
// CHECK:         %[[ROW:.*]] = memref.alloc() {alignment = 64 : i64} : memref<320xf32>
// CHECK:         scf.for %[[M:.*]] =
// 288 = 18 x 16 values, then 12, then 20 zeros.
// CHECK:           scf.for %[[I:.*]] = %c0 to %c288 step %c16
// CHECK:             vector.load %[[X]][%[[M]], %[[I]]] : memref<?x300xf16>, vector<16xf16>
// CHECK:           scf.for %{{.*}} = %c288 to %c300 step %c1
// CHECK:           scf.for %{{.*}} = %c300 to %c320 step %c1
// Strides to 32 in registers, 64 and 128 in memory.
// CHECK:           scf.for %{{.*}} = %c0 to %c256 step %c64
// CHECK:             rotq.fwht %{{.*}} block(64) : vector<64xf32>
// CHECK:           scf.for %{{.*}} = %c0 to %c256 step %c128
// CHECK:           scf.for %{{.*}} = %c0 to %c128 step %c16
// CHECK:             arith.mulf %{{.*}}, %cst
// CHECK:           rotq.fwht %{{.*}} block(64) : vector<64xf32>
// CHECK:         memref.dealloc %[[ROW]]
func.func @rotate(%x: memref<?x300xf16>, %out: memref<?x320xf32>) {
  rotq.rotate #rotq.hadamard<256> ins(%x : memref<?x300xf16>) outs(%out : memref<?x320xf32>)
  return
}

// CHECK-LABEL: func.func @quantize(
// CHECK-SAME:    %[[CODES:[a-z0-9]*]]: memref<?x128xi8>
// CHECK:         scf.for
// CHECK-NOT:       rotq.fwht
// CHECK:           math.absf
// CHECK:           vector.reduction <maxnumf>
// CHECK:           math.roundeven
// CHECK:           vector.store %{{.*}}, %[[CODES]]
// CHECK:           vector.reduction <add>
// 96 codes, and zeros to 128.
// CHECK:           vector.store %{{.*}}, %[[CODES]][%{{.*}}, %c96] : memref<?x128xi8>, vector<32xi8>
func.func @quantize(%x: memref<?x96xf32>, %codes: memref<?x128xi8>, %scales: memref<?x2xf32>,
                    %sums: memref<?x2xi32>) {
  rotq.quantize_activation #rotq.identity group(64) ins(%x : memref<?x96xf32>)
    outs(%codes, %scales, %sums : memref<?x128xi8>, memref<?x2xf32>, memref<?x2xi32>)
  return
}
