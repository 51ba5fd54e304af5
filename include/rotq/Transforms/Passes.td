//===- Passes.td - Passes on tensors
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_TRANSFORMS_PASSES_TD
#define ROTQ_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

def QuantizeWeights : Pass<"rotq-quantize-weights", "::mlir::ModuleOp"> {
  let summary = "turn matmuls by a constant or a named parameter into rotq.matmul "
                "(CHANGES NUMERICS)";
  let description = [{
    A matmul-like op (a linalg contraction y[m, n] += x[m, k] w[n, k] or
    w[k, n]) whose weight is a constant, or a function argument that carries
    `rotq.parameter = "name"`, becomes a `rotq.matmul` by a packed weight. A
    constant is encoded here; a parameter changes the type of its argument, and
    whoever calls the function passes the packed blob, N x K whichever way the
    argument lay. Transposes and casts in between are seen through.

    A linalg product with the result of a `rotq.dequantize` becomes a
    `rotq.matmul` as well, and every `rotq.quantize` of a constant is evaluated.
    Other weights stay as they are, with a remark.

    A parameter may be passed on to private functions: their arguments become
    packed weights as well, and a function that is called with weights of
    several formats is cloned. A table of which rows are looked up (a
    linalg.generic that extracts `table[ids[t], k]`) becomes a `rotq.gather`,
    where it is a parameter.

    `include` is matched against `rotq.parameter`, and against the named
    location, or else the resource, of a constant. `plan` is a JSON file,
    `{"<name>": "<preset>" or {<declaration>}, ...}`, of the weights that are
    packed, each in its format, in place of `format` and `include`; that one of
    them cannot be, or is no parameter, is an error.

    ```mlir
    func.func @linear(%x: tensor<8x576xf32>, %w: tensor<64x576xf32> {rotq.parameter = "q_proj"},
                      %y: tensor<8x64xf32>) -> tensor<8x64xf32> {
      %zero = arith.constant 0.0 : f32
      %init = linalg.fill ins(%zero : f32) outs(%y : tensor<8x64xf32>) -> tensor<8x64xf32>
      %0 = linalg.matmul
          indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
          ins(%x, %w : tensor<8x576xf32>, tensor<64x576xf32>) outs(%init : tensor<8x64xf32>) -> tensor<8x64xf32>
      return %0 : tensor<8x64xf32>
    }
    ```
    becomes
    ```mlir
    func.func @linear(%x: tensor<8x576xf32>, %w: !rotq.weight<64x576, #rotq.format<"rq3">> {rotq.parameter = "q_proj"},
                      %y: tensor<8x64xf32>) -> tensor<8x64xf32> {
      %0 = rotq.matmul ins(%x : tensor<8x576xf32>) weight(%w : <64x576, #rotq.format<"rq3">>)
          outs(%y : tensor<8x64xf32>) -> tensor<8x64xf32>
      return %0 : tensor<8x64xf32>
    }
    ```
  }];
  let options = [
    Option<"format", "format", "std::string", "\"rq3\"",
           "preset name of the weight format">,
    Option<"include", "include", "std::string", "\"\"",
           "regular expression on names of weights (empty: every weight)">,
    Option<"planFile", "plan", "std::string", "\"\"",
           "file of the weights that are packed and their formats">,
    Option<"threads", "threads", "unsigned", "0",
           "encoder threads (0: one for every core)">,
  ];
  let statistics = [
    Statistic<"numQuantized", "num-quantized", "matmuls rewritten">,
    Statistic<"numEncodedWeights", "num-encoded", "constant weights encoded">,
  ];
  let dependentDialects = ["::mlir::rotq::RotQDialect",
                           "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect",
                           "::mlir::arith::ArithDialect"];
}

