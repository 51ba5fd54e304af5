// RUN: quant-opt %s --rotq-quantize-weights --rotq-plan-host | quant-translate --to=kernels -o %t.json
// RUN: %python -c "import json; [print(json.dumps(row)) for row in json.load(open('%t.json'))]" | FileCheck %s

// RUN: quant-opt %s --rotq-quantize-weights | not quant-translate --to=kernels 2>&1 | FileCheck %s --check-prefix=PLAN
// RUN: quant-opt %s --rotq-quantize-weights --rotq-to-host=threads=false | not quant-translate --to=kernels 2>&1 | FileCheck %s --check-prefix=LOWERED
// PLAN: error: 'rotq.matmul' op expected kernels: run rotq-plan-host first
// LOWERED: error: expected a module with public functions that rotq-plan-host planned

// A row for every kernel; of two calls, for the weight of each.
// CHECK:      {"activation": "i8", "epilogue": ["addf"], "format": "rq3", "function": "many", "kernel": "host_vector_r1c1w1", "m": [1, 3], "shape": [16, 256], "weight": "a"}
// CHECK-NEXT: {"activation": "i8", "epilogue": ["addf"], "format": "rq3", "function": "many", "kernel": "host_vector_r1c4w1", "m": [4, null], "shape": [16, 256], "weight": "a"}
// CHECK-NEXT: {{.*}}"function": "many"{{.*}}"m": [1, 3]{{.*}}"weight": "b"}
// CHECK-NEXT: {{.*}}"function": "many"{{.*}}"m": [4, null]{{.*}}"weight": "b"}
// CHECK-NEXT: {{.*}}"epilogue": [], {{.*}}"function": "one", "kernel": "host_vector_r1c1w1", "m": [1, 3], "shape": [32, 64], "weight": "c"}
// CHECK-NOT:  {{.}}

func.func @many(%x: tensor<?x256xf32>, %a: tensor<16x256xf32> {rotq.parameter = "a"}, %b: tensor<16x256xf32> {rotq.parameter = "b"},
                %y: tensor<?x16xf32>) -> tensor<?x16xf32> {
  %0 = call @linear(%x, %a, %y) : (tensor<?x256xf32>, tensor<16x256xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %1 = call @linear(%x, %b, %0) : (tensor<?x256xf32>, tensor<16x256xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  return %1 : tensor<?x16xf32>
}

// y + x W^T
func.func private @linear(%x: tensor<?x256xf32>, %w: tensor<16x256xf32>, %y: tensor<?x16xf32>) -> tensor<?x16xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %m = tensor.dim %x, %c0 : tensor<?x256xf32>
  %empty = tensor.empty(%m) : tensor<?x16xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x16xf32>) -> tensor<?x16xf32>
  %0 = linalg.matmul
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%x, %w : tensor<?x256xf32>, tensor<16x256xf32>) outs(%init : tensor<?x16xf32>) -> tensor<?x16xf32>
  %1 = linalg.add ins(%0, %y : tensor<?x16xf32>, tensor<?x16xf32>) outs(%empty : tensor<?x16xf32>) -> tensor<?x16xf32>
  return %1 : tensor<?x16xf32>
}

func.func @one(%x: tensor<1x64xf32>, %c: tensor<32x64xf32> {rotq.parameter = "c"}, %y: tensor<1x32xf32>) -> tensor<1x32xf32> {
  %zero = arith.constant 0.0 : f32
  %init = linalg.fill ins(%zero : f32) outs(%y : tensor<1x32xf32>) -> tensor<1x32xf32>
  %0 = linalg.matmul
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%x, %c : tensor<1x64xf32>, tensor<32x64xf32>) outs(%init : tensor<1x32xf32>) -> tensor<1x32xf32>
  return %0 : tensor<1x32xf32>
}
