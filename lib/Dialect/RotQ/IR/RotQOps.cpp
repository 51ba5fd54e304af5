//===- RotQOps.cpp - Verifiers, folders and effects
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Dialect/RotQ/IR/RotQ.h"

#include "rotq/Codec/ActivationLayout.h"
#include "rotq/Codec/LiftedActivation.h"
#include "rotq/Codec/RiceStream.h"
#include "rotq/Dialect/RotQ/IR/StageLayout.h"

#include "mlir/IR/AsmState.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace mlir::rotq;
using ::rotq::paddedLength;
using ::rotq::storedLength;

#define GET_OP_CLASSES
#include "rotq/Dialect/RotQ/IR/RotQOps.cpp.inc"

//===----------------------------------------------------------------------===//
// Shared checks
//===----------------------------------------------------------------------===//

/// Checks rank and sizes of `value`; kDynamic in `shape` matches anything. The
/// number of rows may be dynamic, their length may not.
static LogicalResult verifyShape(Operation *op, StringRef what, Value value,
                                 ArrayRef<int64_t> shape, Type element = {}) {
  auto type = cast<ShapedType>(value.getType());
  bool matches = type.getRank() == int64_t(shape.size()) &&
                 (!element || type.getElementType() == element);
  for (int64_t i = 0, e = shape.size(); matches && i < e; ++i)
    matches = ShapedType::isDynamic(shape[i]) ||
              type.getDimSize(i) == shape[i] ||
              (i == 0 && type.isDynamicDim(i));
  if (matches)
    return success();
  std::string expected;
  llvm::raw_string_ostream os(expected);
  llvm::interleave(
      shape, os,
      [&](int64_t size) {
        if (ShapedType::isDynamic(size))
          os << "?";
        else
          os << size;
      },
      "x");
  if (element)
    os << "x" << element;
  return op->emitOpError() << "expected " << what << " of shape " << expected
                           << " but got " << type;
}

/// The rules of every destination-style op: all tensors or all memrefs, and
/// tensors as results exactly where the destinations are such.
static LogicalResult verifyDestinationStyle(Operation *op) {
  auto dpsOp = cast<DestinationStyleOpInterface>(op);
  bool hasTensor = false, hasMemRef = false;
  for (Value operand : op->getOperands()) {
    hasTensor |= isa<TensorType>(operand.getType());
    hasMemRef |= isa<BaseMemRefType>(operand.getType());
  }
  if (hasTensor && hasMemRef)
    return op->emitOpError("expected tensors or memrefs but got both");
  size_t expected = hasTensor ? dpsOp.getNumDpsInits() : 0;
  auto results =
      size_t(llvm::count_if(op->getResultTypes(), llvm::IsaPred<TensorType>));
  if (results != expected)
    return op->emitOpError()
           << "expected " << expected << " results but got " << results;
  return success();
}

/// Inputs are read and destinations written, once they are memrefs.
static void
addEffects(Operation *op,
           SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
               &effects) {
  auto dpsOp = cast<DestinationStyleOpInterface>(op);
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isa<BaseMemRefType>(operand.get().getType()))
      continue;
    if (dpsOp.isDpsInit(&operand))
      effects.emplace_back(MemoryEffects::Write::get(), &operand);
    else
      effects.emplace_back(MemoryEffects::Read::get(), &operand);
  }
}

#define ROTQ_DEFINE_EFFECTS(OP)                                                \
  void OP::getEffects(                                                         \
      SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>      \
          &effects) {                                                          \
    addEffects(*this, effects);                                                \
  }
ROTQ_DEFINE_EFFECTS(DecompressOp)
ROTQ_DEFINE_EFFECTS(DequantizeOp)
ROTQ_DEFINE_EFFECTS(GatherOp)
ROTQ_DEFINE_EFFECTS(RotateOp)
ROTQ_DEFINE_EFFECTS(QuantizeActivationOp)
ROTQ_DEFINE_EFFECTS(MatmulOp)
ROTQ_DEFINE_EFFECTS(GroupedMatmulOp)
#undef ROTQ_DEFINE_EFFECTS

void QuantizeOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  if (isa<BaseMemRefType>(getSource().getType()))
    effects.emplace_back(MemoryEffects::Read::get(), &getSourceMutable());
}

