//===- FloatFormats.h - Floats of 16 bits and fewer
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_EMULATOR_FLOATFORMATS_H
#define ROTQ_LIB_EMULATOR_FLOATFORMATS_H

#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/StringRef.h"

#include <vector>

namespace mlir::rotq::emulator {

/// A format of floats, by PTX's name.
struct FloatFormat {
  llvm::StringRef name; ///< "e4m3"
  const llvm::fltSemantics &(*semantics)();
  unsigned bits;
  /// What a conversion gives for a not-a-number: the greatest number where the
  /// format has none.
  uint32_t nan;
  /// The bits of an element of a packed pair.
  unsigned stride;
};

const FloatFormat &floatFormat(llvm::StringRef name);

/// The number that `bits` are; bits above those of the format do not count.
double decodeFloat(const FloatFormat &format, uint32_t bits);

/// How a float is converted.
struct Conversion {
  llvm::RoundingMode rounding = llvm::RoundingMode::NearestTiesToEven;
  bool relu = false;      ///< negative numbers become 0
  bool satfinite = false; ///< what is too large becomes the largest
};

/// The bits of `value` in a format that has a sign.
uint32_t encodeFloat(const FloatFormat &format, float value,
                     const Conversion &conversion = {});

/// The bits of the power of two at or next to the magnitude of `value`, as
/// ue8m0: towards infinity or towards zero.
uint32_t encodeScale(float value, const Conversion &conversion);

/// How the bits of an element of a matrix are a number.
struct ElementFormat {
  std::string name; ///< "s8"
  unsigned bits;    ///< of a register, padding included
  std::vector<double> values;
};

/// Elements of matrices: floats, "s8" and "u8", and the formats of 4 and 6 bits
/// in a byte each, "e2m1.b8" (in bits 2 to 5), "e2m3.b8" and "e3m2.b8" (in the
/// low bits).
const ElementFormat &elementFormat(llvm::StringRef name);

} // namespace mlir::rotq::emulator

#endif // ROTQ_LIB_EMULATOR_FLOATFORMATS_H
