//===- RotQ.td - Everything in the rotq dialect
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

include "rotq/Dialect/RotQ/IR/RotQDialect.td"
include "rotq/Dialect/RotQ/IR/RotQInterfaces.td"
include "rotq/Dialect/RotQ/IR/RotQAttributes.td"
include "rotq/Dialect/RotQ/IR/RotQTypes.td"
include "rotq/Dialect/RotQ/IR/RotQOps.td"
