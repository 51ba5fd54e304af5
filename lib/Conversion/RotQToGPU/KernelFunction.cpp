//===- KernelFunction.cpp - Kernels and their descriptions
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GroupMember.h"

#include "rotq/Dialect/RotQ/IR/StageLayout.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/AsmState.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/xxhash.h"

using namespace mlir;
using namespace mlir::rotq;

KernelFunction::KernelFunction(gpu::GPUModuleOp module, Location loc,
                               const ::rotq::KernelInfo &info)
    : info(info) {
  OpBuilder b = OpBuilder::atBlockEnd(module.getBody());
  // Global memory.
  Type pointer = LLVM::LLVMPointerType::get(b.getContext(), 1);
  SmallVector<Type> types;
  for (const ::rotq::KernelParam &param : info.params)
    types.push_back(param.kind == ::rotq::KernelParam::Kind::Pointer
                        ? pointer
                        : b.getI32Type());
  func =
      gpu::GPUFuncOp::create(b, loc, info.name, b.getFunctionType(types, {}));
  func->setAttr(gpu::GPUDialect::getKernelFuncAttrName(), b.getUnitAttr());
  func.setKnownBlockSizeAttr(
      b.getDenseI32ArrayAttr({int32_t(info.block[0]), int32_t(info.block[1]),
                              int32_t(info.block[2])}));
  // What the launch before may have written is not constant, but LLVM takes a
  // pointer that nothing aliases and nothing here writes to be.
  for (auto [i, param] : llvm::enumerate(info.params))
    if (param.kind == ::rotq::KernelParam::Kind::Pointer &&
        (StringRef(param.name).starts_with("weight") ||
         param.access == ::rotq::KernelParam::Access::Write))
      func.setArgAttr(i, LLVM::LLVMDialect::getNoAliasAttrName(),
                      b.getUnitAttr());
  b.setInsertionPointToEnd(&func.getBody().front());
  gpu::ReturnOp::create(b, loc);
}

Value KernelFunction::argument(StringRef name) const {
  for (auto [i, param] : llvm::enumerate(info.params))
    if (StringRef(param.name) == name)
      return gpu::GPUFuncOp(func).getArgument(i);
  llvm_unreachable("a kernel asks for a parameter it does not declare");
}

// Not gpu.dynamic_shared_memory: its variable is internal, and NVPTX makes a
// static one of it.
Value KernelFunction::sharedMemory(KernelBuilder &b) {
  constexpr StringLiteral kName = "rotq_shared_memory";
  auto module = func->getParentOfType<gpu::GPUModuleOp>();
  auto global = module.lookupSymbol<LLVM::GlobalOp>(kName);
  if (!global) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(module.getBody());
    global = LLVM::GlobalOp::create(
        b, LLVM::LLVMArrayType::get(b.getI8Type(), 0), /*isConstant=*/false,
        LLVM::Linkage::External, kName, /*value=*/Attribute(),
        /*alignment=*/1024, unsigned(NVVM::NVVMMemorySpace::Shared));
  }
  return LLVM::AddressOfOp::create(b, global);
}

Value KernelFunction::rows(KernelBuilder &b) const {
  return arith::IndexCastUIOp::create(b, b.getIndexType(), argument("m"));
}

/// An instruction of no bytes that uses `operands`, and that no access of
/// memory passes.
static void emitBarrierOfCompiler(KernelBuilder &b, ValueRange operands) {
  std::string constraints;
  for (size_t i = 0; i < operands.size(); ++i)
    constraints += "r,";
  LLVM::InlineAsmOp::create(b, /*resultTypes=*/TypeRange(), operands,
                            /*asm_string=*/"", constraints + "~{memory}",
                            /*has_side_effects=*/true, /*is_align_stack=*/false,
                            LLVM::TailCallKind::None, /*asm_dialect=*/nullptr,
                            /*operand_attrs=*/nullptr);
}

void KernelFunction::letSuccessorStart(KernelBuilder &b) const {
  if (info.pdl)
    NVVM::GriddepcontrolOp::create(b,
                                   NVVM::GridDepActionKind::launch_dependents);
}

