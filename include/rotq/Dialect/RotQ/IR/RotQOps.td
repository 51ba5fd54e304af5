//===- RotQOps.td - Operations of the rotq dialect
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_DIALECT_ROTQ_IR_ROTQOPS_TD
#define ROTQ_DIALECT_ROTQ_IR_ROTQOPS_TD

include "rotq/Dialect/RotQ/IR/RotQTypes.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/TilingInterface.td"

defvar epilogueDoc = [{

    The epilogue computes an element of y from the f32 sum for it, `s`, and from
    the elements that `epilogue` reads of its operands, each either a vector of
    N, of which it is element n, or an M x N matrix, of which it is element
    (m, n):

      y[m, n] = epilogue(s[m, n], v[n], ..., r[m, n], ...)

    Its region is of elementwise operations on scalars, and constants; it yields
    one value of y's element type. Without one, the sum is rounded to that type.
}];

defvar paddedDoc = [{

    Kp is K rounded up to 32, S is K rounded up to 64, and G the number of
    segments that Kp is cut into by the group (blocks of the group's size, then
    falling powers of two).
}];

def I4 : I<4>;

class RotQ_Op<string mnemonic, list<Trait> traits = []>
    : Op<RotQ_Dialect, mnemonic, traits>;

/// Computes on tensors, or on memrefs after bufferization, into `outs`.
class RotQ_DestinationOp<string mnemonic, list<Trait> traits = []>
    : RotQ_Op<mnemonic, traits # [
        DestinationStyleOpInterface,
        DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let hasVerifier = 1;
  code initsDeclaration = [{
    MutableOperandRange getDpsInitsMutable() { return getInitsMutable(); }
  }];
  let extraClassDeclaration = initsDeclaration;
}

class RotQ_Shaped<list<Type> elements>
    : AnyTypeOf<[RankedTensorOf<elements>, MemRefOf<elements>]>;
def RotQ_FloatMatrix : RotQ_Shaped<[F32, F16]>;
/// What products are stored as, and what an epilogue reads.
def RotQ_AnyFloat : RotQ_Shaped<[F32, F16, BF16]>;
def RotQ_Bytes : AnyTypeOf<[1DTensorOf<[I8]>, MemRefRankOf<[I8], [1]>]>;
def RotQ_AnyShaped : RotQ_Shaped<[F32, F16, F8E4M3FN, I8, I32, I64, Index]>;

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

def RotQ_ConstantOp : RotQ_Op<"constant", [Pure]> {
  let summary = "a packed weight whose bytes are in the module";
  let description = [{
    ```mlir
    %w = rotq.constant dense_resource<w0> : tensor<1606400xi8> : !rotq.weight<4096x1024, #rotq.format<"rq3">>
    ```
    The tensor is the blob of `rotq::WeightLayout`; its size is verified.
  }];
  let arguments = (ins ElementsAttr:$value);
  let results = (outs RotQ_WeightType:$result);
  let assemblyFormat = "$value attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def RotQ_QuantizeOp : RotQ_Op<"quantize", [
    DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "encodes a weight";
  let description = [{
    N x K floats become a packed weight: each row is zero-padded, rotated, and
    for every segment the step (and offset) and codes are chosen for least
    squared error. `rotq-quantize-weights` evaluates it on constants. Of values
    known only at run time, which may be in a memref, formats whose codes are a
    path through a trellis have kernels on GPUs, which give the same bytes; a row
    with a weight that is not a number, infinite or beyond 2^64 gets a step that is
    not a number, and decodes to such.
  }];
  let arguments = (ins RotQ_AnyFloat:$source);
  let results = (outs RotQ_WeightType:$result);
  let assemblyFormat = "$source attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
}

