// REQUIRES: quant-run
// RUN: rm -rf %t && mkdir %t
// RUN: python3 %S/Inputs/npy.py make %t/x.npy "<f4" 3x64 1
// RUN: python3 %S/Inputs/npy.py make %t/short.npy "<f4" 3x32 1
// RUN: python3 %S/Inputs/npy.py make %t/half.npy "<f2" 3x64 1
// RUN: python3 %S/Inputs/npy.py make %t/flat.npy "<f4" 192 1

// RUN: not quant-run %s --entry=none --arg=%t/x.npy --out=%t/y.npy 2>&1 | FileCheck %s --check-prefix=ENTRY
// ENTRY: error: expected a function 'none' but the module has none
// RUN: not quant-run %s --entry=f --out=%t/y.npy 2>&1 | FileCheck %s --check-prefix=COUNT
// COUNT: error: expected 1 arguments of 'f' but got 0
// RUN: not quant-run %s --entry=f --arg=%t/short.npy --out=%t/y.npy 2>&1 | FileCheck %s --check-prefix=SHAPE
// SHAPE: error: expected argument 0 of 'f' to be ?x64xf32 but got 3x32xf32
// RUN: not quant-run %s --entry=f --arg=%t/half.npy --out=%t/y.npy 2>&1 | FileCheck %s --check-prefix=TYPE
// TYPE: error: expected argument 0 of 'f' to be ?x64xf32 but got 3x64xf16
// RUN: not quant-run %s --entry=f --arg=%t/flat.npy --out=%t/y.npy 2>&1 | FileCheck %s --check-prefix=RANK
// RANK: error: expected argument 0 of 'f' to be ?x64xf32 but got 192xf32
// RUN: not quant-run %s --entry=f --arg=%t/x.npy 2>&1 | FileCheck %s --check-prefix=OUTPUTS
// OUTPUTS: error: expected 1 --out files for the results but got 0
// RUN: not quant-run %s --entry=f --arg=%t/none.npy --out=%t/y.npy 2>&1 | FileCheck %s --check-prefix=FILE
// FILE: error: cannot read '{{.*}}none.npy':
// RUN: not quant-run %s --entry=f --arg=%s --out=%t/y.npy 2>&1 | FileCheck %s --check-prefix=NOT-NPY
// NOT-NPY: error: cannot read '{{.*}}': expected a .npy file
// RUN: not quant-run %s --pipeline-done --entry=f --arg=%t/x.npy --out=%t/y.npy 2>&1 | FileCheck %s --check-prefix=LOWERED
// LOWERED: error

// RUN: not quant-run %s --entry=f --features=+nonsense --arg=%t/x.npy --out=%t/y.npy 2>&1 | FileCheck %s --check-prefix=FEATURES
// FEATURES: error: expected features of this machine but got '+nonsense'
// RUN: not quant-run %s --entry=scalar --arg=%t/x.npy --out=%t/y.npy 2>&1 | FileCheck %s --check-prefix=SCALAR
// SCALAR: error: expected argument 0 of 'scalar' to be an array but it is f32

// Nothing was written.
// RUN: not ls %t/y.npy

func.func @f(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
  return %x : tensor<?x64xf32>
}

func.func @scalar(%x: f32) -> f32 {
  return %x : f32
}
