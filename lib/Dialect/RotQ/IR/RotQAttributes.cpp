//===- RotQAttributes.cpp - Attributes of the rotq dialect
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Dialect/RotQ/IR/RotQ.h"

#include "rotq/Codec/ActivationLayout.h"
#include "rotq/Codec/FrameCodebook.h"
#include "rotq/Codec/GridCodebook.h"
#include "rotq/Codec/LatticeCodebook.h"
#include "rotq/Codec/LiftedActivation.h"
#include "rotq/Codec/PairTrellisCodebook.h"
#include "rotq/Codec/RiceCoding.h"
#include "rotq/Codec/TrellisCodebook.h"
#include "rotq/Codec/VoronoiCodebook.h"
#include "rotq/Codec/WindowCoding.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::rotq;

#include "rotq/Dialect/RotQ/IR/RotQEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "rotq/Dialect/RotQ/IR/RotQAttributes.cpp.inc"

void RotQDialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "rotq/Dialect/RotQ/IR/RotQAttributes.cpp.inc"
      >();
}

static LogicalResult verifyBlock(function_ref<InFlightDiagnostic()> emitError,
                                 StringRef what, int64_t block) {
  if (block < 32 || block > 4096 || !llvm::isPowerOf2_64(block))
    return emitError() << "expected the " << what
                       << " to be a power of two from 32 to 4096 but got "
                       << block;
  return success();
}

//===----------------------------------------------------------------------===//
// Rotations
//===----------------------------------------------------------------------===//

std::shared_ptr<const ::rotq::Rotation> IdentityAttr::getRotation() const {
  return std::make_shared<::rotq::IdentityRotation>();
}

std::shared_ptr<const ::rotq::Rotation> HadamardAttr::getRotation() const {
  return std::make_shared<::rotq::HadamardRotation>(getBlock());
}

LogicalResult HadamardAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                   int64_t block) {
  return verifyBlock(emitError, "hadamard block", block);
}

//===----------------------------------------------------------------------===//
// Scales
//===----------------------------------------------------------------------===//

Attribute ScaleAttr::parse(AsmParser &parser, Type) {
  int64_t group = 0;
  bool hasOffset = false;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseLess())
    return {};
  if (succeeded(parser.parseOptionalKeyword("row")))
    group = ::rotq::kWholeRow;
  else if (parser.parseInteger(group))
    return {};
  if (succeeded(parser.parseOptionalComma())) {
    if (parser.parseKeyword("offset"))
      return {};
    hasOffset = true;
  }
  if (parser.parseGreater())
    return {};
  return getChecked([&] { return parser.emitError(loc); }, parser.getContext(),
                    group, hasOffset);
}

void ScaleAttr::print(AsmPrinter &printer) const {
  printer << "<";
  if (getGroup() == ::rotq::kWholeRow)
    printer << "row";
  else
    printer << getGroup();
  printer << (getHasOffset() ? ", offset>" : ">");
}

LogicalResult ScaleAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                int64_t group, bool) {
  if (group == ::rotq::kWholeRow)
    return success();
  return verifyBlock(emitError, "scale group", group);
}

//===----------------------------------------------------------------------===//
// Codebooks
//===----------------------------------------------------------------------===//

/// `[-1, 1]`
static ParseResult parseBytes(AsmParser &parser, StringRef what,
                              SmallVectorImpl<int8_t> &bytes) {
  auto parseByte = [&]() -> ParseResult {
    int64_t byte = 0;
    SMLoc loc = parser.getCurrentLocation();
    if (parser.parseInteger(byte))
      return failure();
    if (byte < -128 || byte > 127)
      return parser.emitError(loc)
             << "expected " << what << " from -128 to 127 but got " << byte;
    bytes.push_back(int8_t(byte));
    return success();
  };
  return parser.parseCommaSeparatedList(AsmParser::Delimiter::Square,
                                        parseByte);
}