def RotQ_RotatedViewOp : RotQ_Op<"rotated_view", [Pure]> {
  let summary = "the same bytes, read in the rotated basis";
  let description = [{
    The weight W R^T, whose codes and scales are those of W: the format loses
    its rotation and K becomes Kp (K rounded up to 32).
    `x W^T = rotate(x) rotated_view(W)^T`.
  }];
  let arguments = (ins RotQ_WeightType:$source);
  let results = (outs RotQ_WeightType:$result);
  let assemblyFormat = "$source attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def RotQ_RepackOp : RotQ_Op<"repack", [Pure]> {
  let summary = "the same weight in another layout";
  let description = [{
    ```mlir
    %t = rotq.repack %w : <4096x4096, #rotq.format<"rq3">> -> <4096x4096, #rotq.format<"rq3">, tiles>
    ```
    From the canonical layout to the one that kernels read. It reads and writes
    every byte of the weight: do it once, when the weight is loaded, by passing
    the function a weight that is in tiles already. Of a constant it folds.
  }];
  let arguments = (ins RotQ_WeightType:$source);
  let results = (outs RotQ_WeightType:$result);
  let assemblyFormat = "$source attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def RotQ_DecompressOp : RotQ_DestinationOp<"decompress"> {
  let summary = "a weight from what archives hold of it";
  let description = [{
    ```mlir
    %d, %w = rotq.decompress ins(%bytes : tensor<?xi8>) outs(%e : tensor<512xi8>)
        -> tensor<512xi8>, !rotq.weight<128x2048, #rotq.format<"hyperquant_rice_4">>
    ```
    The weight, in the canonical layout, whose coding is compressed: `#rotq.rice`
    (`rotq::RiceLayout`, docs/formats/hyperquant_rice.md). Every stream of codes, of which an
    N x K weight has N ceil(K / 512), decodes alone and has a byte in the
    destination: 1 where it is damaged, as its checksum, its length or a symbol
    says, and 0 otherwise; what concerns none of them counts as the first one's.
    Points of a damaged stream have no particular values, and no memory but the
    input's, which is 16-byte aligned, is read for them. It reads and writes every byte of the weight: do it
    once, when the weight is loaded. There is no lowering for hosts, where
    archives are decompressed as they are read.
  }];
  let arguments = (ins RotQ_Bytes:$input, RotQ_Bytes:$inits);
  let results = (outs Optional<AnyRankedTensor>:$damage, RotQ_WeightType:$weight);
  let assemblyFormat = [{
    `ins` `(` $input `:` type($input) `)` `outs` `(` $inits `:` type($inits) `)`
    attr-dict `->` type(results)
  }];
}

