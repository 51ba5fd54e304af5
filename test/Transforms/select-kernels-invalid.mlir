// RUN: not quant-opt %s -rotq-select-kernels=target=sm_120 2>&1 | FileCheck %s --check-prefix=NEAR
// RUN: not quant-opt %s -rotq-select-kernels=target=gfx942 2>&1 | FileCheck %s --check-prefix=FAR
// RUN: not quant-opt %s -rotq-select-kernels=target=sm_70 2>&1 | FileCheck %s --check-prefix=OLD

// NEAR: error: unknown target 'sm_120' (known: host, sm_80, sm_86, sm_89, sm_90, sm_90a, sm_120a; did you mean 'sm_120a'?)
// FAR: error: unknown target 'gfx942' (known: host, sm_80, sm_86, sm_89, sm_90, sm_90a, sm_120a)
// OLD: error: unknown target 'sm_70' (known: host, sm_80, sm_86, sm_89, sm_90, sm_90a, sm_120a)

func.func @f() {
  return
}
