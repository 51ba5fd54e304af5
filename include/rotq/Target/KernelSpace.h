//===- KernelSpace.h - The configurations that a chip can run well
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_TARGET_KERNELSPACE_H
#define ROTQ_TARGET_KERNELSPACE_H

#include "rotq/Target/KernelConfig.h"

namespace mlir::rotq {

/// Configurations of kernels of int8, whatever the operand: those of e4m3 have
/// the same tiles. Every one of the chip worth trying for the shape, whatever
/// M: those that fit a multiprocessor and whose registers suffice by ptxas.
/// With `hasWarpgroups` wgmma is among them.
SmallVector<KernelConfig> kernelSpace(const Chip &chip, bool hasWarpgroups,
                                      const MatmulShape &shape);

/// The numbers of rows of the activation that a configuration takes; 0 for
/// no upper end.
std::pair<int64_t, int64_t> rowsTaken(const KernelConfig &config,
                                      bool hasWarpgroups);

/// Dynamic shared memory that the configuration takes, in bytes.
int64_t sharedMemoryOf(const KernelConfig &config, const MatmulShape &shape);

/// Registers of a thread that the configuration takes, as far as its bound
/// admits.
int64_t registersOf(const KernelConfig &config, const MatmulShape &shape);

} // namespace mlir::rotq

#endif // ROTQ_TARGET_KERNELSPACE_H
