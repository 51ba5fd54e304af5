//===- KernelConfig.h - What kernels are chosen by, and among
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_TARGET_KERNELCONFIG_H
#define ROTQ_TARGET_KERNELCONFIG_H

#include "rotq/Dialect/RotQ/IR/RotQ.h"

#include <compare>
#include <optional>
#include <string>

namespace mlir::rotq {

/// A `#rotq.kernel` without its range of M.
struct KernelConfig {
  KernelKind kind = KernelKind::MmaS8;
  int64_t rows = 16, cols = 8, warps = 1;
  int64_t split = 1, depth = 1, stages = 0, blocks = 0;

  auto operator<=>(const KernelConfig &) const = default;

  bool isStaged() const { return stages != 0; }
  int64_t threads() const { return 32 * warps; }
  /// Rows of weights that a block multiplies.
  int64_t blockRows() const { return rows * (warps / split); }

  /// As in the name of a kernel: "mma_s8_r16c8w8s8d2t4b2", where fields that
  /// have their default are left out.
  std::string str() const;
  /// None if that is not how a configuration is written.
  static std::optional<KernelConfig> parse(StringRef text);

  static KernelConfig get(KernelAttr kernel);
  KernelAttr getAttr(MLIRContext *context, int64_t mMin, int64_t mMax) const;
};

/// What of a matmul by a quantized activation, or of a group of them, its time
/// depends on besides M.
struct MatmulShape {
  int64_t n = 0; ///< of all members
  int64_t k = 0;
  int64_t members = 1;
  int64_t slots = 0; ///< of a tile of the weight: bits of a code, or planes
  bool hasOffset = false;
  int64_t group = 0; ///< weights that share a scale and the activation's
  int64_t sums = 1;  ///< of members, that one element takes
  bool hasEpilogue = false;
  int64_t tableBytes = 0; ///< that decoding keeps in shared memory
  /// What decoding 32 weights takes; 0: what a table of levels does, which was
  /// measured.
  int64_t decodeOperations = 0;
  /// Words of a lane for a part of an activation that is lifted; 0: none is.
  int64_t liftedWords = 0;
  Operand operand = Operand::Int8;

  bool operator==(const MatmulShape &) const = default;

  /// `group` values of the activation share a scale.
  static MatmulShape get(const ::rotq::Format &format, int64_t n, int64_t k,
                         int64_t members, int64_t group);
  static MatmulShape get(ArrayRef<WeightType> weights, int64_t group,
                         int64_t sums = 1, bool hasEpilogue = false);

  int64_t tilesOfK() const;
  int64_t groupsOfTile() const;
};

/// What the cost model knows of a chip.
struct Chip {
  std::string name;
  int64_t multiprocessors = 0;
  double gigahertz = 0;
  double gigabytesPerSecond = 0; ///< of DRAM
  int64_t l2Megabytes = 0;
  int64_t warps = 0;           ///< that a multiprocessor holds
  int64_t sharedKilobytes = 0; ///< of a multiprocessor, for blocks
  /// int8 products of a multiprocessor a cycle by mma.sync, and by wgmma where
  /// there is one.
  int64_t mmaProducts = 0, wgmmaProducts = 0;
};

} // namespace mlir::rotq

#endif // ROTQ_TARGET_KERNELCONFIG_H
