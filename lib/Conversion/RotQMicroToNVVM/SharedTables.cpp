//===- SharedTables.cpp - Tables of codebooks in shared memory
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SharedTables.h"

#include "rotq/Codec/SharedTable.h"
#include "rotq/Conversion/ExprMaterializer.h"
#include "rotq/Dialect/RotQ/IR/RotQ.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
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

namespace {
/// The threads of a block copy a table to shared memory.
class TableCopy {
public:
  TableCopy(LLVM::GlobalOp table, ::rotq::SharedTable shared, int64_t threads)
      : table(table), shared(std::move(shared)), threads(threads) {}

  void start(ImplicitLocOpBuilder &b);
  /// The threads have to meet behind it.
  void finish(ImplicitLocOpBuilder &b);

private:
  void startAsync(ImplicitLocOpBuilder &b);
  /// In shared memory.
  Value place(ImplicitLocOpBuilder &b);
  /// Four copies of a word are stored at once.
  int64_t chunksOfWord() const { return shared.copies() / 4; }
  int64_t words() const { return int64_t(shared.words().size()); }
  int64_t chunks() const { return words() * chunksOfWord(); }

  LLVM::GlobalOp table;
  ::rotq::SharedTable shared;
  int64_t threads;
  SmallVector<Value> loaded; ///< by a thread, for a chunk each
};
} // namespace

Value TableCopy::place(ImplicitLocOpBuilder &b) {
  LLVM::GlobalOp copy = findSharedCopy(table);
  if (!copy) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointAfter(table);
    auto type =
        LLVM::LLVMArrayType::get(b.getI32Type(), uint64_t(shared.bytes() / 4));
    copy = LLVM::GlobalOp::create(
        b, type, /*isConstant=*/false, LLVM::Linkage::Internal,
        sharedName(table), /*value=*/Attribute(),
        /*alignment=*/128, unsigned(NVVM::NVVMMemorySpace::Shared));
  }
  return LLVM::AddressOfOp::create(b, copy);
}

static Value i32(ImplicitLocOpBuilder &b, int64_t value) {
  return arith::ConstantIntOp::create(b, b.getI32Type(), value);
}

static Value threadOf(ImplicitLocOpBuilder &b) {
  return arith::IndexCastUIOp::create(
      b, b.getI32Type(), gpu::ThreadIdOp::create(b, gpu::Dimension::x));
}

static Value elementAt(ImplicitLocOpBuilder &b, Value base, Type type,
                       Value index) {
  return LLVM::GEPOp::create(b, base.getType(), type, base,
                             ArrayRef<LLVM::GEPArg>{index});
}

/// As many bytes a thread as it may at a time.
void TableCopy::startAsync(ImplicitLocOpBuilder &b) {
  Value source = LLVM::AddressOfOp::create(b, table), target = place(b);
  int64_t each = words() % 4 == 0 ? 4 : 1;
  auto type = LLVM::LLVMArrayType::get(b.getI32Type(), uint64_t(each));
  auto body = [&](OpBuilder &nested, Location loc, Value i, ValueRange) {
    ImplicitLocOpBuilder inner(loc, nested);
    NVVM::CpAsyncOp::create(inner, elementAt(inner, target, type, i),
                            elementAt(inner, source, type, i),
                            uint32_t(4 * each),
                            each == 4 ? NVVM::LoadCacheModifierKind::CG
                                      : NVVM::LoadCacheModifierKind::CA,
                            /*cpSize=*/Value());
    scf::YieldOp::create(inner);
  };
  scf::ForOp::create(b, threadOf(b), i32(b, words() / each), i32(b, threads),
                     ValueRange(), body);
  NVVM::CpAsyncCommitGroupOp::create(b);
}