def PlaceRotations : Pass<"rotq-place-rotations", "::mlir::func::FuncOp"> {
  let summary = "decide where the rotation of every weight is paid";
  let description = [{
    `activation`: `x W^T` becomes `rotate(x) rotated_view(W)^T`; matmuls of one
    activation by weights of one rotation share the rotate. `load`: the weight
    keeps its rotation and the kernel undoes it in its load stage. `auto`:
    activation, since a rotation costs an activation once and a weight every
    time it is read. A rotated activation has the type of the activation: an f16
    one is rounded, unless `rotq-quantize-activations` takes the rotation in.

    Refuses a function in which a rotated view meets an activation that was not
    rotated the same way, or the other way about: half a rotation silently ruins
    a model.

    ```mlir
    func.func @linear(%x: tensor<8x576xf32>, %w: !rotq.weight<64x576, #rotq.format<"rq3">>,
                      %y: tensor<8x64xf32>) -> tensor<8x64xf32> {
      %0 = rotq.matmul ins(%x : tensor<8x576xf32>) weight(%w : <64x576, #rotq.format<"rq3">>)
          outs(%y : tensor<8x64xf32>) -> tensor<8x64xf32>
      return %0 : tensor<8x64xf32>
    }
    ```
    becomes
    ```mlir
    #view = #rotq.format<"rq3_rotated", rotation = #rotq.identity, scale = #rotq.scale<256>, codebook = #rotq.table<3, [-114, -71, -40, -13, 13, 40, 71, 114]>, coding = #rotq.fixed<3>>
    func.func @linear(%x: tensor<8x576xf32>, %w: !rotq.weight<64x576, #rotq.format<"rq3">>,
                      %y: tensor<8x64xf32>) -> tensor<8x64xf32> {
      %0 = tensor.empty() : tensor<8x576xf32>
      %1 = rotq.rotate #rotq.hadamard<256> ins(%x : tensor<8x576xf32>) outs(%0 : tensor<8x576xf32>) -> tensor<8x576xf32>
      %2 = rotq.rotated_view %w : <64x576, #rotq.format<"rq3">> -> <64x576, #view>
      %3 = rotq.matmul ins(%1 : tensor<8x576xf32>) weight(%2 : <64x576, #view>)
          outs(%y : tensor<8x64xf32>) -> tensor<8x64xf32>
      return %3 : tensor<8x64xf32>
    }
    ```
  }];
  let options = [
    Option<"placement", "placement", "::mlir::rotq::Placement",
           "::mlir::rotq::Placement::Auto", "where rotations are paid",
           "::mlir::rotq::placementValues()">,
  ];
  let statistics = [
    Statistic<"numRotations", "num-rotations", "rotations of activations">,
    Statistic<"numShared", "num-shared", "matmuls that reuse a rotation">,
  ];
  let dependentDialects = ["::mlir::rotq::RotQDialect",
                           "::mlir::tensor::TensorDialect"];
}

def QuantizeActivations : Pass<"rotq-quantize-activations", "::mlir::func::FuncOp"> {
  let summary = "feed matmuls activations of 8 bits (CHANGES NUMERICS)";
  let description = [{
    The float input of a `rotq.matmul` by an unrotated weight is replaced by a
    `rotq.quantize_activation`, into which the `rotq.rotate` that made it is
    folded. Equal inputs are quantized once. `rests` keeps 15 bits of few rows
    (see `rotq.quantize_activation`). With `operand=e4m3` codes are e4m3 and not
    int8: GPUs multiply both at one rate, and int8 loses less of a rotated
    activation.

    ```mlir
    func.func @linear(%x: tensor<8x576xf32>, %w: !rotq.weight<64x576, #rotq.format<"int4_g128">>,
                      %y: tensor<8x64xf32>) -> tensor<8x64xf32> {
      %0 = rotq.matmul ins(%x : tensor<8x576xf32>) weight(%w : <64x576, #rotq.format<"int4_g128">>)
          outs(%y : tensor<8x64xf32>) -> tensor<8x64xf32>
      return %0 : tensor<8x64xf32>
    }
    ```
    becomes
    ```mlir
    func.func @linear(%x: tensor<8x576xf32>, %w: !rotq.weight<64x576, #rotq.format<"int4_g128">>,
                      %y: tensor<8x64xf32>) -> tensor<8x64xf32> {
      %0 = tensor.empty() : tensor<8x576xi8>
      %1 = tensor.empty() : tensor<8x3xf32>
      %2 = tensor.empty() : tensor<8x3xi32>
      %3:3 = rotq.quantize_activation #rotq.identity group(256) ins(%x : tensor<8x576xf32>)
          outs(%0, %1, %2 : tensor<8x576xi8>, tensor<8x3xf32>, tensor<8x3xi32>)
          -> tensor<8x576xi8>, tensor<8x3xf32>, tensor<8x3xi32>
      %4 = rotq.matmul ins(%3#0, %3#1, %3#2 : tensor<8x576xi8>, tensor<8x3xf32>, tensor<8x3xi32>) group(256)
          weight(%w : <64x576, #rotq.format<"int4_g128">>) outs(%y : tensor<8x64xf32>) -> tensor<8x64xf32>
      return %4 : tensor<8x64xf32>
    }
    ```
  }];
  let options = [
    Option<"group", "group", "int64_t", "256",
           "activation values per scale; smaller where the weight's offset needs it">,
    Option<"rests", "rests", "bool", "false", "keep what codes of int8 leave, of few rows">,
    Option<"operand", "operand", "::mlir::rotq::Operand",
           "::mlir::rotq::Operand::Int8", "what activations become",
           "::mlir::rotq::operandValues()">,
  ];
  let statistics = [
    Statistic<"numQuantized", "num-quantized", "activations quantized">,
  ];
  let dependentDialects = ["::mlir::rotq::RotQDialect",
                           "::mlir::tensor::TensorDialect"];
}

