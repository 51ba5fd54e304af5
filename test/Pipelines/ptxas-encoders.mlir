// REQUIRES: ptxas
// Encoders assemble, and what reads a weight of 7 or 8 bits.
// RUN: sed s/FORMAT/\"trellis2\"/ %s | quant-opt --rotq-to-nvptx=chip=sm_80,sm_90a,sm_120a | quant-translate --to=fatbin -o %t.fatbin
// RUN: sed s/FORMAT/\"trellis3\"/ %s | quant-opt --rotq-to-nvptx=chip=sm_80,sm_90a | quant-translate --to=fatbin -o %t.fatbin
// RUN: sed s/FORMAT/\"trellis4\"/ %s | quant-opt --rotq-to-nvptx=chip=sm_80,sm_90a | quant-translate --to=fatbin -o %t.fatbin
// RUN: sed s/FORMAT/\"trellis2v\"/ %s | quant-opt --rotq-to-nvptx=chip=sm_80,sm_90a | quant-translate --to=fatbin -o %t.fatbin
// RUN: sed s/FORMAT/\"trellis3v\"/ %s | quant-opt --rotq-to-nvptx=chip=sm_80,sm_90a | quant-translate --to=fatbin -o %t.fatbin
// RUN: sed "s/FORMAT/\"mine\", rotation = #rotq.hadamard<256>, scale = #rotq.scale<row>, codebook = #rotq.trellis<7, 2212286765, 0>, coding = #rotq.window<7>/" %s | quant-opt --rotq-to-nvptx=chip=sm_80,sm_90a | quant-translate --to=fatbin -o %t.fatbin
// RUN: sed "s/FORMAT/\"mine\", rotation = #rotq.hadamard<256>, scale = #rotq.scale<row>, codebook = #rotq.trellis<8, 2212286765, 0>, coding = #rotq.window<8>/" %s | quant-opt --rotq-to-nvptx=chip=sm_80,sm_90a | quant-translate --to=fatbin -o %t.fatbin

#format = #rotq.format<FORMAT>
func.func @f(%x: tensor<?x300xf16>, %v: tensor<70x300xbf16>) -> tensor<?x70xf32> {
  %c0 = arith.constant 0 : index
  %m = tensor.dim %x, %c0 : tensor<?x300xf16>
  %e = tensor.empty(%m) : tensor<?x70xf32>
  %w = rotq.quantize %v : tensor<70x300xbf16> -> !rotq.weight<70x300, #format>
  %y = rotq.matmul ins(%x : tensor<?x300xf16>) weight(%w : <70x300, #format>) outs(%e : tensor<?x70xf32>) -> tensor<?x70xf32>
  return %y : tensor<?x70xf32>
}
