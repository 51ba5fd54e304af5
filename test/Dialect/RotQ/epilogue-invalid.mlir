// RUN: quant-opt %s -split-input-file -verify-diagnostics

!w = !rotq.weight<8x64, #rotq.format<"rq3">>
func.func @no_epilogue(%x: tensor<4x64xf32>, %w: !w, %b: tensor<8xf32>, %y: tensor<4x8xf32>) {
  // expected-error @below {{expected no operands without an epilogue}}
  %0 = "rotq.matmul"(%x, %w, %b, %y) <{operandSegmentSizes = array<i32: 1, 1, 1, 1>}> ({})
    : (tensor<4x64xf32>, !w, tensor<8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

!w = !rotq.weight<8x64, #rotq.format<"rq3">>
func.func @vector_of_m(%x: tensor<4x64xf32>, %w: !w, %b: tensor<4xf32>, %y: tensor<4x8xf32>) {
  // expected-error @below {{expected an operand of the epilogue of shape 8 but got 'tensor<4xf32>'}}
  %0 = rotq.matmul ins(%x : tensor<4x64xf32>) weight(%w : !w) outs(%y : tensor<4x8xf32>) epilogue(%b : tensor<4xf32>) {
  ^bb0(%s: f32, %e: f32):
    rotq.yield %s : f32
  } -> tensor<4x8xf32>
  return
}

// -----

!w = !rotq.weight<8x64, #rotq.format<"rq3">>
func.func @dynamic_vector(%x: tensor<4x64xf32>, %w: !w, %b: tensor<?xf32>, %y: tensor<4x8xf32>) {
  // expected-error @below {{expected an operand of the epilogue of shape 8 but got 'tensor<?xf32>'}}
  %0 = rotq.matmul ins(%x : tensor<4x64xf32>) weight(%w : !w) outs(%y : tensor<4x8xf32>) epilogue(%b : tensor<?xf32>) {
  ^bb0(%s: f32, %e: f32):
    rotq.yield %s : f32
  } -> tensor<4x8xf32>
  return
}

// -----

!w = !rotq.weight<8x64, #rotq.format<"rq3">>
func.func @matrix_of_other_m(%x: tensor<4x64xf32>, %w: !w, %r: tensor<5x8xf32>, %y: tensor<4x8xf32>) {
  // expected-error @below {{expected an operand of the epilogue of shape 4x8 but got 'tensor<5x8xf32>'}}
  %0 = rotq.matmul ins(%x : tensor<4x64xf32>) weight(%w : !w) outs(%y : tensor<4x8xf32>) epilogue(%r : tensor<5x8xf32>) {
  ^bb0(%s: f32, %e: f32):
    rotq.yield %s : f32
  } -> tensor<4x8xf32>
  return
}

// -----

!w = !rotq.weight<8x64, #rotq.format<"rq3">>
func.func @rank(%x: tensor<4x64xf32>, %w: !w, %r: tensor<1x4x8xf32>, %y: tensor<4x8xf32>) {
  // expected-error @below {{expected an operand of the epilogue of shape 4x8 but got 'tensor<1x4x8xf32>'}}
  %0 = rotq.matmul ins(%x : tensor<4x64xf32>) weight(%w : !w) outs(%y : tensor<4x8xf32>) epilogue(%r : tensor<1x4x8xf32>) {
  ^bb0(%s: f32, %e: f32):
    rotq.yield %s : f32
  } -> tensor<4x8xf32>
  return
}

// -----

!w = !rotq.weight<8x64, #rotq.format<"rq3">>
func.func @integers(%x: tensor<4x64xf32>, %w: !w, %r: tensor<4x8xi32>, %y: tensor<4x8xf32>) {
  // expected-error @below {{operand #2 must be variadic of}}
  %0 = rotq.matmul ins(%x : tensor<4x64xf32>) weight(%w : !w) outs(%y : tensor<4x8xf32>) epilogue(%r : tensor<4x8xi32>) {
  ^bb0(%s: f32, %e: i32):
    rotq.yield %s : f32
  } -> tensor<4x8xf32>
  return
}

// -----

!w = !rotq.weight<8x64, #rotq.format<"rq3">>
func.func @memref_operand(%x: tensor<4x64xf32>, %w: !w, %r: memref<4x8xf32>, %y: tensor<4x8xf32>) {
  // expected-error @below {{expected tensors or memrefs but got both}}
  %0 = rotq.matmul ins(%x : tensor<4x64xf32>) weight(%w : !w) outs(%y : tensor<4x8xf32>) epilogue(%r : memref<4x8xf32>) {
  ^bb0(%s: f32, %e: f32):
    rotq.yield %s : f32
  } -> tensor<4x8xf32>
  return
}

// -----

!w = !rotq.weight<8x64, #rotq.format<"rq3">>
func.func @argument_count(%x: tensor<4x64xf32>, %w: !w, %b: tensor<8xf16>, %y: tensor<4x8xf32>) {
  // expected-error @below {{expected an epilogue of ('f32', 'f16') but got ('f32')}}
  %0 = rotq.matmul ins(%x : tensor<4x64xf32>) weight(%w : !w) outs(%y : tensor<4x8xf32>) epilogue(%b : tensor<8xf16>) {
  ^bb0(%s: f32):
    rotq.yield %s : f32
  } -> tensor<4x8xf32>
  return
}

// -----

!w = !rotq.weight<8x64, #rotq.format<"rq3">>
func.func @sum_type(%x: tensor<4x64xf32>, %w: !w, %y: tensor<4x8xf16>) {
  // expected-error @below {{expected an epilogue of ('f32') but got ('f16')}}
  %0 = rotq.matmul ins(%x : tensor<4x64xf32>) weight(%w : !w) outs(%y : tensor<4x8xf16>) epilogue {
  ^bb0(%s: f16):
    rotq.yield %s : f16
  } -> tensor<4x8xf16>
  return
}

// -----

!w = !rotq.weight<8x64, #rotq.format<"rq3">>
func.func @yield_type(%x: tensor<4x64xf32>, %w: !w, %y: tensor<4x8xbf16>) {
  %0 = rotq.matmul ins(%x : tensor<4x64xf32>) weight(%w : !w) outs(%y : tensor<4x8xbf16>) epilogue {
  ^bb0(%s: f32):
    // expected-error @below {{expected the element type of y, 'bf16', but got 'f32'}}
    rotq.yield %s : f32
  } -> tensor<4x8xbf16>
  return
}

// -----

!w = !rotq.weight<8x64, #rotq.format<"rq3">>
func.func @no_yield(%x: tensor<4x64xf32>, %w: !w, %y: tensor<4x8xf32>) {
  // expected-error @below {{expected the epilogue to end in rotq.yield}}
  %0 = rotq.matmul ins(%x : tensor<4x64xf32>) weight(%w : !w) outs(%y : tensor<4x8xf32>) epilogue {
  ^bb0(%s: f32):
    llvm.unreachable
  } -> tensor<4x8xf32>
  return
}

// -----

func.func @yield_alone(%s: f32) {
  // expected-error @below {{expects parent op to be one of 'rotq.matmul, rotq.grouped_matmul'}}
  rotq.yield %s : f32
}

// -----

!w = !rotq.weight<8x64, #rotq.format<"rq3">>
func.func @two_blocks(%x: tensor<4x64xf32>, %w: !w, %y: tensor<4x8xf32>) {
  // expected-error @below {{region #0 ('epilogue') failed to verify constraint: region with at most 1 blocks}}
  %0 = rotq.matmul ins(%x : tensor<4x64xf32>) weight(%w : !w) outs(%y : tensor<4x8xf32>) epilogue {
  ^bb0(%s: f32):
    cf.br ^bb1
  ^bb1:
    rotq.yield %s : f32
  } -> tensor<4x8xf32>
  return
}

// -----

!w = !rotq.weight<8x64, #rotq.format<"rq3">>
func.func @side_effect(%x: tensor<4x64xf32>, %w: !w, %y: tensor<4x8xf32>) {
  %0 = rotq.matmul ins(%x : tensor<4x64xf32>) weight(%w : !w) outs(%y : tensor<4x8xf32>) epilogue {
  ^bb0(%s: f32):
    // expected-error @below {{expected elementwise operations on scalars, and constants, in an epilogue}}
    func.call @print(%s) : (f32) -> ()
    rotq.yield %s : f32
  } -> tensor<4x8xf32>
  return
}
func.func private @print(f32)

// -----

!w = !rotq.weight<8x64, #rotq.format<"rq3">>
func.func @undefined_behaviour(%x: tensor<4x64xf32>, %w: !w, %y: tensor<4x8xf32>) {
  %0 = rotq.matmul ins(%x : tensor<4x64xf32>) weight(%w : !w) outs(%y : tensor<4x8xf32>) epilogue {
  ^bb0(%s: f32):
    %i = arith.fptosi %s : f32 to i32
    // expected-error @below {{expected elementwise operations on scalars, and constants, in an epilogue}}
    %j = arith.divsi %i, %i : i32
    %f = arith.sitofp %j : i32 to f32
    rotq.yield %f : f32
  } -> tensor<4x8xf32>
  return
}

// -----

!w = !rotq.weight<8x64, #rotq.format<"rq3">>
func.func @position(%x: tensor<4x64xf32>, %w: !w, %y: tensor<4x8xf32>) {
  %0 = rotq.matmul ins(%x : tensor<4x64xf32>) weight(%w : !w) outs(%y : tensor<4x8xf32>) epilogue {
  ^bb0(%s: f32):
    // expected-error @below {{expected elementwise operations on scalars, and constants, in an epilogue}}
    %i = gpu.thread_id x
    rotq.yield %s : f32
  } -> tensor<4x8xf32>
  return
}

// -----

!w = !rotq.weight<8x64, #rotq.format<"rq3">>
func.func @vectors(%x: tensor<4x64xf32>, %w: !w, %y: tensor<4x8xf32>) {
  %0 = rotq.matmul ins(%x : tensor<4x64xf32>) weight(%w : !w) outs(%y : tensor<4x8xf32>) epilogue {
  ^bb0(%s: f32):
    // expected-error @below {{expected elementwise operations on scalars, and constants, in an epilogue}}
    %c = arith.constant dense<1.0> : vector<2xf32>
    rotq.yield %s : f32
  } -> tensor<4x8xf32>
  return
}

// -----

!w = !rotq.weight<8x64, #rotq.format<"rq3">>
func.func @capture(%x: tensor<4x64xf32>, %w: !w, %y: tensor<4x8xf32>, %f: f32) {
  // expected-note @below {{required by region isolation constraints}}
  %0 = rotq.matmul ins(%x : tensor<4x64xf32>) weight(%w : !w) outs(%y : tensor<4x8xf32>) epilogue {
  ^bb0(%s: f32):
    // expected-error @below {{using value defined outside the region}}
    %0 = arith.mulf %s, %f : f32
    rotq.yield %0 : f32
  } -> tensor<4x8xf32>
  return
}

// -----

!w = !rotq.weight<8x64, #rotq.format<"rq3">>
func.func @pair_without_epilogue(%x: tensor<4x64xf32>, %w: !w, %y: tensor<4x8xf32>) {
  // expected-error @below {{expected an epilogue that makes one of the 2 sums of an element}}
  %0 = rotq.grouped_matmul ins(%x : tensor<4x64xf32>) weights(%w, %w : !w, !w) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

!w = !rotq.weight<8x64, #rotq.format<"rq3">>
!v = !rotq.weight<16x64, #rotq.format<"rq3">>
func.func @pair_of_other_n(%x: tensor<4x64xf32>, %w: !w, %v: !v, %y: tensor<4x8xf32>) {
  // expected-error @below {{expected a destination of shape 4x16 but got 'tensor<4x8xf32>'}}
  %0 = rotq.grouped_matmul ins(%x : tensor<4x64xf32>) weights(%w, %v : !w, !v) outs(%y : tensor<4x8xf32>) epilogue {
  ^bb0(%s: f32, %t: f32):
    rotq.yield %s : f32
  } -> tensor<4x8xf32>
  return
}

// -----

!w = !rotq.weight<8x64, #rotq.format<"rq3">>
func.func @uneven_operands(%x: tensor<4x64xf32>, %w: !w, %b: tensor<8xf32>, %y: tensor<4x8xf32>) {
  // expected-error @below {{expected as many operands of the epilogue for every one of 2 destinations but got 3}}
  %0:2 = rotq.grouped_matmul ins(%x : tensor<4x64xf32>) weights(%w, %w : !w, !w) outs(%y, %y : tensor<4x8xf32>, tensor<4x8xf32>)
      epilogue(%b, %b, %b : tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) {
  ^bb0(%s: f32, %e: f32):
    rotq.yield %s : f32
  } -> tensor<4x8xf32>, tensor<4x8xf32>
  return
}

// -----

!w = !rotq.weight<8x64, #rotq.format<"rq3">>
func.func @operands_unlike(%x: tensor<4x64xf32>, %w: !w, %b: tensor<8xf32>, %r: tensor<4x8xf32>, %y: tensor<4x8xf32>) {
  // expected-error @below {{expected operands of one rank and element type in the epilogue of every destination but got 'tensor<8xf32>' and 'tensor<4x8xf32>'}}
  %0:2 = rotq.grouped_matmul ins(%x : tensor<4x64xf32>) weights(%w, %w : !w, !w) outs(%y, %y : tensor<4x8xf32>, tensor<4x8xf32>)
      epilogue(%b, %r : tensor<8xf32>, tensor<4x8xf32>) {
  ^bb0(%s: f32, %e: f32):
    rotq.yield %s : f32
  } -> tensor<4x8xf32>, tensor<4x8xf32>
  return
}

// -----

// Every sum is of other warps.
!w = !rotq.weight<8x64, #rotq.format<"int4_g128">>
func.func @warps_unshared(%c: tensor<4x64xi8>, %s: tensor<4x1xf32>, %t: tensor<4x1xi32>, %w: !w, %y: tensor<4x8xf32>) {
  // expected-error @below {{expected a multiple of 8 warps for 2 sums of an element but got #rotq.kernel<mma_s8, m = [1, 0], rows = 16, cols = 8, warps = 4, split = 4>}}
  %0 = rotq.grouped_matmul ins(%c, %s, %t : tensor<4x64xi8>, tensor<4x1xf32>, tensor<4x1xi32>) group(256)
      weights(%w, %w : !w, !w) outs(%y : tensor<4x8xf32>)
      {kernels = [#rotq.kernel<mma_s8, m = [1, 0], rows = 16, cols = 8, warps = 4, split = 4>]} epilogue {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.mulf %a, %b : f32
    rotq.yield %0 : f32
  } -> tensor<4x8xf32>
  return
}

// -----

!w = !rotq.weight<8x64, #rotq.format<"int4_g128">>
func.func @warpgroups_unshared(%c: tensor<64x64xi8>, %s: tensor<64x1xf32>, %t: tensor<64x1xi32>, %w: !w, %y: tensor<64x8xf32>) {
  // expected-error @below {{expected a multiple of 8 warps for 2 sums of an element but got #rotq.kernel<wgmma_s8, m = [33, 0], rows = 16, cols = 16, warps = 4, stages = 2>}}
  %0 = rotq.grouped_matmul ins(%c, %s, %t : tensor<64x64xi8>, tensor<64x1xf32>, tensor<64x1xi32>) group(256)
      weights(%w, %w : !w, !w) outs(%y : tensor<64x8xf32>)
      {kernels = [#rotq.kernel<wgmma_s8, m = [33, 0], rows = 16, cols = 16, warps = 4, stages = 2>]} epilogue {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.mulf %a, %b : f32
    rotq.yield %0 : f32
  } -> tensor<64x8xf32>
  return
}

// -----

// Sums meet in shared memory.
!w = !rotq.weight<8x64, #rotq.format<"int4_g128">>
func.func @sums_too_large(%c: tensor<64x64xi8>, %s: tensor<64x1xf32>, %t: tensor<64x1xi32>, %w: !w, %y: tensor<64x8xf32>) {
  // expected-error @below {{expected at most 232448 bytes of shared memory but #rotq.kernel<wgmma_s8, m = [33, 0], rows = 16, cols = 256, warps = 16, stages = 2> takes 262144}}
  %0 = rotq.grouped_matmul ins(%c, %s, %t : tensor<64x64xi8>, tensor<64x1xf32>, tensor<64x1xi32>) group(256)
      weights(%w, %w : !w, !w) outs(%y : tensor<64x8xf32>)
      {kernels = [#rotq.kernel<wgmma_s8, m = [33, 0], rows = 16, cols = 256, warps = 16, stages = 2>]} epilogue {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.mulf %a, %b : f32
    rotq.yield %0 : f32
  } -> tensor<64x8xf32>
  return
}
