// RUN: quant-opt %s --convert-rotq-micro-to-nvvm --split-input-file | FileCheck %s

// A table of 64 words: 32 copies of each, of which a thread of 128 stores four
// at a time and loads for that ahead of everything; a lane reads its own.
// CHECK: llvm.mlir.global internal constant @[[TABLE:rotq_table_[0-9a-f]+]]
// CHECK: llvm.mlir.global internal @[[TABLE]]_shared() {addr_space = 3 : i32, alignment = 128 : i64} : !llvm.array<2048 x i32>
// CHECK-LABEL: gpu.func @copies
// CHECK-COUNT-4: llvm.load %{{.*}} {alignment = 4 : i64} : !llvm.ptr<1> -> i32
// CHECK-COUNT-4: llvm.store %{{.*}}, %{{.*}} {alignment = 16 : i64} : vector<4xi32>, !llvm.ptr<3>
//     CHECK-NOT: llvm.store
//         CHECK: gpu.barrier
//    CHECK-NEXT: nvvm.griddepcontrol wait
//         CHECK: %[[LANE:.*]] = nvvm.read.ptx.sreg.laneid
//         CHECK: %[[COPY:.*]] = arith.andi %[[LANE]], %c31_i32
//         CHECK: %[[OWN:.*]] = arith.muli %[[COPY]], %c4_i32
//         CHECK: %[[WORD:.*]] = arith.muli %{{.*}}, %c128_i32
//         CHECK: %[[BYTES:.*]] = arith.ori %[[WORD]], %[[OWN]]
//         CHECK: %[[AT:.*]] = llvm.getelementptr %{{.*}}[%[[BYTES]]] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i8
//         CHECK: llvm.load %[[AT]] {alignment = 4 : i64} : !llvm.ptr<3> -> i32
gpu.module @kernels {
  gpu.func @copies(%codes: vector<32xi32>, %to: !llvm.ptr<1>) kernel attributes {known_block_size = array<i32: 128, 1, 1>} {
    nvvm.griddepcontrol wait
    %0 = rotq.decode #rotq.grid<6, 1, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"> %codes : vector<32xi32> -> vector<32xi8>
    llvm.store %0, %to : vector<32xi8>, !llvm.ptr<1>
    gpu.return
  }
}

// -----

// 512 entries of 16 bits lie two in a word: 1, of the other half, above 0.
// CHECK: llvm.mlir.global internal constant @{{.*}}(dense<65536> : tensor<256xi32>)
// CHECK: llvm.mlir.global internal @rotq_table_{{.*}}_shared() {{.*}} : !llvm.array<8192 x i32>
// CHECK-LABEL: gpu.func @halves
// 96 threads are not enough for the last turn.
//         CHECK: arith.minui
//         CHECK: scf.if
//         CHECK: gpu.barrier
//         CHECK: %[[WORD:.*]] = arith.andi %[[INDEX:.*]], %c255_i32
//         CHECK: %[[HIGH:.*]] = arith.shrui %[[INDEX]], %c8_i32
//         CHECK: arith.muli %[[HIGH]], %c2_i32
//         CHECK: arith.muli %[[WORD]], %c128_i32
// CHECK-COUNT-32: llvm.load %{{.*}} {alignment = 2 : i64} : !llvm.ptr<3> -> i16
gpu.module @kernels {
  gpu.func @halves(%codes: vector<32xi32>, %to: !llvm.ptr<1>) kernel attributes {known_block_size = array<i32: 96, 1, 1>} {
    %0 = rotq.decode #rotq.grid<9, 1, "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000001010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101"> %codes : vector<32xi32> -> vector<32xi8>
    llvm.store %0, %to : vector<32xi8>, !llvm.ptr<1>
    gpu.return
  }
}

// -----

// A bank has a word of 16: no copies, and nothing to wait for but the copy.
// CHECK: llvm.mlir.global internal @rotq_table_{{.*}}_shared() {{.*}} : !llvm.array<16 x i32>
// CHECK-LABEL: gpu.func @single
//         CHECK: nvvm.cp.async.shared.global {{.*}}, 16
//         CHECK: nvvm.cp.async.commit.group
//         CHECK: nvvm.cp.async.wait.group 0
//    CHECK-NEXT: gpu.barrier
gpu.module @kernels {
  gpu.func @single(%codes: vector<32xi32>, %to: !llvm.ptr<1>) kernel attributes {known_block_size = array<i32: 128, 1, 1>} {
    %0 = rotq.decode #rotq.grid<4, 1, "000102030405060708090a0b0c0d0e0f"> %codes : vector<32xi32> -> vector<32xi8>
    llvm.store %0, %to : vector<32xi8>, !llvm.ptr<1>
    gpu.return
  }
}
