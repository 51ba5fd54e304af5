//===- Matrices.h - Matrices as numbers
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_EMULATOR_MATRICES_H
#define ROTQ_LIB_EMULATOR_MATRICES_H

#include "FloatFormats.h"
#include "Fragments.h"
#include "Instructions.h"

namespace mlir::rotq::emulator {

/// Numbers, row after row. Elements of all formats, their products and sums of
/// integers are exact as doubles.
struct Matrix {
  Matrix(unsigned rows, unsigned cols)
      : rows(rows), cols(cols), values(size_t(rows) * cols) {}

  double &at(unsigned row, unsigned col) {
    return values[size_t(row) * cols + col];
  }
  double at(unsigned row, unsigned col) const {
    return values[size_t(row) * cols + col];
  }

  unsigned rows, cols;
  std::vector<double> values;
};

/// What products are added up in: integers wrap or saturate. Sums in f16 are
/// rounded to it at the end.
enum class SumFormat { S32, S32Saturated, F32, F16 };

/// The bits of a sum in registers.
inline unsigned bitsOf(SumFormat format) {
  return format == SumFormat::F16 ? 16 : 32;
}
SumFormat sumFormat(llvm::StringRef name);

/// The operand that the lanes of a warp hold as `layout` says, in registers
/// from `first` on.
void readOperand(Matrix &matrix, const Fragment &layout,
                 const ElementFormat &format, llvm::ArrayRef<uint32_t *> lanes,
                 unsigned first);
void readSums(Matrix &matrix, const Fragment &layout, SumFormat format,
              llvm::ArrayRef<uint32_t *> lanes, unsigned first);
void writeSums(const Matrix &matrix, const Fragment &layout, SumFormat format,
               llvm::ArrayRef<uint32_t *> lanes);

/// c += a b, in order of k. Sums of floats are rounded to f32, each of them.
void multiplyAdd(SumFormat format, const Matrix &a, const Matrix &b, Matrix &c);

} // namespace mlir::rotq::emulator

#endif // ROTQ_LIB_EMULATOR_MATRICES_H