static void printBytes(AsmPrinter &printer, ArrayRef<int8_t> bytes) {
  printer << "[";
  llvm::interleaveComma(bytes, printer.getStream(),
                        [&](int8_t byte) { printer << int64_t(byte); });
  printer << "]";
}

std::shared_ptr<const ::rotq::Codebook> TableAttr::getCodebook() const {
  return std::make_shared<::rotq::TableCodebook>(getLevels().vec(), getBits());
}

Attribute TableAttr::parse(AsmParser &parser, Type) {
  unsigned bits = 0;
  SmallVector<int8_t> levels;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseLess() || parser.parseInteger(bits) || parser.parseComma() ||
      parseBytes(parser, "a level", levels) || parser.parseGreater())
    return {};
  return getChecked([&] { return parser.emitError(loc); }, parser.getContext(),
                    bits, levels);
}

void TableAttr::print(AsmPrinter &printer) const {
  printer << "<" << getBits() << ", ";
  printBytes(printer, getLevels());
  printer << ">";
}

LogicalResult TableAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                unsigned bits, ArrayRef<int8_t> levels) {
  if (bits < 1 || bits > 4)
    return emitError() << "expected codes of 1 to 4 bits but got " << bits;
  if (levels.size() < 2 || levels.size() > (size_t(1) << bits))
    return emitError() << "expected 2 to " << (1 << bits)
                       << " levels for codes of " << bits << " bits but got "
                       << levels.size();
  for (size_t i = 1; i < levels.size(); ++i)
    if (levels[i] <= levels[i - 1])
      return emitError() << "expected strictly rising levels but got "
                         << int64_t(levels[i]) << " after "
                         << int64_t(levels[i - 1]);
  return success();
}

std::shared_ptr<const ::rotq::Codebook> GridAttr::getCodebook() const {
  return std::make_shared<::rotq::GridCodebook>(
      getBits(), getDim(), getHasSigns(), getPoints().vec());
}

/// `"81c03f7f">`, the last of an attribute.
static ParseResult parseHex(AsmParser &parser, StringRef what,
                            SmallVectorImpl<int8_t> &bytes) {
  std::string text, decoded;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseString(&text) || parser.parseGreater())
    return failure();
  // An odd number of digits would get a 0 ahead of the first.
  if (text.size() % 2 != 0 || !llvm::tryGetFromHex(text, decoded))
    return parser.emitError(loc) << "expected " << what << " in hexadecimal";
  bytes.append(decoded.begin(), decoded.end());
  return success();
}

static std::string toHex(ArrayRef<int8_t> bytes) {
  return llvm::toHex(
      StringRef(reinterpret_cast<const char *>(bytes.data()), bytes.size()),
      /*LowerCase=*/true);
}

Attribute GridAttr::parse(AsmParser &parser, Type) {
  unsigned bits = 0;
  int64_t dim = 0;
  SmallVector<int8_t> points;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseLess() || parser.parseInteger(bits) || parser.parseComma() ||
      parser.parseInteger(dim))
    return {};
  bool hasSigns = succeeded(parser.parseOptionalKeyword("signs"));
  if (parser.parseComma() || parseHex(parser, "points", points))
    return {};
  return getChecked([&] { return parser.emitError(loc); }, parser.getContext(),
                    bits, dim, hasSigns, points);
}

void GridAttr::print(AsmPrinter &printer) const {
  printer << "<" << getBits() << ", " << getDim()
          << (getHasSigns() ? " signs" : "") << ", \"" << toHex(getPoints())
          << "\">";
}

LogicalResult GridAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                               unsigned bits, int64_t dim, bool hasSigns,
                               ArrayRef<int8_t> points) {
  if (auto status = ::rotq::GridCodebook::check(bits, dim, hasSigns,
                                                {points.data(), points.size()});
      !status)
    return emitError() << status.error();
  return success();
}

