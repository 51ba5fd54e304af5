// RUN: quant-opt %s | quant-opt | FileCheck %s
// RUN: quant-opt %s --mlir-print-op-generic | quant-opt | FileCheck %s
// RUN: quant-opt %s --emit-bytecode | quant-opt | FileCheck %s

// CHECK-DAG: #rq3 = #rotq.format<"rq3">
// CHECK-DAG: #int4_g128 = #rotq.format<"int4_g128">
// CHECK-DAG: #rq3_rotated = #rotq.format<"rq3_rotated", rotation = #rotq.identity, scale = #rotq.scale<256>, codebook = #rotq.table<3, [-114, -71, -40, -13, 13, 40, 71, 114]>, coding = #rotq.fixed<3>>
#rq3 = #rotq.format<"rq3">
#rq3_rotated = #rotq.format<"rq3_rotated", rotation = #rotq.identity, scale = #rotq.scale<256>,
  codebook = #rotq.table<3, [-114, -71, -40, -13, 13, 40, 71, 114]>, coding = #rotq.fixed<3>>

// CHECK-LABEL: func @weights
func.func @weights(%w: !rotq.weight<8x576, #rq3>, %ids: tensor<?xi32>, %i: index) {
  // CHECK: rotq.constant dense<0> : tensor<52xi8> : <2x32, #rq3>
  %c = rotq.constant dense<0> : tensor<52xi8> : !rotq.weight<2x32, #rq3>
  %s = arith.constant dense<1.0> : tensor<2x32xf16>
  // CHECK: rotq.quantize %{{.*}} : tensor<2x32xf16> -> <2x32, #int4_g128>
  %q = rotq.quantize %s : tensor<2x32xf16> -> !rotq.weight<2x32, #rotq.format<"int4_g128">>
  // CHECK: rotq.rotated_view %{{.*}} : <8x576, #rq3> -> <8x576, #rq3_rotated>
  %v = rotq.rotated_view %w : !rotq.weight<8x576, #rq3> -> !rotq.weight<8x576, #rq3_rotated>
  // CHECK: rotq.extract_rows %{{.*}}[%{{.*}}] : <8x576, #rq3> -> <4x576, #rq3>
  %r = rotq.extract_rows %w[%i] : !rotq.weight<8x576, #rq3> -> !rotq.weight<4x576, #rq3>
  // CHECK: rotq.storage %{{.*}} : <2x32, #rq3> -> memref<52xi8>
  %m = rotq.storage %c : !rotq.weight<2x32, #rq3> -> memref<52xi8>
  %e = tensor.empty() : tensor<8x576xf32>
  // CHECK: rotq.dequantize weight(%{{.*}} : <8x576, #rq3>) outs(%{{.*}} : tensor<8x576xf32>) -> tensor<8x576xf32>
  %d = rotq.dequantize weight(%w : !rotq.weight<8x576, #rq3>) outs(%e : tensor<8x576xf32>) -> tensor<8x576xf32>
  %g = tensor.empty(%i) : tensor<?x576xf16>
  // CHECK: rotq.gather ins(%{{.*}} : tensor<?xi32>) weight(%{{.*}} : <8x576, #rq3>) outs(%{{.*}} : tensor<?x576xf16>) -> tensor<?x576xf16>
  %h = rotq.gather ins(%ids : tensor<?xi32>) weight(%w : !rotq.weight<8x576, #rq3>) outs(%g : tensor<?x576xf16>) -> tensor<?x576xf16>
  return
}

// CHECK-LABEL: func @compressed
func.func @compressed(%b: tensor<?xi8>, %d: tensor<16xi8>, %c: memref<?xi8>, %e: memref<16xi8>) {
  // CHECK: rotq.decompress ins(%{{.*}} : tensor<?xi8>) outs(%{{.*}} : tensor<16xi8>) -> tensor<16xi8>, !rotq.weight<8x576, #hyperquant_rice_4>
  %0, %1 = rotq.decompress ins(%b : tensor<?xi8>) outs(%d : tensor<16xi8>) -> tensor<16xi8>, !rotq.weight<8x576, #rotq.format<"hyperquant_rice_4">>
  // CHECK: rotq.decompress ins(%{{.*}} : memref<?xi8>) outs(%{{.*}} : memref<16xi8>) -> !rotq.weight<8x576, #hyperquant_rice_4>
  %2 = rotq.decompress ins(%c : memref<?xi8>) outs(%e : memref<16xi8>) -> !rotq.weight<8x576, #rotq.format<"hyperquant_rice_4">>
  return
}

// CHECK-LABEL: func @activations
func.func @activations(%x: tensor<?x570xf16>, %m: index) {
  %e = tensor.empty(%m) : tensor<?x576xf32>
  // CHECK: rotq.rotate #rotq.hadamard<256> ins(%{{.*}} : tensor<?x570xf16>) outs(%{{.*}} : tensor<?x576xf32>) -> tensor<?x576xf32>
  %r = rotq.rotate #rotq.hadamard<256> ins(%x : tensor<?x570xf16>) outs(%e : tensor<?x576xf32>) -> tensor<?x576xf32>
  // CHECK: rotq.rotate #rotq.hadamard<256> inverse ins(%{{.*}} : tensor<?x576xf32>) outs(%{{.*}} : tensor<?x570xf16>) -> tensor<?x570xf16>
  %b = rotq.rotate #rotq.hadamard<256> inverse ins(%r : tensor<?x576xf32>) outs(%x : tensor<?x570xf16>) -> tensor<?x570xf16>
  %c = tensor.empty(%m) : tensor<?x576xi8>
  %s = tensor.empty(%m) : tensor<?x5xf32>
  %t = tensor.empty(%m) : tensor<?x5xi32>
  // CHECK: rotq.quantize_activation #rotq.identity group(128) ins(%{{.*}} : tensor<?x570xf16>) outs(%{{.*}}, %{{.*}}, %{{.*}} : tensor<?x576xi8>, tensor<?x5xf32>, tensor<?x5xi32>) -> tensor<?x576xi8>, tensor<?x5xf32>, tensor<?x5xi32>
  %q:3 = rotq.quantize_activation #rotq.identity group(128) ins(%x : tensor<?x570xf16>)
    outs(%c, %s, %t : tensor<?x576xi8>, tensor<?x5xf32>, tensor<?x5xi32>) -> tensor<?x576xi8>, tensor<?x5xf32>, tensor<?x5xi32>
  return
}

// CHECK-LABEL: func @matmul
func.func @matmul(%x: tensor<?x576xf32>, %w: !rotq.weight<8x576, #rq3>, %v: !rotq.weight<8x576, #rq3_rotated>,
                  %c: tensor<?x576xi8>, %s: tensor<?x3xf32>, %t: tensor<?x3xi32>, %y: tensor<?x8xf16>) {
  // CHECK: rotq.matmul ins(%{{.*}} : tensor<?x576xf32>) weight(%{{.*}} : <8x576, #rq3>) outs(%{{.*}} : tensor<?x8xf16>) -> tensor<?x8xf16>
  %0 = rotq.matmul ins(%x : tensor<?x576xf32>) weight(%w : !rotq.weight<8x576, #rq3>) outs(%y : tensor<?x8xf16>) -> tensor<?x8xf16>
  // CHECK: rotq.matmul ins(%{{.*}}, %{{.*}}, %{{.*}} : tensor<?x576xi8>, tensor<?x3xf32>, tensor<?x3xi32>) group(256) weight(%{{.*}} : <8x576, #rq3_rotated>) outs(%{{.*}} : tensor<?x8xf16>)
  // CHECK-SAME: {kernels = [#rotq.kernel<mma_s8, m = [1, 8], rows = 16, cols = 8, warps = 4, split = 2, depth = 3, blocks = 2>, #rotq.kernel<mma_s8, m = [9, 0], rows = 16, cols = 64, warps = 4>]} -> tensor<?x8xf16>
  %1 = rotq.matmul ins(%c, %s, %t : tensor<?x576xi8>, tensor<?x3xf32>, tensor<?x3xi32>) group(256)
    weight(%v : !rotq.weight<8x576, #rq3_rotated>) outs(%y : tensor<?x8xf16>)
    {kernels = [#rotq.kernel<mma_s8, m = [1, 8], rows = 16, cols = 8, warps = 4, split = 2, depth = 3, blocks = 2>, #rotq.kernel<mma_s8, m = [9, 0], rows = 16, cols = 64, warps = 4>]}
    -> tensor<?x8xf16>
  return
}

// CHECK-LABEL: func @grouped_matmul
func.func @grouped_matmul(%x: tensor<?x576xf32>, %w: !rotq.weight<8x576, #rq3>, %w1: !rotq.weight<24x576, #rq3>,
                          %v: !rotq.weight<8x576, #rq3_rotated, tiles>, %c: memref<?x576xi8>, %s: memref<?x3xf32>,
                          %t: memref<?x3xi32>, %y: tensor<?x8xf16>, %y1: tensor<?x24xf16>, %z: memref<?x8xf32>, %z1: memref<?x8xf32>) {
  // CHECK: rotq.grouped_matmul ins(%{{.*}} : tensor<?x576xf32>) weights(%{{.*}}, %{{.*}} : !rotq.weight<8x576, #rq3>, !rotq.weight<24x576, #rq3>)
  // CHECK-SAME: outs(%{{.*}}, %{{.*}} : tensor<?x8xf16>, tensor<?x24xf16>) -> tensor<?x8xf16>, tensor<?x24xf16>
  %0:2 = rotq.grouped_matmul ins(%x : tensor<?x576xf32>) weights(%w, %w1 : !rotq.weight<8x576, #rq3>, !rotq.weight<24x576, #rq3>)
    outs(%y, %y1 : tensor<?x8xf16>, tensor<?x24xf16>) -> tensor<?x8xf16>, tensor<?x24xf16>
  // CHECK: rotq.grouped_matmul ins(%{{.*}}, %{{.*}}, %{{.*}} : memref<?x576xi8>, memref<?x3xf32>, memref<?x3xi32>) group(256)
  // CHECK-SAME: outs(%{{.*}}, %{{.*}} : memref<?x8xf32>, memref<?x8xf32>) {kernels = [#rotq.kernel<mma_s8, m = [1, 0], rows = 16, cols = 8, warps = 4>]}{{$}}
  rotq.grouped_matmul ins(%c, %s, %t : memref<?x576xi8>, memref<?x3xf32>, memref<?x3xi32>) group(256)
    weights(%v, %v : !rotq.weight<8x576, #rq3_rotated, tiles>, !rotq.weight<8x576, #rq3_rotated, tiles>)
    outs(%z, %z1 : memref<?x8xf32>, memref<?x8xf32>) {kernels = [#rotq.kernel<mma_s8, m = [1, 0], rows = 16, cols = 8, warps = 4>]}
  return
}

// CHECK-LABEL: func @memrefs
func.func @memrefs(%x: memref<?x576xf32>, %w: !rotq.weight<8x576, #rq3>, %y: memref<?x8xf32>, %d: memref<8x576xf16>,
                   %ids: memref<?xindex>, %g: memref<?x576xf32>, %c: memref<?x576xi8>, %s: memref<?x3xf32>, %t: memref<?x3xi32>) {
  // CHECK: rotq.matmul ins(%{{.*}} : memref<?x576xf32>) weight(%{{.*}} : <8x576, #rq3>) outs(%{{.*}} : memref<?x8xf32>){{$}}
  rotq.matmul ins(%x : memref<?x576xf32>) weight(%w : !rotq.weight<8x576, #rq3>) outs(%y : memref<?x8xf32>)
  // CHECK: rotq.dequantize weight(%{{.*}} : <8x576, #rq3>) outs(%{{.*}} : memref<8x576xf16>){{$}}
  rotq.dequantize weight(%w : !rotq.weight<8x576, #rq3>) outs(%d : memref<8x576xf16>)
  // CHECK: rotq.gather ins(%{{.*}} : memref<?xindex>) weight(%{{.*}} : <8x576, #rq3>) outs(%{{.*}} : memref<?x576xf32>){{$}}
  rotq.gather ins(%ids : memref<?xindex>) weight(%w : !rotq.weight<8x576, #rq3>) outs(%g : memref<?x576xf32>)
  // CHECK: rotq.rotate #rotq.hadamard<64> ins(%{{.*}} : memref<?x576xf32>) outs(%{{.*}} : memref<?x576xf32>){{$}}
  rotq.rotate #rotq.hadamard<64> ins(%x : memref<?x576xf32>) outs(%g : memref<?x576xf32>)
  // CHECK: rotq.quantize_activation #rotq.hadamard<256> group(256) ins(%{{.*}} : memref<?x576xf32>) outs(%{{.*}}, %{{.*}}, %{{.*}} : memref<?x576xi8>, memref<?x3xf32>, memref<?x3xi32>){{$}}
  rotq.quantize_activation #rotq.hadamard<256> group(256) ins(%x : memref<?x576xf32>)
    outs(%c, %s, %t : memref<?x576xi8>, memref<?x3xf32>, memref<?x3xi32>)
  return
}

// CHECK-LABEL: func @micro
func.func @micro(%lo: vector<4xi32>, %hi: vector<2xi32>, %f: vector<8xf32>, %n: i32, %z: vector<16xi32>, %p: i32) {
  // CHECK: rotq.unpack #rotq.fixed<3> %{{.*}}, %{{.*}} : vector<4xi32>, vector<2xi32> -> vector<64xi4>
  %c = rotq.unpack #rotq.fixed<3> %lo, %hi : vector<4xi32>, vector<2xi32> -> vector<64xi4>
  // CHECK: rotq.unpack #rotq.window<2> %{{.*}}, %{{.*}} : vector<4xi32>, vector<2xi32> -> vector<64xi32>
  %states = rotq.unpack #rotq.window<2> %lo, %hi : vector<4xi32>, vector<2xi32> -> vector<64xi32>
  // CHECK: rotq.unpack #rotq.window<2, 2> %{{.*}}, %{{.*}} : vector<4xi32>, vector<2xi32> -> vector<32xi32>
  %pairs = rotq.unpack #rotq.window<2, 2> %lo, %hi : vector<4xi32>, vector<2xi32> -> vector<32xi32>
  // CHECK: rotq.decode #rotq.table<2, [-127, -38, 38, 127]> %{{.*}} : vector<64xi4> -> vector<64xi8>
  %d = rotq.decode #rotq.table<2, [-127, -38, 38, 127]> %c : vector<64xi4> -> vector<64xi8>
  // CHECK: rotq.fwht %{{.*}} block(256) {lanes = 32 : i64} : vector<8xf32>
  %0 = rotq.fwht %f block(256) {lanes = 32} : vector<8xf32>
  // CHECK: rotq.fwht %{{.*}} block(8) length(%{{.*}}) : vector<8xf32>
  %1 = rotq.fwht %f block(8) length(%n) : vector<8xf32>
  // CHECK: rotq.dot %{{.*}}, %{{.*}}, %{{.*}} : vector<64xi8>, vector<16xi32>
  %2 = rotq.dot %d, %d, %z : vector<64xi8>, vector<16xi32>
  // CHECK: rotq.dot unsigned %{{.*}}, %{{.*}}, %{{.*}} : vector<64xi8>, vector<16xi32>
  %u = rotq.dot unsigned %d, %d, %z : vector<64xi8>, vector<16xi32>
  // CHECK: rotq.dot %{{.*}}, %{{.*}}, %{{.*}} : vector<64xi8>, i32
  %3 = rotq.dot %d, %d, %p : vector<64xi8>, i32
  return
}

// CHECK: func @parameter(%{{.*}}: !rotq.weight<8x576, #rq3> {rotq.parameter = "layers.0.q"})
func.func @parameter(%w: !rotq.weight<8x576, #rq3> {rotq.parameter = "layers.0.q"}) {
  return
}
