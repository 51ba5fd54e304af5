//===- RotQAttributes.td - Formats and kernel configurations
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_DIALECT_ROTQ_IR_ROTQATTRIBUTES_TD
#define ROTQ_DIALECT_ROTQ_IR_ROTQATTRIBUTES_TD

include "rotq/Dialect/RotQ/IR/RotQDialect.td"
include "rotq/Dialect/RotQ/IR/RotQInterfaces.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"

class RotQ_Attr<string name, string mnem, list<Trait> traits = []>
    : AttrDef<RotQ_Dialect, name, traits> {
  let mnemonic = mnem;
}

//===----------------------------------------------------------------------===//
// Rotations
//===----------------------------------------------------------------------===//

def RotQ_IdentityAttr : RotQ_Attr<"Identity", "identity",
    [DeclareAttrInterfaceMethods<RotationAttrInterface>]> {
  let summary = "no rotation";
}

def RotQ_HadamardAttr : RotQ_Attr<"Hadamard", "hadamard",
    [DeclareAttrInterfaceMethods<RotationAttrInterface>]> {
  let summary = "block-diagonal normalized Walsh-Hadamard transform";
  let description = [{
    `#rotq.hadamard<256>` cuts a row into blocks of 256, then falling powers of
    two (576 = 256 + 256 + 64), and transforms each in natural order:
    `y[i] = n^-1/2 sum_j (-1)^popcount(i & j) x[j]`. The block is a power of
    two from 32 to 4096.
  }];
  let parameters = (ins "int64_t":$block);
  let assemblyFormat = "`<` $block `>`";
  let genVerifyDecl = 1;
}

//===----------------------------------------------------------------------===//
// Scales
//===----------------------------------------------------------------------===//

