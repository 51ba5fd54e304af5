//===- RotQTypes.td - The packed weight type
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_DIALECT_ROTQ_IR_ROTQTYPES_TD
#define ROTQ_DIALECT_ROTQ_IR_ROTQTYPES_TD

include "rotq/Dialect/RotQ/IR/RotQAttributes.td"

class RotQ_Type<string name, string mnem, list<Trait> traits = []>
    : TypeDef<RotQ_Dialect, name, traits> {
  let mnemonic = mnem;
}

def RotQ_WeightType : RotQ_Type<"Weight", "weight"> {
  let summary = "a packed N x K weight";
  let description = [{
    `!rotq.weight<4096x4096, #rotq.format<"rq3">>` is N = 4096 rows (outputs) of
    K = 4096 weights in one immutable blob, laid out as `rotq::WeightLayout`
    says: the canonical layout, that of files. `!rotq.weight<4096x4096,
    #rotq.format<"rq3">, tiles>` is laid out as `rotq::TiledLayout` says, for
    GPU kernels; `rotq.repack` makes one of the other.

    A value of this type is a handle: it is neither a tensor nor a memref,
    bufferization passes it through, and it becomes `memref<Bxi8>` (B the bytes
    of the blob) when kernels are built.
  }];
  let parameters = (ins "int64_t":$n, "int64_t":$k,
                        "::mlir::rotq::FormatAttr":$format,
                        "::mlir::rotq::LayoutKind":$layout);
  let builders = [
    TypeBuilder<(ins "int64_t":$n, "int64_t":$k, "::mlir::rotq::FormatAttr":$format), [{
      return $_get($_ctxt, n, k, format, ::mlir::rotq::LayoutKind::Canonical);
    }]>];
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    bool isCanonical() const { return getLayout() == LayoutKind::Canonical; }
    ::rotq::WeightLayout getCanonicalLayout() const;
    ::rotq::TiledLayout getTiledLayout() const;
    /// The same weight in another layout.
    WeightType withLayout(LayoutKind layout) const;
    /// The type of the blob: memref<Bxi8>.
    MemRefType getStorageType() const;
    /// The same bytes without the rotation: K becomes the padded length.
    WeightType rotatedView() const;
  }];
}

#endif // ROTQ_DIALECT_ROTQ_IR_ROTQTYPES_TD
