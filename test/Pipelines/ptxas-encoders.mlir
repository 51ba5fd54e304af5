// REQUIRES: ptxas
// Encoders assemble.
// RUN: sed s/FORMAT/trellis2/ %s | quant-opt --rotq-to-nvptx=chip=sm_80,sm_90a,sm_120a | quant-translate --to=fatbin -o %t.fatbin
// RUN: sed s/FORMAT/trellis3/ %s | quant-opt --rotq-to-nvptx=chip=sm_80,sm_90a | quant-translate --to=fatbin -o %t.fatbin
// RUN: sed s/FORMAT/trellis4/ %s | quant-opt --rotq-to-nvptx=chip=sm_80,sm_90a | quant-translate --to=fatbin -o %t.fatbin
// RUN: sed s/FORMAT/trellis2v/ %s | quant-opt --rotq-to-nvptx=chip=sm_80,sm_90a | quant-translate --to=fatbin -o %t.fatbin
// RUN: sed s/FORMAT/trellis3v/ %s | quant-opt --rotq-to-nvptx=chip=sm_80,sm_90a | quant-translate --to=fatbin -o %t.fatbin

func.func @f(%x: tensor<7x300xbf16>) -> !rotq.weight<7x300, #rotq.format<"FORMAT">> {
  %w = rotq.quantize %x : tensor<7x300xbf16> -> !rotq.weight<7x300, #rotq.format<"FORMAT">>
  return %w : !rotq.weight<7x300, #rotq.format<"FORMAT">>
}
