// RUN: quant-opt %s -split-input-file -verify-diagnostics

// expected-error @below {{expected the hadamard block to be a power of two from 32 to 4096 but got 0}}
func.func private @f() attributes {a = #rotq.hadamard<0>}

// -----

// expected-error @below {{expected the hadamard block to be a power of two from 32 to 4096 but got 16}}
func.func private @f() attributes {a = #rotq.hadamard<16>}

// -----

// expected-error @below {{expected the hadamard block to be a power of two from 32 to 4096 but got 100}}
func.func private @f() attributes {a = #rotq.hadamard<100>}

// -----

// expected-error @below {{expected the hadamard block to be a power of two from 32 to 4096 but got 8192}}
func.func private @f() attributes {a = #rotq.hadamard<8192>}

// -----

// expected-error @below {{expected the scale group to be a power of two from 32 to 4096 but got 31}}
func.func private @f() attributes {a = #rotq.scale<31>}

// -----

// expected-error @below {{expected the scale group to be a power of two from 32 to 4096 but got 8192}}
func.func private @f() attributes {a = #rotq.scale<8192>}

// -----

// expected-error @below {{expected 'offset'}}
func.func private @f() attributes {a = #rotq.scale<32, zero>}

// -----

// expected-error @below {{expected codes of 1 to 4 bits but got 5}}
func.func private @f() attributes {a = #rotq.table<5, [-1, 1]>}

// -----

// expected-error @below {{expected codes of 1 to 4 bits but got 0}}
func.func private @f() attributes {a = #rotq.table<0, [-1, 1]>}

// -----

// expected-error @below {{expected 2 to 2 levels for codes of 1 bits but got 3}}
func.func private @f() attributes {a = #rotq.table<1, [-1, 0, 1]>}

// -----

// expected-error @below {{expected 2 to 4 levels for codes of 2 bits but got 1}}
func.func private @f() attributes {a = #rotq.table<2, [0]>}

// -----

// expected-error @below {{expected 2 to 4 levels for codes of 2 bits but got 0}}
func.func private @f() attributes {a = #rotq.table<2, []>}

// -----

// expected-error @below {{expected strictly rising levels but got 1 after 1}}
func.func private @f() attributes {a = #rotq.table<2, [-1, 1, 1]>}

// -----

// expected-error @below {{expected a level from -128 to 127 but got 128}}
func.func private @f() attributes {a = #rotq.table<2, [-1, 128]>}

// -----

// expected-error @below {{expected codes of 1 to 4 bits but got 8}}
func.func private @f() attributes {a = #rotq.fixed<8>}

// -----

// expected-error-re @below {{expected a format among rq3, {{.*}} but got "rq9"}}
func.func private @f() attributes {a = #rotq.format<"rq9">}

// -----

// expected-error @below {{expected a format to have a name}}
func.func private @f() attributes {a = #rotq.format<"", rotation = #rotq.identity, scale = #rotq.scale<32>, codebook = #rotq.table<1, [-1, 1]>, coding = #rotq.fixed<1>>}

// -----

// expected-error @below {{expected a coding of 1 bits, as the codebook has, but got 2}}
func.func private @f() attributes {a = #rotq.format<"x", rotation = #rotq.identity, scale = #rotq.scale<32>, codebook = #rotq.table<1, [-1, 1]>, coding = #rotq.fixed<2>>}

// -----

// expected-error @below {{expected a rotation but got #rotq.fixed<1>}}
func.func private @f() attributes {a = #rotq.format<"x", rotation = #rotq.fixed<1>, scale = #rotq.scale<32>, codebook = #rotq.table<1, [-1, 1]>, coding = #rotq.fixed<1>>}

// -----

// expected-error @below {{expected a codebook but got #rotq.fixed<1>}}
func.func private @f() attributes {a = #rotq.format<"x", rotation = #rotq.identity, scale = #rotq.scale<32>, codebook = #rotq.fixed<1>, coding = #rotq.fixed<1>>}

// -----

// expected-error @below {{expected a coding but got 1 : i64}}
func.func private @f() attributes {a = #rotq.format<"x", rotation = #rotq.identity, scale = #rotq.scale<32>, codebook = #rotq.table<1, [-1, 1]>, coding = 1>}

// -----

// expected-error @below {{expected 'scale'}}
func.func private @f() attributes {a = #rotq.format<"x", rotation = #rotq.identity, codebook = #rotq.fixed<1>>}

// -----

// expected-error @below {{unknown kernel kind 'wgmma'}}
func.func private @f() attributes {a = #rotq.kernel<wgmma, m = [1, 0], rows = 1, cols = 1, warps = 1>}

// -----

// expected-error @below {{expected a range of M from 1 upward but got [0, 4]}}
func.func private @f() attributes {a = #rotq.kernel<mma_s8, m = [0, 4], rows = 16, cols = 8, warps = 1>}

// -----

// expected-error @below {{expected a range of M from 1 upward but got [4, 3]}}
func.func private @f() attributes {a = #rotq.kernel<mma_s8, m = [4, 3], rows = 16, cols = 8, warps = 1>}

// -----

// expected-error @below {{expected a tile from 1 x 1 to 256 x 256 but got 0 x 1}}
func.func private @f() attributes {a = #rotq.kernel<host_vector, m = [1, 0], rows = 0, cols = 1, warps = 1>}

// -----

// Rows times warps would be 2^64.
// expected-error @below {{expected a tile from 1 x 1 to 256 x 256 but got 4611686018427387904 x 8}}
func.func private @f() attributes {a = #rotq.kernel<mma_f16, m = [1, 0], rows = 4611686018427387904, cols = 8, warps = 4>}

// -----

// expected-error @below {{expected a tile from 1 x 1 to 256 x 256 but got 1 x 257}}
func.func private @f() attributes {a = #rotq.kernel<host_vector, m = [1, 0], rows = 1, cols = 257, warps = 4>}

// -----

// expected-error @below {{expected 1 to 32 warps but got 33}}
func.func private @f() attributes {a = #rotq.kernel<host_vector, m = [1, 0], rows = 1, cols = 1, warps = 33>}

// -----

// expected-error @below {{expected an mma tile in multiples of 16 x 8 but got 8 x 8}}
func.func private @f() attributes {a = #rotq.kernel<mma_s8, m = [1, 0], rows = 8, cols = 8, warps = 4>}

// -----

// expected-error @below {{expected an mma tile in multiples of 16 x 8 but got 16 x 4}}
func.func private @f() attributes {a = #rotq.kernel<mma_f16, m = [1, 0], rows = 16, cols = 4, warps = 4>}

// -----

// expected-error @below {{expected a depth from 1 to 8 tiles but got 9}}
func.func private @f() attributes {a = #rotq.kernel<mma_s8, m = [1, 0], rows = 16, cols = 8, warps = 4, depth = 9>}

// -----

// expected-error @below {{expected 0 to 32 blocks a multiprocessor but got 33}}
func.func private @f() attributes {a = #rotq.kernel<mma_s8, m = [1, 0], rows = 16, cols = 8, warps = 4, blocks = 33>}

// -----

// expected-error @below {{unknown field 'lanes'}}
func.func private @f() attributes {a = #rotq.kernel<mma_s8, m = [1, 0], rows = 16, cols = 8, warps = 4, lanes = 2>}

// -----

// expected-error @below {{expected 2 to 8 stages of a kernel of 8 bits, or none of another kernel, but got 1}}
func.func private @f() attributes {a = #rotq.kernel<mma_s8, m = [1, 0], rows = 16, cols = 8, warps = 4, stages = 1>}

// -----

// expected-error @below {{expected 2 to 8 stages of a kernel of 8 bits, or none of another kernel, but got 9}}
func.func private @f() attributes {a = #rotq.kernel<wgmma_s8, m = [33, 0], rows = 16, cols = 8, warps = 4, stages = 9>}

// -----

// expected-error @below {{expected 2 to 8 stages of a kernel of 8 bits, or none of another kernel, but got 0}}
func.func private @f() attributes {a = #rotq.kernel<wgmma_s8, m = [33, 0], rows = 16, cols = 8, warps = 4>}

// -----

// expected-error @below {{expected 2 to 8 stages of a kernel of 8 bits, or none of another kernel, but got 2}}
func.func private @f() attributes {a = #rotq.kernel<mma_f16, m = [1, 0], rows = 16, cols = 8, warps = 4, stages = 2>}

// -----

// expected-error @below {{expected no split of mma.sync and no depth in a staged kernel but got 2 and 1}}
func.func private @f() attributes {a = #rotq.kernel<mma_s8, m = [1, 0], rows = 16, cols = 8, warps = 4, split = 2, stages = 2>}

// -----

// expected-error @below {{expected no split of mma.sync and no depth in a staged kernel but got 1 and 2}}
func.func private @f() attributes {a = #rotq.kernel<wgmma_s8, m = [33, 0], rows = 16, cols = 8, warps = 4, depth = 2, stages = 2>}

// -----

// expected-error @below {{expected a wgmma kernel of more than 32 rows, whose codes are interleaved, but got them from 32}}
func.func private @f() attributes {a = #rotq.kernel<wgmma_s8, m = [32, 0], rows = 16, cols = 16, warps = 4, stages = 2>}

// -----

// expected-error @below {{expected a split that divides the 2 warpgroups but got 4}}
func.func private @f() attributes {a = #rotq.kernel<wgmma_s8, m = [33, 0], rows = 16, cols = 16, warps = 8, split = 4, stages = 2>}

// -----

// expected-error @below {{expected 8, 24 or a multiple of 16 columns in a wgmma kernel but got 40}}
func.func private @f() attributes {a = #rotq.kernel<wgmma_s8, m = [33, 0], rows = 16, cols = 40, warps = 4, stages = 2>}

// -----

// expected-error @below {{expected warpgroups of 4 warps in a wgmma kernel but got 6 warps}}
func.func private @f() attributes {a = #rotq.kernel<wgmma_s8, m = [33, 0], rows = 16, cols = 32, warps = 6, stages = 2>}

// -----

// expected-error @below {{expected one of [canonical, tiles] for where the bytes of a weight lie, got: rows}}
func.func private @f(!rotq.weight<32x32, #rotq.format<"rq3">, rows>)

// -----

// expected-error @below {{expected N and K from 1 to 2^31 - 1 but got 0 x 32}}
func.func private @f(!rotq.weight<0x32, #rotq.format<"rq3">>)

// -----

// expected-error @below {{expected N and K from 1 to 2^31 - 1 but got 32 x 0}}
func.func private @f(!rotq.weight<32x0, #rotq.format<"rq3">>)

// -----

// expected-error @below {{expected N and K from 1 to 2^31 - 1 but got 2147483648 x 32}}
func.func private @f(!rotq.weight<2147483648x32, #rotq.format<"rq3">>)

// -----

// expected-error @below {{expected N and K from 1 to 2^31 - 1 but got 32 x 2147483648}}
func.func private @f(!rotq.weight<32x2147483648, #rotq.format<"rq3">>)

// -----

// expected-error @below {{expected a weight of shape N x K but got 1 dimensions}}
func.func private @f(!rotq.weight<32, #rotq.format<"rq3">>)

// -----

// expected-error @below {{expected a weight of shape N x K but got 3 dimensions}}
func.func private @f(!rotq.weight<4x4x4, #rotq.format<"rq3">>)

// -----

// expected-error @below {{expected static shape}}
func.func private @f(!rotq.weight<?x32, #rotq.format<"rq3">>)

// -----

// expected-error @below {{invalid dimension}}
func.func private @f(!rotq.weight<99999999999999999999x32, #rotq.format<"rq3">>)

// -----

// expected-error @below {{expected a coding of 2 weights a code, as the codebook has, but got 1}}
func.func private @f() attributes {a = #rotq.format<"x", rotation = #rotq.identity, scale = #rotq.scale<row>, codebook = #rotq.grid<4, 2, "ff01fefe010102020101010101010101010101010101010101010101010101ff">, coding = #rotq.field<4, 1>>}

// -----

// expected-error @below {{expected a coding for a table codebook but got field}}
func.func private @f() attributes {a = #rotq.format<"x", rotation = #rotq.identity, scale = #rotq.scale<32>, codebook = #rotq.table<1, [-1, 1]>, coding = #rotq.field<1, 1>>}

// -----

// expected-error @below {{expected points in hexadecimal}}
func.func private @f() attributes {a = #rotq.grid<2, 1, "0g">}

// -----

// expected-error @below {{expected points in hexadecimal}}
func.func private @f() attributes {a = #rotq.grid<2, 1, "1c03f7f">}

// -----

// expected-error @below {{expected 4 coordinates for codes of 2 bits but got 3}}
func.func private @f() attributes {a = #rotq.grid<2, 1, "81c03f">}

// -----

// expected-error @below {{expected magnitudes from 1 to 127 but got 0}}
func.func private @f() attributes {a = #rotq.grid<3, 2 signs, "10400010">}

// -----

// expected-error @below {{expected points of 1, 2 or 4 dimensions but got 3}}
func.func private @f() attributes {a = #rotq.grid<3, 3, "">}

// -----

// expected-error @below {{expected codes of 3 to 16 bits but got 2}}
func.func private @f() attributes {a = #rotq.grid<2, 2 signs, "">}

// -----

// expected-error @below {{expected codes that fill bytes but got 4 of 3 bits in 32 weights}}
func.func private @f() attributes {a = #rotq.field<3, 8>}

// -----

// expected-error @below {{expected codes of 1 to 64 bits but got 65}}
func.func private @f() attributes {a = #rotq.field<65, 8>}

// -----

// expected-error @below {{expected codes of 1, 2, 4 or 8 weights but got 3}}
func.func private @f() attributes {a = #rotq.field<8, 3>}

// -----

// expected-error @below {{expected 8 or 16 as q but got 7}}
func.func private @f() attributes {a = #rotq.voronoi<7, [4, 5, 6, 8]>}

// -----

// expected-error @below {{expected 4 multipliers but got 3}}
func.func private @f() attributes {a = #rotq.voronoi<8, [4, 5, 6]>}

// -----

// expected-error @below {{expected multipliers that rise from 1 to 31 but got 0 after 0}}
func.func private @f() attributes {a = #rotq.voronoi<8, [0, 5, 6, 8]>}

// -----

// expected-error @below {{expected multipliers that rise from 1 to 31 but got 5 after 5}}
func.func private @f() attributes {a = #rotq.voronoi<8, [4, 5, 5, 8]>}

// -----

// expected-error @below {{expected multipliers that rise from 1 to 31 but got 32 after 6}}
func.func private @f() attributes {a = #rotq.voronoi<16, [4, 5, 6, 32]>}

// -----

// expected-error @below {{expected a multiplier from -128 to 127 but got 128}}
func.func private @f() attributes {a = #rotq.voronoi<8, [4, 5, 6, 128]>}

// -----

// expected-error @below {{expected a coding of 26 bits, as the codebook has, but got 34}}
func.func private @f() attributes {a = #rotq.format<"x", rotation = #rotq.identity, scale = #rotq.scale<row>, codebook = #rotq.voronoi<8, [4, 5, 6, 8]>, coding = #rotq.field<34, 8>>}

// -----

// expected-error @below {{expected codes that fill bytes but got 4 of 33 bits in 32 weights}}
func.func private @f() attributes {a = #rotq.field<33, 8>}

// -----

// expected-error @below {{expected a trellis of 1 to 8 bits a weight but got 9}}
func.func private @f() attributes {a = #rotq.trellis<9, 1, 0>}

// -----

// expected-error @below {{expected windows of 1 to 8 bits a weight but got 0}}
func.func private @f() attributes {a = #rotq.window<0>}

// -----

// expected-error @below {{expected windows of 1 to 4 bits a weight but got 5}}
func.func private @f() attributes {a = #rotq.window<5, 2>}

// -----

// expected-error @below {{expected windows for 1 or 2 weights but got 4}}
func.func private @f() attributes {a = #rotq.window<2, 4>}

// -----

// expected-error @below {{expected a trellis of pairs of 1 to 4 bits a weight but got 5}}
func.func private @f() attributes {a = #rotq.pair_trellis<5, 1, 592, "00">}

// -----

// expected-error @below {{expected a deviation of 1 to 32767 sixteenths but got 0}}
func.func private @f() attributes {a = #rotq.pair_trellis<2, 1, 0, "00">}

// -----

// expected-error @below {{expected 1024 coordinates of pairs but got 1}}
func.func private @f() attributes {a = #rotq.pair_trellis<2, 1, 592, "00">}

// -----

// expected-error @below {{expected a window coding of 3 bits a weight, as the trellis has, but got 2}}
func.func private @f() attributes {a = #rotq.format<"x", rotation = #rotq.identity, scale = #rotq.scale<row>, codebook = #rotq.trellis<3, 1, 0>, coding = #rotq.window<2>>}

// -----

// expected-error @below {{expected a scale for a row, as circles of 256 weights need, but got groups of 128}}
func.func private @f() attributes {a = #rotq.format<"x", rotation = #rotq.identity, scale = #rotq.scale<128>, codebook = #rotq.trellis<3, 1, 0>, coding = #rotq.window<3>>}

// -----

// expected-error @below {{expected a coding of 2 bits, as the codebook has, but got 16}}
func.func private @f() attributes {a = #rotq.format<"x", rotation = #rotq.identity, scale = #rotq.scale<row>, codebook = #rotq.grid<2, 1, "81c03f7f">, coding = #rotq.window<2>>}

// -----

// expected-error @below {{expected vectors of 4 or 8 dimensions but got 2}}
func.func private @f() attributes {a = #rotq.frame<2, 24, "28000028">}

// -----

// expected-error @below {{expected 1 to 24 vectors of 4 coordinates but got 6 coordinates}}
func.func private @f() attributes {a = #rotq.frame<4, 24, "280000000028">}

// -----

// expected-error @below {{expected magnitudes that add up to 127 at most but got 128 in dimension 0}}
func.func private @f() attributes {a = #rotq.frame<4, 24, "4000000040404000">}

// -----

// expected-error @below {{expected a deviation of 1 to 2032 sixteenths but got 0}}
func.func private @f() attributes {a = #rotq.frame<4, 0, "28000000">}

// -----

// expected-error @below {{expected vectors in hexadecimal}}
func.func private @f() attributes {a = #rotq.frame<4, 24, "2800000x">}

// -----

// expected-error @below {{expected at most 16 vectors behind those along an axis but got 17 behind 0}}
func.func private @f() attributes {a = #rotq.frame<4, 24, "0101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101">}

// -----

// expected-error @below {{expected an mma_b1 kernel of at most 16 rows but got [1, 17]}}
func.func private @f() attributes {a = #rotq.kernel<mma_b1, m = [1, 17], rows = 16, cols = 8, warps = 4>}

// -----

// expected-error @below {{expected an mma_b1 kernel of at most 2 rows but got [1, 4]}}
func.func private @f() attributes {a = #rotq.kernel<mma_b1, m = [1, 4], rows = 16, cols = 2, warps = 4>}

// -----

// expected-error @below {{expected an mma tile in multiples of 16 x 8 but got 16 x 3}}
func.func private @f() attributes {a = #rotq.kernel<mma_b1, m = [1, 3], rows = 16, cols = 3, warps = 4>}

// -----

// expected-error @below {{expected vectors of 4 or 8 dimensions but got -4}}
func.func private @f() attributes {a = #rotq.frame<-4, 24, "10101010">}

// -----

// expected-error @below {{expected 1 to 24 vectors of 4 coordinates but got 0 coordinates}}
func.func private @f() attributes {a = #rotq.frame<4, 24, "">}

// -----

// expected-error @below {{expected 1 to 24 vectors of 4 coordinates but got 100 coordinates}}
func.func private @f() attributes {a = #rotq.frame<4, 24, "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000">}

// -----

// expected-error @below {{expected vectors in hexadecimal}}
func.func private @f() attributes {a = #rotq.frame<4, 24, "1010101">}

// -----

// expected-error @below {{expected a deviation of 1 to 2032 sixteenths but got 2033}}
func.func private @f() attributes {a = #rotq.frame<4, 2033, "10000000">}

// -----

// expected-error @below {{expected a coding of 4 weights a code, as the codebook has, but got 8}}
func.func private @f() attributes {a = #rotq.format<"x", rotation = #rotq.identity, scale = #rotq.scale<row>, codebook = #rotq.frame<4, 24, "1000000000100000">, coding = #rotq.field<2, 8>>}

// -----

// expected-error @below {{expected an mma_b1 kernel of at most 16 rows but got [1, 0]}}
func.func private @f() attributes {a = #rotq.kernel<mma_b1, m = [1, 0], rows = 16, cols = 8, warps = 1>}

// -----

// expected-error @below {{expected 2 to 8 stages of a kernel of 8 bits, or none of another kernel, but got 2}}
func.func private @f() attributes {a = #rotq.kernel<mma_b1, m = [1, 1], rows = 16, cols = 1, warps = 1, stages = 2>}

// -----

// expected-error @below {{expected a deviation of 1 to 400 sixteenths but got 401}}
func.func private @f() attributes {a = #rotq.lattice<401>}

// -----

// expected-error @below {{expected a coding of 26 bits, as the codebook has, but got 64}}
func.func private @f() attributes {a = #rotq.format<"x", rotation = #rotq.identity, scale = #rotq.scale<row>, codebook = #rotq.voronoi<8, [4, 5, 6, 8]>, coding = #rotq.rice>}
