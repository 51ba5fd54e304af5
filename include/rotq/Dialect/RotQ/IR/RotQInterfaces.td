//===- RotQInterfaces.td - Interfaces of parts of a format, and of ops
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_DIALECT_ROTQ_IR_ROTQINTERFACES_TD
#define ROTQ_DIALECT_ROTQ_IR_ROTQINTERFACES_TD

include "mlir/IR/OpBase.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"

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

def MatmulOpInterface
    : OpInterface<"MatmulOpInterface", [DestinationStyleOpInterface]> {
  let cppNamespace = "::mlir::rotq";
  let description = [{
    Products of one activation: by one packed weight, or by several of one
    format and K. Every destination has as many of the weights, those of the
    first one first, and as many of the operands of the epilogue.
  }];
  let methods = [
    InterfaceMethod<"The activation: x, or codes, scales and sums.",
      "::mlir::OperandRange", "getInputs">,
    InterfaceMethod<"The weights.",
      "::mlir::MutableOperandRange", "getWeightsMutable">,
    InterfaceMethod<"What the epilogue reads: vectors of N, and M x N matrices.",
      "::mlir::OperandRange", "getEpilogueOperands">,
    InterfaceMethod<"A function of f32 sums and of elements of its operands; empty where sums are stored as they are.",
      "::mlir::Region &", "getEpilogue">,
    InterfaceMethod<"The group of a quantized activation.",
      "std::optional<uint64_t>", "getGroup">,
    InterfaceMethod<"Whether the activation has rests.", "bool", "getRests">,
    InterfaceMethod<"The kernels chosen, by rising M.",
      "std::optional<::mlir::ArrayAttr>", "getKernels">,
    InterfaceMethod<"Chooses kernels.",
      "void", "setKernelsAttr", (ins "::mlir::ArrayAttr":$kernels)>,
  ];
  let extraSharedClassDeclaration = [{
    bool isQuantized() { return $_op.getInputs().size() == 3; }
    /// Of a quantized activation.
    ::mlir::rotq::Operand getOperandKind() {
      return ::mlir::rotq::operandOf($_op.getInputs()[0]);
    }
    ::llvm::SmallVector<::mlir::rotq::WeightType> getWeightTypes() {
      ::llvm::SmallVector<::mlir::rotq::WeightType> types;
      for (::mlir::OpOperand &weight : $_op.getWeightsMutable())
        types.push_back(
            ::llvm::cast<::mlir::rotq::WeightType>(weight.get().getType()));
      return types;
    }
    /// Of every destination: the sums that its epilogue takes.
    int64_t getNumSums() {
      return $_op.getWeightsMutable().size() / $_op.getNumDpsInits();
    }
    /// The operands of the epilogue of a destination.
    ::mlir::OperandRange getEpilogueOperandsOf(int64_t init) {
      int64_t count =
          $_op.getEpilogueOperands().size() / $_op.getNumDpsInits();
      return $_op.getEpilogueOperands().slice(init * count, count);
    }
  }];
}

#endif // ROTQ_DIALECT_ROTQ_IR_ROTQINTERFACES_TD
