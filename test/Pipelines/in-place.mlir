// RUN: quant-opt %s --rotq-to-host="in-place threads=false" | FileCheck %s
// RUN: quant-opt %s --rotq-to-host=threads=false | FileCheck %s --check-prefix=COPIES
// RUN: quant-opt %s --rotq-to-host="in-place threads=false reference=true" | FileCheck %s

// Results that are arguments are none, and a cache that goes through a function
// for every layer is copied nowhere.

// CHECK-LABEL: llvm.func @step(
// CHECK-SAME: rotq.parameters = ["", "", "", "", "w"], rotq.signature = (memref<?x8xf32>, index, memref<2x?x8xf32>, memref<?x8xf32>, memref<8xf32>) -> ()}
// CHECK-NOT: memcpy
// CHECK-LABEL: llvm.func internal @layer(
// CHECK-NOT: memcpy

// Without the option they are copies.
// COPIES-LABEL: llvm.func @step(
// COPIES-SAME: rotq.signature = (memref<?x8xf32>, index, memref<2x?x8xf32>, memref<?x8xf32>, memref<8xf32>) -> (memref<?x8xf32>, memref<2x?x8xf32>)}
// COPIES-COUNT-2: memcpy
func.func @step(%x: tensor<?x8xf32>, %position: index, %cache: tensor<2x?x8xf32>, %y: tensor<?x8xf32>, %w: tensor<8xf32> {rotq.parameter = "w"}) -> (tensor<?x8xf32>, tensor<2x?x8xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %0:2 = call @layer(%x, %c0, %position, %cache) : (tensor<?x8xf32>, index, index, tensor<2x?x8xf32>) -> (tensor<?x8xf32>, tensor<2x?x8xf32>)
  %1:2 = call @layer(%0#0, %c1, %position, %0#1) : (tensor<?x8xf32>, index, index, tensor<2x?x8xf32>) -> (tensor<?x8xf32>, tensor<2x?x8xf32>)
  %2 = linalg.generic {indexing_maps = [affine_map<(t, d) -> (t, d)>, affine_map<(t, d) -> (d)>, affine_map<(t, d) -> (t, d)>], iterator_types = ["parallel", "parallel"]}
      ins(%1#0, %w : tensor<?x8xf32>, tensor<8xf32>) outs(%y : tensor<?x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %3 = arith.mulf %a, %b : f32
    linalg.yield %3 : f32
  } -> tensor<?x8xf32>
  return %2, %1#1 : tensor<?x8xf32>, tensor<2x?x8xf32>
}

func.func private @layer(%x: tensor<?x8xf32>, %i: index, %position: index, %cache: tensor<2x?x8xf32>) -> (tensor<?x8xf32>, tensor<2x?x8xf32>) {
  %c0 = arith.constant 0 : index
  %rows = tensor.dim %x, %c0 : tensor<?x8xf32>
  %0 = tensor.insert_slice %x into %cache[%i, %position, 0] [1, %rows, 8] [1, 1, 1] : tensor<?x8xf32> into tensor<2x?x8xf32>
  %seen = tensor.extract_slice %0[%i, 0, 0] [1, %rows, 8] [1, 1, 1] : tensor<2x?x8xf32> to tensor<?x8xf32>
  %e = tensor.empty(%rows) : tensor<?x8xf32>
  %y = linalg.add ins(%x, %seen : tensor<?x8xf32>, tensor<?x8xf32>) outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
  return %y, %0 : tensor<?x8xf32>, tensor<2x?x8xf32>
}

// A function that is called in its own module keeps its result, which is an
// argument to others only.
// CHECK-LABEL: llvm.func @called(
// CHECK-SAME: -> memref<4xf32>}
func.func @called(%a: tensor<4xf32>, %b: tensor<4xf32>) -> tensor<4xf32> {
  %0 = linalg.add ins(%a, %b : tensor<4xf32>, tensor<4xf32>) outs(%a : tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
// CHECK-LABEL: llvm.func @calls(
// CHECK: llvm.call @called(
func.func @calls(%a: tensor<4xf32>, %b: tensor<4xf32>) -> tensor<4xf32> {
  %0 = call @called(%a, %b) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// A result that is no argument stays, beside one that is.
// CHECK-LABEL: llvm.func @one_of_two(
// CHECK-SAME: rotq.signature = (memref<4xf32>, memref<4xf32>) -> memref<4xf32>}
func.func @one_of_two(%a: tensor<4xf32>, %b: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %e = tensor.empty() : tensor<4xf32>
  %0 = linalg.add ins(%a, %b : tensor<4xf32>, tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %1 = linalg.add ins(%0, %b : tensor<4xf32>, tensor<4xf32>) outs(%a : tensor<4xf32>) -> tensor<4xf32>
  return %1, %0 : tensor<4xf32>, tensor<4xf32>
}
