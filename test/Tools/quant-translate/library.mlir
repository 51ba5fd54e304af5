// A shared library that exports what C calls, and finds libomp by itself.
// REQUIRES: clang
// RUN: quant-opt %s --rotq-to-host > %t.mlir
// RUN: env CC=%clang quant-translate --to=library %t.mlir -o %t.so
// RUN: llvm-nm -D --defined-only %t.so | FileCheck %s --check-prefix=SYMBOLS
// RUN: llvm-readelf -d %t.so | FileCheck %s --check-prefix=NEEDED
// RUN: %python -c "import ctypes; ctypes.CDLL('%t.so')._mlir_ciface_scale"

// SYMBOLS: T _mlir_ciface_scale
// NEEDED-DAG: NEEDED{{.*}}[libomp.so
// NEEDED-DAG: RUNPATH

// Without a compiler, or with one that fails, there is one error and no file.
// RUN: rm -f %t.none.so
// RUN: env CC=%t.missing not quant-translate --to=library %t.mlir -o %t.none.so 2>&1 | FileCheck %s --check-prefix=COMPILER
// COMPILER: error: cannot find a C compiler to link with: install clang-22 or set CC
// RUN: env CC=false not quant-translate --to=library %t.mlir -o %t.none.so 2>&1 | FileCheck %s --check-prefix=LINKING
// LINKING: error: linking failed
// RUN: not quant-translate --to=library %s -o %t.none.so 2>&1 | FileCheck %s --check-prefix=LOWERED
// LOWERED: error
// RUN: not ls %t.none.so
func.func @scale(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %0 = linalg.exp ins(%x : tensor<?x64xf32>) outs(%x : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}
