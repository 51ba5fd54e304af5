// REQUIRES: ptxas
// Every kernel of every format assembles for every chip, tails in N and K too.
// RUN: quant-opt %s --rotq-quantize-weights=format=rq3 --rotq-to-nvptx=chip=sm_80,sm_89,sm_90a,sm_120a | quant-translate --to=fatbin -o %t.fatbin
// RUN: quant-opt %s --rotq-quantize-weights=format=itq3_s --rotq-to-nvptx=chip=sm_80,sm_89,sm_90a,sm_120a | quant-translate --to=fatbin -o %t.fatbin
// RUN: quant-opt %s --rotq-quantize-weights=format=rq2 --rotq-to-nvptx=chip=sm_80,sm_89,sm_90a,sm_120a | quant-translate --to=fatbin -o %t.fatbin
// RUN: quant-opt %s --rotq-quantize-weights=format=rq4 --rotq-to-nvptx=chip=sm_80,sm_89,sm_90a,sm_120a | quant-translate --to=fatbin -o %t.fatbin
// RUN: quant-opt %s --rotq-quantize-weights=format=int4_g128 --rotq-to-nvptx=chip=sm_80,sm_89,sm_90a,sm_120a | quant-translate --to=fatbin -o %t.fatbin
// RUN: quant-opt %s --rotq-quantize-weights=format=hyperquant_3 --rotq-to-nvptx=chip=sm_80,sm_90a | quant-translate --to=fatbin -o %t.fatbin
// RUN: quant-opt %s --rotq-quantize-weights=format=hyperquant_4 --rotq-to-nvptx=chip=sm_89,sm_120a | quant-translate --to=fatbin -o %t.fatbin
// RUN: quant-opt %s --rotq-quantize-weights=format=rq3 --rotq-to-nvptx="chip=sm_80,sm_89,sm_90a,sm_120a placement=load" | quant-translate --to=fatbin -o %t.fatbin
// RUN: quant-opt %s --rotq-quantize-weights=format=itq3_s --rotq-to-nvptx="chip=sm_80,sm_89,sm_90a,sm_120a placement=load" | quant-translate --to=bundle -o %t.rotqb
// RUN: quant-opt %s --rotq-quantize-weights=format=rq3 --rotq-to-nvptx=chip=sm_90a | quant-translate --to=cubin -o %t.cubin

// A bundle is a safetensors file whose metadata names targets and kernels.
// RUN: FileCheck %s --input-file=%t.rotqb
// CHECK: rotq.bundle
// CHECK-SAME: sm_80{{.*}}sm_120a
// CHECK-SAME: matmul_itq3_s_n77_k4304_mma_f16

func.func @tails(%x: tensor<?x4304xf16>, %w: tensor<77x4304xf16> {rotq.parameter = "w"}) -> tensor<?x77xf16> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f16
  %m = tensor.dim %x, %c0 : tensor<?x4304xf16>
  %empty = tensor.empty(%m) : tensor<?x77xf16>
  %init = linalg.fill ins(%zero : f16) outs(%empty : tensor<?x77xf16>) -> tensor<?x77xf16>
  %y = linalg.matmul
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%x, %w : tensor<?x4304xf16>, tensor<77x4304xf16>) outs(%init : tensor<?x77xf16>) -> tensor<?x77xf16>
  return %y : tensor<?x77xf16>
}
