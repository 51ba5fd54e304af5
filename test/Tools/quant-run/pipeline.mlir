// REQUIRES: quant-run
// A model's function: a parameter by name, elementwise ops of other dialects,
// and a bad option.
// RUN: rm -rf %t && mkdir %t
// RUN: python3 %S/Inputs/npy.py make %t/x.npy "<f4" 1x64 1
// RUN: python3 %S/Inputs/npy.py make %t/w.npy "|u1" 144 "255*128" "0,56*8"
// RUN: quant-run %s --entry=f --arg=%t/x.npy --arg=%t/w.npy --out=%t/y.npy 2>&1 | count 0
// RUN: python3 %S/Inputs/npy.py show %t/y.npy | FileCheck %s
// CHECK: <f4 (1, 8) 1.0 1.0
// RUN: not quant-run %s --options="placement=moon" --entry=f 2>&1 | FileCheck %s --check-prefix=OPTION
// OPTION: moon

#flat = #rotq.format<"flat", rotation = #rotq.identity, scale = #rotq.scale<64>,
                     codebook = #rotq.table<2, [-120, -36, 36, 120]>,
                     coding = #rotq.fixed<2>>
#map = affine_map<(d0, d1) -> (d0, d1)>

func.func @f(%x: tensor<1x64xf32>, %w: !rotq.weight<8x64, #flat> {rotq.parameter = "layer.weight"}) -> tensor<1x8xf32> {
  %e = tensor.empty() : tensor<1x8xf32>
  %y = rotq.matmul ins(%x : tensor<1x64xf32>) weight(%w : !rotq.weight<8x64, #flat>)
    outs(%e : tensor<1x8xf32>) -> tensor<1x8xf32>
  %z = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]}
      ins(%y : tensor<1x8xf32>) outs(%e : tensor<1x8xf32>) {
  ^bb0(%a: f32, %b: f32):
    %t = math.tanh %a : f32
    linalg.yield %t : f32
  } -> tensor<1x8xf32>
  return %z : tensor<1x8xf32>
}
