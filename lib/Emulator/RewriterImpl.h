//===- RewriterImpl.h - How a kernel is rewritten
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_EMULATOR_REWRITERIMPL_H
#define ROTQ_LIB_EMULATOR_REWRITERIMPL_H

#include "Rewriter.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/IntrinsicInst.h"

/// Outside of namespace mlir, where names of LLVM's IR mean others.
namespace rewriter {

/// One kernel on its way to code of the host.
class Rewriter {
  using Chip = mlir::rotq::emulator::Chip;
  using RewrittenKernel = mlir::rotq::emulator::RewrittenKernel;

public:
  Rewriter(RewrittenKernel &result, llvm::StringRef kernel, Chip chip,
           std::vector<std::string> &sites)
      : result(result), module(*result.module), kernel(kernel), chip(chip),
        sites(sites), builder(module.getContext()) {}

  llvm::Error run();

private:
  // RewriteMemory.cpp
  llvm::Error placeGlobals();
  llvm::Error rewriteAccess(llvm::Instruction &inst);
  void rewriteExchange(llvm::Instruction &inst, unsigned pointerOperand,
                       llvm::Type *type, llvm::Align alignment,
                       llvm::AtomicOrdering ordering);
  void observe(llvm::Value *pointer, uint32_t flags);
  void releaseLocals(llvm::Function &function);
  llvm::Value *translate(llvm::Value *pointer, llvm::Value *size,
                         uint32_t flags, const llvm::Instruction &inst);
  // RewriteCalls.cpp
  llvm::Error rewriteCall(llvm::CallInst &call);
  llvm::Error rewriteIntrinsic(llvm::IntrinsicInst &call);
  llvm::Error rewriteDeviceCall(llvm::CallInst &call, int index);
  llvm::SmallVector<llvm::Value *> wordsOf(llvm::Value *value);
  llvm::Value *fromWords(llvm::Type *type, llvm::Value *words,
                         unsigned &position);
  llvm::Value *word(llvm::Value *words, unsigned i);
  /// One object in every function, for operands and results.
  llvm::Value *wordBuffer(llvm::Function &function);
  // Rewriter.cpp
  llvm::Error refuse(const llvm::Twine &what,
                     const llvm::Instruction *where = nullptr);
  llvm::Error rewriteFunction(llvm::Function &function);
  llvm::Error rewrite(llvm::Instruction &inst);
  void checkDivision(llvm::BinaryOperator &inst);
  void countIterations(llvm::Function &function);
  llvm::Error addEntry();

  uint32_t siteOf(const llvm::Instruction &inst);
  void recordTexts(llvm::Function &function);
  llvm::FunctionCallee runtime(llvm::StringRef name, llvm::Type *type,
                               llvm::ArrayRef<llvm::Type *> operands);

  RewrittenKernel &result;
  llvm::Module &module;
  llvm::StringRef kernel;
  Chip chip;
  std::vector<std::string> &sites;
  llvm::IRBuilder<> builder;
  llvm::Function *current = nullptr;
  llvm::DenseMap<llvm::Function *, llvm::AllocaInst *> buffers;
  llvm::DenseMap<const llvm::Instruction *, std::string> texts;
};

} // namespace rewriter

#endif // ROTQ_LIB_EMULATOR_REWRITERIMPL_H
