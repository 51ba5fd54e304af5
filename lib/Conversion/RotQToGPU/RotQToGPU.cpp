//===- RotQToGPU.cpp - Kernels and launches for rotq ops on memrefs
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"

#include "rotq/Conversion/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace mlir::rotq {
#define GEN_PASS_DEF_CONVERTROTQTOGPU
#include "rotq/Conversion/Passes.h.inc"
} // namespace mlir::rotq

using namespace mlir;
using namespace mlir::rotq;

namespace {
class ConvertRotQToGPU
    : public mlir::rotq::impl::ConvertRotQToGPUBase<ConvertRotQToGPU> {
public:
  using ConvertRotQToGPUBase::ConvertRotQToGPUBase;
  void runOnOperation() override;

private:
  LogicalResult convertDecompress(DecompressOp op);
  LogicalResult convertQuantize(QuantizeOp op);
  LogicalResult convertRepack(RepackOp op);
  LogicalResult convertMatmul(MatmulOpInterface op);
  LogicalResult convertActivation(QuantizeActivationOp op);

  /// The kernel `info` describes, built by `build` unless it exists.
  /// Formats of one name can differ: `info` gets a name of its own then.
  FailureOr<gpu::GPUFuncOp> getKernel(
      Location loc, ::rotq::KernelInfo &info,
      function_ref<LogicalResult(KernelBuilder &, KernelFunction &)> build);
  gpu::GPUModuleOp getModule();
  /// `count` is the one scalar that it takes: rows above all.
  void launch(ImplicitLocOpBuilder &b, gpu::GPUFuncOp kernel,
              const ::rotq::KernelInfo &info, ValueRange buffers,
              Value count = {});
  /// One of them, by the number of rows at run time: the first whose `mMax`
  /// they do not exceed.
  struct BuiltKernel {
    gpu::GPUFuncOp function;
    ::rotq::KernelInfo info;
    SmallVector<Value> buffers;
  };
  void launchByRows(ImplicitLocOpBuilder &b, ArrayRef<BuiltKernel> kernels,
                    Value rows);
  LogicalResult verifyOperand(Operation *op, Value codes);
  Value allocateLifted(ImplicitLocOpBuilder &b, QuantizeActivationOp op,
                       Value rows);
  /// The bytes of a weight.
  Value bufferOf(ImplicitLocOpBuilder &b, TypedValue<WeightType> weight);

  gpu::GPUModuleOp kernels;
  llvm::MapVector<Value, Value> made; ///< buffers of weights made here
  /// Of the codes of an activation, the buffer of what it was lifted to, and
  /// the frame that lifted it.
  DenseMap<Value, std::pair<Value, FrameAttr>> lifted;
  ::rotq::Manifest manifest;
};
} // namespace

gpu::GPUModuleOp ConvertRotQToGPU::getModule() {
  if (!kernels) {
    OpBuilder b = OpBuilder::atBlockBegin(getOperation().getBody());
    kernels =
        gpu::GPUModuleOp::create(b, getOperation().getLoc(), "rotq_kernels");
    getOperation()->setAttr(gpu::GPUDialect::getContainerModuleAttrName(),
                            b.getUnitAttr());
  }
  return kernels;
}

FailureOr<gpu::GPUFuncOp> ConvertRotQToGPU::getKernel(
    Location loc, ::rotq::KernelInfo &info,
    function_ref<LogicalResult(KernelBuilder &, KernelFunction &)> build) {
  const std::string name = info.name;
  for (int64_t i = 1; const auto *existing = manifest.find(info.name); ++i) {
    if (*existing == info)
      return cast<gpu::GPUFuncOp>(getModule().lookupSymbol(info.name));
    info.name = name + "_" + std::to_string(i);
  }
  KernelFunction kernel(getModule(), loc, info);
  KernelBuilder b(loc, &getContext());
  b.setInsertionPointToStart(&kernel.getFunc().getBody().front());
  kernel.letSuccessorStart(b);
  if (failed(build(b, kernel)))
    return failure();
  manifest.kernels.push_back(info);
  return kernel.getFunc();
}

