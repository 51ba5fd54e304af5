// RUN: quant-opt %s --rotq-to-host | FileCheck %s
// RUN: quant-opt %s --rotq-to-host="reference=true activations=float" | FileCheck %s
// RUN: quant-opt %s --rotq-to-host="placement=load features=+avx2,+ssse3" | FileCheck %s

// RUN: quant-opt %s --rotq-to-host | FileCheck %s --check-prefix=THREADS
// RUN: quant-opt %s --rotq-to-host=threads=false | FileCheck %s --check-prefix=SERIAL
// RUN: quant-opt %s --rotq-to-host=features=+ssse3,+avx512vl,+avx512vnni | quant-translate --to=object -o %t.o
// RUN: llvm-nm %t.o | FileCheck %s --check-prefix=OBJECT

// Loops have threads where they have more than one range; code for one thread
// needs no libomp.
// THREADS: llvm.func @product
// THREADS: omp.parallel if(
// THREADS: omp.wsloop nowait
// SERIAL-NOT: omp.
// OBJECT: U __kmpc_fork_call_if

!w = !rotq.weight<48x352, #rotq.format<"rq3">>

// Nothing is called but the C library's memory, and libomp.
// CHECK-NOT: llvm.func @memrefCopy
// CHECK-NOT: func.func
// CHECK-NOT: rotq.{{(matmul|storage|constant|rotate|decode)}}

// The callers' view of a function stays.
// CHECK: llvm.func @product({{.*}}) -> {{.*}} attributes {llvm.emit_c_interface, rotq.signature = (memref<?x352xf32>, memref<{{.*}}xi8>) -> memref<?x48xf32>{{.*}}}
// CHECK: llvm.func @_mlir_ciface_product
func.func @product(%x: tensor<?x352xf32>, %w: !w) -> tensor<?x48xf32> {
  %c0 = arith.constant 0 : index
  %m = tensor.dim %x, %c0 : tensor<?x352xf32>
  %e = tensor.empty(%m) : tensor<?x48xf32>
  %y = rotq.matmul ins(%x : tensor<?x352xf32>) weight(%w : !w) outs(%e : tensor<?x48xf32>) -> tensor<?x48xf32>
  return %y : tensor<?x48xf32>
}

// A strided copy becomes a loop.
// CHECK: llvm.func @paste
func.func @paste(%a: tensor<4x8xf32>, %b: tensor<4x4xf32>) -> tensor<4x8xf32> {
  %0 = tensor.insert_slice %b into %a[0, 4] [4, 4] [1, 1] : tensor<4x4xf32> into tensor<4x8xf32>
  return %0 : tensor<4x8xf32>
}