def RotQ_ExtractRowsOp : RotQ_Op<"extract_rows", [Pure]> {
  let summary = "consecutive rows of a packed weight";
  let description = [{
    Rows [offset, offset + N') of an N x K weight, N' from the result type. It is
    what tiling a matmul along N makes of its weight. The rows must exist, and
    the layout is the canonical one.
  }];
  let arguments = (ins RotQ_WeightType:$source, Index:$offset);
  let results = (outs RotQ_WeightType:$result);
  let assemblyFormat =
      "$source `[` $offset `]` attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
}

def RotQ_StorageOp : RotQ_Op<"storage", [Pure]> {
  let summary = "the blob of a packed weight";
  let description = [{
    The bytes of `rotq::WeightLayout`, or `rotq::TiledLayout`, read-only, 16-byte
    aligned.
  }];
  let arguments = (ins RotQ_WeightType:$source);
  let results = (outs MemRefRankOf<[I8], [1]>:$result);
  let assemblyFormat = "$source attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
}

def RotQ_DequantizeOp : RotQ_DestinationOp<"dequantize"> {
  let summary = "reconstructs a weight";
  let description = [{
    out[n, :K] = R^T (step * codebook(codes) + offset), N x K floats.
  }];
  let arguments = (ins RotQ_WeightType:$weight, RotQ_FloatMatrix:$inits);
  let results = (outs Optional<AnyRankedTensor>:$result);
  let assemblyFormat = [{
    `weight` `(` $weight `:` type($weight) `)` `outs` `(` $inits `:` type($inits) `)`
    attr-dict (`->` type($result)^)?
  }];
}

def RotQ_GatherOp : RotQ_DestinationOp<"gather"> {
  let summary = "rows of a packed embedding";
  let description = [{
    out[t, :] = dequantize(W)[ids[t], :] for T ids in [0, N): T x K floats.
    Behaviour on ids outside the range is undefined.
  }];
  let arguments = (ins RotQ_Shaped<[I32, I64, Index]>:$ids,
                       RotQ_WeightType:$weight, RotQ_FloatMatrix:$inits);
  let results = (outs Optional<AnyRankedTensor>:$result);
  let assemblyFormat = [{
    `ins` `(` $ids `:` type($ids) `)` `weight` `(` $weight `:` type($weight) `)`
    `outs` `(` $inits `:` type($inits) `)` attr-dict (`->` type($result)^)?
  }];
}

//===----------------------------------------------------------------------===//
// Activations
//===----------------------------------------------------------------------===//

def RotQ_RotateOp : RotQ_DestinationOp<"rotate"> {
  let summary = "rotates the rows of a matrix";
  let description = !strconcat([{
    Forward: M x K becomes M x Kp, zero-padded, each segment rotated. `inverse`:
    M x Kp becomes M x K, the padding dropped. Computed in f32.
  }], paddedDoc);
  let arguments = (ins RotationAttrInterface:$rotation, UnitAttr:$inverse,
                       RotQ_FloatMatrix:$input, RotQ_FloatMatrix:$inits);
  let results = (outs Optional<AnyRankedTensor>:$result);
  let assemblyFormat = [{
    $rotation (`inverse` $inverse^)? `ins` `(` $input `:` type($input) `)`
    `outs` `(` $inits `:` type($inits) `)` attr-dict (`->` type($result)^)?
  }];
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def RotQ_QuantizeActivationOp : RotQ_DestinationOp<"quantize_activation"> {
  let summary = "rotates an activation and rounds it to 8 bits";
  let description = !strconcat([{
    The rows of x (M x K) are rotated, then for every segment of the group

      scale = max |x| / 127,  code = rint(x * (127 / max |x|)),  sum = sum of codes

    in f32, rint to nearest even. Outs: codes M x S int8 (zero beyond K), scales
    M x G f32, sums M x G i32. Numerics change: about 7e-3 relative error of a
    product with Gaussian data and groups of 256.

    With `rests` all three are twice as wide: in a row, behind the codes are
    those of what they leave, likewise scales and sums,

      rest = rint((x * (127 / max |x|) - code) * 254),  scale of rests = scale / 254

    where there are at most 4 rows; of more, rests and their sums are zero. That
    is 15 bits of x for what `mma.sync` multiplies anyway.

    Codes of type f8E4M3FN are floats of 4 bits of exponent and 3 of fraction:

      scale = max |x| / 448,  code = e4m3(x * (448 / max |x|)),  sum = 512 times the sum of codes

    rounded to nearest even; sums are exact. They have no rests and no frame, and
    lose more of rotated activations than int8 does: about 3e-2 of a product.

    GPU kernels have all three in orders of their own
    (`rotq::ActivationLayout`). With a `frame`, those of at most 16 rows also
    have the rotated rows lifted by it (`rotq::LiftedLayout`), which `mma_b1`
    reads in place of the codes; it has 16 bits of rows with rests.
  }], paddedDoc);
  let arguments = (ins RotationAttrInterface:$rotation, I64Attr:$group,
                       UnitAttr:$rests, OptionalAttr<RotQ_FrameAttr>:$frame,
                       RotQ_FloatMatrix:$input,
                       Variadic<RotQ_AnyShaped>:$inits);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = [{
    $rotation `group` `(` $group `)` `ins` `(` $input `:` type($input) `)`
    `outs` `(` $inits `:` type($inits) `)` attr-dict (`->` type($results)^)?
  }];
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

/// What takes an epilogue. It is isolated, so that constants stay inside.
class RotQ_Product<string mnemonic, list<Trait> traits = []>
    : RotQ_DestinationOp<mnemonic, traits # [
        MatmulOpInterface, AttrSizedOperandSegments, IsolatedFromAbove]> {
  let regions = (region MaxSizedRegion<1>:$epilogue);
}

def RotQ_MatmulOp : RotQ_Product<"matmul", [
    DeclareOpInterfaceMethods<TilingInterface, [
      "getIterationDomain", "getLoopIteratorTypes", "getTiledImplementation",
      "getResultTilePosition"]>]> {
  let summary = "activation times transposed packed weight";
  let description = !strconcat([{
    y = x W^T: x is M x K, W an N x K weight, y M x N (overwritten, not added to).
    With one input, x is float. With three, x is what `quantize_activation`
    made: codes (M x S int8 or e4m3), scales and sums, with the group in `group`, and

      y[m, n] = sum_g step[n, g] xscale[m, g] sum_{k in g} point[n, k] xcode[m, k]
                + offset[n, g] xscale[m, g] xsum[m, g]

    where g runs over the finer of the two cuts and the inner sum is exact; with
    `rests` the same of the rests is added. With codes in e4m3 points are rounded
    to e4m3 too, the inner sum is that of a tensor core in f32, and xsum / 512
    takes the place of xsum.
    `kernels` lists the configurations `rotq-select-kernels` chose, by rising M.

    ```mlir
    %y = rotq.matmul ins(%x : tensor<4x256xf16>) weight(%w : <64x256, #rotq.format<"rq3">>)
        outs(%init : tensor<4x64xbf16>) epilogue(%bias : tensor<64xf32>) {
      ^bb0(%sum: f32, %b: f32):
        %0 = arith.addf %sum, %b : f32
        %1 = arith.truncf %0 : f32 to bf16
        rotq.yield %1 : bf16
    } -> tensor<4x64xbf16>
    ```
  }], epilogueDoc, paddedDoc);
  let arguments = (ins Variadic<RotQ_AnyShaped>:$inputs, RotQ_WeightType:$weight,
                       Variadic<RotQ_AnyFloat>:$epilogueOperands,
                       RotQ_AnyFloat:$inits,
                       OptionalAttr<I64Attr>:$group, UnitAttr:$rests,
                       OptionalAttr<TypedArrayAttrBase<RotQ_KernelAttr, "kernels">>:$kernels);
  let results = (outs Optional<AnyRankedTensor>:$result);
  let assemblyFormat = [{
    `ins` `(` $inputs `:` type($inputs) `)` (`group` `(` $group^ `)`)?
    `weight` `(` $weight `:` type($weight) `)`
    `outs` `(` $inits `:` type($inits) `)` attr-dict
    (`epilogue` (`(` $epilogueOperands^ `:` type($epilogueOperands) `)`)? $epilogue^)?
    (`->` type($result)^)?
  }];
  let extraClassDeclaration = initsDeclaration # [{
    MutableOperandRange getWeightsMutable() { return getWeightMutable(); }
  }];
}