def RotQ_ScaleAttr : RotQ_Attr<"Scale", "scale"> {
  let summary = "f16 step, and offset, of a group of weights";
  let description = [{
    `#rotq.scale<256>`: one f16 step for every segment of the row cut by 256.
    `#rotq.scale<256, offset>`: a step and an f16 offset, value = step * point +
    offset. The group is a power of two from 32 to 4096. `#rotq.scale<row>`: one
    step for a row.
  }];
  let parameters = (ins "int64_t":$group, "bool":$hasOffset);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

//===----------------------------------------------------------------------===//
// Codebooks
//===----------------------------------------------------------------------===//

def RotQ_TableAttr : RotQ_Attr<"Table", "table",
    [DeclareAttrInterfaceMethods<CodebookAttrInterface>]> {
  let summary = "scalar codebook of int8 levels";
  let description = [{
    `#rotq.table<2, [-127, -38, 38, 127]>`: 2-bit codes, code i stands for level
    i. Levels rise strictly; 2 to 2^bits of them, spare codes stand for the
    last level.
  }];
  let parameters = (ins "unsigned":$bits, ArrayRefParameter<"int8_t">:$levels);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

def RotQ_GridAttr : RotQ_Attr<"Grid", "grid",
    [DeclareAttrInterfaceMethods<CodebookAttrInterface>]> {
  let summary = "points for 1, 2 or 4 weights at once";
  let description = [{
    `#rotq.grid<2, 1, "81c03f7f">`: codes of 2 bits for one weight, -127, -64, 63 and
    127; the bytes of the points are given in hexadecimal, point by point.
    `#rotq.grid<3, 2 signs, "10407010">`: the points are magnitudes, (16, 64) and
    (112, 16), and the top bits of a code are the signs of the coordinates, 1 where
    negative.
  }];
  let parameters = (ins "unsigned":$bits, "int64_t":$dim, "bool":$hasSigns,
                        ArrayRefParameter<"int8_t">:$points);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

def RotQ_FrameAttr : RotQ_Attr<"Frame", "frame",
    [DeclareAttrInterfaceMethods<CodebookAttrInterface>]> {
  let summary = "signed sums of vectors";
  let description = [{
    `#rotq.frame<4, 24, "28000000002800000000280000000028f0f0f010">`: every bit of
    a code adds one of five vectors of 4 coordinates where it is 1, and subtracts
    it where it is 0; a code of 5 bits for 4 weights. The bytes of the vectors are
    given in hexadecimal, vector by vector. 24 sixteenths is the deviation of
    weights that lose least. Magnitudes of a coordinate add up to 127 at most.
  }];
  let parameters = (ins "int64_t":$dim, "unsigned":$deviation,
                        ArrayRefParameter<"int8_t">:$vectors);
  let extraClassDeclaration = [{
    /// What getCodebook returns, by its own type.
    std::shared_ptr<const ::rotq::FrameCodebook> getFrame() const;
  }];
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

def RotQ_VoronoiAttr : RotQ_Attr<"Voronoi", "voronoi",
    [DeclareAttrInterfaceMethods<CodebookAttrInterface>]> {
  let summary = "points of the lattice E8 in four sizes";
  let description = [{
    `#rotq.voronoi<8, [4, 5, 6, 8]>`: a Voronoi code of E8 for 8 weights. A code
    is a class of the lattice modulo 8 (or 16), as eight fields of 3 (or 4) bits,
    and stands for a short vector of it times one of four multipliers, which rise
    from 1 to 31; two bits above the fields choose among them.
  }];
  let parameters = (ins "unsigned":$q, ArrayRefParameter<"int8_t">:$multipliers);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

def RotQ_LatticeAttr : RotQ_Attr<"Lattice", "lattice",
    [DeclareAttrInterfaceMethods<CodebookAttrInterface>]> {
  let summary = "points of the lattice E8, for eight weights each";
  let description = [{
    `#rotq.lattice<57>`: a code is the point itself, eight int8 numbers of one
    parity whose sum is a multiple of 4. 57 sixteenths is the deviation that
    weights have in steps: the larger, the finer the lattice. Up to 400.
  }];
  let parameters = (ins "unsigned":$deviation);
  let assemblyFormat = "`<` $deviation `>`";
  let genVerifyDecl = 1;
}

def RotQ_TrellisAttr : RotQ_Attr<"Trellis", "trellis",
    [DeclareAttrInterfaceMethods<CodebookAttrInterface>]> {
  let summary = "points of the states along a path";
  let description = [{
    `#rotq.trellis<3, 2212286765, 0>`: codes are states of 16 bits; the state of
    the next weight drops the 3 lowest and takes 3 new ones on top, and the
    first of 32 weights follows the last. The point of a state is the sum of the
    bytes of `state * 2212286765 + 0`, divided by 4, less 128. 1 to 8 bits a weight.
  }];
  let parameters = (ins "unsigned":$rate, "uint32_t":$multiplier,
                        "uint32_t":$increment);
  let assemblyFormat = "`<` $rate `,` $multiplier `,` $increment `>`";
  let genVerifyDecl = 1;
}

def RotQ_PairTrellisAttr : RotQ_Attr<"PairTrellis", "pair_trellis",
    [DeclareAttrInterfaceMethods<CodebookAttrInterface>]> {
  let summary = "points of the states along a path, for two weights each";
  let description = [{
    `#rotq.pair_trellis<3, 23507, 592, "25f0...">`: codes are states of 16 bits, as
    those of `#rotq.trellis`, of which the next drops 6 bits, 3 a weight. Of
    `h = state * 23507 mod 2^16` bits 7 to 14, and bit 1 above them, are the index of
    a pair of 512, whose bytes are given in hexadecimal, pair by pair. 592
    sixteenths is the deviation of weights that lose least. 1 to 4 bits a weight.
  }];
  let parameters = (ins "unsigned":$rate, "uint16_t":$multiplier,
                        "unsigned":$deviation,
                        ArrayRefParameter<"int8_t">:$points);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

//===----------------------------------------------------------------------===//
// Codings
//===----------------------------------------------------------------------===//

def RotQ_FixedAttr : RotQ_Attr<"Fixed", "fixed",
    [DeclareAttrInterfaceMethods<CodingAttrInterface>]> {
  let summary = "codes of a fixed width in interleaved bit planes";
  let description = [{
    `#rotq.fixed<3>`: 3-bit codes, as a plane of low 2 bits and a plane of high
    bits. In a plane of width w a little-endian 32-bit word holds 32 / w
    weights, weight i at bit `4 (i mod 8) + w (i div 8)`. Widths 1 to 4.
  }];
  let parameters = (ins "unsigned":$bits);
  let assemblyFormat = "`<` $bits `>`";
  let genVerifyDecl = 1;
}

def RotQ_FieldAttr : RotQ_Attr<"Field", "field",
    [DeclareAttrInterfaceMethods<CodingAttrInterface>]> {
  let summary = "codes of a fixed width, one behind the other";
  let description = [{
    `#rotq.field<11, 2>`: codes of 11 bits for 2 weights each. The codes of 32
    weights fill whole bytes, from the lowest bit on. Widths 1 to 64, for 1, 2, 4
    or 8 weights; codes of more than 32 bits have two planes, the low 32 bits and
    the others.
  }];
  let parameters = (ins "unsigned":$bits, "int64_t":$dim);
  let assemblyFormat = "`<` $bits `,` $dim `>`";
  let genVerifyDecl = 1;
}

def RotQ_RiceAttr : RotQ_Attr<"Rice", "rice",
    [DeclareAttrInterfaceMethods<CodingAttrInterface>]> {
  let summary = "points of a lattice, in Rice codes where they are stored";
  let description = [{
    `#rotq.rice`: points of `#rotq.lattice`, a byte a weight. Archives hold them in
    an entropy code, which `rotq.decompress` decodes.
  }];
}

def RotQ_WindowAttr : RotQ_Attr<"Window", "window",
    [DeclareAttrInterfaceMethods<CodingAttrInterface>]> {
  let summary = "codes of 16 bits that overlap";
  let description = [{
    `#rotq.window<3>`: 256 weights, or what is left of a row, are a circular
    string of 3 bits each, and a code is the 3 bits of its weight and the 13
    before them. `#rotq.window<3, 2>`: a code for every two weights is their 6 bits
    and the 10 before them. 1 to 8 new bits a code, and one scale a row.
  }];
  let parameters = (ins "unsigned":$rate,
                        DefaultValuedParameter<"int64_t", "1">:$dim);
  let assemblyFormat = "`<` $rate (`,` $dim^)? `>`";
  let genVerifyDecl = 1;
}

//===----------------------------------------------------------------------===//
// Formats
//===----------------------------------------------------------------------===//

def RotQ_FormatAttr : RotQ_Attr<"Format", "format"> {
  let summary = "a weight format: rotation, scale, codebook and coding";
  let description = [{
    A preset is written by its name, `#rotq.format<"rq3">`; any other format
    spells its parts out:

    ```mlir
    #rotq.format<"mine", rotation = #rotq.hadamard<128>, scale = #rotq.scale<128>,
                 codebook = #rotq.table<2, [-127, -38, 38, 127]>, coding = #rotq.fixed<2>>
    ```

    A row w is stored as codes q with `R w ~ step * codebook(q) + offset`.
    Codebook and coding agree in the width of a code.
  }];
  let parameters = (ins
    StringRefParameter<"name of the format">:$name,
    "::mlir::rotq::RotationAttrInterface":$rotation,
    "::mlir::rotq::ScaleAttr":$scale,
    "::mlir::rotq::CodebookAttrInterface":$codebook,
    "::mlir::rotq::CodingAttrInterface":$coding
  );
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// The codec's view of this format.
    ::rotq::Format getFormat() const;
    /// The attribute of a codec format. Null if it has a part no attribute
    /// mirrors.
    static FormatAttr get(MLIRContext *context, const ::rotq::Format &format);
    /// The preset called `name`; emits the error that lists the known names.
    static FailureOr<FormatAttr>
    getPreset(MLIRContext *context, StringRef name,
              function_ref<InFlightDiagnostic()> emitError);
    /// The same format in its rotated basis: no rotation.
    FormatAttr withoutRotation() const;
    bool isRotated() const { return getRotation().getRotation()->block() != 0; }
  }];
}

//===----------------------------------------------------------------------===//
// Layouts
//===----------------------------------------------------------------------===//

def RotQ_LayoutKind : I32EnumAttr<"LayoutKind", "where the bytes of a weight lie", [
    I32EnumAttrCase<"Canonical", 0, "canonical">,
    I32EnumAttrCase<"Tiles", 1, "tiles">]> {
  let cppNamespace = "::mlir::rotq";
  let genSpecializedAttr = 0;
}

//===----------------------------------------------------------------------===//
// Kernel configurations
//===----------------------------------------------------------------------===//

def RotQ_KernelKind : I32EnumAttr<"KernelKind", "how a matmul is computed", [
    I32EnumAttrCase<"MmaS8", 0, "mma_s8">,
    I32EnumAttrCase<"MmaF16", 1, "mma_f16">,
    I32EnumAttrCase<"WgmmaS8", 2, "wgmma_s8">,
    I32EnumAttrCase<"HostVector", 3, "host_vector">,
    I32EnumAttrCase<"MmaB1", 4, "mma_b1">,
    I32EnumAttrCase<"MmaE4M3", 5, "mma_e4m3">,
    I32EnumAttrCase<"WgmmaE4M3", 6, "wgmma_e4m3">]> {
  let cppNamespace = "::mlir::rotq";
  let genSpecializedAttr = 0;
}

def RotQ_KernelAttr : RotQ_Attr<"Kernel", "kernel"> {
  let summary = "which kernel computes a matmul for a range of M, and its tile";
  let description = [{
    `#rotq.kernel<mma_s8, m = [1, 8], rows = 16, cols = 8, warps = 4>` covers M
    from 1 to 8 (0: no upper end). A tile is `rows` outputs (along N) of `cols`
    rows of the activation (along M); a block has `warps` warps, each with a
    tile of its own unless `split` of them share one and divide K (of `wgmma`,
    `split` warpgroups do). Where an element takes the sums of several weights, a
    tile has as many warps for each of them. A warp loads weights `depth` tiles of
    K ahead. With `stages`, shared memory holds that many tiles of K of the
    weights, and of the activation's columns, which the warps of a block share.
    `blocks` of them have to fit on a multiprocessor together, which bounds
    registers (0: no bound).

    * `mma_s8`: `mma.sync.m16n8k32.s8`; rows a multiple of 16, cols of 8.
    * `wgmma_s8`: `wgmma.m64n<cols>k32.s8` on sm_90a; warps a multiple of 4, rows
      (of a warp) of 16, cols 8, 24 or a multiple of 16, always staged. For more
      than 32 rows of the activation, whose codes are interleaved on chips with
      warpgroups; `mma_s8` has at most 32 there.
    * `mma_e4m3` and `wgmma_e4m3`: the same of codes and points in e4m3, summed in
      f32 (`mma.sync.m16n8k32.e4m3`, sm_89 and later).
    * `mma_f16`: `mma.sync.m16n8k16.f16` on a float activation, rounded to f16
      (values beyond 65504 overflow); the weight is decoded, and its rotation
      undone, in the load stage, in f16.
    * `mma_b1`: `mma.sync.m16n8k256.b1.and.popc` of the bits of a frame's codes
      and the bit planes of the activation, lifted, of at most 16 rows: nothing
      is decoded. Rows a multiple of 16, cols 1, 2, 4 (of as many rows) or a
      multiple of 8.
    * `host_vector`: vectors of the host; `cols` rows of the activation share
      one decoding of a row of the weight.
  }];
  let parameters = (ins
    "::mlir::rotq::KernelKind":$kind,
    "int64_t":$mMin, "int64_t":$mMax,
    "int64_t":$rows, "int64_t":$cols, "int64_t":$warps,
    DefaultValuedParameter<"int64_t", "1">:$split,
    DefaultValuedParameter<"int64_t", "1">:$depth,
    DefaultValuedParameter<"int64_t", "0">:$stages,
    DefaultValuedParameter<"int64_t", "0">:$blocks
  );
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

#endif // ROTQ_DIALECT_ROTQ_IR_ROTQATTRIBUTES_TD