def FuseEpilogues : Pass<"rotq-fuse-epilogues", "::mlir::func::FuncOp"> {
  let summary = "let matmuls compute the elementwise functions of their results";
  let description = [{
    Elementwise ops on tensors behind a `rotq.matmul` (linalg ops whose loops are
    parallel, and such ops as `arith.truncf`) move into its epilogue, in the
    order of their block and as long as one result is all that is left to read.
    Their other operands are M x N matrices, vectors of N that are broadcast over
    M, and constants. The fused matmul stands where the last of them stood. No
    rounding is added or left out: what was f16 in between, is f16 in the
    epilogue.

    Remarks of the category `rotq-epilogue` say what was fused, and what was not
    and why.

    ```mlir
    func.func @linear(%x: tensor<8x576xf32>, %w: !rotq.weight<64x576, #rotq.format<"rq3">>, %bias: tensor<64xf32>,
                      %y: tensor<8x64xf32>, %z: tensor<8x64xf32>) -> tensor<8x64xf32> {
      %0 = rotq.matmul ins(%x : tensor<8x576xf32>) weight(%w : <64x576, #rotq.format<"rq3">>)
          outs(%y : tensor<8x64xf32>) -> tensor<8x64xf32>
      %1 = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (n)>, affine_map<(m, n) -> (m, n)>],
                           iterator_types = ["parallel", "parallel"]}
          ins(%0, %bias : tensor<8x64xf32>, tensor<64xf32>) outs(%z : tensor<8x64xf32>) {
      ^bb0(%product: f32, %b: f32, %out: f32):
        %2 = arith.addf %product, %b : f32
        linalg.yield %2 : f32
      } -> tensor<8x64xf32>
      return %1 : tensor<8x64xf32>
    }
    ```
    becomes
    ```mlir
    func.func @linear(%x: tensor<8x576xf32>, %w: !rotq.weight<64x576, #rotq.format<"rq3">>, %bias: tensor<64xf32>,
                      %y: tensor<8x64xf32>, %z: tensor<8x64xf32>) -> tensor<8x64xf32> {
      %0 = rotq.matmul ins(%x : tensor<8x576xf32>) weight(%w : <64x576, #rotq.format<"rq3">>)
          outs(%z : tensor<8x64xf32>) epilogue(%bias : tensor<64xf32>) {
      ^bb0(%sum: f32, %b: f32):
        %1 = arith.addf %sum, %b : f32
        rotq.yield %1 : f32
      } -> tensor<8x64xf32>
      return %0 : tensor<8x64xf32>
    }
    ```
  }];
  let statistics = [
    Statistic<"numMatmuls", "num-matmuls", "matmuls that got an epilogue">,
    Statistic<"numFused", "num-fused", "elementwise ops in them">,
  ];
  let dependentDialects = ["::mlir::rotq::RotQDialect",
                           "::mlir::arith::ArithDialect",
                           "::mlir::tensor::TensorDialect"];
}

