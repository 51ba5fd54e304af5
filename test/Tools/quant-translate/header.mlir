// A header of every type that C has, which compiles as C and as C++, beside one
// of another object. Names of parameters end no comment.
// REQUIRES: clang
// RUN: split-file %s %t
// RUN: quant-opt %t/module.mlir --rotq-to-host=threads=false | quant-translate --to=header -o %t/module.h
// RUN: FileCheck %t/module.mlir --input-file=%t/module.h
// RUN: quant-opt %t/other.mlir --rotq-to-host=threads=false | quant-translate --to=header -o %t/other.h
// RUN: %clang -std=c99 -Wall -Wextra -Wcomment -pedantic -Werror -fsyntax-only %t/use.c
// RUN: %clang -xc++ -std=c++20 -Wall -Wextra -pedantic -Werror -fsyntax-only %t/use.c

// What it says is what the object does.
// RUN: quant-opt %t/module.mlir --rotq-to-host=threads=false | quant-translate --to=library -o %t/module.so
// RUN: %clang %t/use.c %t/module.so -Wl,-rpath,%t -o %t/use
// RUN: %t/use

// Names and scalars that C does not have are errors, and no file.
// RUN: echo 'func.func @"a b"() { return }' | quant-opt --rotq-to-host | not quant-translate --to=header -o %t/none.h 2>&1 | FileCheck %s --check-prefix=NAME
// NAME: error: expected a name that c has but got 'a b'
// RUN: echo 'func.func @f(%%a: f16) { return }' | quant-opt --rotq-to-host | not quant-translate --to=header -o %t/none.h 2>&1 | FileCheck %s --check-prefix=HALF
// HALF: error: expected an argument that c has but got 'f16'
// RUN: echo 'func.func @f(%%a: bf16) -> bf16 { return %%a : bf16 }' | quant-opt --rotq-to-host | not quant-translate --to=header -o %t/none.h 2>&1 | FileCheck %s --check-prefix=RESULT
// RESULT: error: expected a result that c has but got 'bf16'
// RUN: echo 'func.func @f(%%a: i7) { return }' | quant-opt --rotq-to-host | not quant-translate --to=header -o %t/none.h 2>&1 | FileCheck %s --check-prefix=WIDTH
// WIDTH: error: expected a type that c has but got 'i7'
// RUN: not quant-translate --to=header %t/other.mlir -o %t/none.h 2>&1 | FileCheck %s --check-prefix=LOWERED
// LOWERED: error: expected a module with public functions that rotq-to-host lowered
// RUN: not ls %t/none.h

//--- use.c
#include "module.h"
#include "other.h"
int main(void) {
  float x[4] = {1, 2, 3, 4};
  rotq_f32_2d a = {x, x, 0, {1, 4}, {4, 1}};
  rotq_two_results two;
  if (rotq_nothing_missing_feature() || rotq_two_missing_feature())
    return 2;
  _mlir_ciface_nothing();
  _mlir_ciface_add(&a);
  _mlir_ciface_two(&two, 2.5f, 1);
  if (_mlir_ciface_one(1.5f, 1, 7) != 1.5f || x[3] != 8 || two.result0 != 7 ||
      two.result1 != 2.5f)
    return 1;
  return 0;
}

//--- other.mlir
func.func @other(%a: tensor<?x4xf32>) {
  return
}

//--- module.mlir
// CHECK: typedef struct {
// CHECK-NEXT: uint16_t *allocated, *aligned;
// CHECK-NEXT: int64_t offset;
// CHECK-NEXT: } rotq_bf16_0d;
// CHECK: float *allocated, *aligned;
// CHECK-NEXT: int64_t offset;
// CHECK-NEXT: int64_t sizes[2], strides[2];
// CHECK-NEXT: } rotq_f32_2d;
// CHECK: int8_t *allocated, *aligned;
// CHECK: } rotq_i1_1d;
// CHECK: int64_t *allocated, *aligned;
// CHECK: } rotq_index_3d;

// CHECK: void _mlir_ciface_nothing(void);
func.func @nothing() {
  return
}

// One scalar comes back by itself.
// CHECK: {{^}}float _mlir_ciface_one(
// CHECK-NEXT: float argument0,
// CHECK-NEXT: int8_t argument1,
// CHECK-NEXT: int64_t argument2);
func.func @one(%a: f32, %b: i1, %n: index) -> f32 {
  return %a : f32
}

// CHECK: typedef struct {
// CHECK-NEXT: int64_t result0;
// CHECK-NEXT: float result1;
// CHECK-NEXT: } rotq_two_results;
// CHECK-NEXT: void _mlir_ciface_two(
// CHECK-NEXT: rotq_two_results *results,
// CHECK-NEXT: float argument0,
func.func @two(%a: f32, %b: i1) -> (index, f32) {
  %0 = arith.constant 7 : index
  return %0, %a : index, f32
}

// CHECK: void _mlir_ciface_add(
// CHECK-NEXT: /* a"b ?/ ??/\?#: memref<?x4xf32> */ rotq_f32_2d *argument0);
func.func @add(%a: tensor<?x4xf32> {rotq.parameter = "a\22b */ ??/\\\0A#"}) {
  %0 = bufferization.to_buffer %a : tensor<?x4xf32> to memref<?x4xf32>
  linalg.add ins(%0, %0 : memref<?x4xf32>, memref<?x4xf32>) outs(%0 : memref<?x4xf32>)
  return
}

// CHECK: void _mlir_ciface_types(
// CHECK-NEXT: rotq_bf16_0d *argument0,
// CHECK-NEXT: rotq_i1_1d *argument1,
// CHECK-NEXT: rotq_index_3d *argument2,
// CHECK-NEXT: rotq_f16_1d *argument3,
// CHECK-NEXT: rotq_f64_1d *argument4,
// CHECK-NEXT: rotq_i16_1d *argument5);
func.func @types(%a: tensor<bf16>, %b: tensor<4xi1>, %c: tensor<3x?x1xindex>, %d: tensor<2xf16>, %e: tensor<2xf64>, %f: tensor<2xi16>) {
  return
}

// CHECK-NOT: hidden
func.func private @hidden(%a: f32) -> f32 {
  return %a : f32
}
