//===- RotQDialect.td - The rotq dialect
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_DIALECT_ROTQ_IR_ROTQDIALECT_TD
#define ROTQ_DIALECT_ROTQ_IR_ROTQDIALECT_TD

include "mlir/IR/DialectBase.td"

def RotQ_Dialect : Dialect {
  let name = "rotq";
  let cppNamespace = "::mlir::rotq";
  let summary = "rotated, codebook-quantized weights and the kernels that read them";
  let description = [{
    A weight format is declared once, as `#rotq.format`: a rotation, scales, a
    codebook and a coding. `!rotq.weight<NxK, #format>` is a packed weight in
    that format. Operations on tensors (`quantize`, `dequantize`, `rotate`,
    `quantize_activation`, `matmul`, `gather`) say what is computed; micro-ops
    on vectors (`unpack`, `decode`, `fwht`, `dot`) are what kernels are made
    of, and know no matmul.

    Every tensor operation means what it says on its own: a `matmul` multiplies
    by the weight as `dequantize` would reconstruct it. Moving a rotation to
    the activation is the identity `x W^T = rotate(x) rotated_view(W)^T`, so no
    module can be in a state where a rotation is pending.

    An argument of a function that is a parameter of the model carries
    `rotq.parameter = "name"`, its name in checkpoints and archives.
  }];
  let dependentDialects = [];
  let useDefaultAttributePrinterParser = 1;
  let useDefaultTypePrinterParser = 1;
  let hasRegionArgAttrVerify = 1;
  let extraClassDeclaration = [{
    void registerAttributes();
    void registerTypes();
  }];
}

#endif // ROTQ_DIALECT_ROTQ_IR_ROTQDIALECT_TD