def FuseMatmuls : Pass<"rotq-fuse-matmuls", "::mlir::func::FuncOp"> {
  let summary = "let matmuls of one activation share a launch, or a loop";
  let description = [{
    Matmuls on tensors that read the same activation (in a transformer q, k and
    v), by weights of one format, layout and K, into one element type, with equal
    epilogues and with the same `kernels` or none yet, become a
    `rotq.grouped_matmul`. It stands where the first of them stood: what the
    others need is moved ahead of it, and one whose operands cannot be moved, or
    that is in another block, stays. Nothing else changes: every result is that
    of its matmul, weights keep their bytes, and N may differ.

    Where the epilogue of a matmul alone reads the result of another (in a
    transformer gate and up), the two become one with two weights, whose epilogue
    takes both sums.

    Ahead of `rotq-select-kernels`, which then chooses for the whole group, and
    behind `rotq-fuse-epilogues`.

    ```mlir
    func.func @kv(%x: tensor<8x576xf32>, %k: !rotq.weight<192x576, #rotq.format<"rq3">>, %v: !rotq.weight<64x576, #rotq.format<"rq3">>,
                  %y0: tensor<8x192xf32>, %y1: tensor<8x64xf32>) -> (tensor<8x192xf32>, tensor<8x64xf32>) {
      %0 = rotq.matmul ins(%x : tensor<8x576xf32>) weight(%k : <192x576, #rotq.format<"rq3">>)
          outs(%y0 : tensor<8x192xf32>) -> tensor<8x192xf32>
      %1 = rotq.matmul ins(%x : tensor<8x576xf32>) weight(%v : <64x576, #rotq.format<"rq3">>)
          outs(%y1 : tensor<8x64xf32>) -> tensor<8x64xf32>
      return %0, %1 : tensor<8x192xf32>, tensor<8x64xf32>
    }
    ```
    becomes
    ```mlir
    func.func @kv(%x: tensor<8x576xf32>, %k: !rotq.weight<192x576, #rotq.format<"rq3">>, %v: !rotq.weight<64x576, #rotq.format<"rq3">>,
                  %y0: tensor<8x192xf32>, %y1: tensor<8x64xf32>) -> (tensor<8x192xf32>, tensor<8x64xf32>) {
      %0:2 = rotq.grouped_matmul ins(%x : tensor<8x576xf32>)
          weights(%k, %v : !rotq.weight<192x576, #rotq.format<"rq3">>, !rotq.weight<64x576, #rotq.format<"rq3">>)
          outs(%y0, %y1 : tensor<8x192xf32>, tensor<8x64xf32>) -> tensor<8x192xf32>, tensor<8x64xf32>
      return %0#0, %0#1 : tensor<8x192xf32>, tensor<8x64xf32>
    }
    ```
  }];
  let statistics = [
    Statistic<"numPairs", "num-pairs", "matmuls that took in another">,
    Statistic<"numGroups", "num-groups", "groups made">,
    Statistic<"numFused", "num-fused", "matmuls in them">,
  ];
  let dependentDialects = ["::mlir::rotq::RotQDialect"];
}

def SelectKernels : Pass<"rotq-select-kernels", "::mlir::func::FuncOp"> {
  let summary = "choose the kernels of every matmul";
  let description = [{
    Writes `kernels`, a list of `#rotq.kernel` by rising M, from the target, the
    shape and the format. The only place that knows what is fast: by what was
    measured on the chip (`lib/Target/tables`), and by a cost model between that
    and on chips of which there are no measurements. Of a group of matmuls, the
    shape is that of all of them. A matmul that has `kernels` keeps them.

    With `candidates=1.5`, a matmul by a quantized activation whose M is static
    gets `rotq.candidates` too: what the model alone expects to take at most 1.5
    times as long as the best, the fastest first, with `rotq.predicted_us` and
    the size of the space they are from. `benchmarks/tune` measures them.

    ```mlir
    func.func @linear(%x: tensor<8x576xf32>, %w: !rotq.weight<64x576, #rotq.format<"rq3">>,
                      %y: tensor<8x64xf32>) -> tensor<8x64xf32> {
      %0 = rotq.matmul ins(%x : tensor<8x576xf32>) weight(%w : <64x576, #rotq.format<"rq3">>)
          outs(%y : tensor<8x64xf32>) -> tensor<8x64xf32>
      return %0 : tensor<8x64xf32>
    }
    ```
    becomes
    ```mlir
    func.func @linear(%x: tensor<8x576xf32>, %w: !rotq.weight<64x576, #rotq.format<"rq3">>,
                      %y: tensor<8x64xf32>) -> tensor<8x64xf32> {
      %0 = rotq.matmul ins(%x : tensor<8x576xf32>) weight(%w : <64x576, #rotq.format<"rq3">>)
          outs(%y : tensor<8x64xf32>) {kernels = [#rotq.kernel<host_vector, m = [4, 0], rows = 1, cols = 4, warps = 1>]}
          -> tensor<8x64xf32>
      return %0 : tensor<8x64xf32>
    }
    ```
  }];
  let options = [
    Option<"target", "target", "std::string", "\"host\"",
           "host, or a chip: sm_80, sm_86, sm_89, sm_90, sm_90a, sm_120a">,
    Option<"candidates", "candidates", "double", "0",
           "list what takes at most this times the best (0: nothing)">,
  ];
  let dependentDialects = ["::mlir::rotq::RotQDialect"];
}

