// A host object that a C program could link: the function and its C interface.
// RUN: quant-opt %s --rotq-quantize-weights=format=rq3 --rotq-to-host | quant-translate --to=object -o %t.o
// RUN: llvm-nm %t.o | FileCheck %s
// CHECK-DAG: T _mlir_ciface_linear
// CHECK-DAG: T linear
// What is private stays in the object: two of them can be linked.
// RUN: llvm-nm %t.o | FileCheck %s --check-prefix=PRIVATE
// PRIVATE-NOT: {{[TW]}} {{.*(hidden|dealloc_helper)}}

// A target the compiler does not know is an error and no file.
// RUN: rm -f %t.none.o
// RUN: quant-opt %s --rotq-quantize-weights=format=rq3 --rotq-to-host | not quant-translate --to=object -mcpu=nonsense -o %t.none.o 2>&1 | FileCheck %s --check-prefix=CPU
// RUN: not ls %t.none.o
// RUN: quant-opt %s --rotq-quantize-weights=format=rq3 --rotq-to-host | not quant-translate --to=object -mattr=+avx2,+nonsense -o %t.none.o 2>&1 | FileCheck %s --check-prefix=FEATURE
// CPU: unknown host cpu 'nonsense'
// FEATURE: unknown host feature '+nonsense', expected +name or -name

// Instructions of a feature that the module was lowered for, without -mattr.
// RUN: quant-opt %s --rotq-quantize-weights=format=rq3 --rotq-to-host=features=+ssse3,+avx512vl,+avx512vnni -o %t.vnni.mlir
// RUN: FileCheck %s --check-prefix=VNNI --input-file=%t.vnni.mlir
// RUN: quant-translate --to=object %t.vnni.mlir -o %t.vnni.o
// VNNI: llvm.func @linear
// VNNI-SAME: target_features = #llvm.target_features<["+ssse3", "+avx512vl", "+avx512vnni"]>
// VNNI: vpdpbusd
func.func @linear(%x: tensor<4x256xf32>, %w: tensor<16x256xf32> {rotq.parameter = "w"}) -> tensor<4x16xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4x16xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x16xf32>) -> tensor<4x16xf32>
  %y = linalg.matmul
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%x, %w : tensor<4x256xf32>, tensor<16x256xf32>) outs(%init : tensor<4x16xf32>) -> tensor<4x16xf32>
  return %y : tensor<4x16xf32>
}

func.func @calls(%x: tensor<4x16xf32>) -> tensor<4x16xf32> {
  %0 = call @hidden(%x) : (tensor<4x16xf32>) -> tensor<4x16xf32>
  %1 = call @hidden(%0) : (tensor<4x16xf32>) -> tensor<4x16xf32>
  return %1 : tensor<4x16xf32>
}
func.func private @hidden(%x: tensor<4x16xf32>) -> tensor<4x16xf32> {
  %e = tensor.empty() : tensor<4x16xf32>
  %0 = linalg.exp ins(%x : tensor<4x16xf32>) outs(%e : tensor<4x16xf32>) -> tensor<4x16xf32>
  return %0 : tensor<4x16xf32>
}