std::shared_ptr<const ::rotq::Codebook> FrameAttr::getCodebook() const {
  return getFrame();
}

std::shared_ptr<const ::rotq::FrameCodebook> FrameAttr::getFrame() const {
  return std::make_shared<::rotq::FrameCodebook>(getDim(), getVectors().vec(),
                                                 getDeviation());
}

Attribute FrameAttr::parse(AsmParser &parser, Type) {
  int64_t dim = 0;
  unsigned deviation = 0;
  SmallVector<int8_t> vectors;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseLess() || parser.parseInteger(dim) || parser.parseComma() ||
      parser.parseInteger(deviation) || parser.parseComma() ||
      parseHex(parser, "vectors", vectors))
    return {};
  return getChecked([&] { return parser.emitError(loc); }, parser.getContext(),
                    dim, deviation, vectors);
}

void FrameAttr::print(AsmPrinter &printer) const {
  printer << "<" << getDim() << ", " << getDeviation() << ", \""
          << toHex(getVectors()) << "\">";
}

LogicalResult FrameAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                int64_t dim, unsigned deviation,
                                ArrayRef<int8_t> vectors) {
  if (auto status = ::rotq::FrameCodebook::check(
          dim, {vectors.data(), vectors.size()}, deviation);
      !status)
    return emitError() << status.error();
  return success();
}

std::shared_ptr<const ::rotq::Codebook> VoronoiAttr::getCodebook() const {
  ::rotq::VoronoiCodebook::Multipliers multipliers;
  llvm::copy(getMultipliers(), multipliers.begin());
  return std::make_shared<::rotq::VoronoiCodebook>(getQ(), multipliers);
}

Attribute VoronoiAttr::parse(AsmParser &parser, Type) {
  unsigned q = 0;
  SmallVector<int8_t> multipliers;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseLess() || parser.parseInteger(q) || parser.parseComma() ||
      parseBytes(parser, "a multiplier", multipliers) || parser.parseGreater())
    return {};
  return getChecked([&] { return parser.emitError(loc); }, parser.getContext(),
                    q, multipliers);
}

void VoronoiAttr::print(AsmPrinter &printer) const {
  printer << "<" << getQ() << ", ";
  printBytes(printer, getMultipliers());
  printer << ">";
}

LogicalResult VoronoiAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                  unsigned q, ArrayRef<int8_t> multipliers) {
  if (auto status = ::rotq::VoronoiCodebook::check(
          q, {multipliers.data(), multipliers.size()});
      !status)
    return emitError() << status.error();
  return success();
}

std::shared_ptr<const ::rotq::Codebook> LatticeAttr::getCodebook() const {
  return std::make_shared<::rotq::LatticeCodebook>(getDeviation());
}

LogicalResult LatticeAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                  unsigned deviation) {
  if (auto status = ::rotq::LatticeCodebook::check(deviation); !status)
    return emitError() << status.error();
  return success();
}

std::shared_ptr<const ::rotq::Codebook> TrellisAttr::getCodebook() const {
  return std::make_shared<::rotq::TrellisCodebook>(getRate(), getMultiplier(),
                                                   getIncrement());
}

LogicalResult TrellisAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                  unsigned rate, uint32_t, uint32_t) {
  if (auto status = ::rotq::TrellisCodebook::check(rate); !status)
    return emitError() << status.error();
  return success();
}

std::shared_ptr<const ::rotq::Codebook> PairTrellisAttr::getCodebook() const {
  return std::make_shared<::rotq::PairTrellisCodebook>(
      getRate(), getMultiplier(), getDeviation(), getPoints().vec());
}

Attribute PairTrellisAttr::parse(AsmParser &parser, Type) {
  unsigned rate = 0, deviation = 0;
  uint16_t multiplier = 0;
  SmallVector<int8_t> points;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseLess() || parser.parseInteger(rate) || parser.parseComma() ||
      parser.parseInteger(multiplier) || parser.parseComma() ||
      parser.parseInteger(deviation) || parser.parseComma() ||
      parseHex(parser, "points", points))
    return {};
  return getChecked([&] { return parser.emitError(loc); }, parser.getContext(),
                    rate, multiplier, deviation, points);
}