/// Launches on the device pointers of `buffers`.
void ConvertRotQToGPU::launch(ImplicitLocOpBuilder &b, gpu::GPUFuncOp kernel,
                              const ::rotq::KernelInfo &info,
                              ValueRange buffers, Value count) {
  Type pointer = LLVM::LLVMPointerType::get(&getContext(), 1);
  SmallVector<Value> operands;
  for (Value buffer : buffers) {
    Value address = memref::ExtractAlignedPointerAsIndexOp::create(b, buffer);
    address = arith::IndexCastOp::create(b, b.getI64Type(), address);
    operands.push_back(LLVM::IntToPtrOp::create(b, pointer, address));
  }
  if (count)
    operands.push_back(arith::IndexCastOp::create(b, b.getI32Type(), count));
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(b, value);
  };
  auto blocks = [&](const ::rotq::GridDim &dim) -> Value {
    if (dim.over.empty())
      return constant(dim.count);
    Value tiles = arith::CeilDivUIOp::create(b, count, constant(dim.tile));
    return arith::MulIOp::create(b, tiles, constant(dim.count));
  };
  gpu::KernelDim3 grid = {blocks(info.grid[0]), blocks(info.grid[1]),
                          blocks(info.grid[2])};
  gpu::KernelDim3 block = {constant(info.block[0]), constant(info.block[1]),
                           constant(info.block[2])};
  Value shared;
  if (info.sharedBytes)
    shared = arith::ConstantOp::create(
        b, b.getI32IntegerAttr(int32_t(info.sharedBytes)));
  gpu::LaunchFuncOp::create(b, kernel, grid, block, shared, operands);
}

void ConvertRotQToGPU::launchByRows(ImplicitLocOpBuilder &b,
                                    ArrayRef<BuiltKernel> kernels, Value rows) {
  OpBuilder::InsertionGuard guard(b);
  for (const auto &[kernel, info, buffers] : kernels.drop_back()) {
    Value bound = arith::ConstantIndexOp::create(b, info.mMax);
    Value fits =
        arith::CmpIOp::create(b, arith::CmpIPredicate::ule, rows, bound);
    auto branch = scf::IfOp::create(b, fits, /*withElseRegion=*/true);
    b.setInsertionPointToStart(branch.thenBlock());
    launch(b, kernel, info, buffers, rows);
    b.setInsertionPointToStart(branch.elseBlock());
  }
  const auto &[kernel, info, buffers] = kernels.back();
  launch(b, kernel, info, buffers, rows);
}

/// Kernels get a pointer to rows without gaps, and M.
static LogicalResult verifyBuffers(Operation *op) {
  if (!cast<DestinationStyleOpInterface>(op).hasPureBufferSemantics())
    return op->emitOpError("expected memrefs: bufferize first");
  for (Type type : op->getOperandTypes())
    if (auto memref = dyn_cast<MemRefType>(type);
        memref && !memref.getLayout().isIdentity())
      return op->emitOpError()
             << "expected contiguous memrefs but got " << memref;
  return success();
}

LogicalResult ConvertRotQToGPU::verifyOperand(Operation *op, Value codes) {
  if (e4m3 || operandOf(codes) != Operand::E4M3)
    return success();
  return op->emitOpError(
      "expected operands that every chip multiplies but got e4m3: sm_89 and "
      "later do, with operand=e4m3");
}

/// Whether there is nothing to compute; a grid of no blocks is an error.
static bool isEmpty(Value rows) {
  return cast<MemRefType>(rows.getType()).getDimSize(0) == 0;
}

Value ConvertRotQToGPU::bufferOf(ImplicitLocOpBuilder &b,
                                 TypedValue<WeightType> weight) {
  while (auto view = weight.getDefiningOp<RotatedViewOp>())
    weight = view.getSource();
  if (Value buffer = made.lookup(weight))
    return buffer;
  return StorageOp::create(b, weight.getType().getStorageType(), weight);
}

