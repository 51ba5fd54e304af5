//===- SharedTables.cpp - Tables of codebooks in shared memory
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SharedTables.h"

#include "rotq/Conversion/ExprMaterializer.h"
#include "rotq/Dialect/RotQ/IR/RotQ.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

using namespace mlir;
using namespace mlir::rotq;

static std::string sharedName(LLVM::GlobalOp table) {
  return (table.getSymName() + "_shared").str();
}

LLVM::GlobalOp mlir::rotq::findSharedCopy(LLVM::GlobalOp table) {
  return dyn_cast_or_null<LLVM::GlobalOp>(SymbolTable::lookupNearestSymbolFrom(
      table, StringAttr::get(table.getContext(), sharedName(table))));
}

static LLVM::GlobalOp getSharedCopy(OpBuilder &builder, LLVM::GlobalOp table) {
  if (LLVM::GlobalOp copy = findSharedCopy(table))
    return copy;
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointAfter(table);
  return LLVM::GlobalOp::create(
      builder, table.getLoc(), table.getGlobalType(), /*isConstant=*/false,
      LLVM::Linkage::Internal, sharedName(table), /*value=*/Attribute(),
      /*alignment=*/16, unsigned(NVVM::NVVMMemorySpace::Shared));
}

/// Starts to copy `words` words, 4 a thread at a time.
static void emitCopy(ImplicitLocOpBuilder &b, LLVM::GlobalOp table,
                     LLVM::GlobalOp copy, int64_t words) {
  Value source = LLVM::AddressOfOp::create(b, table);
  Value target = LLVM::AddressOfOp::create(b, copy);
  int64_t each = words % 4 == 0 ? 4 : 1;
  auto index = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(b, value);
  };
  auto scaled = [&](Value value) -> Value {
    return arith::MulIOp::create(b, value, index(each));
  };
  Value first = scaled(gpu::ThreadIdOp::create(b, gpu::Dimension::x));
  Value step = scaled(gpu::BlockDimOp::create(b, gpu::Dimension::x));
  auto body = [&](OpBuilder &nested, Location loc, Value i, ValueRange) {
    ImplicitLocOpBuilder inner(loc, nested);
    Value word = arith::IndexCastUIOp::create(inner, inner.getI32Type(), i);
    auto at = [&](Value base) -> Value {
      return LLVM::GEPOp::create(inner, base.getType(), inner.getI32Type(),
                                 base, ArrayRef<LLVM::GEPArg>{word});
    };
    NVVM::CpAsyncOp::create(inner, at(target), at(source), uint32_t(4 * each),
                            each == 4 ? NVVM::LoadCacheModifierKind::CG
                                      : NVVM::LoadCacheModifierKind::CA,
                            /*cpSize=*/Value());
    scf::YieldOp::create(inner);
  };
  scf::ForOp::create(b, first, index(words), step, ValueRange(), body);
}

static void shareTables(gpu::GPUFuncOp kernel) {
  // Tables, and the op of the kernel's block that holds the first use.
  llvm::MapVector<LLVM::GlobalOp, int64_t> tables;
  Operation *firstUse = nullptr;
  ImplicitLocOpBuilder b(kernel.getLoc(), kernel.getContext());
  Block &entry = kernel.getBody().front();
  b.setInsertionPointToStart(&entry);
  kernel.walk([&](DecodeOp op) {
    auto codebook = op.getCodebook().getCodebook();
    std::span<const uint32_t> words = codebook->gathered();
    if (words.empty())
      return;
    tables[getTable(b, b.getLoc(), words, kGlobalMemory)] =
        int64_t(words.size());
    Operation *ancestor = entry.findAncestorOpInBlock(*op);
    if (!firstUse || ancestor->isBeforeInBlock(firstUse))
      firstUse = ancestor;
  });
  if (tables.empty())
    return;
  for (auto [table, words] : tables)
    emitCopy(b, table, getSharedCopy(b, table), words);
  NVVM::CpAsyncCommitGroupOp::create(b);
  b.setInsertionPoint(firstUse);
  NVVM::CpAsyncWaitGroupOp::create(b, 0);
  gpu::BarrierOp::create(b);
}

void mlir::rotq::shareTables(gpu::GPUModuleOp module) {
  module.walk([](gpu::GPUFuncOp func) {
    if (func.isKernel())
      ::shareTables(func);
  });
}