void PairTrellisAttr::print(AsmPrinter &printer) const {
  printer << "<" << getRate() << ", " << getMultiplier() << ", "
          << getDeviation() << ", \"" << toHex(getPoints()) << "\">";
}

LogicalResult
PairTrellisAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                        unsigned rate, uint16_t, unsigned deviation,
                        ArrayRef<int8_t> points) {
  if (auto status = ::rotq::PairTrellisCodebook::check(
          rate, deviation, {points.data(), points.size()});
      !status)
    return emitError() << status.error();
  return success();
}

//===----------------------------------------------------------------------===//
// Codings
//===----------------------------------------------------------------------===//

std::shared_ptr<const ::rotq::Coding> FixedAttr::getCoding() const {
  return std::make_shared<::rotq::FixedCoding>(getBits());
}

LogicalResult FixedAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                unsigned bits) {
  if (bits < 1 || bits > 4)
    return emitError() << "expected codes of 1 to 4 bits but got " << bits;
  return success();
}

std::shared_ptr<const ::rotq::Coding> FieldAttr::getCoding() const {
  return std::make_shared<::rotq::FieldCoding>(getBits(), getDim());
}

LogicalResult FieldAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                unsigned bits, int64_t dim) {
  if (auto status = ::rotq::FieldCoding::check(bits, dim); !status)
    return emitError() << status.error();
  return success();
}

std::shared_ptr<const ::rotq::Coding> RiceAttr::getCoding() const {
  return std::make_shared<::rotq::RiceCoding>();
}

std::shared_ptr<const ::rotq::Coding> WindowAttr::getCoding() const {
  return std::make_shared<::rotq::WindowCoding>(getRate(), getDim());
}

LogicalResult WindowAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                 unsigned rate, int64_t dim) {
  if (auto status = ::rotq::WindowCoding::check(rate, dim); !status)
    return emitError() << status.error();
  return success();
}

//===----------------------------------------------------------------------===//
// Formats
//===----------------------------------------------------------------------===//

// The four functions below are the one place where codec objects become
// attributes. A new part adds its line to one of them.

static RotationAttrInterface mirror(MLIRContext *context,
                                    const ::rotq::Rotation &rotation) {
  if (rotation.kind() == "identity")
    return IdentityAttr::get(context);
  if (rotation.kind() == "hadamard")
    return HadamardAttr::get(context, rotation.block());
  return {};
}

static CodebookAttrInterface mirror(MLIRContext *context,
                                    const ::rotq::Codebook &codebook) {
  if (auto *table = dynamic_cast<const ::rotq::TableCodebook *>(&codebook))
    return TableAttr::get(context, table->bits(), table->levels());
  if (auto *grid = dynamic_cast<const ::rotq::GridCodebook *>(&codebook))
    return GridAttr::get(context, grid->bits(), grid->dim(), grid->hasSigns(),
                         grid->points());
  if (auto *frame = dynamic_cast<const ::rotq::FrameCodebook *>(&codebook))
    return FrameAttr::get(context, frame->dim(), frame->deviation(),
                          frame->vectors());
  if (auto *lattice = dynamic_cast<const ::rotq::LatticeCodebook *>(&codebook))
    return LatticeAttr::get(context, lattice->deviation());
  if (auto *voronoi = dynamic_cast<const ::rotq::VoronoiCodebook *>(&codebook))
    return VoronoiAttr::get(context, voronoi->q(), voronoi->multipliers());
  if (auto *trellis = dynamic_cast<const ::rotq::TrellisCodebook *>(&codebook))
    return TrellisAttr::get(context, trellis->rate(), trellis->multiplier(),
                            trellis->increment());
  if (auto *pairs =
          dynamic_cast<const ::rotq::PairTrellisCodebook *>(&codebook))
    return PairTrellisAttr::get(context, pairs->rate(), pairs->multiplier(),
                                pairs->deviation(), pairs->points());
  return {};
}

