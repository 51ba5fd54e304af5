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

/// While banks take a turn as many operations are issued.
static int64_t decodeOperationsOf(const ::rotq::Format &format) {
  constexpr double kPerWavefront = 3.15;
  if (format.codebook->kind() == "table")
    return 0;
  auto cost = ::rotq::DecodeCost::of(*format.codebook, *format.coding);
  return cost.operations + int64_t(kPerWavefront * cost.wavefronts);
}

MatmulShape MatmulShape::get(const ::rotq::Format &format, int64_t n, int64_t k,
                             int64_t members, int64_t group) {
  MatmulShape shape;
  shape.n = n;
  shape.k = k;
  shape.members = members;
  shape.slots = ::rotq::TiledLayout(format, 1, k).slots;
  shape.tableBytes = tableMemoryOf(format);
  shape.hasOffset = format.scale.hasOffset;
  shape.group = std::min(format.scale.group, group);
  shape.decodeOperations = decodeOperationsOf(format);
  if (canLift(format, group))
    shape.liftedWords =
        ::rotq::LiftedLayout(*::rotq::LiftedLayout::frameOf(format), k,
                             /*parts=*/1)
            .words;
  return shape;
}

MatmulShape MatmulShape::get(ArrayRef<WeightType> weights, int64_t group,
                             int64_t sums, bool hasEpilogue) {
  int64_t n = 0;
  for (WeightType weight : weights)
    n += weight.getN();
  MatmulShape shape = get(weights[0].getFormat().getFormat(), n,
                          weights[0].getK(), int64_t(weights.size()), group);
  shape.sums = sums;
  shape.hasEpilogue = hasEpilogue;
  return shape;
}

int64_t MatmulShape::tilesOfK() const {
  return int64_t(llvm::divideCeil(k, TiledLayout::kColumns));
}

int64_t MatmulShape::groupsOfTile() const {
  return std::max<int64_t>(1, TiledLayout::kColumns / group);
}
