//===- KernelReference.h - What kernels have to compute
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Products in f64 from what the codec stores, and how far off a kernel may be:
// benchmarks/README.md has the bounds.
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_UNITTESTS_EMULATOR_KERNELREFERENCE_H
#define ROTQ_UNITTESTS_EMULATOR_KERNELREFERENCE_H

#include "rotq/Codec/LiftedActivation.h"
#include "rotq/Codec/PackedWeight.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace mlir::rotq::test {

/// A weight as it is stored.
struct PackedMatrix {
  /// Encodes the n x k matrix `values`.
  PackedMatrix(const ::rotq::Format &format, int64_t n, int64_t k,
               std::span<const float> values);

  /// The step (0) or the offset (1) of a position of a row.
  double number(int64_t row, int64_t position, int64_t which) const;
  bool hasOffset() const { return format.scale.hasOffset; }

  ::rotq::Format format;
  ::rotq::WeightLayout layout;
  std::vector<std::byte> blob;
  std::vector<int8_t> points; ///< n x storedLength(k)
};

/// Elements of y, row by row.
struct BoundedProduct {
  std::vector<double> values;
  std::vector<double> bounds; ///< how far off a kernel may be

  /// Adds what rounding to "f32", "f16" or "bf16" may change.
  void roundTo(std::string_view type);
  /// Adds every second row of `n` elements to the one ahead of it, in f32.
  void addRests(int64_t n);
  /// Becomes the elementwise product, in f32.
  void multiply(const BoundedProduct &other);
};

/// What a tensor core may lose of an addend, against the largest: of floats,
/// and of e4m3 in a wgmma of a GPU, whose sums have fewer bits.
inline constexpr double kTensorCore = 0x1p-23, kWgmmaE4M3 = 0x1p-13;

/// The product of a quantized activation of m rows. In e4m3 codes are, and
/// points are rounded to it; sums lose `lostOfE4M3` with every addend.
BoundedProduct multiplyCodes(const PackedMatrix &weight,
                             const ::rotq::QuantizedActivation &activation,
                             int64_t m, int64_t group,
                             std::optional<double> lostOfE4M3 = {});

/// The product of an activation of m rows that was lifted in as many parts.
BoundedProduct multiplyLifted(const PackedMatrix &weight,
                              std::span<const std::byte> lifted, int64_t m,
                              int64_t parts);

/// The product of m rows of x and the weight whose rotation is undone in f16.
BoundedProduct multiplyInHalf(const PackedMatrix &weight,
                              std::span<const float> x, int64_t m);

} // namespace mlir::rotq::test

#endif // ROTQ_UNITTESTS_EMULATOR_KERNELREFERENCE_H
