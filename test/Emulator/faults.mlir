// REQUIRES: quant-run
// What a kernel does wrong is reported with the kernel, the block, the thread
// and the location of the op; the function's results are not written.
// RUN: rm -rf %t && mkdir %t
// RUN: python3 %S/../Tools/quant-run/Inputs/npy.py make %t/x.npy "<f4" 64 1
// RUN: not quant-run %s --device=simt --pipeline-done --entry=overrun --arg=%t/x.npy --out=%t/y.npy 2>&1 | FileCheck %s --check-prefix=BEHIND
// RUN: not quant-run %s --device=simt --pipeline-done --entry=barrier --arg=%t/x.npy --out=%t/y.npy 2>&1 | FileCheck %s --check-prefix=BARRIER
// RUN: not quant-run %s --device=simt --pipeline-done --entry=unknown --arg=%t/x.npy --out=%t/y.npy 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// RUN: not quant-run %s --device=simt:sm_89 --pipeline-done --entry=wait --arg=%t/x.npy --out=%t/y.npy 2>&1 | FileCheck %s --check-prefix=CHIP
// RUN: not ls %t/y.npy

module attributes {gpu.container_module} {
  gpu.module @kernels {
    llvm.func @overrun(%p: !llvm.ptr<1>) attributes {gpu.kernel, nvvm.kernel} {
      %i = nvvm.read.ptx.sreg.tid.x : i32
      %a = llvm.getelementptr %p[%i] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, f32
      // BEHIND: error: kernel 'overrun', block (0,0,0), thread (64,0,0): load of 4 bytes at offset 256 of a buffer of 256 bytes (argument 0) at {{.*}}faults.mlir:[[@LINE+1]]:
      %v = llvm.load %a {alignment = 4 : i64} : !llvm.ptr<1> -> f32
      llvm.store %v, %a {alignment = 4 : i64} : f32, !llvm.ptr<1>
      llvm.return
    }
    llvm.func @barrier(%p: !llvm.ptr<1>) attributes {gpu.kernel, nvvm.kernel} {
      %i = nvvm.read.ptx.sreg.tid.x : i32
      %c32 = llvm.mlir.constant(32 : i32) : i32
      %first = llvm.icmp "ult" %i, %c32 : i32
      llvm.cond_br %first, ^sync, ^done
    ^sync:
      // BARRIER: error: kernel 'barrier', block (0,0,0), thread (0,0,0): waits forever at barrier 0, where 32 of 65 threads are at {{.*}}faults.mlir:[[@LINE+1]]:{{[0-9]+}}: thread (32,0,0) has exited
      nvvm.barrier0
      llvm.br ^done
    ^done:
      llvm.return
    }
    llvm.func @unknown(%p: !llvm.ptr<1>) attributes {gpu.kernel, nvvm.kernel} {
      // UNKNOWN: error: kernel 'unknown': intrinsic llvm.nvvm.read.ptx.sreg.clock is not emulated at {{.*}}faults.mlir:[[@LINE+1]]:
      %t = nvvm.read.ptx.sreg.clock : i32
      llvm.store %t, %p {alignment = 4 : i64} : i32, !llvm.ptr<1>
      llvm.return
    }
    llvm.func @wait(%p: !llvm.ptr<1>) attributes {gpu.kernel, nvvm.kernel} {
      // CHIP: error: kernel 'wait': chip sm_89 has no griddepcontrol.wait, which needs sm_90 at {{.*}}faults.mlir:[[@LINE+1]]:
      nvvm.griddepcontrol wait
      llvm.return
    }
  }

  func.func @overrun(%x: memref<64xf32>) -> memref<64xf32> {
    %c1 = arith.constant 1 : index
    %c65 = arith.constant 65 : index
    %i = memref.extract_aligned_pointer_as_index %x : memref<64xf32> -> index
    %j = arith.index_cast %i : index to i64
    %p = llvm.inttoptr %j : i64 to !llvm.ptr<1>
    gpu.launch_func @kernels::@overrun blocks in (%c1, %c1, %c1) threads in (%c65, %c1, %c1) args(%p : !llvm.ptr<1>)
    return %x : memref<64xf32>
  }

  func.func @barrier(%x: memref<64xf32>) -> memref<64xf32> {
    %c1 = arith.constant 1 : index
    %c65 = arith.constant 65 : index
    %i = memref.extract_aligned_pointer_as_index %x : memref<64xf32> -> index
    %j = arith.index_cast %i : index to i64
    %p = llvm.inttoptr %j : i64 to !llvm.ptr<1>
    gpu.launch_func @kernels::@barrier blocks in (%c1, %c1, %c1) threads in (%c65, %c1, %c1) args(%p : !llvm.ptr<1>)
    return %x : memref<64xf32>
  }

  func.func @unknown(%x: memref<64xf32>) -> memref<64xf32> {
    %c1 = arith.constant 1 : index
    %c65 = arith.constant 65 : index
    %i = memref.extract_aligned_pointer_as_index %x : memref<64xf32> -> index
    %j = arith.index_cast %i : index to i64
    %p = llvm.inttoptr %j : i64 to !llvm.ptr<1>
    gpu.launch_func @kernels::@unknown blocks in (%c1, %c1, %c1) threads in (%c65, %c1, %c1) args(%p : !llvm.ptr<1>)
    return %x : memref<64xf32>
  }

  func.func @wait(%x: memref<64xf32>) -> memref<64xf32> {
    %c1 = arith.constant 1 : index
    %c65 = arith.constant 65 : index
    %i = memref.extract_aligned_pointer_as_index %x : memref<64xf32> -> index
    %j = arith.index_cast %i : index to i64
    %p = llvm.inttoptr %j : i64 to !llvm.ptr<1>
    gpu.launch_func @kernels::@wait blocks in (%c1, %c1, %c1) threads in (%c65, %c1, %c1) args(%p : !llvm.ptr<1>)
    return %x : memref<64xf32>
  }
}
