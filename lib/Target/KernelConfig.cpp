//===- KernelConfig.cpp - What kernels are chosen by, and among
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Target/KernelConfig.h"

#include "rotq/Codec/DecodeCost.h"
#include "rotq/Codec/LiftedActivation.h"
#include "rotq/Dialect/RotQ/IR/StageLayout.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::rotq;
using ::rotq::TiledLayout;

namespace {
struct Field {
  char letter;
  int64_t KernelConfig::*value;
  bool isRequired;
};
} // namespace

static constexpr Field kFields[] = {
    {'r', &KernelConfig::rows, true},    {'c', &KernelConfig::cols, true},
    {'w', &KernelConfig::warps, true},   {'s', &KernelConfig::split, false},
    {'d', &KernelConfig::depth, false},  {'t', &KernelConfig::stages, false},
    {'b', &KernelConfig::blocks, false},
};

std::string KernelConfig::str() const {
  std::string text = stringifyKernelKind(kind).str() + "_";
  for (const Field &field : kFields)
    if (field.isRequired || this->*field.value != KernelConfig().*field.value)
      text += field.letter + std::to_string(this->*field.value);
  return text;
}

std::optional<KernelConfig> KernelConfig::parse(StringRef text) {
  auto [kind, fields] = text.rsplit('_');
  std::optional<KernelKind> known = symbolizeKernelKind(kind);
  if (!known)
    return std::nullopt;
  KernelConfig config;
  config.kind = *known;
  for (const Field &field : kFields) {
    int64_t value = 0;
    if (fields.consume_front(StringRef(&field.letter, 1))) {
      if (fields.consumeInteger(10, value) || value < 1)
        return std::nullopt;
      config.*field.value = value;
    } else if (field.isRequired) {
      return std::nullopt;
    }
  }
  // What is written otherwise, such as with a leading zero, is not ours.
  if (config.warps % config.split != 0 || config.str() != text)
    return std::nullopt;
  return config;
}

KernelConfig KernelConfig::get(KernelAttr kernel) {
  return {kernel.getKind(),   kernel.getRows(),  kernel.getCols(),
          kernel.getWarps(),  kernel.getSplit(), kernel.getDepth(),
          kernel.getStages(), kernel.getBlocks()};
}

KernelAttr KernelConfig::getAttr(MLIRContext *context, int64_t mMin,
                                 int64_t mMax) const {
  return KernelAttr::get(context, kind, mMin, mMax, rows, cols, warps, split,
                         depth, stages, blocks);
}

/// A word that every lane gathers from a table in shared memory keeps its 32
/// banks busy for 3.5 cycles on average, in which as many slots are issued.
static int64_t decodeSlotsOf(FormatAttr format) {
  constexpr int64_t kGatherSlots = 11;
  if (isa<TableAttr>(format.getCodebook()))
    return 0;
  auto cost = ::rotq::DecodeCost::of(*format.getCodebook().getCodebook(),
                                     *format.getCoding().getCoding());
  return cost.operations + kGatherSlots * cost.gathers;
}

MatmulShape MatmulShape::get(ArrayRef<WeightType> weights, int64_t group,
                             int64_t sums, bool hasEpilogue) {
  ScaleAttr scale = weights[0].getFormat().getScale();
  MatmulShape shape;
  for (WeightType weight : weights)
    shape.n += weight.getN();
  shape.k = weights[0].getK();
  shape.members = int64_t(weights.size());
  shape.slots = weights[0].getTiledLayout().slots;
  shape.tableBytes = tableMemoryOf(weights[0]);
  shape.hasOffset = scale.getHasOffset();
  shape.group = std::min(scale.getGroup(), group);
  shape.sums = sums;
  shape.hasEpilogue = hasEpilogue;
  shape.decodeSlots = decodeSlotsOf(weights[0].getFormat());
  if (FormatAttr format = weights[0].getFormat(); canLift(format, group)) {
    auto frame = cast<FrameAttr>(format.getCodebook());
    shape.liftedWords =
        ::rotq::LiftedLayout(*frame.getFrame(), shape.k, /*parts=*/1).words;
  }
  return shape;
}

int64_t MatmulShape::tilesOfK() const {
  return int64_t(llvm::divideCeil(k, TiledLayout::kColumns));
}

int64_t MatmulShape::groupsOfTile() const {
  return std::max<int64_t>(1, TiledLayout::kColumns / group);
}