/// By one kernel after the other, into a buffer that lives as long as the
/// function's others.
LogicalResult ConvertRotQToGPU::convertQuantize(QuantizeOp op) {
  WeightType type = op.getType();
  if (!hasPaths(type))
    return op.emitOpError()
           << "expected a format whose codes are a path, as encoders on GPUs "
              "find alone, but got "
           << type.getFormat();
  auto source = dyn_cast<MemRefType>(op.getSource().getType());
  if (!source)
    return op.emitOpError("expected memrefs: bufferize first");
  if (!source.getLayout().isIdentity())
    return op->emitOpError()
           << "expected contiguous memrefs but got " << source;
  ImplicitLocOpBuilder b(op.getLoc(), op);
  auto allocate = [&](const ::rotq::KernelParam &param, Type element) {
    SmallVector<int64_t> shape;
    for (const ::rotq::KernelParam::Extent &extent : param.shape)
      shape.push_back(std::get<int64_t>(extent));
    return memref::AllocOp::create(b, MemRefType::get(shape, element));
  };
  ::rotq::KernelInfo info =
      describeWeightRotation(type, source.getElementType());
  auto kernel = getKernel(
      op.getLoc(), info, [&](KernelBuilder &kb, KernelFunction &kernel) {
        return buildWeightRotation(kb, kernel, type, source.getElementType());
      });
  if (failed(kernel))
    return failure();
  Value rotated = allocate(info.params[1], b.getF32Type());
  Value steps = allocate(info.params[2], b.getF16Type());
  launch(b, *kernel, info, {op.getSource(), rotated, steps});

  info = describePathSearch(type);
  kernel = getKernel(op.getLoc(), info,
                     [&](KernelBuilder &kb, KernelFunction &kernel) {
                       buildPathSearch(kb, kernel, type);
                       return success();
                     });
  if (failed(kernel))
    return failure();
  Value weight = memref::AllocOp::create(b, type.getStorageType());
  StringRef element = info.params[3].type;
  unsigned width = 0;
  element.drop_front().getAsInteger(10, width);
  Value decisions = allocate(info.params[3], b.getIntegerType(width));
  launch(b, *kernel, info, {rotated, steps, weight, decisions});
  made[op.getResult()] = weight;
  return success();
}

/// Into a buffer that lives as long as the function's others.
LogicalResult ConvertRotQToGPU::convertDecompress(DecompressOp op) {
  if (failed(verifyBuffers(op)))
    return failure();
  WeightType type = op.getWeight().getType();
  ::rotq::KernelInfo info = describeDecompress(type);
  auto kernel = getKernel(op.getLoc(), info,
                          [&](KernelBuilder &b, KernelFunction &kernel) {
                            buildDecompress(b, kernel, type);
                            return success();
                          });
  if (failed(kernel))
    return failure();
  ImplicitLocOpBuilder b(op.getLoc(), op);
  Value target = memref::AllocOp::create(b, type.getStorageType());
  Value bytes = memref::DimOp::create(b, op.getInput(), 0);
  launch(b, *kernel, info, {op.getInput(), target, op.getInits()}, bytes);
  made[op.getWeight()] = target;
  return success();
}

/// Into a buffer that lives as long as the function's others.
LogicalResult ConvertRotQToGPU::convertRepack(RepackOp op) {
  WeightType type = op.getSource().getType();
  ::rotq::KernelInfo info = describeRepack(type);
  auto kernel = getKernel(op.getLoc(), info,
                          [&](KernelBuilder &b, KernelFunction &kernel) {
                            buildRepack(b, kernel, type);
                            return success();
                          });
  if (failed(kernel))
    return failure();
  ImplicitLocOpBuilder b(op.getLoc(), op);
  Value source = bufferOf(b, op.getSource());
  Value target = memref::AllocOp::create(b, op.getType().getStorageType());
  launch(b, *kernel, info, {source, target});
  made[op.getResult()] = target;
  return success();
}

