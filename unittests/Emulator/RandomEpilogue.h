//===- RandomEpilogue.h - Elementwise functions of products, drawn at random
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_UNITTESTS_EMULATOR_RANDOMEPILOGUE_H
#define ROTQ_UNITTESTS_EMULATOR_RANDOMEPILOGUE_H

#include "KernelReference.h"

#include "llvm/ADT/ArrayRef.h"

#include <random>
#include <string>

namespace mlir::rotq::test {

/// What `type` ("f16", "bf16" or "f32") holds of `values`, and back.
std::vector<std::byte> pack(llvm::ArrayRef<float> values, llvm::StringRef type);
std::vector<float> unpack(llvm::ArrayRef<std::byte> bytes,
                          llvm::StringRef type);

/// A chain of elementwise functions of an f32 matrix.
class RandomEpilogue {
public:
  enum class Kind { Bias, Residual, Silu, Negate, Scale, Round };
  struct Step {
    Kind kind;
    std::string type; ///< of the operand, or what is rounded to
  };
  /// Elements of an operand: of M x N, or N.
  struct Operand {
    bool isVector;
    std::string type;
    std::vector<float> values;
  };

  /// Of up to `count` steps.
  static RandomEpilogue draw(std::mt19937_64 &random, int64_t count);

  /// Letters that tell what it does.
  std::string label() const;
  /// Ops on tensors, which make the last step of %<value>, a tensor<?xNxf32>;
  /// it and the operands are to be defined, and %empty_N.
  std::string text(llvm::StringRef value, int64_t n) const;
  /// What that is called.
  std::string result(llvm::StringRef value) const;
  /// The arguments of a function for its operands, each with a comma ahead.
  std::string arguments(llvm::StringRef value, int64_t n) const;
  std::vector<Operand> drawOperands(std::mt19937_64 &random, int64_t m,
                                    int64_t n) const;
  void apply(BoundedProduct &product, int64_t n,
             llvm::ArrayRef<Operand> operands) const;

private:
  std::string nameOf(llvm::StringRef value, size_t step) const;

  std::vector<Step> steps;
};

} // namespace mlir::rotq::test

#endif // ROTQ_UNITTESTS_EMULATOR_RANDOMEPILOGUE_H
