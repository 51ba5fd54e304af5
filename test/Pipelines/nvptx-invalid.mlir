// RUN: not quant-opt %s --rotq-to-nvptx 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: not quant-opt %s --rotq-to-nvptx=chip=sm_120 2>&1 | FileCheck %s --check-prefix=SM120
// RUN: not quant-opt %s --rotq-to-nvptx=chip=sm_90a,host 2>&1 | FileCheck %s --check-prefix=HOST
// RUN: not quant-opt %s --rotq-to-nvptx=chips=sm_90a 2>&1 | FileCheck %s --check-prefix=OPTION
// RUN: not quant-opt %s '--rotq-to-nvptx=chip=sm_90a,sm_80 operand=e4m3' 2>&1 | FileCheck %s --check-prefix=E4M3

// NONE: rotq-to-nvptx: expected a chip, such as chip=sm_90a
// SM120: rotq-to-nvptx: unknown target 'sm_120' (known: host, {{.*}}sm_120a; did you mean 'sm_120a'?)
// HOST: rotq-to-nvptx: 'host' is not a GPU
// OPTION: no such option chips
// E4M3: rotq-to-nvptx: 'sm_80' has no products of e4m3, which operand=e4m3 needs (sm_89 and later do)
module {}