void TableCopy::start(ImplicitLocOpBuilder &b) {
  if (shared.copies() == 1)
    return startAsync(b);
  Value source = LLVM::AddressOfOp::create(b, table), thread = threadOf(b);
  for (int64_t first = 0; first < chunks(); first += threads) {
    Value chunk = arith::AddIOp::create(b, thread, i32(b, first));
    if (first + threads > chunks())
      chunk = arith::MinUIOp::create(b, chunk, i32(b, chunks() - 1));
    Value word = arith::DivUIOp::create(b, chunk, i32(b, chunksOfWord()));
    loaded.push_back(LLVM::LoadOp::create(
        b, b.getI32Type(), elementAt(b, source, b.getI32Type(), word),
        /*alignment=*/4));
  }
}

void TableCopy::finish(ImplicitLocOpBuilder &b) {
  if (shared.copies() == 1) {
    NVVM::CpAsyncWaitGroupOp::create(b, 0);
    return;
  }
  Value target = place(b), thread = threadOf(b);
  auto type = VectorType::get({4}, b.getI32Type());
  for (auto [i, word] : llvm::enumerate(loaded)) {
    int64_t first = int64_t(i) * threads;
    Value chunk = arith::AddIOp::create(b, thread, i32(b, first));
    Value four = vector::BroadcastOp::create(b, type, word);
    auto store = [&](OpBuilder &nested, Location loc) {
      ImplicitLocOpBuilder inner(loc, nested);
      LLVM::StoreOp::create(inner, four, elementAt(inner, target, type, chunk),
                            /*alignment=*/16);
    };
    if (first + threads <= chunks()) {
      store(b, b.getLoc());
      continue;
    }
    Value isChunk = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, chunk,
                                          i32(b, chunks()));
    scf::IfOp::create(b, isChunk, [&](OpBuilder &nested, Location loc) {
      store(nested, loc);
      scf::YieldOp::create(nested, loc);
    });
  }
}

/// Where copies have to be complete: ahead of `firstUse`, and of the wait for
/// the launch before, which there is time in.
static Operation *endOfCopies(Operation *firstUse) {
  for (Operation &op : *firstUse->getBlock()) {
    auto grid = dyn_cast<NVVM::GriddepcontrolOp>(op);
    if (&op == firstUse ||
        (grid && grid.getKind() == NVVM::GridDepActionKind::wait))
      return &op;
  }
  llvm_unreachable("the first use is in its block");
}

static void shareTables(gpu::GPUFuncOp kernel) {
  // The tables, and the op of the kernel's block that holds the first use.
  llvm::MapVector<LLVM::GlobalOp, ::rotq::SharedTable> tables;
  Operation *firstUse = nullptr;
  ImplicitLocOpBuilder b(kernel.getLoc(), kernel.getContext());
  Block &entry = kernel.getBody().front();
  b.setInsertionPointToStart(&entry);
  kernel.walk([&](DecodeOp op) {
    std::vector<uint32_t> words = gatheredBy(op);
    if (words.empty())
      return;
    ::rotq::SharedTable shared(words);
    LLVM::GlobalOp table =
        getTable(b, b.getLoc(), shared.words(), kGlobalMemory);
    tables.try_emplace(table, std::move(shared));
    Operation *ancestor = entry.findAncestorOpInBlock(*op);
    if (!firstUse || ancestor->isBeforeInBlock(firstUse))
      firstUse = ancestor;
  });
  if (tables.empty())
    return;
  int64_t threads = kernel.getKnownBlockSize()->front();
  SmallVector<TableCopy> copies;
  for (auto &[table, shared] : tables) {
    copies.emplace_back(table, std::move(shared), threads);
    copies.back().start(b);
  }
  b.setInsertionPoint(endOfCopies(firstUse));
  for (TableCopy &copy : copies)
    copy.finish(b);
  gpu::BarrierOp::create(b);
}

void mlir::rotq::shareTables(gpu::GPUModuleOp module) {
  module.walk([](gpu::GPUFuncOp func) {
    if (func.isKernel())
      ::shareTables(func);
  });
}