Type mlir::rotq::elementTypeOf(MLIRContext *context, Operand operand) {
  if (operand == Operand::E4M3)
    return Float8E4M3FNType::get(context);
  return IntegerType::get(context, 8);
}

Operand mlir::rotq::operandOf(Value codes) {
  return isa<Float8E4M3FNType>(getElementTypeOrSelf(codes)) ? Operand::E4M3
                                                            : Operand::Int8;
}

static int64_t rowSize(Value matrix) {
  auto type = cast<ShapedType>(matrix.getType());
  return type.getRank() == 2 ? type.getDimSize(1) : ShapedType::kDynamic;
}

static int64_t columnSize(Value matrix) {
  auto type = cast<ShapedType>(matrix.getType());
  return type.getRank() == 2 ? type.getDimSize(0) : ShapedType::kDynamic;
}

/// The reduction length K has to be known: the cut into segments is static.
static LogicalResult verifyStaticRow(Operation *op, StringRef what,
                                     Value matrix) {
  auto type = cast<ShapedType>(matrix.getType());
  if (type.getRank() != 2)
    return op->emitOpError()
           << "expected " << what << " of rank 2 but got " << type;
  if (type.isDynamicDim(1) || type.getDimSize(1) < 1)
    return op->emitOpError()
           << "expected " << what
           << " with a static, positive row length but got " << type;
  return success();
}

static LogicalResult verifyGroup(Operation *op, int64_t group) {
  if (group < 32 || group > 4096 || !llvm::isPowerOf2_64(group))
    return op->emitOpError()
           << "expected the activation group to be a power of "
              "two from 32 to 4096 but got "
           << group;
  return success();
}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

LogicalResult ConstantOp::verify() {
  auto type = dyn_cast<RankedTensorType>(getValue().getType());
  int64_t bytes = getType().getStorageType().getNumElements();
  if (!type || type.getRank() != 1 || !type.getElementType().isInteger(8) ||
      type.getDimSize(0) != bytes)
    return emitOpError() << "expected a blob of type tensor<" << bytes
                         << "xi8> but got " << getValue().getType();
  // Without a blob, the resource was elided from the text.
  auto resource = dyn_cast<DenseResourceElementsAttr>(getValue());
  AsmResourceBlob *blob =
      resource ? resource.getRawHandle().getBlob() : nullptr;
  if (blob && int64_t(blob->getData().size()) != bytes)
    return emitOpError() << "expected a resource of " << bytes
                         << " bytes but got " << blob->getData().size();
  return success();
}

/// Files, and what reads single weights, know one layout.
static LogicalResult verifyCanonical(Operation *op, WeightType type) {
  if (type.isCanonical())
    return success();
  return op->emitOpError()
         << "expected a weight in the canonical layout but got " << type;
}

LogicalResult QuantizeOp::verify() {
  if (failed(verifyCanonical(*this, getType())))
    return failure();
  return verifyShape(*this, "a source", getSource(),
                     {getType().getN(), getType().getK()});
}

LogicalResult RotatedViewOp::verify() {
  WeightType expected = getSource().getType().rotatedView();
  if (getType() != expected)
    return emitOpError() << "expected result type " << expected << " but got "
                         << getType();
  return success();
}

OpFoldResult RotatedViewOp::fold(FoldAdaptor) {
  if (getType() == getSource().getType())
    return getSource();
  return {};
}

LogicalResult RepackOp::verify() {
  WeightType source = getSource().getType();
  WeightType expected = source.withLayout(getType().getLayout());
  if (getType() != expected)
    return emitOpError() << "expected result type " << expected << " but got "
                         << getType();
  if (getType() == source)
    return success();
  return verifyCanonical(*this, source);
}

OpFoldResult RepackOp::fold(FoldAdaptor) {
  if (getType() == getSource().getType())
    return getSource();
  return {};
}

