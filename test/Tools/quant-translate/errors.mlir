// RUN: not quant-translate --to=ptx %s 2>&1 | FileCheck %s --check-prefix=NONE
// NONE: expected one gpu.module but got 0: run rotq-to-nvptx first

// RUN: echo "gpu.module @k {}" | not quant-translate --to=ptx 2>&1 | FileCheck %s --check-prefix=TARGETS
// TARGETS: expected targets on the gpu.module: run rotq-to-nvptx first
// What a module holds is no part of the error.
// TARGETS-NOT: see current operation

// RUN: echo "gpu.module @k {}" | not quant-translate --to=ptx --chip=sm_120 2>&1 | FileCheck %s --check-prefix=CHIP
// CHIP: unknown target 'sm_120'

// A chip that LLVM itself would abort on.
// RUN: echo 'gpu.module @k [#nvvm.target<chip = "sm_9000">] {}' | not quant-translate --to=ptx 2>&1 | FileCheck %s --check-prefix=WRONG
// WRONG: unknown target 'sm_9000'

// RUN: not quant-translate --to=ptx %t.missing 2>&1 | FileCheck %s --check-prefix=FILE
// FILE: quant-translate: cannot open input file

// RUN: not quant-translate --to=object %s 2>&1 | FileCheck %s --check-prefix=OBJECT
// OBJECT: error
func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