static CodingAttrInterface mirror(MLIRContext *context,
                                  const ::rotq::Coding &coding) {
  if (coding.kind() == "fixed")
    return FixedAttr::get(context, coding.bits());
  if (coding.kind() == "field")
    return FieldAttr::get(context, coding.bits(), coding.dim());
  if (coding.kind() == "rice")
    return RiceAttr::get(context);
  if (auto *window = dynamic_cast<const ::rotq::WindowCoding *>(&coding))
    return WindowAttr::get(context, window->rate(), window->dim());
  return {};
}

FormatAttr FormatAttr::get(MLIRContext *context, const ::rotq::Format &format) {
  auto rotation = mirror(context, *format.rotation);
  auto codebook = mirror(context, *format.codebook);
  auto coding = mirror(context, *format.coding);
  if (!rotation || !codebook || !coding)
    return {};
  auto scale =
      ScaleAttr::get(context, format.scale.group, format.scale.hasOffset);
  return get(context, format.name, rotation, scale, codebook, coding);
}

::rotq::Format FormatAttr::getFormat() const {
  ::rotq::Format format;
  format.name = getName().str();
  format.rotation = getRotation().getRotation();
  format.scale = {getScale().getGroup(), getScale().getHasOffset()};
  format.codebook = getCodebook().getCodebook();
  format.coding = getCoding().getCoding();
  return format;
}

FailureOr<FormatAttr>
FormatAttr::getPreset(MLIRContext *context, StringRef name,
                      function_ref<InFlightDiagnostic()> emitError) {
  auto format = ::rotq::lookupFormat({name.data(), name.size()});
  if (!format)
    return emitError() << format.error();
  if (FormatAttr attr = get(context, *format))
    return attr;
  return emitError() << "format '" << name << "' has a part without attribute";
}

FormatAttr FormatAttr::withoutRotation() const {
  if (!isRotated())
    return *this;
  return get(getContext(), (getName() + "_rotated").str(),
             IdentityAttr::get(getContext()), getScale(), getCodebook(),
             getCoding());
}

Attribute FormatAttr::parse(AsmParser &parser, Type) {
  std::string name;
  RotationAttrInterface rotation;
  ScaleAttr scale;
  CodebookAttrInterface codebook;
  CodingAttrInterface coding;
  SMLoc loc = parser.getCurrentLocation();
  auto emitError = [&] { return parser.emitError(loc); };
  if (parser.parseLess() || parser.parseString(&name))
    return {};
  if (succeeded(parser.parseOptionalGreater())) {
    auto preset = getPreset(parser.getContext(), name, emitError);
    return succeeded(preset) ? *preset : FormatAttr();
  }
  auto parsePart = [&](StringRef key, auto &part) -> ParseResult {
    if (parser.parseComma() || parser.parseKeyword(key) || parser.parseEqual())
      return failure();
    Attribute attr;
    SMLoc partLoc = parser.getCurrentLocation();
    if (parser.parseAttribute(attr))
      return failure();
    part = dyn_cast<std::remove_reference_t<decltype(part)>>(attr);
    if (!part)
      return parser.emitError(partLoc)
             << "expected a " << key << " but got " << attr;
    return success();
  };
  if (parsePart("rotation", rotation) || parsePart("scale", scale) ||
      parsePart("codebook", codebook) || parsePart("coding", coding) ||
      parser.parseGreater())
    return {};
  return getChecked(emitError, parser.getContext(), StringRef(name), rotation,
                    scale, codebook, coding);
}

