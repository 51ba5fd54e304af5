// RUN: quant-opt %s --convert-rotq-to-vector | FileCheck %s

#rq3 = #rotq.format<"rq3">
!w = !rotq.weight<8x64, #rq3>

// CHECK-LABEL: func.func @bias(
//  CHECK-SAME:   %[[B:[a-z0-9]*]]: memref<8xf16>, %[[R:[a-z0-9]*]]: memref<?x8xbf16>, %[[Y:[a-z0-9]*]]: memref<?x8xbf16>)
//       CHECK:   %[[SUM:.*]] = vector.extract %{{.*}} : f32 from vector<16xf32>
//       CHECK:   %[[E:.*]] = memref.load %[[B]][%[[I:.*]]] : memref<8xf16>
//  CHECK-NEXT:   %[[F:.*]] = memref.load %[[R]][%[[M:.*]], %[[I]]] : memref<?x8xbf16>
//  CHECK-NEXT:   %[[WIDE:.*]] = arith.extf %[[E]] : f16 to f32
//  CHECK-NEXT:   %[[S:.*]] = arith.addf %{{.*}}, %[[WIDE]] : f32
//  CHECK-NEXT:   %[[T:.*]] = arith.truncf %[[S]] : f32 to bf16
//  CHECK-NEXT:   %[[Z:.*]] = arith.addf %[[T]], %[[F]] : bf16
//  CHECK-NEXT:   memref.store %[[Z]], %[[Y]][%[[M]], %[[I]]] : memref<?x8xbf16>
func.func @bias(%x: memref<?x64xf32>, %w: !w, %b: memref<8xf16>, %r: memref<?x8xbf16>, %y: memref<?x8xbf16>) {
  rotq.matmul ins(%x : memref<?x64xf32>) weight(%w : !w) outs(%y : memref<?x8xbf16>)
      epilogue(%b, %r : memref<8xf16>, memref<?x8xbf16>) {
  ^bb0(%s: f32, %e: f16, %f: bf16):
    %1 = arith.extf %e : f16 to f32
    %2 = arith.addf %s, %1 : f32
    %3 = arith.truncf %2 : f32 to bf16
    %4 = arith.addf %3, %f : bf16
    rotq.yield %4 : bf16
  }
  return
}

// CHECK-LABEL: func.func @pair(
//  CHECK-SAME:   %[[Y:[a-z0-9]*]]: memref<?x8xf32>)
//       CHECK:   %[[ROWS:.*]] = memref.alloc(%{{.*}}) {alignment = 64 : i64} : memref<?x64xf32>
//       CHECK:   %[[OTHERS:.*]] = memref.alloc(%{{.*}}) {alignment = 64 : i64} : memref<?x64xf32>
//       CHECK:   %[[S:.*]] = vector.extract %{{.*}}[0] : f32 from vector<16xf32>
//       CHECK:   %[[T:.*]] = vector.extract %{{.*}}[0] : f32 from vector<16xf32>
//       CHECK:   %[[D:.*]] = arith.subf %[[S]], %[[T]] : f32
//  CHECK-NEXT:   memref.store %[[D]], %[[Y]][
//   CHECK-DAG:   memref.dealloc %[[ROWS]]
//   CHECK-DAG:   memref.dealloc %[[OTHERS]]
func.func @pair(%x: memref<?x64xf32>, %w: !w, %v: !w, %y: memref<?x8xf32>) {
  rotq.grouped_matmul ins(%x : memref<?x64xf32>) weights(%w, %v : !w, !w) outs(%y : memref<?x8xf32>) epilogue {
  ^bb0(%s: f32, %t: f32):
    %1 = arith.subf %s, %t : f32
    rotq.yield %1 : f32
  }
  return
}
