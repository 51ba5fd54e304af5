//===- CostModel.h - How long a kernel takes
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_TARGET_COSTMODEL_H
#define ROTQ_TARGET_COSTMODEL_H

#include "rotq/Target/KernelConfig.h"

namespace mlir::rotq {

/// Microseconds that a product with M rows takes, from the bytes it moves, the
/// instructions it issues, and how its blocks come out even on the chip. The
/// constants are fitted to what an H100 was measured to take; a table says by
/// how much they err (see `KernelSelector`).
double predictMicroseconds(const Chip &chip, const MatmulShape &shape,
                           int64_t m, const KernelConfig &config);

} // namespace mlir::rotq

#endif // ROTQ_TARGET_COSTMODEL_H
