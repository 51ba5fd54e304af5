// RUN: quant-opt %s -allow-unregistered-dialect -rotq-fuse-epilogues --remarks-filter="rotq-epilogue" -verify-diagnostics -o /dev/null
// RUN: quant-opt %s -allow-unregistered-dialect -rotq-fuse-epilogues --remarks-filter="rotq-epilogue" --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s

// CHECK: [Missed] FuseEpilogue | Category:rotq-epilogue | Function=transposed | Remark="it reads other elements of the product than it computes"
// CHECK: [Passed] FuseEpilogue | Category:rotq-epilogue | Function=passed | Remark="epilogue of 2 elementwise operations"

#mn = affine_map<(m, n) -> (m, n)>
#nm = affine_map<(m, n) -> (n, m)>
#m = affine_map<(m, n) -> (m)>
!w = !rotq.weight<64x64, #rotq.format<"rq3">>
!y = tensor<64x64xf32>

func.func @transposed(%x: !y, %w: !w, %y: !y) -> !y {
  %0 = rotq.matmul ins(%x : !y) weight(%w : !w) outs(%y : !y) -> !y
  // expected-remark @below {{it reads other elements of the product than it computes}}
  %1 = linalg.transpose ins(%0 : !y) outs(%y : !y) permutation = [1, 0]
  return %1 : !y
}

func.func @other_elements_too(%x: !y, %w: !w, %y: !y) -> !y {
  %0 = rotq.matmul ins(%x : !y) weight(%w : !w) outs(%y : !y) -> !y
  // expected-remark @below {{it reads other elements of the product than it computes}}
  %1 = linalg.generic {indexing_maps = [#mn, #nm, #mn], iterator_types = ["parallel", "parallel"]}
      ins(%0, %0 : !y, !y) outs(%y : !y) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> !y
  return %1 : !y
}

func.func @vector_of_m(%x: !y, %w: !w, %y: !y, %b: tensor<64xf32>) -> !y {
  %0 = rotq.matmul ins(%x : !y) weight(%w : !w) outs(%y : !y) -> !y
  // expected-remark @below {{an operand is neither a vector of N nor an M x N matrix}}
  %1 = linalg.generic {indexing_maps = [#mn, #m, #mn], iterator_types = ["parallel", "parallel"]}
      ins(%0, %b : !y, tensor<64xf32>) outs(%y : !y) {
  ^bb0(%a: f32, %e: f32, %o: f32):
    %s = arith.addf %a, %e : f32
    linalg.yield %s : f32
  } -> !y
  return %1 : !y
}

func.func @scalar(%x: !y, %w: !w, %y: !y, %f: f32) -> !y {
  %0 = rotq.matmul ins(%x : !y) weight(%w : !w) outs(%y : !y) -> !y
  // expected-remark @below {{it is no function of elements alone}}
  %1 = linalg.generic {indexing_maps = [#mn, #mn], iterator_types = ["parallel", "parallel"]}
      ins(%0 : !y) outs(%y : !y) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.mulf %a, %f : f32
    linalg.yield %s : f32
  } -> !y
  return %1 : !y
}

func.func @position(%x: !y, %w: !w, %y: !y) -> !y {
  %0 = rotq.matmul ins(%x : !y) weight(%w : !w) outs(%y : !y) -> !y
  // expected-remark @below {{it is no function of elements alone}}
  %1 = linalg.generic {indexing_maps = [#mn, #mn], iterator_types = ["parallel", "parallel"]}
      ins(%0 : !y) outs(%y : !y) {
  ^bb0(%a: f32, %o: f32):
    %i = linalg.index 0 : index
    %j = arith.index_cast %i : index to i32
    %f = arith.sitofp %j : i32 to f32
    %s = arith.mulf %a, %f : f32
    linalg.yield %s : f32
  } -> !y
  return %1 : !y
}

func.func @runtime_scalar(%x: !y, %w: !w, %y: !y, %f: f32) -> !y {
  %0 = rotq.matmul ins(%x : !y) weight(%w : !w) outs(%y : !y) -> !y
  // expected-remark @below {{it reads a scalar that is no constant}}
  %1 = linalg.generic {indexing_maps = [#mn, affine_map<(m, n) -> ()>, #mn], iterator_types = ["parallel", "parallel"]}
      ins(%0, %f : !y, f32) outs(%y : !y) {
  ^bb0(%a: f32, %e: f32, %o: f32):
    %s = arith.mulf %a, %e : f32
    linalg.yield %s : f32
  } -> !y
  return %1 : !y
}

func.func @integers(%x: !y, %w: !w, %y: !y, %i: tensor<64x64xi32>) -> !y {
  %0 = rotq.matmul ins(%x : !y) weight(%w : !w) outs(%y : !y) -> !y
  // expected-remark @below {{an operand is not of f32, f16 or bf16}}
  %1 = linalg.generic {indexing_maps = [#mn, #mn, #mn], iterator_types = ["parallel", "parallel"]}
      ins(%0, %i : !y, tensor<64x64xi32>) outs(%y : !y) {
  ^bb0(%a: f32, %e: i32, %o: f32):
    %f = arith.sitofp %e : i32 to f32
    %s = arith.mulf %a, %f : f32
    linalg.yield %s : f32
  } -> !y
  return %1 : !y
}

func.func @wide(%x: !y, %w: !w, %y: !y) -> tensor<64x64xf64> {
  %0 = rotq.matmul ins(%x : !y) weight(%w : !w) outs(%y : !y) -> !y
  // expected-remark @below {{its result is not of f32, f16 or bf16}}
  %1 = arith.extf %0 : !y to tensor<64x64xf64>
  return %1 : tensor<64x64xf64>
}

func.func @destination(%x: !y, %w: !w, %y: !y) -> !y {
  %0 = rotq.matmul ins(%x : !y) weight(%w : !w) outs(%y : !y) -> !y
  // expected-remark @below {{it reads nothing of the product}}
  %1 = linalg.negf ins(%y : !y) outs(%0 : !y) -> !y
  return %1 : !y
}

func.func @other_uses(%x: !y, %w: !w, %y: !y) -> (!y, !y) {
  %0 = rotq.matmul ins(%x : !y) weight(%w : !w) outs(%y : !y) -> !y
  // expected-remark @below {{what it reads has other uses}}
  %1 = arith.negf %0 : !y
  return %0, %1 : !y, !y
}

func.func @passed(%x: !y, %w: !w, %y: !y) -> !y {
  // expected-remark @below {{epilogue of 2 elementwise operations}}
  %0 = rotq.matmul ins(%x : !y) weight(%w : !w) outs(%y : !y) -> !y
  %1 = arith.negf %0 : !y
  %2 = arith.negf %1 : !y
  return %2 : !y
}

// Nothing to say where nothing elementwise follows.
func.func @silent(%x: !y, %w: !w, %y: !y) -> !y {
  %0 = rotq.matmul ins(%x : !y) weight(%w : !w) outs(%y : !y) -> !y
  return %0 : !y
}
