//===- ActivationLayout.h - How GPU kernels have quantized activations
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_CODEC_ACTIVATIONLAYOUT_H
#define ROTQ_CODEC_ACTIVATIONLAYOUT_H

#include "rotq/Codec/PackedWeight.h"

#include <array>
#include <optional>
#include <string_view>

namespace rotq {

/// Where GPU kernels have the codes, scales and sums of an activation.
///
/// `Rows`, which `mma.sync` reads, has all of them row by row, in order.
/// `Rests` is the same with rests (`quantizeActivation`): of so few rows that
/// they take columns of an instruction's operand that would be empty.
///
/// `Interleaved`, which `wgmma` reads, has scales and sums [segment][row], so
/// that those of neighboring rows are copied together. Of a row's codes, those
/// of every whole tile of 256 columns are [run][word][t] of 4, where the run is
/// lane t's (TiledLayout) and the word one of its eight: 16 bytes are a row of
/// a core matrix of operand B, of which every lane's operand A has the same
/// columns. Codes behind the last whole tile are in order.
enum class ActivationLayout { Rows, Rests, Interleaved };

inline constexpr std::array<std::string_view, 3> kActivationLayouts = {
    "rows", "rests", "interleaved"};

/// Chips with warpgroups have activations of more rows interleaved; all others,
/// and those of other chips, are in rows.
inline constexpr int64_t kMaxRowsInOrder = 32;

/// The most rows that have rests.
inline constexpr int64_t kMaxRowsWithRests = 4;

/// The place of code `position` of a row (of rests, too) among those of all
/// rows, which have `stored` each.
int64_t codePlace(ActivationLayout layout, int64_t row, int64_t position,
                  int64_t stored);

/// The place of the scale, or sum, of a segment of one of `rows` rows, which
/// have `segments` each.
int64_t scalePlace(ActivationLayout layout, int64_t row, int64_t rows,
                   int64_t segment, int64_t segments);

/// The layout of that name.
std::optional<ActivationLayout> activationLayout(std::string_view name);

/// An activation of `rows` rows as kernels have it, from row by row.
QuantizedActivation laidOut(const QuantizedActivation &byRows, int64_t rows,
                            ActivationLayout layout);

/// The reverse.
QuantizedActivation byRows(const QuantizedActivation &laidOut, int64_t rows,
                           ActivationLayout layout);

} // namespace rotq

#endif // ROTQ_CODEC_ACTIVATIONLAYOUT_H