void KernelFunction::waitForPredecessor(KernelBuilder &b,
                                        ValueRange loaded) const {
  if (!info.pdl)
    return;
  // To LLVM the wait touches no memory, and what is constant can be loaded at
  // any time: without this it sinks the loads below the wait.
  SmallVector<Value> words;
  for (Value value : loaded) {
    Value vector = b.asWords(value);
    for (int64_t i = 0; i < cast<VectorType>(vector.getType()).getDimSize(0);
         ++i)
      words.push_back(b.word(vector, i));
  }
  emitBarrierOfCompiler(b, words);
  NVVM::GriddepcontrolOp::create(b, NVVM::GridDepActionKind::wait);
  emitBarrierOfCompiler(b, {});
}

::rotq::ActivationLayout
mlir::rotq::activationLayoutOf(const MatmulProblem &problem,
                               KernelAttr config) {
  if (isWgmma(config.getKind()))
    return ::rotq::ActivationLayout::Interleaved;
  // Of a lifted one a row is a column.
  return problem.hasRests && config.getKind() != KernelKind::MmaB1 &&
                 config.getMMax() != 0 &&
                 config.getMMax() <= ::rotq::kMaxRowsWithRests
             ? ::rotq::ActivationLayout::Rests
             : ::rotq::ActivationLayout::Rows;
}

::rotq::LiftedLayout mlir::rotq::liftedLayoutOf(const MatmulProblem &problem,
                                                KernelAttr config) {
  bool isFew = config.getMMax() <= ::rotq::kMaxRowsWithRests;
  auto frame = cast<FrameAttr>(problem.weight.getFormat().getCodebook());
  return ::rotq::LiftedLayout(*frame.getFrame(), problem.weight.getK(),
                              problem.hasRests && isFew ? 2 : 1);
}

Value mlir::rotq::scaleAddress(KernelBuilder &b,
                               ::rotq::ActivationLayout layout, Value row,
                               Value rows, Value segment, int64_t segments) {
  if (layout == ::rotq::ActivationLayout::Interleaved)
    return b.mul(b.add(b.mul(segment, rows), row), 4);
  return b.add(b.mul(row, 4 * segments), b.mul(segment, 4));
}

std::string mlir::rotq::elementName(Type type) {
  return type.isF32() ? "f32" : type.isBF16() ? "bf16" : "f16";
}

std::string mlir::rotq::elementName(Operand operand) {
  return operand == Operand::E4M3 ? "e4m3" : "i8";
}

std::string mlir::rotq::identifier(StringRef name) {
  std::string result = name.str();
  for (char &c : result)
    if (!llvm::isAlnum(c))
      c = '_';
  return result;
}

/// The operations of an epilogue, one after the other.
static std::string textOf(Region &epilogue) {
  std::string text;
  if (epilogue.empty())
    return text;
  llvm::raw_string_ostream os(text);
  AsmState state(epilogue.getParentOp(), OpPrintingFlags().useLocalScope());
  llvm::ListSeparator separator("; ");
  for (Operation &op : epilogue.front()) {
    os << separator;
    op.print(os, state);
  }
  return text;
}

