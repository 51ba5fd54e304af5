// RUN: quant-opt %s -rotq-quantize-weights=format=rq3 | FileCheck %s

#row = affine_map<(t, k) -> (t)>
#column = affine_map<(t, k) -> (k)>
#both = affine_map<(t, k) -> (t, k)>

// A table that is looked up, and is the weight of a product along K.

// CHECK-LABEL: func.func @tied(
// CHECK-SAME: %[[IDS:[a-z0-9]+]]: tensor<?xi32>, %[[W:[a-z0-9]+]]: !rotq.weight<64x32, #rq3> {rotq.parameter = "w"}, %[[E:[a-z0-9]+]]: tensor<?x32xf32>
// CHECK: %[[X:.*]] = rotq.gather ins(%[[IDS]] : tensor<?xi32>) weight(%[[W]] : <64x32, #rq3>) outs(%[[E]] : tensor<?x32xf32>) -> tensor<?x32xf32>
// CHECK: rotq.matmul ins(%[[X]] : tensor<?x32xf32>) weight(%[[W]] :
func.func @tied(%ids: tensor<?xi32>, %w: tensor<64x32xf32> {rotq.parameter = "w"}, %e: tensor<?x32xf32>, %y: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %0 = linalg.generic {indexing_maps = [#row, #both], iterator_types = ["parallel", "parallel"]} ins(%ids : tensor<?xi32>) outs(%e : tensor<?x32xf32>) {
  ^bb0(%id: i32, %out: f32):
    %row = arith.index_cast %id : i32 to index
    %k = linalg.index 1 : index
    %v = tensor.extract %w[%row, %k] : tensor<64x32xf32>
    linalg.yield %v : f32
  } -> tensor<?x32xf32>
  %1 = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
    ins(%0, %w : tensor<?x32xf32>, tensor<64x32xf32>) outs(%y : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %1 : tensor<?x64xf32>
}

// Ids of other types, f16, a number of rows that is known.

// CHECK-LABEL: func.func @types(
// CHECK: rotq.gather ins(%{{.*}} : tensor<4xindex>) {{.*}} -> tensor<4x32xf16>
// CHECK: rotq.gather ins(%{{.*}} : tensor<4xi64>) {{.*}} -> tensor<4x32xf16>
func.func @types(%a: tensor<4xindex>, %b: tensor<4xi64>, %w: tensor<64x32xf16> {rotq.parameter = "w"}, %e: tensor<4x32xf16>) -> (tensor<4x32xf16>, tensor<4x32xf16>) {
  %0 = linalg.generic {indexing_maps = [#row, #both], iterator_types = ["parallel", "parallel"]} ins(%a : tensor<4xindex>) outs(%e : tensor<4x32xf16>) {
  ^bb0(%id: index, %out: f16):
    %k = linalg.index 1 : index
    %v = tensor.extract %w[%id, %k] : tensor<64x32xf16>
    linalg.yield %v : f16
  } -> tensor<4x32xf16>
  %1 = linalg.generic {indexing_maps = [#row, #both], iterator_types = ["parallel", "parallel"]} ins(%b : tensor<4xi64>) outs(%e : tensor<4x32xf16>) {
  ^bb0(%id: i64, %out: f16):
    %row = arith.index_cast %id : i64 to index
    %k = linalg.index 1 : index
    %v = tensor.extract %w[%row, %k] : tensor<64x32xf16>
    linalg.yield %v : f16
  } -> tensor<4x32xf16>
  return %0, %1 : tensor<4x32xf16>, tensor<4x32xf16>
}

// In a private function that a parameter is passed to.

// CHECK-LABEL: func.func @passed(
// CHECK-SAME: !rotq.weight<64x32, #rq3>
// CHECK-LABEL: func.func private @embed(
// CHECK: rotq.gather
func.func @passed(%ids: tensor<4xi32>, %w: tensor<64x32xf32> {rotq.parameter = "w"}) -> tensor<4x32xf32> {
  %0 = call @embed(%ids, %w) : (tensor<4xi32>, tensor<64x32xf32>) -> tensor<4x32xf32>
  return %0 : tensor<4x32xf32>
}
func.func private @embed(%ids: tensor<4xi32>, %w: tensor<64x32xf32>) -> tensor<4x32xf32> {
  %e = tensor.empty() : tensor<4x32xf32>
  %0 = linalg.generic {indexing_maps = [#row, #both], iterator_types = ["parallel", "parallel"]} ins(%ids : tensor<4xi32>) outs(%e : tensor<4x32xf32>) {
  ^bb0(%id: i32, %out: f32):
    %row = arith.index_cast %id : i32 to index
    %k = linalg.index 1 : index
    %v = tensor.extract %w[%row, %k] : tensor<64x32xf32>
    linalg.yield %v : f32
  } -> tensor<4x32xf32>
  return %0 : tensor<4x32xf32>
}

// What is something else stays: half of a row, columns, a row for every column,
// a value that is changed, ids of a type that gathers do not read, f64, ids that
// have no sign.

// CHECK-LABEL: func.func @others(
// CHECK-NOT: rotq.{{(gather|matmul|weight)}}
// CHECK: return
func.func @others(%ids: tensor<4xi32>, %bytes: tensor<4xi8>, %wide: tensor<32xi32>,
                  %w0: tensor<64x32xf32> {rotq.parameter = "w0"}, %w1: tensor<32x32xf32> {rotq.parameter = "w1"}, %w2: tensor<64x32xf32> {rotq.parameter = "w2"},
                  %w3: tensor<64x32xf32> {rotq.parameter = "w3"}, %w4: tensor<64x32xf32> {rotq.parameter = "w4"}, %w5: tensor<64x32xf64> {rotq.parameter = "w5"},
                  %w6: tensor<64x32xf32> {rotq.parameter = "w6"}, %w7: tensor<64x?xf32> {rotq.parameter = "w7"},
                  %half: tensor<4x16xf32>, %e: tensor<4x32xf32>, %d: tensor<4x32xf64>)
    -> (tensor<4x16xf32>, tensor<4x32xf32>, tensor<4x32xf32>, tensor<4x32xf32>, tensor<4x32xf32>, tensor<4x32xf64>, tensor<4x32xf32>, tensor<4x32xf32>) {
  %0 = linalg.generic {indexing_maps = [#row, #both], iterator_types = ["parallel", "parallel"]} ins(%ids : tensor<4xi32>) outs(%half : tensor<4x16xf32>) {
  ^bb0(%id: i32, %out: f32):
    %row = arith.index_cast %id : i32 to index
    %k = linalg.index 1 : index
    %v = tensor.extract %w0[%row, %k] : tensor<64x32xf32>
    linalg.yield %v : f32
  } -> tensor<4x16xf32>
  %1 = linalg.generic {indexing_maps = [#row, #both], iterator_types = ["parallel", "parallel"]} ins(%ids : tensor<4xi32>) outs(%e : tensor<4x32xf32>) {
  ^bb0(%id: i32, %out: f32):
    %row = arith.index_cast %id : i32 to index
    %k = linalg.index 1 : index
    %v = tensor.extract %w1[%k, %row] : tensor<32x32xf32>
    linalg.yield %v : f32
  } -> tensor<4x32xf32>
  %2 = linalg.generic {indexing_maps = [#column, #both], iterator_types = ["parallel", "parallel"]} ins(%wide : tensor<32xi32>) outs(%e : tensor<4x32xf32>) {
  ^bb0(%id: i32, %out: f32):
    %row = arith.index_cast %id : i32 to index
    %k = linalg.index 1 : index
    %v = tensor.extract %w2[%row, %k] : tensor<64x32xf32>
    linalg.yield %v : f32
  } -> tensor<4x32xf32>
  %3 = linalg.generic {indexing_maps = [#row, #both], iterator_types = ["parallel", "parallel"]} ins(%ids : tensor<4xi32>) outs(%e : tensor<4x32xf32>) {
  ^bb0(%id: i32, %out: f32):
    %row = arith.index_cast %id : i32 to index
    %k = linalg.index 1 : index
    %v = tensor.extract %w3[%row, %k] : tensor<64x32xf32>
    %s = arith.addf %v, %out : f32
    linalg.yield %s : f32
  } -> tensor<4x32xf32>
  %4 = linalg.generic {indexing_maps = [#row, #both], iterator_types = ["parallel", "parallel"]} ins(%bytes : tensor<4xi8>) outs(%e : tensor<4x32xf32>) {
  ^bb0(%id: i8, %out: f32):
    %row = arith.index_cast %id : i8 to index
    %k = linalg.index 1 : index
    %v = tensor.extract %w4[%row, %k] : tensor<64x32xf32>
    linalg.yield %v : f32
  } -> tensor<4x32xf32>
  %5 = linalg.generic {indexing_maps = [#row, #both], iterator_types = ["parallel", "parallel"]} ins(%ids : tensor<4xi32>) outs(%d : tensor<4x32xf64>) {
  ^bb0(%id: i32, %out: f64):
    %row = arith.index_cast %id : i32 to index
    %k = linalg.index 1 : index
    %v = tensor.extract %w5[%row, %k] : tensor<64x32xf64>
    linalg.yield %v : f64
  } -> tensor<4x32xf64>
  %6 = linalg.generic {indexing_maps = [#row, #both], iterator_types = ["parallel", "parallel"]} ins(%ids : tensor<4xi32>) outs(%e : tensor<4x32xf32>) {
  ^bb0(%id: i32, %out: f32):
    %row = arith.index_castui %id : i32 to index
    %k = linalg.index 1 : index
    %v = tensor.extract %w6[%row, %k] : tensor<64x32xf32>
    linalg.yield %v : f32
  } -> tensor<4x32xf32>
  %7 = linalg.generic {indexing_maps = [#row, #both], iterator_types = ["parallel", "parallel"]} ins(%ids : tensor<4xi32>) outs(%e : tensor<4x32xf32>) {
  ^bb0(%id: i32, %out: f32):
    %row = arith.index_cast %id : i32 to index
    %k = linalg.index 1 : index
    %v = tensor.extract %w7[%row, %k] : tensor<64x?xf32>
    linalg.yield %v : f32
  } -> tensor<4x32xf32>
  return %0, %1, %2, %3, %4, %5, %6, %7 : tensor<4x16xf32>, tensor<4x32xf32>, tensor<4x32xf32>, tensor<4x32xf32>, tensor<4x32xf32>, tensor<4x32xf64>, tensor<4x32xf32>, tensor<4x32xf32>
}
