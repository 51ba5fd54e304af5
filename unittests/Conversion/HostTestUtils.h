//===- HostTestUtils.h - Modules that run on this machine
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_UNITTESTS_CONVERSION_HOSTTESTUTILS_H
#define ROTQ_UNITTESTS_CONVERSION_HOSTTESTUTILS_H

#include "HostRunner.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

#include <random>
#include <span>

namespace mlir::rotq::test {

/// A module, lowered and compiled. Failures are failures of the test.
class CompiledModule {
public:
  /// `options` as on the command line of `rotq-to-host`.
  CompiledModule(const std::string &text, llvm::StringRef options);
  std::vector<Array> run(llvm::StringRef entry,
                         llvm::ArrayRef<Array> arguments);

private:
  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  std::optional<HostRunner> runner;
};

/// "features=..." to choose instructions by; only those that this machine has.
std::string featuresOption(llvm::StringRef wanted);

template <typename T> std::span<T> valuesOf(Array &array) {
  return {reinterpret_cast<T *>(array.data.get()), size_t(array.numElements())};
}
template <typename T> std::span<const T> valuesOf(const Array &array) {
  return {reinterpret_cast<const T *>(array.data.get()),
          size_t(array.numElements())};
}

Array copyOf(const Array &array);
Array makeNormal(std::mt19937_64 &random, llvm::ArrayRef<int64_t> shape);
/// A packed N x K weight in the preset `format`.
Array makeBlob(std::mt19937_64 &random, llvm::StringRef format, int64_t n,
               int64_t k);

} // namespace mlir::rotq::test

#endif // ROTQ_UNITTESTS_CONVERSION_HOSTTESTUTILS_H
