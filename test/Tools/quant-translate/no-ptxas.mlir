// Without ptxas there is one clear error and no file.
// RUN: rm -f %t.cubin
// RUN: env CUDA_HOME=/nonexistent not quant-translate --to=cubin --chip=sm_90a %s -o %t.cubin 2>&1 | FileCheck %s
// RUN: not ls %t.cubin
// CHECK: cannot find 'ptxas': install the CUDA toolkit or set CUDA_HOME
gpu.module @k {}