namespace {
/// The bytes of a constant are repacked here.
struct RepackConstant : public OpRewritePattern<RepackOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(RepackOp op,
                                PatternRewriter &rewriter) const override {
    auto constant = op.getSource().getDefiningOp<ConstantOp>();
    if (!constant)
      return rewriter.notifyMatchFailure(op, "not a constant");
    auto resource = dyn_cast<DenseResourceElementsAttr>(constant.getValue());
    AsmResourceBlob *source =
        resource ? resource.getRawHandle().getBlob() : nullptr;
    if (!source)
      return rewriter.notifyMatchFailure(op, "its bytes are not here");
    WeightType type = op.getType();
    int64_t size = type.getStorageType().getNumElements();
    AsmResourceBlob target = HeapAsmResourceBlob::allocate(size, /*align=*/16);
    auto bytesOf = [](auto data) { return std::as_bytes(std::span(data)); };
    MutableArrayRef<char> data = target.getMutableData();
    if (!::rotq::repack(type.getFormat().getFormat(), type.getN(), type.getK(),
                        bytesOf(source->getData()),
                        std::as_writable_bytes(std::span(data))))
      return rewriter.notifyMatchFailure(op, "its bytes have another size");
    std::string name = (resource.getRawHandle().getKey() + "_tiles").str();
    auto blobType = RankedTensorType::get({size}, rewriter.getI8Type());
    auto value = cast<ElementsAttr>(Attribute(
        DenseResourceElementsAttr::get(blobType, name, std::move(target))));
    rewriter.replaceOpWithNewOp<ConstantOp>(op, type, value);
    return success();
  }
};
} // namespace

void RepackOp::getCanonicalizationPatterns(RewritePatternSet &results,
                                           MLIRContext *context) {
  results.add<RepackConstant>(context);
}

LogicalResult DecompressOp::verify() {
  WeightType weight = getWeight().getType();
  if (failed(verifyDestinationStyle(*this)) ||
      failed(verifyCanonical(*this, weight)))
    return failure();
  ::rotq::Format format = weight.getFormat().getFormat();
  if (!format.coding->isCompressed())
    return emitOpError() << "expected a coding that archives compress but got "
                         << weight.getFormat().getCoding();
  ::rotq::RiceLayout layout(weight.getCanonicalLayout());
  return verifyShape(*this, "a destination", getInits(), {layout.streams});
}

LogicalResult ExtractRowsOp::verify() {
  WeightType source = getSource().getType(), result = getType();
  if (failed(verifyCanonical(*this, source)) ||
      failed(verifyCanonical(*this, result)))
    return failure();
  if (result.getFormat() != source.getFormat() ||
      result.getK() != source.getK())
    return emitOpError() << "expected rows of " << source << " but got "
                         << result;
  if (result.getN() > source.getN())
    return emitOpError() << "expected at most " << source.getN()
                         << " rows but got " << result.getN();
  IntegerAttr offset;
  if (matchPattern(getOffset(), m_Constant(&offset)) &&
      (offset.getInt() < 0 || offset.getInt() > source.getN() - result.getN()))
    return emitOpError() << "expected rows within [0, " << source.getN()
                         << ") but got " << result.getN() << " from "
                         << offset.getInt();
  return success();
}

LogicalResult StorageOp::verify() {
  MemRefType expected = getSource().getType().getStorageType();
  if (getType() != expected)
    return emitOpError() << "expected result type " << expected << " but got "
                         << getType();
  return success();
}

LogicalResult DequantizeOp::verify() {
  WeightType weight = getWeight().getType();
  if (failed(verifyDestinationStyle(*this)) ||
      failed(verifyCanonical(*this, weight)))
    return failure();
  return verifyShape(*this, "a destination", getInits(),
                     {weight.getN(), weight.getK()});
}

LogicalResult GatherOp::verify() {
  if (failed(verifyDestinationStyle(*this)) ||
      failed(verifyCanonical(*this, getWeight().getType())) ||
      failed(verifyShape(*this, "ids", getIds(), {ShapedType::kDynamic})))
    return failure();
  int64_t count = cast<ShapedType>(getIds().getType()).getDimSize(0);
  return verifyShape(*this, "a destination", getInits(),
                     {count, getWeight().getType().getK()});
}

//===----------------------------------------------------------------------===//
// Activations
//===----------------------------------------------------------------------===//

LogicalResult RotateOp::verify() {
  Value shortRows = getInverse() ? getInits() : getInput();
  Value longRows = getInverse() ? getInput() : getInits();
  StringRef shortName = getInverse() ? "a destination" : "an input";
  StringRef longName = getInverse() ? "an input" : "a destination";
  if (failed(verifyDestinationStyle(*this)) ||
      failed(verifyStaticRow(*this, shortName, shortRows)))
    return failure();
  return verifyShape(*this, longName, longRows,
                     {columnSize(shortRows), paddedLength(rowSize(shortRows))});
}

