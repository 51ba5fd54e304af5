// RUN: quant-opt %s --rotq-quantize-weights=include=q --rotq-to-host="in-place threads=false" | quant-translate --to=interface -o %t.json
// RUN: FileCheck %s --input-file=%t.json
// RUN: %python -m json.tool %t.json > /dev/null

// RUN: rm -f %t.none
// RUN: not quant-translate --to=interface %s -o %t.none 2>&1 | FileCheck %s --check-prefix=LOWERED
// RUN: not ls %t.none
// LOWERED: error: expected a module with public functions that rotq-to-host lowered

// CHECK:      {
// CHECK-NEXT:  "linear": {
// CHECK-NEXT:   "arguments": [
// CHECK-NEXT:    {
// CHECK-NEXT:     "shape": [
// CHECK-NEXT:      null,
// CHECK-NEXT:      256
// CHECK-NEXT:     ],
// CHECK-NEXT:     "type": "f32"
// CHECK-NEXT:    },
// CHECK-NEXT:    {
// CHECK-NEXT:     "parameter": "q\"*/ {{.*}}",
// CHECK-NEXT:     "shape": [
// CHECK-NEXT:      {{[0-9]+}}
// CHECK-NEXT:     ],
// CHECK-NEXT:     "type": "i8"
// CHECK-NEXT:    },
// CHECK-NEXT:    {
// CHECK-NEXT:     "parameter": "bias",
// CHECK-NEXT:     "shape": [
// CHECK-NEXT:      16
// CHECK-NEXT:     ],
// CHECK-NEXT:     "type": "f32"
// CHECK-NEXT:    },
// CHECK-NEXT:    {
// CHECK-NEXT:     "shape": [
// CHECK-NEXT:      null,
// CHECK-NEXT:      16
// CHECK-NEXT:     ],
// CHECK-NEXT:     "type": "f32"
// CHECK-NEXT:    },
// CHECK-NEXT:    {
// CHECK-NEXT:     "type": "index"
// CHECK-NEXT:    }
// CHECK-NEXT:   ],
// CHECK-NEXT:   "results": []
// CHECK-NEXT:  }
// CHECK-NEXT: }

// The name of the weight is no UTF-8: JSON has it with a replacement.
func.func @linear(%x: tensor<?x256xf32>, %w: tensor<16x256xf32> {rotq.parameter = "q\22*/ \FF"}, %b: tensor<16xf32> {rotq.parameter = "bias"},
                  %e: tensor<?x16xf32>, %n: index) -> tensor<?x16xf32> {
  %zero = arith.constant 0.0 : f32
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<?x16xf32>) -> tensor<?x16xf32>
  %0 = linalg.matmul
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%x, %w : tensor<?x256xf32>, tensor<16x256xf32>) outs(%init : tensor<?x16xf32>) -> tensor<?x16xf32>
  %1 = call @bias(%0, %b) : (tensor<?x16xf32>, tensor<16xf32>) -> tensor<?x16xf32>
  return %1 : tensor<?x16xf32>
}

func.func private @bias(%x: tensor<?x16xf32>, %b: tensor<16xf32>) -> tensor<?x16xf32> {
  %0 = linalg.generic {indexing_maps = [affine_map<(m, n) -> (n)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
      ins(%b : tensor<16xf32>) outs(%x : tensor<?x16xf32>) {
  ^bb0(%a: f32, %o: f32):
    %1 = arith.addf %a, %o : f32
    linalg.yield %1 : f32
  } -> tensor<?x16xf32>
  return %0 : tensor<?x16xf32>
}
