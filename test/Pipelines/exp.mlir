// RUN: quant-opt %s --rotq-to-host="threads=false features=host" | FileCheck %s
// RUN: quant-opt %s --rotq-to-host="threads=false" | quant-translate --to=object -o %t.o
// RUN: llvm-nm %t.o | FileCheck %s --check-prefix=OBJECT --implicit-check-not=expf

// exp of f32 and of what is computed in f32 is a polynomial, and no function of
// libm, which would not be vectorized. That of f64 is one.

// The features of this machine, on every function.
// CHECK: llvm.func @softmax{{.*}} attributes {{.*}}target_features = #llvm.target_features<["{{[+-]}}
// CHECK-NOT: llvm.intr.exp(%{{.*}}) : (f32)
// CHECK-NOT: @expf

// OBJECT-DAG: U exp
// OBJECT-DAG: T softmax
func.func @softmax(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %0 = linalg.exp ins(%x : tensor<?x8xf32>) outs(%x : tensor<?x8xf32>) -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

func.func @half(%x: tensor<?x8xf16>) -> tensor<?x8xf16> {
  %0 = linalg.exp ins(%x : tensor<?x8xf16>) outs(%x : tensor<?x8xf16>) -> tensor<?x8xf16>
  return %0 : tensor<?x8xf16>
}

func.func @double(%x: tensor<?x8xf64>) -> tensor<?x8xf64> {
  %0 = linalg.exp ins(%x : tensor<?x8xf64>) outs(%x : tensor<?x8xf64>) -> tensor<?x8xf64>
  return %0 : tensor<?x8xf64>
}
