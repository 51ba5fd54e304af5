//===- KernelTable.h - What kernels were measured to take on a chip
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_TARGET_KERNELTABLE_H
#define ROTQ_TARGET_KERNELTABLE_H

#include "rotq/Target/KernelConfig.h"

#include "llvm/Support/Error.h"

#include <vector>

namespace mlir::rotq {

struct MeasuredKernel {
  KernelConfig config;
  double microseconds = 0;
};

/// The fastest configurations of a shape at one M, the fastest first. What was
/// measured and is not among them was slower.
struct MeasuredRow {
  MatmulShape shape;
  int64_t m = 0;
  std::vector<MeasuredKernel> kernels;
};

/// lib/Target/tables/<chip>.yaml, which `benchmarks/tune` writes.
struct KernelTable {
  Chip chip;
  std::string device, date; ///< empty where nothing was measured
  std::vector<MeasuredRow> rows;

  /// Errors name `file` and the line.
  static llvm::Expected<KernelTable> parse(StringRef text, StringRef file);

  /// The table that the compiler was built with: that of the chip, or of one
  /// like it. Of a GPU that code can be generated for.
  static const KernelTable &get(StringRef chip);
};

/// Name and text of the tables that the compiler was built with.
ArrayRef<std::pair<StringRef, StringRef>> embeddedKernelTables();

} // namespace mlir::rotq

#endif // ROTQ_TARGET_KERNELTABLE_H
