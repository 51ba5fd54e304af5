// RUN: quant-opt %s --pass-pipeline='builtin.module(gpu.module(convert-rotq-micro-to-nvvm,canonicalize,cse))' | FileCheck %s

gpu.module @kernels {
  // Two masks and shifts a nibble word: the low plane gives bits 0 and 1, the
  // high plane bit 2.
  // CHECK-LABEL: func @unpack_3_bits
  //   CHECK-NOT: rotq.unpack
  //       CHECK: arith.andi
  //       CHECK: arith.ori {{.*}} : vector<8xi32>
  //       CHECK: vector.bitcast {{.*}} : vector<8xi32> to vector<64xi4>
  func.func @unpack_3_bits(%lo: vector<4xi32>, %hi: vector<2xi32>) -> vector<64xi4> {
    %0 = rotq.unpack #rotq.fixed<3> %lo, %hi : vector<4xi32>, vector<2xi32> -> vector<64xi4>
    return %0 : vector<64xi4>
  }

  // A table of four bytes or eight: one PRMT for four codes. Levels -120, -36,
  // 36, 120 are bytes 88 dc 24 78, the word 0x7824dc88.
  // CHECK-LABEL: func @decode_4_levels
  // ptxas must not know that it is a constant: it would keep it in a uniform
  // register, and copy it for every PRMT.
  //   CHECK-DAG: %[[TABLE_WORD:.*]] = arith.constant 2015681672 : i32
  //   CHECK-DAG: %[[LANES:.*]] = nvvm.read.ptx.sreg.lanemask.lt
  //       CHECK: %[[ZERO:.*]] = arith.andi %[[LANES]],
  //       CHECK: %[[TABLE:.*]] = arith.xori %[[ZERO]], %[[TABLE_WORD]]
  // CHECK-COUNT-8: nvvm.prmt <default> %{{.*}}, %[[TABLE]], %[[TABLE]] : i32
  //   CHECK-NOT: nvvm.prmt
  func.func @decode_4_levels(%codes: vector<32xi4>) -> vector<32xi8> {
    %0 = rotq.decode #rotq.table<2, [-120, -36, 36, 120]> %codes : vector<32xi4> -> vector<32xi8>
    return %0 : vector<32xi8>
  }

  // CHECK-LABEL: func @decode_8_levels
  // CHECK-COUNT-8: nvvm.prmt
  //   CHECK-NOT: nvvm.prmt
  func.func @decode_8_levels(%codes: vector<32xi4>) -> vector<32xi8> {
    %0 = rotq.decode #rotq.table<3, [-114, -71, -40, -13, 13, 40, 71, 114]> %codes : vector<32xi4> -> vector<32xi8>
    return %0 : vector<32xi8>
  }

  // Sixteen: both halves and a choice between them.
  // CHECK-LABEL: func @decode_16_levels
  // CHECK-COUNT-24: nvvm.prmt
  //   CHECK-NOT: nvvm.prmt
  func.func @decode_16_levels(%codes: vector<32xi4>) -> vector<32xi8> {
    %0 = rotq.decode #rotq.table<4, [-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7]> %codes : vector<32xi4> -> vector<32xi8>
    return %0 : vector<32xi8>
  }

  // CHECK-LABEL: func @dot_scalar
  //       CHECK: %[[FIRST:.*]] = nvvm.dot.accumulate.4way {{.*}} <signed>, {{.*}} <signed>, %arg2
  //       CHECK: %[[SECOND:.*]] = nvvm.dot.accumulate.4way {{.*}}, %[[FIRST]]
  //       CHECK: return %[[SECOND]]
  func.func @dot_scalar(%a: vector<8xi8>, %b: vector<8xi8>, %acc: i32) -> i32 {
    %0 = rotq.dot %a, %b, %acc : vector<8xi8>, i32
    return %0 : i32
  }

  // CHECK-LABEL: func @dot_vector
  // CHECK-COUNT-2: nvvm.dot.accumulate.4way
  //       CHECK: vector.from_elements
  func.func @dot_vector(%a: vector<8xi8>, %b: vector<8xi8>, %acc: vector<2xi32>) -> vector<2xi32> {
    %0 = rotq.dot %a, %b, %acc : vector<8xi8>, vector<2xi32>
    return %0 : vector<2xi32>
  }

  // Three strides within a lane's eight values, five across the warp.
  // CHECK-LABEL: func @fwht_256
  // CHECK-COUNT-3: arith.addf {{.*}} : vector<4xf32>
  //       CHECK: nvvm.read.ptx.sreg.laneid
  // CHECK-COUNT-40: gpu.shuffle xor
  //   CHECK-NOT: gpu.shuffle
  func.func @fwht_256(%v: vector<8xf32>) -> vector<8xf32> {
    %0 = rotq.fwht %v block(256) {lanes = 32} : vector<8xf32>
    return %0 : vector<8xf32>
  }

  // Two f16 values a shuffle, and lengths that end the strides early.
  // CHECK-LABEL: func @fwht_tail
  //       CHECK: arith.cmpi sgt, %arg1, %{{.*}} : i32
  //       CHECK: arith.select
  // CHECK-COUNT-4: gpu.shuffle xor
  //   CHECK-NOT: gpu.shuffle
  func.func @fwht_tail(%v: vector<8xf16>, %length: i32) -> vector<8xf16> {
    %0 = rotq.fwht %v block(16) length(%length) {lanes = 4} : vector<8xf16>
    return %0 : vector<8xf16>
  }
  // Lattice points by arithmetic alone: sums of coordinates, of lengths and of a
  // parity by dp4a, the longest residual of eight by maxima.
  // CHECK-LABEL: func @decode_lattice
  //   CHECK-NOT: rotq.
  //   CHECK-NOT: llvm.load
  // CHECK-COUNT-4: nvvm.dot.accumulate.4way
  // CHECK-COUNT-4: nvvm.dot.accumulate.4way
  // CHECK-COUNT-7: arith.maxui %{{.*}}, %{{.*}} : vector<4xi32>
  // CHECK-COUNT-4: nvvm.dot.accumulate.4way
  //   CHECK-NOT: llvm.load
  //       CHECK: vector.bitcast {{.*}} : vector<8xi32> to vector<32xi8>
  func.func @decode_lattice(%low: vector<4xi32>, %high: vector<1xi32>) -> vector<32xi8> {
    %0 = rotq.unpack #rotq.field<34, 8> %low, %high : vector<4xi32>, vector<1xi32> -> vector<4xi64>
    %1 = rotq.decode #rotq.voronoi<16, [3, 4, 5, 7]> %0 : vector<4xi64> -> vector<32xi8>
    return %1 : vector<32xi8>
  }

  // Two codes of a word; the sums of the bytes of their hashes, of which a byte
  // of each is a point.
  // CHECK-LABEL: func.func @decode_trellis
  //   CHECK-NOT: rotq.
  //       CHECK: arith.muli %{{.*}}, %{{.*}} : vector<32xi32>
  // CHECK-COUNT-32: nvvm.dot.accumulate.4way
  //   CHECK-NOT: nvvm.dot.accumulate.4way
  // CHECK-COUNT-8: nvvm.prmt
  //   CHECK-NOT: nvvm.prmt
  //       CHECK: vector.bitcast {{.*}} : vector<8xi32> to vector<32xi8>
  func.func @decode_trellis(%words: vector<2xi32>, %before: vector<1xi32>) -> vector<32xi8> {
    %0 = rotq.unpack #rotq.window<2> %words, %before : vector<2xi32>, vector<1xi32> -> vector<32xi32>
    %1 = rotq.decode #rotq.trellis<2, 2212286765, 0> %0 : vector<32xi32> -> vector<32xi8>
    return %1 : vector<32xi8>
  }
}
