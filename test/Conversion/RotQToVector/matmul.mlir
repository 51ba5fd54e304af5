// RUN: quant-opt %s --convert-rotq-to-vector --canonicalize --cse | FileCheck %s
// RUN: quant-opt %s --convert-rotq-to-vector=vector-bytes=32 | FileCheck %s --check-prefix=SHORT
// RUN: not quant-opt %s --convert-rotq-to-vector=vector-bytes=48 2>&1 | FileCheck %s --check-prefix=BYTES
// BYTES: error: expected vectors of 32 or 64 bytes but got 48

// Shorter registers, and fewer: sums of a row stay in one of them.
// SHORT-LABEL: func.func @quantized(
// SHORT:         rotq.decode {{.*}} -> vector<64xi8>
// SHORT-NOT:     rotq.dot unsigned {{.*}} : vector<64xi8>
// SHORT:         rotq.dot unsigned {{.*}} : vector<32xi8>, vector<8xi32>

#rotated = #rotq.format<"rq3_rotated", rotation = #rotq.identity, scale = #rotq.scale<256>,
  codebook = #rotq.table<3, [-114, -71, -40, -13, 13, 40, 71, 114]>, coding = #rotq.fixed<3>>

// Two blocks of 256, then 32. Of a few rows of the activation each is multiplied
// by eight rows of the weight as they are decoded, even and odd points apart, and
// rows that come later are prefetched; of more, tiles of four by rows that were
// decoded once. Points are biased to be unsigned, and the products of the bias
// taken off again.
// CHECK-LABEL: func.func @quantized(
// CHECK-SAME:    %[[CODES:[a-z0-9]*]]: memref<?x576xi8>, %[[SCALES:[a-z0-9]*]]: memref<?x3xf32>
// CHECK:         %[[BIAS:.*]] = arith.constant dense<-128> : vector<64xi8>
// CHECK:         %[[BLOB:.*]] = rotq.storage
// CHECK:         %[[LOW:.*]] = memref.view %[[BLOB]][%c0][] : memref<3552xi8> to memref<16x144xi8>
// CHECK:         %[[HIGH:.*]] = memref.view %[[BLOB]][%c2304][] : memref<3552xi8> to memref<16x72xi8>
// CHECK:         %[[STEPS:.*]] = memref.view %[[BLOB]][%{{.*}}][] : memref<{{.*}}> to memref<16x3xf16>
// A range is 8 rows, or all of them where M is small.
// CHECK:         %[[WORK:.*]] = arith.muli %{{.*}}, %c8704
// CHECK:         %[[IS_LITTLE:.*]] = arith.cmpi ult, %[[WORK]], %c131072
// CHECK:         %[[STEP:.*]] = arith.select %[[IS_LITTLE]], %c16, %c8
// CHECK:         scf.parallel (%[[BEGIN:.*]]) = (%c0) to (%c16) step (%[[STEP]])
// CHECK:           %[[AFTER:.*]] = arith.addi %[[BEGIN]], %[[STEP]]
// CHECK:           %[[END:.*]] = arith.minui %[[AFTER]], %c16
// CHECK:           %[[IS_FEW:.*]] = arith.cmpi ult, %{{.*}}, %c4
// CHECK:           scf.if %[[IS_FEW]]
// CHECK:             scf.for %[[M:.*]] = %c0 to %{{.*}} step %c1
// CHECK:               scf.for %[[N:.*]] = %[[BEGIN]] to %{{.*}} step %c8
// CHECK:                 scf.for %[[G:.*]] = %c0 to %c512 step %c256 iter_args({{.*}}) -> (vector<8xf32>)
// CHECK:                   scf.for %{{.*}} = %c0 to %c256 step %c128
// CHECK:                     %[[LATER:.*]] = arith.minui %{{.*}}, %c15
// CHECK:                     memref.prefetch %[[LOW]][%[[LATER]], %{{.*}}], read, locality<3>, data
// CHECK:                     memref.prefetch %[[HIGH]][%[[LATER]], %{{.*}}], read, locality<3>, data
// CHECK:                     vector.load %[[LOW]][%[[N]], %{{.*}}] : memref<16x144xi8>, vector<32xi8>
// CHECK:                     vector.load %[[HIGH]][%[[N]], %{{.*}}] : memref<16x72xi8>, vector<16xi8>
// CHECK:                     rotq.unpack #rotq.fixed<3>
// CHECK:                     %[[POINTS:.*]] = rotq.decode
// CHECK:                     %[[EVEN:.*]], %[[ODD:.*]] = vector.deinterleave %[[POINTS]]
// CHECK:                     %[[BIASED:.*]] = arith.xori %[[EVEN]], %[[BIAS]]
// CHECK:                     %[[CODE:.*]] = vector.load %[[CODES]]
// CHECK:                     %[[X:.*]], %{{.*}} = vector.deinterleave %[[CODE]]
// CHECK:                     rotq.dot unsigned %[[BIASED]], %[[X]]
// CHECK-COUNT-7:             rotq.dot unsigned
// CHECK:                     rotq.dot unsigned %[[BIAS]], %[[X]]
// CHECK-COUNT-8:           arith.subi %{{.*}} : vector<16xi32>
// CHECK:                   rotq.unpack #rotq.fixed<3> {{.*}} -> vector<32xi4>
// CHECK:           } else {
// CHECK:             %[[DECODED:.*]] = memref.alloc(%{{.*}}) {alignment = 64 : i64} : memref<?x576xi8>
// CHECK:             scf.for %{{.*}} = %c0 to %c576 step %c64
// CHECK:               vector.store %{{.*}}, %[[DECODED]]
// CHECK:             scf.for %[[M:.*]] = %c0 to %{{.*}} step %c4
// CHECK:               scf.for %{{.*}} = %[[BEGIN]] to %{{.*}} step %c4
// CHECK:                 vector.load %[[DECODED]]
// CHECK-COUNT-20:        rotq.dot unsigned
// CHECK:             memref.dealloc %[[DECODED]]
func.func @quantized(%codes: memref<?x576xi8>, %scales: memref<?x3xf32>, %sums: memref<?x3xi32>,
                     %w: !rotq.weight<16x544, #rotated>, %out: memref<?x16xf32>) {
  rotq.matmul ins(%codes, %scales, %sums : memref<?x576xi8>, memref<?x3xf32>, memref<?x3xi32>)
    group(256) weight(%w : !rotq.weight<16x544, #rotated>) outs(%out : memref<?x16xf32>)
  return
}

// The rotation is undone on decoded rows, those of a range. So little work is
// one range.
// CHECK-LABEL: func.func @float(
// CHECK:         %[[ROWS:.*]] = memref.alloc() {alignment = 64 : i64} : memref<16x96xf32>
// CHECK:         scf.for %[[N:.*]] = %c0 to %c16
// CHECK:           arith.sitofp
// CHECK:           rotq.fwht %{{.*}} block(64) : vector<64xf32>
// CHECK:           rotq.fwht %{{.*}} block(32) : vector<32xf32>
// CHECK:           vector.load %[[ROWS]]
// CHECK:           vector.load %{{.*}} : memref<2x70xf16>, vector<16xf16>
// CHECK:           arith.addf %{{.*}} fastmath<contract>
// CHECK:           arith.truncf
// CHECK:         memref.dealloc %[[ROWS]]
func.func @float(%x: memref<2x70xf16>, %w: !rotq.weight<16x70, #rotq.format<"rq2">>,
                 %out: memref<2x16xf16>) {
  rotq.matmul ins(%x : memref<2x70xf16>) weight(%w : !rotq.weight<16x70, #rotq.format<"rq2">>)
    outs(%out : memref<2x16xf16>)
  return
}

// Rows of a handle are rows of the weight that owns the bytes.
// CHECK-LABEL: func.func @rows(
// CHECK-SAME:    %{{.*}}, %[[W:[a-z0-9]*]]: !rotq.weight<16x64{{.*}}, %[[OFFSET:[a-z0-9]*]]: index
// CHECK:         rotq.storage %[[W]]
// CHECK:         scf.for %[[N:.*]] =
// CHECK:           arith.addi %[[OFFSET]], %[[N]]
func.func @rows(%x: memref<1x64xf32>, %w: !rotq.weight<16x64, #rotq.format<"rq2">>, %i: index,
                %out: memref<1x4xf32>) {
  %r = rotq.extract_rows %w[%i] : !rotq.weight<16x64, #rotq.format<"rq2">> -> !rotq.weight<4x64, #rotq.format<"rq2">>
  rotq.matmul ins(%x : memref<1x64xf32>) weight(%r : !rotq.weight<4x64, #rotq.format<"rq2">>)
    outs(%out : memref<1x4xf32>)
  return
}

// A group is one loop over the rows of all weights, one weight after the other; a
// range has some of each.
// CHECK-LABEL: func.func @grouped(
// CHECK-SAME:    %[[CODES:[a-z0-9]*]]: memref<1x576xi8>, {{.*}}, %[[W:[a-z0-9]*]]: !rotq.weight<576x544, {{.*}}>, %[[V:[a-z0-9]*]]: !rotq.weight<192x544, {{.*}}>, %[[Y:[a-z0-9]*]]: memref<1x576xf32>, %[[Z:[a-z0-9]*]]: memref<1x192xf32>)
// CHECK:         rotq.storage %[[W]]
// CHECK:         rotq.storage %[[V]]
// CHECK-COUNT-1: scf.parallel (%[[BEGIN:.*]]) = (%c0) to (%c768) step (%c8)
// CHECK:           %[[END:.*]] = arith.addi %[[BEGIN]], %c8
// CHECK:           %[[TO:.*]] = arith.minui %[[END]], %c768
// CHECK:           %[[LOW:.*]] = arith.minui %[[BEGIN]], %c576
// CHECK:           %[[HIGH:.*]] = arith.minui %[[TO]], %c576
// CHECK:           %[[HAS:.*]] = arith.cmpi ult, %[[LOW]], %[[HIGH]]
// CHECK:           scf.if %[[HAS]]
// CHECK:             scf.for %[[N:.*]] = %[[LOW]] to
// CHECK:               memref.store %{{.*}}, %[[Y]][%c0, %[[N]]]
// CHECK:           %[[B:.*]] = arith.maxui %[[BEGIN]], %c576
// CHECK:           %[[B1:.*]] = arith.minui %[[B]], %c768
// CHECK:           %[[FIRST:.*]] = arith.subi %[[B1]], %c576
// CHECK:           scf.if
// CHECK:             scf.for %[[M:.*]] = %[[FIRST]] to
// CHECK:               memref.store %{{.*}}, %[[Z]][%c0, %[[M]]]
// CHECK-NOT:     scf.parallel
// CHECK:         return
func.func @grouped(%codes: memref<1x576xi8>, %scales: memref<1x3xf32>, %sums: memref<1x3xi32>,
                   %w: !rotq.weight<576x544, #rotated>, %v: !rotq.weight<192x544, #rotated>,
                   %y: memref<1x576xf32>, %z: memref<1x192xf32>) {
  rotq.grouped_matmul ins(%codes, %scales, %sums : memref<1x576xi8>, memref<1x3xf32>, memref<1x3xi32>)
    group(256) weights(%w, %v : !rotq.weight<576x544, #rotated>, !rotq.weight<192x544, #rotated>)
    outs(%y, %z : memref<1x576xf32>, memref<1x192xf32>)
    {kernels = [#rotq.kernel<host_vector, m = [1, 3], rows = 1, cols = 1, warps = 1>]}
  return
}

// Both sums of an element, of eight rows of each weight; or of rows that were
// decoded once, those of one weight behind those of the other.
// CHECK-LABEL: func.func @pair(
// CHECK:         scf.parallel
// CHECK:           %[[IS_FEW:.*]] = arith.cmpi ult
// CHECK:           scf.if %[[IS_FEW]]
// CHECK:             %[[A:.*]] = vector.extract %{{.*}}[0] : f32 from vector<8xf32>
// CHECK-NEXT:        %[[B:.*]] = vector.extract %{{.*}}[0] : f32 from vector<8xf32>
// CHECK-NEXT:        %[[D:.*]] = arith.subf %[[A]], %[[B]] : f32
// CHECK-NEXT:        memref.store %[[D]]
// CHECK:           } else {
// CHECK:             %[[COUNT:.*]] = arith.subi %[[END:.*]], %[[BEGIN:.*]] : index
// CHECK:             %[[BOTH:.*]] = arith.addi %[[COUNT]], %[[COUNT]]
// CHECK:             %[[DECODED:.*]] = memref.alloc(%[[BOTH]]) {alignment = 64 : i64} : memref<?x576xi8>
// CHECK:             vector.store %{{.*}}, %[[DECODED]][%{{.*}}, %{{.*}}]
// CHECK:             %[[I:.*]] = arith.subi %{{.*}}, %[[BEGIN]]
// CHECK:             %[[ROW:.*]] = arith.addi %[[I]], %[[COUNT]]
// CHECK:             vector.store %{{.*}}, %[[DECODED]][%[[ROW]], %{{.*}}]
// CHECK:             arith.subf
func.func @pair(%codes: memref<?x576xi8>, %scales: memref<?x3xf32>, %sums: memref<?x3xi32>,
                %w: !rotq.weight<16x544, #rotated>, %v: !rotq.weight<16x544, #rotated>, %y: memref<?x16xf32>) {
  rotq.grouped_matmul ins(%codes, %scales, %sums : memref<?x576xi8>, memref<?x3xf32>, memref<?x3xi32>)
    group(256) weights(%w, %v : !rotq.weight<16x544, #rotated>, !rotq.weight<16x544, #rotated>)
    outs(%y : memref<?x16xf32>) epilogue {
  ^bb0(%s: f32, %t: f32):
    %1 = arith.subf %s, %t : f32
    rotq.yield %1 : f32
  }
  return
}

// Where kernels say that there is one row, or few, rows are not decoded for more.
// CHECK-LABEL: func.func @one_row(
// CHECK-NOT:     memref.alloc
// CHECK:         rotq.decode
// CHECK-NOT:     memref.alloc
// CHECK:         return
func.func @one_row(%codes: memref<1x576xi8>, %scales: memref<1x3xf32>, %sums: memref<1x3xi32>,
                   %w: !rotq.weight<16x544, #rotated>, %out: memref<1x16xf32>) {
  rotq.matmul ins(%codes, %scales, %sums : memref<1x576xi8>, memref<1x3xf32>, memref<1x3xi32>)
    group(256) weight(%w : !rotq.weight<16x544, #rotated>) outs(%out : memref<1x16xf32>)
    {kernels = [#rotq.kernel<host_vector, m = [1, 3], rows = 1, cols = 1, warps = 1>]}
  return
}
