// RUN: quant-opt %s --convert-rotq-micro-to-llvm | FileCheck %s --check-prefixes=CHECK,ANY
// RUN: quant-opt %s --convert-rotq-micro-to-llvm="features=+ssse3" | FileCheck %s --check-prefixes=CHECK,SSE
// RUN: quant-opt %s --convert-rotq-micro-to-llvm="features=+avx2" | FileCheck %s --check-prefix=MADD
// RUN: quant-opt %s --convert-rotq-micro-to-llvm="features=+avx2,+avxvnni" | FileCheck %s --check-prefixes=CHECK,AVX2
// RUN: quant-opt %s --convert-rotq-micro-to-llvm="features=+avx2,+avx512bw,+avx512vl,+avx512vnni" | FileCheck %s --check-prefixes=CHECK,AVX512

// CHECK-LABEL: func.func @unpack(
// CHECK-SAME:    %[[LOW:.*]]: vector<2xi32>, %[[HIGH:.*]]: vector<1xi32>
// CHECK:         vector.shuffle %[[LOW]], %[[LOW]] [0, 0, 1, 1]
// CHECK:         arith.shrui
// CHECK:         vector.shuffle %[[HIGH]], %[[HIGH]] [0, 0, 0, 0]
// CHECK:         arith.shrui
// CHECK:         %[[CODES:.*]] = arith.ori
// CHECK:         vector.bitcast %[[CODES]] : vector<4xi32> to vector<32xi4>
func.func @unpack(%low: vector<2xi32>, %high: vector<1xi32>) -> vector<32xi4> {
  %0 = rotq.unpack #rotq.fixed<3> %low, %high : vector<2xi32>, vector<1xi32> -> vector<32xi4>
  return %0 : vector<32xi4>
}

// CHECK-LABEL: func.func @decode(
// CHECK:         arith.extui %{{.*}} : vector<32xi8> to vector<32xi16>
// CHECK:         %[[CODES:.*]] = vector.bitcast %{{.*}} : vector<32xi16> to vector<64xi8>
// ANY-COUNT-3:   arith.select
// ANY-NOT:       arith.select
// SSE-COUNT-4:   llvm.call_intrinsic "llvm.x86.ssse3.pshuf.b.128"({{.*}}) : (vector<16xi8>, vector<16xi8>) -> vector<16xi8>
// AVX2-COUNT-2:  llvm.call_intrinsic "llvm.x86.avx2.pshuf.b"({{.*}}) : (vector<32xi8>, vector<32xi8>) -> vector<32xi8>
// AVX512:        llvm.call_intrinsic "llvm.x86.avx512.pshuf.b.512"(%{{.*}}, %[[CODES]]) : (vector<64xi8>, vector<64xi8>) -> vector<64xi8>
// CHECK:         return
func.func @decode(%codes: vector<64xi4>) -> vector<64xi8> {
  %0 = rotq.decode #rotq.table<2, [-120, -36, 36, 120]> %codes : vector<64xi4> -> vector<64xi8>
  return %0 : vector<64xi8>
}

// Nibbles of a byte that need not become neighbours.
// CHECK-LABEL: func.func @decode_apart(
// CHECK-SAME:    %[[CODES:[a-z0-9]*]]: vector<128xi4>
// CHECK:         %[[PAIRS:.*]] = vector.bitcast %{{.*}} : {{.*}} to vector<32xi16>
// CHECK:         %[[HIGH:.*]] = arith.shrui %[[PAIRS]]
// CHECK:         arith.andi %[[PAIRS]], %{{.*}} : vector<32xi16>
// CHECK:         arith.andi %[[HIGH]], %{{.*}} : vector<32xi16>
// AVX512:        llvm.call_intrinsic "llvm.x86.avx512.pshuf.b.512"
// AVX512:        llvm.call_intrinsic "llvm.x86.avx512.pshuf.b.512"
// CHECK-NOT:     vector.deinterleave
func.func @decode_apart(%codes: vector<128xi4>) -> (vector<64xi8>, vector<64xi8>) {
  %0 = rotq.decode #rotq.table<2, [-120, -36, 36, 120]> %codes : vector<128xi4> -> vector<128xi8>
  %1, %2 = vector.deinterleave %0 : vector<128xi8> -> vector<64xi8>
  return %1, %2 : vector<64xi8>, vector<64xi8>
}

