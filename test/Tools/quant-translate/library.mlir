// A shared library that exports what C calls, and finds libomp by itself.
// REQUIRES: clang
// RUN: quant-opt %s --rotq-to-host > %t.mlir
// RUN: env CC=%clang quant-translate --to=library %t.mlir -o %t.so
// RUN: llvm-nm -D --defined-only %t.so | FileCheck %s --check-prefix=SYMBOLS
// RUN: llvm-readelf -d %t.so | FileCheck %s --check-prefix=NEEDED
// RUN: %python -c "import ctypes; ctypes.CDLL('%t.so')._mlir_ciface_scale"

// SYMBOLS: T _mlir_ciface_scale
// SYMBOLS: T rotq_scale_missing_feature
// NEEDED-DAG: NEEDED{{.*}}[libomp.so
// NEEDED-DAG: RUNPATH

// It says what of a CPU it needs: nothing that is missing here, and what no CPU
// has had since 2019.
// RUN: quant-opt %s --rotq-to-host=features=host | quant-translate --to=library --mcpu=host -o %t.host.so
// RUN: quant-opt %s --rotq-to-host=features=+xop | quant-translate --to=library -o %t.xop.so
// RUN: %python -c "from ctypes import *; [(setattr(f, 'restype', c_char_p), print(f())) for f in (CDLL(n).rotq_scale_missing_feature for n in ('%t.host.so', '%t.xop.so'))]" | FileCheck %s --check-prefix=CPU
// CPU:      None
// CPU-NEXT: {{sse4a|xop}}

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