/// rotate(x) by the identity is x when nothing is padded.
LogicalResult RotateOp::fold(FoldAdaptor,
                             SmallVectorImpl<OpFoldResult> &results) {
  if (!getResult() || getRotation().getRotation()->block() != 0 ||
      getInput().getType() != getResult().getType())
    return failure();
  results.push_back(getInput());
  return success();
}

namespace {
/// rotate(inverse rotate(x)) = x and inverse rotate(rotate(x)) = x.
struct CancelInverseRotations : public OpRewritePattern<RotateOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(RotateOp op,
                                PatternRewriter &rewriter) const override {
    auto producer = op.getInput().getDefiningOp<RotateOp>();
    if (!producer || producer.getRotation() != op.getRotation() ||
        producer.getInverse() == op.getInverse())
      return rewriter.notifyMatchFailure(op, "no inverse rotation as input");
    if (!op.getResult() ||
        producer.getInput().getType() != op.getResult().getType())
      return rewriter.notifyMatchFailure(op, "the rotations convert");
    // An inverse rotation that drops padding loses what the forward one needs.
    if (producer.getInverse() &&
        rowSize(producer.getInput()) != rowSize(producer.getInits()))
      return rewriter.notifyMatchFailure(op, "padding was dropped between");
    rewriter.replaceOp(op, producer.getInput());
    return success();
  }
};
} // namespace

void RotateOp::getCanonicalizationPatterns(RewritePatternSet &results,
                                           MLIRContext *context) {
  results.add<CancelInverseRotations>(context);
}

/// Codes, scales and sums of an M x K activation; codes that are not e4m3 have
/// to be int8.
static LogicalResult verifyQuantized(Operation *op, ValueRange parts, int64_t m,
                                     int64_t k, int64_t group, bool hasRests) {
  Builder builder(op->getContext());
  int64_t perRow = hasRests ? 2 : 1;
  int64_t segments = perRow * activationBlocking(k, group).size();
  Operand operand = operandOf(parts[0]);
  if (hasRests && operand == Operand::E4M3)
    return op->emitOpError("expected no rests of codes in e4m3");
  Type element = elementTypeOf(op->getContext(), operand);
  return success(
      succeeded(verifyShape(op, "codes", parts[0],
                            {m, perRow * storedLength(k)}, element)) &&
      succeeded(verifyShape(op, "scales", parts[1], {m, segments},
                            builder.getF32Type())) &&
      succeeded(verifyShape(op, "sums", parts[2], {m, segments},
                            builder.getI32Type())));
}

