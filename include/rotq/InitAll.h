//===- InitAll.h - Registration of everything RotQ's tools need
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_INITALL_H
#define ROTQ_INITALL_H

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace mlir::rotq {

/// The dialects that RotQ's passes read and write, with the interface
/// implementations that its pipelines need.
void registerAllDialects(DialectRegistry &registry);

/// RotQ's passes and pipelines, and the upstream passes they are used with.
void registerAllPasses();

} // namespace mlir::rotq

#endif // ROTQ_INITALL_H