// CHECK-LABEL: func.func @dot(
// CHECK-SAME:    %[[A:.*]]: vector<64xi8>, %[[B:.*]]: vector<64xi8>, %[[ACC:.*]]: vector<16xi32>
// ANY:           arith.muli %{{.*}}, %{{.*}} : vector<64xi32>
// SSE-COUNT-8:   llvm.call_intrinsic "llvm.x86.ssse3.pmadd.ub.sw.128"
// MADD-LABEL:   func.func @dot(
// MADD:          %[[B0:.*]] = vector.extract_strided_slice %arg1 {offsets = [0], sizes = [32]
// MADD:          %[[M:.*]] = arith.shrsi %[[B0]]
// MADD:          %[[FLIPPED:.*]] = arith.xori %[[B0]], %[[M]]
// MADD:          %[[ABS:.*]] = arith.subi %[[FLIPPED]], %[[M]]
// MADD:          %[[NEGATIVE:.*]] = arith.andi %[[ABS]], %[[M]]
// MADD:          %[[REST:.*]] = llvm.call_intrinsic "llvm.x86.avx2.pmadd.ub.sw"(%[[NEGATIVE]], %{{.*}}) : (vector<32xi8>, vector<32xi8>) -> vector<16xi16>
// MADD:          %[[A:.*]] = arith.xori %{{.*}}, %[[M]]
// MADD:          %[[PRODUCTS:.*]] = llvm.call_intrinsic "llvm.x86.avx2.pmadd.ub.sw"(%[[ABS]], %[[A]])
// MADD-DAG:     llvm.call_intrinsic "llvm.x86.avx2.pmadd.wd"(%[[REST]], %{{.*}}) : (vector<16xi16>, vector<16xi16>) -> vector<8xi32>
// MADD-DAG:     llvm.call_intrinsic "llvm.x86.avx2.pmadd.wd"(%[[PRODUCTS]], %{{.*}})
// AVX2-COUNT-4:  llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.256"
// AVX512:        %[[U:.*]] = arith.xori %[[A]], %[[SIGN:.*]] : vector<64xi8>
// AVX512:        %[[SUM:.*]] = llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.512"(%[[ACC]], %[[U]], %[[B]])
// AVX512:        %[[EXCESS:.*]] = llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.512"(%{{.*}}, %[[SIGN]], %[[B]])
// AVX512:        arith.subi %[[SUM]], %[[EXCESS]]
func.func @dot(%a: vector<64xi8>, %b: vector<64xi8>, %acc: vector<16xi32>) -> vector<16xi32> {
  %0 = rotq.dot %a, %b, %acc : vector<64xi8>, vector<16xi32>
  return %0 : vector<16xi32>
}

// An unsigned operand needs no other sign.
// CHECK-LABEL: func.func @dot_unsigned(
// AVX512:        llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.512"(%arg2, %arg0, %arg1)
// AVX512-NEXT:   return
func.func @dot_unsigned(%a: vector<64xi8>, %b: vector<64xi8>, %acc: vector<16xi32>) -> vector<16xi32> {
  %0 = rotq.dot unsigned %a, %b, %acc : vector<64xi8>, vector<16xi32>
  return %0 : vector<16xi32>
}

// CHECK-LABEL: func.func @dot_scalar(
// CHECK-SAME:    %[[ACC:[a-z0-9]*]]: i32)
// CHECK:         vector.reduction <add>, %{{.*}}, %[[ACC]] : vector<8xi32> into i32
func.func @dot_scalar(%a: vector<32xi8>, %b: vector<32xi8>, %acc: i32) -> i32 {
  %0 = rotq.dot %a, %b, %acc : vector<32xi8>, i32
  return %0 : i32
}

// Strides 1 to 8 shuffle, the stride of 16 adds whole vectors.
// CHECK-LABEL: func.func @fwht(
// CHECK-SAME:    %[[X:.*]]: vector<32xf32>
// CHECK:         %[[X0:.*]] = vector.extract_strided_slice %[[X]] {offsets = [0]
// CHECK:         %[[X1:.*]] = vector.extract_strided_slice %[[X]] {offsets = [16]
// CHECK:         %[[N0:.*]] = arith.negf %[[X0]]
// CHECK:         %[[P0:.*]] = vector.shuffle %[[X0]], %[[X0]] [1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14]
// CHECK:         %[[S0:.*]] = vector.shuffle %[[X0]], %[[N0]] [0, 17, 2, 19, 4, 21, 6, 23, 8, 25, 10, 27, 12, 29, 14, 31]
// CHECK:         arith.addf %[[P0]], %[[S0]]
// CHECK:         %[[B:.*]] = arith.subf %{{.*}} : vector<16xf32>
// CHECK-NOT:     vector.shuffle
// CHECK:         vector.insert_strided_slice %[[B]]
func.func @fwht(%x: vector<32xf32>) -> vector<32xf32> {
  %0 = rotq.fwht %x block(32) : vector<32xf32>
  return %0 : vector<32xf32>
}

// CHECK-LABEL: func.func @fwht_tail(
// CHECK-SAME:    %[[LENGTH:[a-z0-9]*]]: i32
// CHECK:         arith.cmpi ult, %c1_i32, %[[LENGTH]]
// CHECK:         arith.select
// CHECK:         arith.cmpi ult, %c2_i32, %[[LENGTH]]
// CHECK:         arith.select
// CHECK-NOT:     arith.cmpi
func.func @fwht_tail(%x: vector<4xf32>, %length: i32) -> vector<4xf32> {
  %0 = rotq.fwht %x block(4) length(%length) : vector<4xf32>
  return %0 : vector<4xf32>
}