def RotQ_GroupedMatmulOp : RotQ_Product<"grouped_matmul"> {
  let summary = "matmuls of one activation that share a launch, or a loop";
  let description = !strconcat([{
    y_i = x W_i^T for two or more weights of one format, layout and K: x is
    M x K, W_i an N_i x K weight, y_i M x N_i (overwritten), all y_i of one
    element type. `rotq-fuse-matmuls` makes it of `matmul`s, and every y_i is
    what `matmul` gives; inputs, `group` and `kernels` are those of `matmul`.
    All y_i share an epilogue, each with operands of its own: first those of
    y_0, then as many of y_1.

    ```mlir
    %y:2 = rotq.grouped_matmul ins(%x : tensor<4x256xf16>)
        weights(%q, %k : !rotq.weight<64x256, #rotq.format<"rq3">>, !rotq.weight<16x256, #rotq.format<"rq3">>)
        outs(%y0, %y1 : tensor<4x64xf32>, tensor<4x16xf32>) -> tensor<4x64xf32>, tensor<4x16xf32>
    ```

    There may be several weights for every y_i, of one N_i: first those of y_0,
    then as many of y_1. The epilogue then takes a sum for each of them:

    ```mlir
    %y = rotq.grouped_matmul ins(%x : tensor<4x256xf16>)
        weights(%gate, %up : !rotq.weight<64x256, #rotq.format<"rq3">>, !rotq.weight<64x256, #rotq.format<"rq3">>)
        outs(%init : tensor<4x64xf32>) epilogue {
      ^bb0(%g: f32, %u: f32):
        %one = arith.constant 1.0 : f32
        %0 = arith.negf %g : f32
        %1 = math.exp %0 : f32
        %2 = arith.addf %1, %one : f32
        %3 = arith.divf %g, %2 : f32
        %4 = arith.mulf %3, %u : f32
        rotq.yield %4 : f32
    } -> tensor<4x64xf32>
    ```
  }], epilogueDoc);
  let arguments = (ins Variadic<RotQ_AnyShaped>:$inputs,
                       Variadic<RotQ_WeightType>:$weights,
                       Variadic<RotQ_AnyFloat>:$epilogueOperands,
                       Variadic<RotQ_AnyFloat>:$inits,
                       OptionalAttr<I64Attr>:$group, UnitAttr:$rests,
                       OptionalAttr<TypedArrayAttrBase<RotQ_KernelAttr, "kernels">>:$kernels);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = [{
    `ins` `(` $inputs `:` type($inputs) `)` (`group` `(` $group^ `)`)?
    `weights` `(` $weights `:` type($weights) `)`
    `outs` `(` $inits `:` type($inits) `)` attr-dict
    (`epilogue` (`(` $epilogueOperands^ `:` type($epilogueOperands) `)`)? $epilogue^)?
    (`->` type($results)^)?
  }];
}

def RotQ_YieldOp : RotQ_Op<"yield", [
    Pure, ReturnLike, Terminator,
    ParentOneOf<["::mlir::rotq::MatmulOp", "::mlir::rotq::GroupedMatmulOp"]>]> {
  let summary = "what an epilogue computes";
  let arguments = (ins AnyFloat:$value);
  let assemblyFormat = "$value attr-dict `:` type($value)";
}

