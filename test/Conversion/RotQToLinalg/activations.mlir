// RUN: quant-opt %s --convert-rotq-to-linalg --canonicalize --cse | FileCheck %s

// CHECK-LABEL: func.func @rotate(
// CHECK-SAME:    %[[X:[a-z0-9]*]]: tensor<?x40xf32>
// CHECK:         %[[FACTOR:.*]] = arith.constant 0.176776692 : f32
// CHECK:         linalg.generic
// Zeros after 40 values.
// CHECK:           arith.cmpi ule, %{{.*}}, %c39
// CHECK:           tensor.extract %[[X]]
// CHECK:           arith.select
// Five stages, and the factor.
// CHECK-COUNT-5: arith.xori
// CHECK-NOT:       arith.xori
// CHECK:           arith.mulf %{{.*}}, %[[FACTOR]]
func.func @rotate(%x: tensor<?x40xf32>, %out: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %0 = rotq.rotate #rotq.hadamard<32> ins(%x : tensor<?x40xf32>) outs(%out : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}

// CHECK-LABEL: func.func @inverse(
// CHECK:         tensor.extract_slice %{{.*}}[0, 0] [2, 40] [1, 1] : tensor<2x64xf32> to tensor<2x40xf32>
func.func @inverse(%x: tensor<2x64xf32>, %out: tensor<2x40xf32>) -> tensor<2x40xf32> {
  %0 = rotq.rotate #rotq.hadamard<32> inverse ins(%x : tensor<2x64xf32>) outs(%out : tensor<2x40xf32>) -> tensor<2x40xf32>
  return %0 : tensor<2x40xf32>
}

// CHECK-LABEL: func.func @quantize(
// CHECK:         scf.for
// CHECK:           math.absf
// CHECK:           arith.cmpf ogt
// CHECK:         arith.divf
// CHECK:         arith.cmpf uno
// CHECK:         math.roundeven
// CHECK-NOT:     math.roundeven
// CHECK:         arith.fptosi %{{.*}} : f32 to i8
// CHECK:         scf.for
// CHECK:           arith.addi {{.*}} : i32
func.func @quantize(%x: tensor<?x96xf16>, %a: tensor<?x128xi8>, %b: tensor<?x2xf32>, %c: tensor<?x2xi32>)
    -> (tensor<?x128xi8>, tensor<?x2xf32>, tensor<?x2xi32>) {
  %0:3 = rotq.quantize_activation #rotq.identity group(64) ins(%x : tensor<?x96xf16>)
    outs(%a, %b, %c : tensor<?x128xi8>, tensor<?x2xf32>, tensor<?x2xi32>)
    -> tensor<?x128xi8>, tensor<?x2xf32>, tensor<?x2xi32>
  return %0#0, %0#1, %0#2 : tensor<?x128xi8>, tensor<?x2xf32>, tensor<?x2xi32>
}