void FormatAttr::print(AsmPrinter &printer) const {
  printer << "<\"";
  llvm::printEscapedString(getName(), printer.getStream());
  printer << "\"";
  // A preset is known by its name alone.
  auto preset = ::rotq::lookupFormat({getName().data(), getName().size()});
  if (!preset || get(getContext(), *preset) != *this)
    printer << ", rotation = " << Attribute(getRotation())
            << ", scale = " << Attribute(getScale())
            << ", codebook = " << Attribute(getCodebook())
            << ", coding = " << Attribute(getCoding());
  printer << ">";
}

LogicalResult FormatAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                 StringRef name, RotationAttrInterface,
                                 ScaleAttr scale,
                                 CodebookAttrInterface codebook,
                                 CodingAttrInterface coding) {
  if (name.empty())
    return emitError() << "expected a format to have a name";
  if (auto status =
          ::rotq::checkParts({scale.getGroup(), scale.getHasOffset()},
                             *codebook.getCodebook(), *coding.getCoding());
      !status)
    return emitError() << status.error();
  return success();
}

//===----------------------------------------------------------------------===//
// Kernel configurations
//===----------------------------------------------------------------------===//

Attribute KernelAttr::parse(AsmParser &parser, Type) {
  StringRef keyword;
  int64_t mMin = 0, mMax = 0, rows = 0, cols = 0, warps = 0, split = 1,
          depth = 1, stages = 0, blocks = 0;
  SMLoc loc = parser.getCurrentLocation();
  auto parseField = [&](StringRef key, int64_t &value) -> ParseResult {
    return failure(parser.parseComma() || parser.parseKeyword(key) ||
                   parser.parseEqual() || parser.parseInteger(value));
  };
  // Fields with a default, in any order.
  auto parseOption = [&]() -> ParseResult {
    StringRef key;
    SMLoc at = parser.getCurrentLocation();
    if (parser.parseKeyword(&key))
      return failure();
    int64_t *value = llvm::StringSwitch<int64_t *>(key)
                         .Case("split", &split)
                         .Case("depth", &depth)
                         .Case("stages", &stages)
                         .Case("blocks", &blocks)
                         .Default(nullptr);
    if (!value)
      return parser.emitError(at) << "unknown field '" << key << "'";
    return failure(parser.parseEqual() || parser.parseInteger(*value));
  };
  if (parser.parseLess() || parser.parseKeyword(&keyword))
    return {};
  auto kind = symbolizeKernelKind(keyword);
  if (!kind) {
    parser.emitError(loc) << "unknown kernel kind '" << keyword << "'";
    return {};
  }
  if (parser.parseComma() || parser.parseKeyword("m") || parser.parseEqual() ||
      parser.parseLSquare() || parser.parseInteger(mMin) ||
      parser.parseComma() || parser.parseInteger(mMax) ||
      parser.parseRSquare() || parseField("rows", rows) ||
      parseField("cols", cols) || parseField("warps", warps))
    return {};
  while (succeeded(parser.parseOptionalComma()))
    if (parseOption())
      return {};
  if (parser.parseGreater())
    return {};
  return getChecked([&] { return parser.emitError(loc); }, parser.getContext(),
                    *kind, mMin, mMax, rows, cols, warps, split, depth, stages,
                    blocks);
}

void KernelAttr::print(AsmPrinter &printer) const {
  printer << "<" << stringifyKernelKind(getKind()) << ", m = [" << getMMin()
          << ", " << getMMax() << "], rows = " << getRows()
          << ", cols = " << getCols() << ", warps = " << getWarps();
  if (getSplit() != 1)
    printer << ", split = " << getSplit();
  if (getDepth() != 1)
    printer << ", depth = " << getDepth();
  if (getStages() != 0)
    printer << ", stages = " << getStages();
  if (getBlocks() != 0)
    printer << ", blocks = " << getBlocks();
  printer << ">";
}

bool mlir::rotq::isWgmma(KernelKind kind) {
  return kind == KernelKind::WgmmaS8 || kind == KernelKind::WgmmaE4M3;
}

