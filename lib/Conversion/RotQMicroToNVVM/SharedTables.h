//===- SharedTables.h - Tables of codebooks in shared memory
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_CONVERSION_ROTQMICROTONVVM_SHAREDTABLES_H
#define ROTQ_LIB_CONVERSION_ROTQMICROTONVVM_SHAREDTABLES_H

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

namespace mlir::rotq {

inline constexpr unsigned kGlobalMemory =
    unsigned(NVVM::NVVMMemorySpace::Global);

/// Lets every kernel copy the tables that its `rotq.decode` ops gather from to
/// shared memory, whose banks serve lanes at different places at once: copies
/// start first of all, and end ahead of the first use.
void shareTables(gpu::GPUModuleOp module);

/// The place of a table in shared memory; null where no kernel has one.
LLVM::GlobalOp findSharedCopy(LLVM::GlobalOp table);

} // namespace mlir::rotq

#endif // ROTQ_LIB_CONVERSION_ROTQMICROTONVVM_SHAREDTABLES_H