//===----------------------------------------------------------------------===//
// Micro-ops
//===----------------------------------------------------------------------===//

def RotQ_UnpackOp : RotQ_Op<"unpack", [Pure]> {
  let summary = "words of the planes become codes";
  let description = [{
    The bytes of n consecutive weights of a row (n a multiple of 32, starting at
    a multiple of 32), one vector a plane, filled up to whole words, become n
    codes, or fewer where a code stands for several weights. Codings of circles
    take one vector more: for every 32 weights, the last word of plane 0 of the
    32 weights before them in their circle.

    ```mlir
    %c = rotq.unpack #rotq.fixed<3> %lo, %hi : vector<4xi32>, vector<2xi32> -> vector<64xi4>
    %d = rotq.unpack #rotq.field<11, 2> %x : vector<6xi32> -> vector<16xi32>
    %e = rotq.unpack #rotq.window<3> %y, %before : vector<3xi32>, vector<1xi32> -> vector<32xi32>
    ```
  }];
  let arguments = (ins CodingAttrInterface:$coding,
                       Variadic<FixedVectorOfRankAndType<[1], [I32]>>:$planes);
  let results = (outs FixedVectorOfRankAndType<[1], [I4, I32, I64]>:$result);
  let assemblyFormat =
      "$coding $planes attr-dict `:` type($planes) `->` type($result)";
  let hasVerifier = 1;
}

def RotQ_DecodeOp : RotQ_Op<"decode", [Pure]> {
  let summary = "codes become the points of a codebook";
  let description = [{
    Points are int8. As f8E4M3FN, in kernels of GPUs, they are rounded to nearest
    even: up to 16 all of them are exact.
  }];
  let arguments = (ins CodebookAttrInterface:$codebook,
                       FixedVectorOfRankAndType<[1], [I4, I32, I64]>:$codes);
  let results = (outs FixedVectorOfRankAndType<[1], [I8, F8E4M3FN]>:$result);
  let assemblyFormat =
      "$codebook $codes attr-dict `:` type($codes) `->` type($result)";
  let hasVerifier = 1;
}

def RotQ_FwhtOp : RotQ_Op<"fwht", [Pure, AllTypesMatch<["input", "result"]>]> {
  let summary = "butterflies of a Walsh-Hadamard transform across lanes";
  let description = [{
    Position lane * n + e of the data is element e of lane `lane`'s vector of n;
    groups of `lanes` neighbouring lanes of a warp (1: the vector alone) hold
    lanes * n positions. Applies the butterflies (a, b) -> (a + b, a - b) of
    strides 1, 2, 4, ... below `block`, without the factor block^-1/2. `length`,
    the length of the segment this lane's elements belong to (a power of two
    up to `block`), ends the strides earlier for that lane: tails of rows.
  }];
  let arguments = (ins FixedVectorOfRankAndType<[1], [F32, F16]>:$input,
                       Optional<I32>:$length,
                       I64Attr:$block, DefaultValuedAttr<I64Attr, "1">:$lanes);
  let results = (outs FixedVectorOfRankAndType<[1], [F32, F16]>:$result);
  let assemblyFormat = [{
    $input `block` `(` $block `)` (`length` `(` $length^ `)`)? attr-dict
    `:` type($result)
  }];
  let hasVerifier = 1;
}

def RotQ_DotOp : RotQ_Op<"dot", [Pure, AllTypesMatch<["acc", "result"]>,
                                 AllTypesMatch<["lhs", "rhs"]>]> {
  let summary = "int8 products, summed in int32";
  let description = [{
    With an `i32` accumulator: acc + sum_i lhs[i] rhs[i]. With a vector of n / 4:
    element j takes the products 4j to 4j + 3. Wraps like `arith.addi`. With
    `unsigned`, lhs holds 0 to 255.
  }];
  let arguments = (ins FixedVectorOfRankAndType<[1], [I8]>:$lhs,
                       FixedVectorOfRankAndType<[1], [I8]>:$rhs,
                       AnyTypeOf<[I32, FixedVectorOfRankAndType<[1], [I32]>]>:$acc,
                       UnitAttr:$unsignedLhs);
  let results = (outs AnyTypeOf<[I32, FixedVectorOfRankAndType<[1], [I32]>]>:$result);
  let assemblyFormat = [{
    (`unsigned` $unsignedLhs^)? $lhs `,` $rhs `,` $acc attr-dict `:` type($lhs) `,` type($result)
  }];
  let hasVerifier = 1;
}

#endif // ROTQ_DIALECT_ROTQ_IR_ROTQOPS_TD