::rotq::KernelInfo mlir::rotq::describeMatmul(const MatmulProblem &problem,
                                              KernelAttr config) {
  using Param = ::rotq::KernelParam;
  using Access = Param::Access;
  WeightType weight = problem.weight;
  int64_t k = weight.getK();
  ::rotq::KernelInfo info;
  info.role = "matmul";
  info.name = "matmul_" + identifier(weight.getFormat().getName()) + "_n";
  for (WeightType member : problem.weights) {
    info.name += std::to_string(member.getN()) + "_";
    info.n += member.getN();
  }
  info.name += "k" + std::to_string(k) + "_" +
               stringifyKernelKind(config.getKind()).str() + "_m" +
               std::to_string(config.getMMin()) + "_" +
               std::to_string(config.getMMax()) + "_r" +
               std::to_string(config.getRows()) + "c" +
               std::to_string(config.getCols()) + "w" +
               std::to_string(config.getWarps());
  if (config.getSplit() != 1)
    info.name += "s" + std::to_string(config.getSplit());
  if (config.getDepth() != 1)
    info.name += "d" + std::to_string(config.getDepth());
  if (config.getStages() != 0)
    info.name += "t" + std::to_string(config.getStages());
  if (config.getBlocks() != 0)
    info.name += "b" + std::to_string(config.getBlocks());
  info.name += "_" + elementName(problem.outputType);
  auto pointer = [&](std::string name, Access access, std::string element,
                     std::vector<Param::Extent> shape) {
    info.params.push_back({std::move(name), Param::Kind::Pointer, access,
                           std::move(element), std::move(shape)});
  };
  if (config.getKind() == KernelKind::MmaB1) {
    ::rotq::LiftedLayout layout = liftedLayoutOf(problem, config);
    info.name += "_lifted" + std::to_string(layout.parts);
    info.activation = "lifted";
    pointer("planes", Access::Read, "i8", {"m", layout.rowBytes});
  } else if (problem.group) {
    auto layout = activationLayoutOf(problem, config);
    int64_t parts = layout == ::rotq::ActivationLayout::Rests ? 2 : 1;
    int64_t segments = parts * activationBlocking(k, problem.group).size();
    info.name += "_g" + std::to_string(problem.group);
    if (layout == ::rotq::ActivationLayout::Rests)
      info.name += "_rests";
    info.activation = ::rotq::kActivationLayouts[size_t(layout)];
    pointer("codes", Access::Read, elementName(problem.operand),
            {"m", parts * ::rotq::storedLength(k)});
    pointer("scales", Access::Read, "f32", {"m", segments});
    pointer("sums", Access::Read, "i32", {"m", segments});
  } else {
    info.name += "_" + elementName(problem.inputType);
    pointer("x", Access::Read, elementName(problem.inputType), {"m", k});
  }
  for (auto [i, weight] : llvm::enumerate(problem.weights))
    pointer(numberedName("weight", i, problem.weights.size()), Access::Read,
            "u8", {weight.getTiledLayout().totalBytes});
  for (auto [i, type] : llvm::enumerate(problem.epilogueOperands)) {
    int64_t n = type.getShape().back();
    pointer(numberedName("epilogue", i, problem.epilogueOperands.size()),
            Access::Read, elementName(type.getElementType()),
            type.getRank() == 1 ? std::vector<Param::Extent>{n}
                                : std::vector<Param::Extent>{"m", n});
  }
  for (size_t i = 0; i < problem.members(); ++i)
    pointer(numberedName("y", i, problem.members()), Access::Write,
            elementName(problem.outputType),
            {"m", problem.weights[i * size_t(problem.sums)].getN()});
  // Of a name that other modules give it too.
  info.epilogue = textOf(*problem.epilogue);
  if (!info.epilogue.empty())
    info.name += "_e" + llvm::utohexstr(llvm::xxh3_64bits(info.epilogue) >> 32,
                                        /*LowerCase=*/true, /*Width=*/8);
  info.params.push_back({"m", Param::Kind::I32, Access::Read, "", {}});

  ::rotq::GridDim byRows, byCols = {1, "m", config.getCols()};
  byRows.count = countBlocks(problem, config.getRows() * config.getWarps() /
                                          (problem.sums * config.getSplit()));
  bool isStaged = config.getStages() != 0;
  info.grid[0] = isStaged ? byCols : byRows;
  info.grid[1] = isStaged ? byRows : byCols;
  info.block = {32 * config.getWarps(), 1, 1};
  info.sharedBytes = sharedMemoryOf(
      StagedMatmul::get(config, problem.weight, problem.group, problem.sums));
  info.format = weight.getFormat().getFormat().toJson();
  info.k = k;
  info.layout = stringifyLayoutKind(LayoutKind::Tiles).str();
  info.placement = problem.group ? "activation" : "load";
  info.mMin = config.getMMin();
  info.mMax = config.getMMax();
  return info;
}