LogicalResult QuantizeActivationOp::verify() {
  if (getInits().size() != 3)
    return emitOpError() << "expected 3 destinations (codes, scales, sums) but "
                            "got "
                         << getInits().size();
  if (failed(verifyDestinationStyle(*this)) ||
      failed(verifyStaticRow(*this, "an input", getInput())) ||
      failed(verifyGroup(*this, getGroup())))
    return failure();
  if (getFrame() && operandOf(getInits()[0]) == Operand::E4M3)
    return emitOpError("expected no frame with codes in e4m3");
  return verifyQuantized(*this, getInits(), columnSize(getInput()),
                         rowSize(getInput()), int64_t(getGroup()), getRests());
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

bool mlir::rotq::canLift(const ::rotq::Format &format, int64_t group) {
  constexpr int64_t kTile = ::rotq::TiledLayout::kColumns;
  return group == kTile && format.scale.group >= kTile &&
         ::rotq::LiftedLayout::frameOf(format) != nullptr;
}

/// Whether kernels of the kind take the activation there is.
static bool takesActivation(KernelKind kind, MatmulOpInterface op) {
  auto has = [&](Operand operand) {
    return op.isQuantized() && op.getOperandKind() == operand;
  };
  switch (kind) {
  case KernelKind::MmaS8:
  case KernelKind::WgmmaS8:
  case KernelKind::MmaB1:
    return has(Operand::Int8);
  case KernelKind::MmaE4M3:
  case KernelKind::WgmmaE4M3:
    return has(Operand::E4M3);
  case KernelKind::MmaF16:
    return !op.isQuantized();
  case KernelKind::HostVector:
    return !has(Operand::E4M3);
  }
  llvm_unreachable("unknown kernel kind");
}

/// Ranges of M rise, and every kernel takes the activation there is, and has
/// warps for every sum and the shared memory it needs.
static LogicalResult verifyKernels(MatmulOpInterface op) {
  if (op.getKernels()->empty())
    return op.emitOpError("expected at least one kernel");
  std::optional<int64_t> last = 0;
  ::rotq::Format format = op.getWeightTypes().front().getFormat().getFormat();
  for (auto kernel : op.getKernels()->getAsRange<KernelAttr>()) {
    if (!last || kernel.getMMin() <= *last)
      return op.emitOpError()
             << "expected kernels by rising M but got " << kernel << " late";
    last = kernel.getMMax();
    if (*last == 0)
      last.reset();
    KernelKind kind = kernel.getKind();
    if (!takesActivation(kind, op))
      return op.emitOpError()
             << "expected a kernel for "
             << (!op.isQuantized()                      ? "a float"
                 : op.getOperandKind() == Operand::E4M3 ? "an e4m3"
                                                        : "an int8")
             << " activation but got " << kernel;
    if (kind == KernelKind::MmaB1) {
      if (!canLift(format, int64_t(*op.getGroup())))
        return op.emitOpError()
               << "expected codes of a frame, one behind the other, scales of "
                  "at least 256 weights without offsets and an activation "
                  "group of 256 for "
               << kernel;
      if (op.getRests() && kernel.getMMin() <= ::rotq::kMaxRowsWithRests &&
          kernel.getMMax() > ::rotq::kMaxRowsWithRests)
        return op.emitOpError()
               << "expected kernels of their own for up to "
               << ::rotq::kMaxRowsWithRests
               << " rows, which have rests, but got " << kernel;
    }
    // Two columns are a row then.
    if (op.getRests() && kind != KernelKind::HostVector &&
        kind != KernelKind::MmaB1 &&
        kernel.getMMin() <= ::rotq::kMaxRowsWithRests &&
        (kernel.getMMax() == 0 ||
         kernel.getMMax() > ::rotq::kMaxRowsWithRests ||
         kernel.getCols() != 8 || kernel.getStages() != 0))
      return op.emitOpError()
             << "expected kernels of 8 columns and without stages for up to "
             << ::rotq::kMaxRowsWithRests << " rows, which have rests, but got "
             << kernel;
    int64_t warps = warpsAtOnce(kind) * kernel.getSplit() * op.getNumSums();
    if (kind != KernelKind::HostVector && kernel.getWarps() % warps != 0)
      return op.emitOpError()
             << "expected a multiple of " << warps << " warps for "
             << op.getNumSums() << " sums of an element but got " << kernel;
    int64_t bytes = sharedMemoryOf(
        StagedMatmul::get(kernel, op.getWeightTypes().front(),
                          int64_t(op.getGroup().value_or(0)), op.getNumSums()));
    bytes += tableMemoryOf(format);
    if (int64_t most = mostSharedMemory(kind); bytes > most)
      return op.emitOpError()
             << "expected at most " << most << " bytes of shared memory but "
             << kernel << " takes " << bytes;
  }
  return success();
}

/// What concerns the activation and one of the weights.
static LogicalResult verifyActivation(MatmulOpInterface op, WeightType weight) {
  OperandRange inputs = op.getInputs();
  std::optional<uint64_t> group = op.getGroup();
  int64_t m = columnSize(inputs[0]);
  Type element = cast<ShapedType>(inputs[0].getType()).getElementType();
  if (!op.isQuantized()) {
    if (group || op.getRests())
      return op.emitOpError(
          "expected no activation group, and no rests, on a float input");
    if (!isa<FloatType>(element))
      return op.emitOpError() << "expected a float input but got " << element;
    return verifyShape(op, "an input", inputs[0], {m, weight.getK()});
  }
  if (!group)
    return op.emitOpError("expected the group of the quantized activation");
  if (failed(verifyGroup(op, *group)))
    return failure();
  if (weight.getFormat().isRotated())
    return op.emitOpError() << "expected a rotated view of the weight beside a "
                               "quantized activation but got "
                            << weight;
  if (failed(verifyQuantized(op, inputs, m, weight.getK(), int64_t(*group),
                             op.getRests())))
    return failure();
  if (weight.getFormat().getScale().getHasOffset() &&
      weight.getFormat().getScale().getGroup() < int64_t(*group))
    return op.emitOpError()
           << "expected an activation group of at most "
           << weight.getFormat().getScale().getGroup()
           << ", that of a scale with offset, but got " << *group;
  return success();
}

/// Operand `i` of the epilogue of a destination is a vector of N or M x N, and
/// of the kind that it is for the first destination.
static LogicalResult verifyEpilogueOperand(MatmulOpInterface op, int64_t init,
                                           int64_t i) {
  Value operand = op.getEpilogueOperandsOf(init)[i];
  auto type = cast<ShapedType>(operand.getType());
  auto first = cast<ShapedType>(op.getEpilogueOperandsOf(0)[i].getType());
  if (type.getRank() != first.getRank() ||
      type.getElementType() != first.getElementType())
    return op.emitOpError()
           << "expected operands of one rank and element type in the epilogue "
              "of every destination but got "
           << first << " and " << type;
  Value matrix = op.getDpsInits()[init];
  if (type.getRank() != 1)
    return verifyShape(op, "an operand of the epilogue", operand,
                       {columnSize(matrix), rowSize(matrix)});
  if (type.getDimSize(0) != rowSize(matrix))
    return op.emitOpError() << "expected an operand of the epilogue of shape "
                            << rowSize(matrix) << " but got " << type;
  return success();
}

/// The region is a function of scalars: f32 sums and elements of the operands.
static LogicalResult verifyEpilogueRegion(MatmulOpInterface op) {
  Block &body = op.getEpilogue().front();
  SmallVector<Type> expected(size_t(op.getNumSums()),
                             Builder(op.getContext()).getF32Type());
  for (Value operand : op.getEpilogueOperandsOf(0))
    expected.push_back(getElementTypeOrSelf(operand));
  if (!llvm::equal(body.getArgumentTypes(), expected))
    return op.emitOpError() << "expected an epilogue of (" << expected
                            << ") but got (" << body.getArgumentTypes() << ")";
  auto yield = dyn_cast<YieldOp>(body.back());
  if (!yield)
    return op.emitOpError("expected the epilogue to end in rotq.yield");
  Type element = getElementTypeOrSelf(op.getDpsInits()[0]);
  if (yield.getValue().getType() != element)
    return yield.emitOpError() << "expected the element type of y, " << element
                               << ", but got " << yield.getValue().getType();
  auto isScalar = [](Type type) { return type.isIntOrIndexOrFloat(); };
  for (Operation &inner : body.without_terminator())
    if (!isEpilogueOp(&inner) ||
        !llvm::all_of(inner.getOperandTypes(), isScalar) ||
        !llvm::all_of(inner.getResultTypes(), isScalar))
      return inner.emitOpError("expected elementwise operations on scalars, "
                               "and constants, in an epilogue");
  return success();
}

static LogicalResult verifyEpilogue(MatmulOpInterface op) {
  bool isEmpty = op.getEpilogue().empty();
  if (isEmpty && op.getNumSums() != 1)
    return op.emitOpError() << "expected an epilogue that makes one of the "
                            << op.getNumSums() << " sums of an element";
  int64_t count = op.getEpilogueOperands().size();
  if (isEmpty && count != 0)
    return op.emitOpError("expected no operands without an epilogue");
  int64_t inits = op.getNumDpsInits();
  if (count % inits != 0)
    return op.emitOpError()
           << "expected as many operands of the epilogue for every one of "
           << inits << " destinations but got " << count;
  for (int64_t init = 0; init < inits; ++init)
    for (int64_t i = 0; i < count / inits; ++i)
      if (failed(verifyEpilogueOperand(op, init, i)))
        return failure();
  return isEmpty ? success() : verifyEpilogueRegion(op);
}

/// Every weight has its destination, and all of them suit the activation.
static LogicalResult verifyProducts(MatmulOpInterface op) {
  if (op.getInputs().size() != 1 && op.getInputs().size() != 3)
    return op.emitOpError()
           << "expected 1 input (x) or 3 (codes, scales, sums) but got "
           << op.getInputs().size();
  if (failed(verifyDestinationStyle(op)))
    return failure();
  int64_t m = columnSize(op.getInputs()[0]);
  SmallVector<WeightType> weights = op.getWeightTypes();
  for (auto [i, weight] : llvm::enumerate(weights))
    if (failed(verifyShape(op, "a destination",
                           op.getDpsInits()[i / size_t(op.getNumSums())],
                           {m, weight.getN()})))
      return failure();
  if (failed(verifyEpilogue(op)) ||
      failed(verifyActivation(op, weights.front())))
    return failure();
  return success(!op.getKernels() || succeeded(verifyKernels(op)));
}

LogicalResult MatmulOp::verify() { return verifyProducts(*this); }

LogicalResult GroupedMatmulOp::verify() {
  if (getWeights().size() < 2)
    return emitOpError() << "expected at least 2 weights but got "
                         << getWeights().size();
  if (getInits().empty() || getWeights().size() % getInits().size() != 0)
    return emitOpError() << "expected destinations that share "
                         << getWeights().size()
                         << " weights out evenly but got " << getInits().size();
  SmallVector<WeightType> weights = getWeightTypes();
  WeightType first = weights.front();
  for (WeightType weight : weights)
    if (weight.getFormat() != first.getFormat() ||
        weight.getLayout() != first.getLayout() ||
        weight.getK() != first.getK())
      return emitOpError() << "expected weights of one format, layout and K "
                              "but got "
                           << first << " and " << weight;
  for (Type type : getInits().getTypes())
    if (getElementTypeOrSelf(type) != getElementTypeOrSelf(getInits()[0]))
      return emitOpError() << "expected destinations of one element type but "
                              "got "
                           << getInits()[0].getType() << " and " << type;
  return verifyProducts(*this);
}

//===----------------------------------------------------------------------===//
// Micro-ops
//===----------------------------------------------------------------------===//

/// Codes as a coding unpacks them, or a codebook takes them.
static LogicalResult verifyCodes(Operation *op, VectorType codes,
                                 unsigned bits) {
  if (!codes.getElementType().isInteger(bits))
    return op->emitOpError() << "expected codes of type i" << bits
                             << " but got " << codes.getElementType();
  return success();
}

LogicalResult UnpackOp::verify() {
  auto coding = getCoding().getCoding();
  int64_t count = getType().getDimSize(0) * coding->dim();
  if (count % 32 != 0)
    return emitOpError() << "expected codes of a multiple of 32 weights but "
                            "got "
                         << count;
  if (failed(verifyCodes(*this, getType(), coding->unpackedBits())))
    return failure();
  SmallVector<unsigned> runBytes(coding->runBytes().begin(),
                                 coding->runBytes().end());
  if (coding->circle())
    runBytes.push_back(4);
  if (getPlanes().size() != runBytes.size())
    return emitOpError() << "expected " << runBytes.size() << " planes but got "
                         << getPlanes().size();
  for (auto [p, plane, bytes] : llvm::enumerate(getPlanes(), runBytes)) {
    int64_t words = cast<VectorType>(plane.getType()).getDimSize(0);
    int64_t expected = llvm::divideCeil(count / 32 * bytes, 4);
    if (words != expected)
      return emitOpError() << "expected " << expected << " words in plane " << p
                           << " but got " << words;
  }
  return success();
}

LogicalResult DecodeOp::verify() {
  auto codebook = getCodebook().getCodebook();
  if (failed(
          verifyCodes(*this, getCodes().getType(), codebook->unpackedBits())))
    return failure();
  int64_t expected = getCodes().getType().getDimSize(0) * codebook->dim();
  if (getType().getDimSize(0) != expected)
    return emitOpError() << "expected " << expected << " values but got "
                         << getType().getDimSize(0);
  return success();
}

LogicalResult FwhtOp::verify() {
  int64_t lanes = getLanes(), count = getType().getDimSize(0);
  auto isPower = [](int64_t v) { return v > 0 && llvm::isPowerOf2_64(v); };
  if (!isPower(lanes) || lanes > 32)
    return emitOpError() << "expected 1 to 32 lanes, a power of two, but got "
                         << lanes;
  if (!isPower(count))
    return emitOpError() << "expected a vector of a power of two but got "
                         << count;
  if (!isPower(getBlock()) || int64_t(getBlock()) > lanes * count)
    return emitOpError() << "expected a block of a power of two up to "
                         << lanes * count << " but got " << getBlock();
  return success();
}

LogicalResult DotOp::verify() {
  int64_t count = getLhs().getType().getDimSize(0);
  if (count % 4 != 0)
    return emitOpError() << "expected a multiple of 4 values but got " << count;
  if (auto vector = dyn_cast<VectorType>(getAcc().getType());
      vector && vector.getDimSize(0) * 4 != count)
    return emitOpError() << "expected " << count / 4 << " accumulators but got "
                         << vector.getDimSize(0);
  return success();
}