LogicalResult ConvertRotQToGPU::convertMatmul(MatmulOpInterface op) {
  if (failed(verifyBuffers(op)))
    return failure();
  Value firstInit = op.getDpsInits().front();
  if (isEmpty(firstInit)) {
    op.erase();
    return success();
  }
  if (failed(verifyOperand(op, op.getInputs()[0])))
    return failure();
  if (!op.getKernels() || op.getKernels()->empty())
    return op.emitOpError("expected kernels: run rotq-select-kernels first");
  MatmulProblem problem;
  problem.weights = op.getWeightTypes();
  problem.weight = problem.weights.front();
  if (problem.weight.isCanonical())
    return op.emitOpError("expected a weight in tiles: run "
                          "rotq-repack-weights first");
  problem.hasRests = op.getRests();
  if (op.isQuantized())
    problem.operand = op.getOperandKind();
  problem.group = op.isQuantized() ? int64_t(*op.getGroup()) : 0;
  problem.inputType =
      cast<MemRefType>(op.getInputs()[0].getType()).getElementType();
  problem.outputType = cast<MemRefType>(firstInit.getType()).getElementType();
  problem.sums = op.getNumSums();
  problem.epilogue = &op.getEpilogue();
  for (Value operand : op.getEpilogueOperands())
    problem.epilogueOperands.push_back(cast<MemRefType>(operand.getType()));

  ImplicitLocOpBuilder b(op.getLoc(), op);
  SmallVector<Value> buffers;
  for (OpOperand &weight : op.getWeightsMutable())
    buffers.push_back(bufferOf(b, cast<TypedValue<WeightType>>(weight.get())));
  llvm::append_range(buffers, op.getEpilogueOperands());
  llvm::append_range(buffers, op.getDpsInits());
  Value rows = memref::DimOp::create(b, firstInit, 0);

  SmallVector<BuiltKernel, 0> built;
  for (KernelAttr config : op.getKernels()->getAsRange<KernelAttr>()) {
    SmallVector<Value> ofKernel(op.getInputs());
    if (config.getKind() == KernelKind::MmaB1) {
      auto [planes, frame] = lifted.lookup(op.getInputs().front());
      if (!planes || frame != problem.weight.getFormat().getCodebook())
        return op.emitOpError()
               << "expected an activation that the frame of the weight lifts, "
                  "as quantize_activation with it does, for "
               << config;
      ofKernel = {planes};
    }
    llvm::append_range(ofKernel, buffers);
    ::rotq::KernelInfo info = describeMatmul(problem, config);
    info.pdl = overlap;
    auto build = [&](KernelBuilder &kb,
                     KernelFunction &kernel) -> LogicalResult {
      switch (config.getKind()) {
      case KernelKind::MmaS8:
      case KernelKind::MmaE4M3:
        if (warpgroups && (config.getMMax() == 0 ||
                           config.getMMax() > ::rotq::kMaxRowsInOrder))
          return op.emitOpError()
                 << "expected wgmma for more than " << ::rotq::kMaxRowsInOrder
                 << " rows but got " << config
                 << ": on a chip with warpgroups their codes are interleaved";
        return buildMma(kb, kernel, problem, config);
      case KernelKind::MmaF16:
        return buildMma(kb, kernel, problem, config);
      case KernelKind::MmaB1:
        return buildMmaBits(kb, kernel, problem, config);
      case KernelKind::WgmmaS8:
      case KernelKind::WgmmaE4M3:
        if (!warpgroups)
          return op.emitOpError()
                 << "expected a kernel that every chip runs but got " << config
                 << ": wgmma is of sm_90a alone";
        return buildWgmma(kb, kernel, problem, config);
      case KernelKind::HostVector:
        return op.emitOpError("expected a GPU kernel but got host_vector");
      }
      llvm_unreachable("unknown kernel kind");
    };
    auto kernel = getKernel(op.getLoc(), info, build);
    if (failed(kernel))
      return failure();
    built.push_back({*kernel, info, std::move(ofKernel)});
  }
  launchByRows(b, built, rows);
  op.erase();
  return success();
}

/// A buffer for what the rows are lifted to, where there are few of them.
Value ConvertRotQToGPU::allocateLifted(ImplicitLocOpBuilder &b,
                                       QuantizeActivationOp op, Value rows) {
  int64_t k = cast<MemRefType>(op.getInput().getType()).getDimSize(1);
  ::rotq::LiftedLayout layout(*op.getFrameAttr().getFrame(), k,
                              op.getRests() ? 2 : 1);
  rows = arith::MinUIOp::create(
      b, rows, arith::ConstantIndexOp::create(b, ::rotq::kMaxRowsLifted));
  auto type =
      MemRefType::get({ShapedType::kDynamic, layout.rowBytes}, b.getI8Type());
  Value planes = memref::AllocOp::create(b, type, rows);
  lifted[op.getInits().front()] = {planes, op.getFrameAttr()};
  return planes;
}