def RepackWeights : Pass<"rotq-repack-weights", "::mlir::func::FuncOp"> {
  let summary = "bring weights into the layout that their kernels read";
  let description = [{
    A matmul with GPU kernels reads its weight in tiles: one that is in the
    canonical layout gets a `rotq.repack`, right behind where the weight comes
    from and once for all its matmuls. Of a constant, canonicalization does it at
    compile time. Of an argument, every call does it: a function to be called
    often takes `!rotq.weight<..., tiles>` instead.

    ```mlir
    func.func @linear(%x: tensor<8x576xf32>, %w: !rotq.weight<64x576, #rotq.format<"rq3">>,
                      %y: tensor<8x64xf32>) -> tensor<8x64xf32> {
      %0 = rotq.matmul ins(%x : tensor<8x576xf32>) weight(%w : <64x576, #rotq.format<"rq3">>)
          outs(%y : tensor<8x64xf32>) {kernels = [#rotq.kernel<mma_f16, m = [1, 16], rows = 16, cols = 8, warps = 4>]}
          -> tensor<8x64xf32>
      return %0 : tensor<8x64xf32>
    }
    ```
    becomes
    ```mlir
    func.func @linear(%x: tensor<8x576xf32>, %w: !rotq.weight<64x576, #rotq.format<"rq3">>,
                      %y: tensor<8x64xf32>) -> tensor<8x64xf32> {
      %0 = rotq.repack %w : <64x576, #rotq.format<"rq3">> -> <64x576, #rotq.format<"rq3">, tiles>
      %1 = rotq.matmul ins(%x : tensor<8x576xf32>) weight(%0 : <64x576, #rotq.format<"rq3">, tiles>)
          outs(%y : tensor<8x64xf32>) {kernels = [#rotq.kernel<mma_f16, m = [1, 16], rows = 16, cols = 8, warps = 4>]}
          -> tensor<8x64xf32>
      return %1 : tensor<8x64xf32>
    }
    ```
  }];
  let statistics = [
    Statistic<"numRepacked", "num-repacked", "weights repacked">,
  ];
  let dependentDialects = ["::mlir::rotq::RotQDialect"];
}