int64_t mlir::rotq::warpsAtOnce(KernelKind kind) {
  return isWgmma(kind) ? 4 : 1;
}

LogicalResult KernelAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                 KernelKind kind, int64_t mMin, int64_t mMax,
                                 int64_t rows, int64_t cols, int64_t warps,
                                 int64_t split, int64_t depth, int64_t stages,
                                 int64_t blocks) {
  if (mMin < 1 || (mMax != 0 && mMax < mMin))
    return emitError() << "expected a range of M from 1 upward but got ["
                       << mMin << ", " << mMax << "]";
  // The tile is unrolled.
  constexpr int64_t kMaxTile = 256;
  if (rows < 1 || cols < 1 || rows > kMaxTile || cols > kMaxTile)
    return emitError() << "expected a tile from 1 x 1 to " << kMaxTile << " x "
                       << kMaxTile << " but got " << rows << " x " << cols;
  if (warps < 1 || warps > 32)
    return emitError() << "expected 1 to 32 warps but got " << warps;
  bool isWgmma = mlir::rotq::isWgmma(kind);
  bool isGPU = kind != KernelKind::HostVector;
  bool isB1 = kind == KernelKind::MmaB1;
  bool isNarrow = isB1 && (cols == 1 || cols == 2 || cols == 4);
  if (isGPU && (rows % 16 != 0 || (cols % 8 != 0 && !isNarrow)))
    return emitError() << "expected an mma tile in multiples of 16 x 8 but got "
                       << rows << " x " << cols;
  if (isB1 &&
      (mMax == 0 || mMax > ::rotq::kMaxRowsLifted || (isNarrow && mMax > cols)))
    return emitError() << "expected an mma_b1 kernel of at most "
                       << (isNarrow ? cols : ::rotq::kMaxRowsLifted)
                       << " rows but got [" << mMin << ", " << mMax << "]";
  if (isWgmma && cols != 8 && cols != 24 && cols % 16 != 0)
    return emitError() << "expected 8, 24 or a multiple of 16 columns in a "
                          "wgmma kernel but got "
                       << cols;
  if (isWgmma && warps % 4 != 0)
    return emitError() << "expected warpgroups of 4 warps in a wgmma kernel "
                          "but got "
                       << warps << " warps";
  if (isWgmma && mMin <= ::rotq::kMaxRowsInOrder)
    return emitError() << "expected a wgmma kernel of more than "
                       << ::rotq::kMaxRowsInOrder
                       << " rows, whose codes are interleaved, but got them "
                          "from "
                       << mMin;
  int64_t divided = warps / warpsAtOnce(kind);
  if (split < 1 || divided % split != 0)
    return emitError() << "expected a split that divides the " << divided
                       << (isWgmma ? " warpgroups" : " warps") << " but got "
                       << split;
  if (depth < 1 || depth > 8)
    return emitError() << "expected a depth from 1 to 8 tiles but got "
                       << depth;
  bool canStage =
      kind == KernelKind::MmaS8 || kind == KernelKind::MmaE4M3 || isWgmma;
  if (stages == 0 ? isWgmma : !canStage || stages < 2 || stages > 8)
    return emitError() << "expected 2 to 8 stages of a kernel of 8 bits, or "
                          "none of another kernel, but got "
                       << stages;
  if (stages != 0 && ((split != 1 && !isWgmma) || depth != 1))
    return emitError()
           << "expected no split of mma.sync and no depth in a staged "
              "kernel but got "
           << split << " and " << depth;
  if (blocks < 0 || blocks > 32)
    return emitError() << "expected 0 to 32 blocks a multiprocessor but got "
                       << blocks;
  if ((split != 1 || depth != 1 || blocks != 0) && !isGPU)
    return emitError()
           << "expected no split, depth or blocks in a kernel of the host";
  return success();
}