/// Few rows have rests and, on a chip with warpgroups, wgmma reads many.
LogicalResult ConvertRotQToGPU::convertActivation(QuantizeActivationOp op) {
  if (failed(verifyBuffers(op)))
    return failure();
  if (isEmpty(op.getInput())) {
    op.erase();
    return success();
  }
  if (failed(verifyOperand(op, op.getInits()[0])))
    return failure();
  auto x = cast<MemRefType>(op.getInput().getType());
  ActivationProblem problem{op.getRotation(),
                            x.getDimSize(1),
                            int64_t(op.getGroup()),
                            x.getElementType(),
                            operandOf(op.getInits()[0]),
                            ::rotq::ActivationLayout::Rows,
                            /*mMin=*/1,
                            /*mMax=*/0,
                            /*frame=*/{}};
  using ::rotq::ActivationLayout;
  SmallVector<ActivationProblem> problems;
  FrameAttr frame = op.getFrameAttr();
  auto add = [&](ActivationLayout layout, int64_t mMin) {
    if (!problems.empty())
      problems.back().mMax = mMin - 1;
    problems.push_back(problem);
    problems.back().layout = layout;
    problems.back().mMin = mMin;
    if (mMin <= ::rotq::kMaxRowsLifted)
      problems.back().frame = frame;
  };
  if (op.getRests())
    add(ActivationLayout::Rests, 1);
  add(ActivationLayout::Rows,
      op.getRests() ? ::rotq::kMaxRowsWithRests + 1 : 1);
  if (frame)
    add(ActivationLayout::Rows, ::rotq::kMaxRowsLifted + 1);
  if (warpgroups)
    add(ActivationLayout::Interleaved, ::rotq::kMaxRowsInOrder + 1);
  ImplicitLocOpBuilder b(op.getLoc(), op);
  Value rows = memref::DimOp::create(b, op.getInput(), 0);
  SmallVector<Value> buffers = {op.getInput()};
  llvm::append_range(buffers, op.getInits());
  // Codes that were there before may have been lifted.
  lifted.erase(op.getInits().front());
  Value planes = frame ? allocateLifted(b, op, rows) : Value();
  int64_t m = x.getDimSize(0);
  SmallVector<BuiltKernel, 0> built;
  for (const ActivationProblem &problem : problems) {
    bool isNeeded =
        ShapedType::isDynamic(m) ||
        (problem.mMin <= m && (problem.mMax == 0 || m <= problem.mMax));
    if (!isNeeded)
      continue;
    ::rotq::KernelInfo info = describeActivation(problem);
    info.pdl = overlap;
    auto kernel = getKernel(op.getLoc(), info,
                            [&](KernelBuilder &b, KernelFunction &kernel) {
                              return buildActivation(b, kernel, problem);
                            });
    if (failed(kernel))
      return failure();
    built.push_back({*kernel, info, buffers});
    if (problem.frame)
      built.back().buffers.push_back(planes);
  }
  launchByRows(b, built, rows);
  op.erase();
  return success();
}

/// Kernels took the bytes: views of such a weight are dead, and so is what made
/// it. Where a function hands it on, it becomes a handle of its buffer.
static void eraseMaker(Value weight, Value buffer) {
  for (Operation *user : llvm::make_early_inc_range(weight.getUsers()))
    if (isa<RotatedViewOp>(user) && user->use_empty())
      user->erase();
  Operation *maker = weight.getDefiningOp();
  if (!weight.use_empty()) {
    OpBuilder b(maker);
    weight.replaceAllUsesWith(UnrealizedConversionCastOp::create(
                                  b, maker->getLoc(), weight.getType(), buffer)
                                  .getResult(0));
  }
  maker->erase();
}

void ConvertRotQToGPU::runOnOperation() {
  SmallVector<Operation *> ops;
  getOperation().walk([&](Operation *op) {
    if (isa<MatmulOpInterface, QuantizeActivationOp, DecompressOp, RepackOp,
            RotateOp, DequantizeOp, GatherOp, QuantizeOp>(op))
      ops.push_back(op);
  });
  for (Operation *op : ops) {
    LogicalResult result = success();
    if (auto matmul = dyn_cast<MatmulOpInterface>(op))
      result = convertMatmul(matmul);
    else if (auto activation = dyn_cast<QuantizeActivationOp>(op))
      result = convertActivation(activation);
    else if (auto decompress = dyn_cast<DecompressOp>(op))
      result = convertDecompress(decompress);
    else if (auto repack = dyn_cast<RepackOp>(op))
      result = convertRepack(repack);
    else if (auto quantize = dyn_cast<QuantizeOp>(op))
      result = convertQuantize(quantize);
    else
      result = op->emitOpError("has no GPU kernel");
    if (failed(result))
      return signalPassFailure();
  }
  for (auto [weight, buffer] : llvm::reverse(made))
    eraseMaker(weight, buffer);
  if (kernels)
    kernels->setAttr(
        "rotq.manifest",
        StringAttr::get(&getContext(), ::rotq::printManifest(manifest)));
}