def BlockReductions : Pass<"rotq-block-reductions", "::mlir::func::FuncOp"> {
  let summary = "add four terms at a time to sums in memory";
  let description = [{
    Contractions on tensors whose sums are parallel inside of the loop over terms
    (in attention, scores over positions, and the values that they weight) load
    and store every sum for every term. They are computed four terms at a time,
    with a loop over the terms of a block innermost, which is then unrolled.
    Where the number of terms is not known, or not a multiple of four, the last
    block is a loop of its own. Products with a matrix (three loops) are left
    alone.

    ```mlir
    func.func @scores(%q: tensor<2x3x64xf32>, %k: tensor<2x64x8xf32>, %s: tensor<2x3x8xf32>) -> tensor<2x3x8xf32> {
      %0 = linalg.generic {indexing_maps = [affine_map<(j, g, d, s) -> (j, g, d)>, affine_map<(j, g, d, s) -> (j, d, s)>, affine_map<(j, g, d, s) -> (j, g, s)>],
                           iterator_types = ["parallel", "parallel", "reduction", "parallel"]}
          ins(%q, %k : tensor<2x3x64xf32>, tensor<2x64x8xf32>) outs(%s : tensor<2x3x8xf32>) {
      ^bb0(%a: f32, %b: f32, %sum: f32):
        %1 = arith.mulf %a, %b : f32
        %2 = arith.addf %sum, %1 : f32
        linalg.yield %2 : f32
      } -> tensor<2x3x8xf32>
      return %0 : tensor<2x3x8xf32>
    }
    ```
    becomes
    ```mlir
    func.func @scores(%q: tensor<2x3x64xf32>, %k: tensor<2x64x8xf32>, %s: tensor<2x3x8xf32>) -> tensor<2x3x8xf32> {
      %c0 = arith.constant 0 : index
      %c64 = arith.constant 64 : index
      %c4 = arith.constant 4 : index
      %0 = scf.for %d = %c0 to %c64 step %c4 iter_args(%sums = %s) -> (tensor<2x3x8xf32>) {
        %qs = tensor.extract_slice %q[0, 0, %d] [2, 3, 4] [1, 1, 1] : tensor<2x3x64xf32> to tensor<2x3x4xf32>
        %ks = tensor.extract_slice %k[0, %d, 0] [2, 4, 8] [1, 1, 1] : tensor<2x64x8xf32> to tensor<2x4x8xf32>
        %old = tensor.extract_slice %sums[0, 0, 0] [2, 3, 8] [1, 1, 1] : tensor<2x3x8xf32> to tensor<2x3x8xf32>
        %1 = linalg.generic {indexing_maps = [affine_map<(j, g, s, d) -> (j, g, d)>, affine_map<(j, g, s, d) -> (j, d, s)>, affine_map<(j, g, s, d) -> (j, g, s)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
            ins(%qs, %ks : tensor<2x3x4xf32>, tensor<2x4x8xf32>) outs(%old : tensor<2x3x8xf32>) {
        ^bb0(%in: f32, %in_2: f32, %out: f32):
          %2 = arith.mulf %in, %in_2 : f32
          %3 = arith.addf %out, %2 : f32
          linalg.yield %3 : f32
        } -> tensor<2x3x8xf32>
        %new = tensor.insert_slice %1 into %sums[0, 0, 0] [2, 3, 8] [1, 1, 1] : tensor<2x3x8xf32> into tensor<2x3x8xf32>
        scf.yield %new : tensor<2x3x8xf32>
      }
      return %0 : tensor<2x3x8xf32>
    }
    ```
  }];
  let dependentDialects = ["::mlir::affine::AffineDialect",
                           "::mlir::scf::SCFDialect",
                           "::mlir::tensor::TensorDialect"];
}

