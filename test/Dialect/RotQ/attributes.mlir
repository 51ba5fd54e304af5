// RUN: quant-opt %s -split-input-file | FileCheck %s

// A preset is its name, whether it was spelled out or not.
// CHECK: attributes {a = #rq2, b = #rq2, c = #rq4, d = #itq3_s}
func.func private @presets() attributes {
  a = #rotq.format<"rq2">,
  b = #rotq.format<"rq2", rotation = #rotq.hadamard<256>, scale = #rotq.scale<256>,
                   codebook = #rotq.table<2, [-120, -36, 36, 120]>, coding = #rotq.fixed<2>>,
  c = #rotq.format<"rq4">,
  d = #rotq.format<"itq3_s">
}

// -----

// The name of a preset with other parts is another format.
// CHECK: #rq2 = #rotq.format<"rq2", rotation = #rotq.hadamard<128>, scale = #rotq.scale<256, offset>, codebook = #rotq.table<2, [-120, -36, 36, 120]>, coding = #rotq.fixed<2>>
func.func private @named() attributes {
  a = #rotq.format<"rq2", rotation = #rotq.hadamard<128>, scale = #rotq.scale<256, offset>,
                   codebook = #rotq.table<2, [-120, -36, 36, 120]>, coding = #rotq.fixed<2>>
}

// -----

// Names are strings: anything goes.
// CHECK: #rotq.format<"a \22b\22", rotation = #rotq.identity
func.func private @quoted() attributes {
  a = #rotq.format<"a \"b\"", rotation = #rotq.identity, scale = #rotq.scale<32>,
                   codebook = #rotq.table<1, [-128, 127]>, coding = #rotq.fixed<1>>
}

// -----

// Points of a lattice, and codes of more than a word.
// CHECK: attributes {a = #hyperquant_3, b = #hyperquant_4, c = #mine}
func.func private @voronoi() attributes {
  a = #rotq.format<"hyperquant_3", rotation = #rotq.hadamard<256>, scale = #rotq.scale<row>,
                   codebook = #rotq.voronoi<8, [4, 5, 6, 8]>, coding = #rotq.field<26, 8>>,
  b = #rotq.format<"hyperquant_4">,
  c = #rotq.format<"mine", rotation = #rotq.identity, scale = #rotq.scale<32>,
                   codebook = #rotq.voronoi<16, [1, 2, 3, 31]>, coding = #rotq.field<34, 8>>
}

// Lattice points that archives compress, and that are fields otherwise.
// CHECK: attributes {a = #hyperquant_rice_3, b = #mine1}
func.func private @lattice() attributes {
  a = #rotq.format<"hyperquant_rice_3", rotation = #rotq.hadamard<256>, scale = #rotq.scale<row>,
                   codebook = #rotq.lattice<57>, coding = #rotq.rice>,
  b = #rotq.format<"mine", rotation = #rotq.identity, scale = #rotq.scale<64>,
                   codebook = #rotq.lattice<100>, coding = #rotq.field<64, 8>>
}

// Signed sums of vectors: a preset's, and one's own.
// CHECK: attributes {a = #liftquant_w16, b = #own, c = #rotq.kernel<mma_b1, m = [1, 2], rows = 32, cols = 2, warps = 8, split = 8, depth = 2>}
func.func private @frame() attributes {
  a = #rotq.format<"liftquant_w16">,
  b = #rotq.format<"own", rotation = #rotq.identity, scale = #rotq.scale<row>,
                   codebook = #rotq.frame<4, 24, "28000000002800000000280000000028f0f0f01008f808f8">,
                   coding = #rotq.field<6, 4>>,
  c = #rotq.kernel<mma_b1, m = [1, 2], rows = 32, cols = 2, warps = 8, split = 8, depth = 2>
}
