//===- Npy.h - Arrays in .npy files
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_TOOLS_QUANT_RUN_NPY_H
#define ROTQ_TOOLS_QUANT_RUN_NPY_H

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstddef>
#include <memory>

namespace mlir::rotq {

enum class Element { F16, F32, I8, U8, I32, I64 };

/// Bytes of one element.
int64_t sizeOf(Element element);
/// "f16", "i8", ...
llvm::StringRef nameOf(Element element);

/// A dense array in row-major order.
struct Array {
  struct Free {
    void operator()(std::byte *data) const;
  };

  Array() = default;
  /// Zeros.
  Array(Element element, llvm::ArrayRef<int64_t> shape);

  int64_t numElements() const;
  int64_t numBytes() const { return numElements() * sizeOf(element); }
  /// "3x64xf32"
  std::string describe() const;

  Element element = Element::F32;
  llvm::SmallVector<int64_t> shape;
  std::unique_ptr<std::byte[], Free> data; ///< 64-byte aligned
};

/// Reads versions 1 to 3, little-endian, C order. The file is not trusted: its
/// header has to be what NumPy writes, and its size what the header says.
llvm::Expected<Array> readNpy(llvm::StringRef path);

/// Writes version 1, to a temporary file that then takes the name.
llvm::Error writeNpy(llvm::StringRef path, const Array &array);

} // namespace mlir::rotq

#endif // ROTQ_TOOLS_QUANT_RUN_NPY_H