def FuseRows : Pass<"rotq-fuse-rows", "::mlir::func::FuncOp"> {
  let summary = "compute what concerns one row of an activation in one parallel loop";
  let description = [{
    Linalg ops on tensors whose rows (the first dimension, of a size known at run
    time only) do not depend on each other are computed row by row, together with
    whatever is computed for nothing else: a norm, what lies between two matmuls,
    or attention from the scores to the weighted values. The loop is a
    `scf.forall`; what it holds is of one row, and stays in a cache. Products
    with a matrix that all rows share are left alone. Where the first dimension
    is of a known size but what is computed of it is not, as in attention of one
    token, a row is one place of all leading dimensions: one head.

    ```mlir
    func.func @normalize(%x: tensor<?x64xf32>, %y: tensor<?x64xf32>, %sums: tensor<?xf32>) -> tensor<?x64xf32> {
      %0 = linalg.generic {indexing_maps = [affine_map<(t, k) -> (t, k)>, affine_map<(t, k) -> (t)>], iterator_types = ["parallel", "reduction"]}
          ins(%x : tensor<?x64xf32>) outs(%sums : tensor<?xf32>) {
      ^bb0(%v: f32, %sum: f32):
        %2 = arith.addf %v, %sum : f32
        linalg.yield %2 : f32
      } -> tensor<?xf32>
      %1 = linalg.generic {indexing_maps = [affine_map<(t, k) -> (t, k)>, affine_map<(t, k) -> (t)>, affine_map<(t, k) -> (t, k)>], iterator_types = ["parallel", "parallel"]}
          ins(%x, %0 : tensor<?x64xf32>, tensor<?xf32>) outs(%y : tensor<?x64xf32>) {
      ^bb0(%v: f32, %sum: f32, %o: f32):
        %2 = arith.divf %v, %sum : f32
        linalg.yield %2 : f32
      } -> tensor<?x64xf32>
      return %1 : tensor<?x64xf32>
    }
    ```
    becomes
    ```mlir
    func.func @normalize(%x: tensor<?x64xf32>, %y: tensor<?x64xf32>, %sums: tensor<?xf32>) -> tensor<?x64xf32> {
      %c0 = arith.constant 0 : index
      %rows = tensor.dim %x, %c0 : tensor<?x64xf32>
      %0 = scf.forall (%t) in (%rows) shared_outs(%out = %y) -> (tensor<?x64xf32>) {
        %3 = tensor.extract_slice %x[%t, 0] [1, 64] [1, 1] : tensor<?x64xf32> to tensor<1x64xf32>
        %4 = tensor.extract_slice %x[%t, 0] [1, 64] [1, 1] : tensor<?x64xf32> to tensor<1x64xf32>
        %5 = tensor.extract_slice %sums[%t] [1] [1] : tensor<?xf32> to tensor<1xf32>
        %6 = linalg.generic {indexing_maps = [affine_map<(t, k) -> (t, k)>, affine_map<(t, k) -> (t)>], iterator_types = ["parallel", "reduction"]}
            ins(%4 : tensor<1x64xf32>) outs(%5 : tensor<1xf32>) {
        ^bb0(%v: f32, %sum: f32):
          %2 = arith.addf %v, %sum : f32
          linalg.yield %2 : f32
        } -> tensor<1xf32>
        %7 = tensor.extract_slice %out[%t, 0] [1, 64] [1, 1] : tensor<?x64xf32> to tensor<1x64xf32>
        %8 = linalg.generic {indexing_maps = [affine_map<(t, k) -> (t, k)>, affine_map<(t, k) -> (t)>, affine_map<(t, k) -> (t, k)>], iterator_types = ["parallel", "parallel"]}
            ins(%3, %6 : tensor<1x64xf32>, tensor<1xf32>) outs(%7 : tensor<1x64xf32>) {
        ^bb0(%v: f32, %sum: f32, %o: f32):
          %2 = arith.divf %v, %sum : f32
          linalg.yield %2 : f32
        } -> tensor<1x64xf32>
        scf.forall.in_parallel {
          tensor.parallel_insert_slice %8 into %out[%t, 0] [1, 64] [1, 1] : tensor<1x64xf32> into tensor<?x64xf32>
        }
      }
      return %0 : tensor<?x64xf32>
    }
    ```
  }];
  let statistics = [
    Statistic<"numGroups", "num-groups", "loops over rows">,
  ];
  let dependentDialects = ["::mlir::linalg::LinalgDialect",
                           "::mlir::scf::SCFDialect",
                           "::mlir::tensor::TensorDialect",
                           "::mlir::affine::AffineDialect"];
}

def LimitTeams : Pass<"rotq-limit-teams", "::mlir::func::FuncOp"> {
  let summary = "run parallel loops of one iteration without other threads";
  let description = [{
    A team of OpenMP threads is started, and waited for, by whoever enters
    `omp.parallel`. A loop of at most one iteration has no work for a team, so
    the region gets an `if` that says so; what makes loops chooses steps by what
    an iteration is worth. A loop that is all of the region does not wait for the
    team ahead of the end of the region, which does.

    ```mlir
    func.func @ones(%n: index, %step: index, %x: memref<?xf32>) {
      %zero = arith.constant 0 : index
      %one = arith.constant 1.0 : f32
      omp.parallel {
        omp.wsloop {
          omp.loop_nest (%i) : index = (%zero) to (%n) step (%step) {
            memref.store %one, %x[%i] : memref<?xf32>
            omp.yield
          }
        }
        omp.terminator
      }
      return
    }
    ```
    becomes
    ```mlir
    func.func @ones(%n: index, %step: index, %x: memref<?xf32>) {
      %zero = arith.constant 0 : index
      %one = arith.constant 1.0 : f32
      %0 = arith.subi %n, %zero : index
      %1 = arith.cmpi sgt, %0, %step : index
      omp.parallel if(%1) {
        omp.wsloop nowait {
          omp.loop_nest (%i) : index = (%zero) to (%n) step (%step) {
            memref.store %one, %x[%i] : memref<?xf32>
            omp.yield
          }
        }
        omp.terminator
      }
      return
    }
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::omp::OpenMPDialect"];
}

#endif // ROTQ_TRANSFORMS_PASSES_TD
