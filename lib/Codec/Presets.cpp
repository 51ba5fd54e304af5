//===- Presets.cpp - Formats known by name --------------------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frames.h"
#include "Grids.h"
#include "Message.h"
#include "Trellises.h"
#include "rotq/Codec/FrameCodebook.h"
#include "rotq/Codec/GridCodebook.h"
#include "rotq/Codec/LatticeCodebook.h"
#include "rotq/Codec/PairTrellisCodebook.h"
#include "rotq/Codec/RiceCoding.h"
#include "rotq/Codec/TrellisCodebook.h"
#include "rotq/Codec/VoronoiCodebook.h"
#include "rotq/Codec/WindowCoding.h"

using namespace rotq;

static Format makeRotated(std::string name, unsigned bits, bool hasOffset,
                          std::vector<int8_t> levels) {
  return {.name = std::move(name),
          .rotation = std::make_shared<HadamardRotation>(256),
          .scale = {.group = 256, .hasOffset = hasOffset},
          .codebook = std::make_shared<TableCodebook>(std::move(levels), bits),
          .coding = std::make_shared<FixedCoding>(bits)};
}

/// Rotated, with a step for a row alone.
static Format makeByRow(std::string name,
                        std::shared_ptr<const Codebook> codebook,
                        std::shared_ptr<const Coding> coding) {
  return {.name = std::move(name),
          .rotation = std::make_shared<HadamardRotation>(256),
          .scale = {.group = kWholeRow},
          .codebook = std::move(codebook),
          .coding = std::move(coding)};
}

/// The codes have sizes of their own.
static Format makeVoronoi(std::string name, unsigned q,
                          VoronoiCodebook::Multipliers multipliers) {
  auto codebook = std::make_shared<VoronoiCodebook>(q, multipliers);
  return makeByRow(std::move(name), codebook,
                   std::make_shared<FieldCoding>(codebook->bits(), 8));
}

/// Frames are for weights of one deviation.
static Format makeFrame(unsigned bits) {
  Frame frame = frameOf(bits);
  return makeByRow(
      "liftquant_w" + std::to_string(bits),
      std::make_shared<FrameCodebook>(
          8, std::vector<int8_t>(frame.vectors.begin(), frame.vectors.end()),
          frame.deviation),
      std::make_shared<FieldCoding>(bits, 8));
}

/// A path has no borders at those of groups.
static Format makeTrellis(unsigned rate) {
  return makeByRow("trellis" + std::to_string(rate),
                   std::make_shared<TrellisCodebook>(rate, 0x83dcd12d,
                                                     /*increment=*/0),
                   std::make_shared<WindowCoding>(rate));
}

/// The same for two weights a state: faster to decode, for some more error.
static Format makePairTrellis(unsigned rate) {
  std::span<const int8_t> pairs = pairsOf(rate);
  return makeByRow("trellis" + std::to_string(rate) + "v",
                   std::make_shared<PairTrellisCodebook>(
                       rate, /*multiplier=*/23507, /*deviation=*/37 * 16,
                       std::vector<int8_t>(pairs.begin(), pairs.end())),
                   std::make_shared<WindowCoding>(rate, /*dim=*/2));
}

/// `positive` and its mirror image.
static std::vector<int8_t> symmetric(std::initializer_list<int8_t> positive) {
  std::vector<int8_t> levels(positive);
  for (int8_t level : positive)
    levels.insert(levels.begin(), int8_t(-level));
  return levels;
}

/// Codes of `bits` bits for `dim` weights: magnitudes from a table, and signs.
static Format makeGrid(std::string name, unsigned bits, int64_t dim,
                       int64_t group, std::span<const int8_t> points) {
  return {.name = std::move(name),
          .rotation = std::make_shared<HadamardRotation>(256),
          .scale = {.group = group, .hasOffset = false},
          .codebook = std::make_shared<GridCodebook>(
              bits, dim, /*hasSigns=*/true,
              std::vector<int8_t>(points.begin(), points.end())),
          .coding = std::make_shared<FieldCoding>(bits, dim)};
}

static std::vector<Format> makePresets() {
  // rq2, rq3, rq4: the Lloyd-Max levels of N(0, 1) times a factor, rounded,
  // with the factor that loses least among those whose largest level comes to
  // 100 to 127. test/Vectors/generate.py finds the same tables.
  std::vector<Format> formats;
  formats.push_back(makeRotated("rq3", 3, false, symmetric({13, 40, 71, 114})));
  formats.push_back(makeRotated("rq2", 2, false, symmetric({36, 120})));
  formats.push_back(makeRotated("rq4", 4, false,
                                symmetric({5, 15, 25, 36, 48, 62, 79, 104})));
  formats.push_back(makeRotated("itq3_s", 3, true, {-1, 0, 1}));
  formats.push_back({.name = "int4_g128",
                     .rotation = std::make_shared<IdentityRotation>(),
                     .scale = {.group = 128, .hasOffset = false},
                     .codebook = std::make_shared<TableCodebook>(
                         std::vector<int8_t>{-8, -7, -6, -5, -4, -3, -2, -1, 0,
                                             1, 2, 3, 4, 5, 6, 7},
                         4),
                     .coding = std::make_shared<FixedCoding>(4)});
  // NormalFloat of QLoRA (arXiv 2305.14314): 127 times its levels, rounded.
  formats.push_back(
      {.name = "nf4",
       .rotation = std::make_shared<IdentityRotation>(),
       .scale = {.group = 64, .hasOffset = false},
       .codebook = std::make_shared<TableCodebook>(
           std::vector<int8_t>{-127, -88, -67, -50, -36, -23, -12, 0, 10, 20,
                               31, 43, 56, 71, 92, 127},
           4),
       .coding = std::make_shared<FixedCoding>(4)});
  formats.push_back(makeGrid("rq3v", 13, 4, 256, rq3vPoints()));
  for (unsigned bits = 7; bits <= 12; ++bits)
    formats.push_back(makeGrid("qam_w" + std::to_string(bits), bits, 2,
                               kWholeRow, qamPoints(bits)));
  // Multipliers and step together lose least on N(0, 1) among those tried.
  formats.push_back(makeVoronoi("hyperquant_3", 8, {4, 5, 6, 8}));
  formats.push_back(makeVoronoi("hyperquant_4", 16, {3, 4, 5, 7}));
  // At about 3, 4 and 5 bits of Rice codes for weights of N(0, 1).
  for (auto [bits, deviation] : {std::pair(3, 57), {4, 117}, {5, 235}})
    formats.push_back(makeByRow("hyperquant_rice_" + std::to_string(bits),
                                std::make_shared<LatticeCodebook>(deviation),
                                std::make_shared<RiceCoding>()));
  // Those that leave no words of a lane of TiledLayout empty.
  for (unsigned bits : {12, 16, 18, 20, 24})
    formats.push_back(makeFrame(bits));
  for (unsigned rate : {2, 3, 4})
    formats.push_back(makeTrellis(rate));
  for (unsigned rate : {2, 3})
    formats.push_back(makePairTrellis(rate));
  return formats;
}

std::span<const Format> rotq::presets() {
  static const std::vector<Format> formats = makePresets();
  return formats;
}

Expected<Format> rotq::lookupFormat(std::string_view name) {
  std::string known;
  for (const Format &format : presets()) {
    if (format.name == name)
      return format;
    known += (known.empty() ? "" : ", ") + format.name;
  }
  return failure(
      message("expected a format among {} but got \"{}\"", known, name));
}
