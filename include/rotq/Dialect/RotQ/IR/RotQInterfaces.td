//===- RotQInterfaces.td - Interfaces of the parts of a format
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_DIALECT_ROTQ_IR_ROTQINTERFACES_TD
#define ROTQ_DIALECT_ROTQ_IR_ROTQINTERFACES_TD

include "mlir/IR/OpBase.td"

// Each interface hands out the codec object that the attribute mirrors. The
// object answers for the host (spans of floats and codes) and for the IR
// (arithmetic on an ExprBuilder), from one description.

def RotationAttrInterface : AttrInterface<"RotationAttrInterface"> {
  let cppNamespace = "::mlir::rotq";
  let description = [{
    An orthonormal map along K, one segment of a row at a time.
  }];
  let methods = [
    InterfaceMethod<"The rotation this attribute declares.",
      "std::shared_ptr<const ::rotq::Rotation>", "getRotation">,
  ];
}

def CodebookAttrInterface : AttrInterface<"CodebookAttrInterface"> {
  let cppNamespace = "::mlir::rotq";
  let description = [{
    A map from codes to values.
  }];
  let methods = [
    InterfaceMethod<"The codebook this attribute declares.",
      "std::shared_ptr<const ::rotq::Codebook>", "getCodebook">,
  ];
}

def CodingAttrInterface : AttrInterface<"CodingAttrInterface"> {
  let cppNamespace = "::mlir::rotq";
  let description = [{
    How the codes of a row become bits.
  }];
  let methods = [
    InterfaceMethod<"The coding this attribute declares.",
      "std::shared_ptr<const ::rotq::Coding>", "getCoding">,
  ];
}

#endif // ROTQ_DIALECT_ROTQ_IR_ROTQINTERFACES_TD
