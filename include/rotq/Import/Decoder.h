//===- Decoder.h - What a decoder contains ----------------------*- C++ -*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The description of a transformer decoder by its parts, as docs/models.md
// specifies it. Names are those of tensors in an archive.
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_IMPORT_DECODER_H
#define ROTQ_IMPORT_DECODER_H

#include "mlir/Support/LLVM.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mlir::rotq {

/// y = x W^T (+ bias), W stored outputs x inputs.
struct Linear {
  std::string weight;
  std::optional<std::string> bias;
};

/// Angles of a rotary embedding: position * frequency, in radians.
struct Rotary {
  /// Pairs are entries 2i and 2i + 1, not i and i + headSize / 2.
  bool isInterleaved = false;
  std::vector<double> frequencies; ///< headSize / 2, scaling included
  double factor = 1;               ///< of cosines and sines
};

enum class Activation { Silu, GeluTanh };

/// One layer: attention and the gated feed-forward network behind it.
struct DecoderLayer {
  std::string inputNorm;
  Linear q, k, v, o;
  std::optional<std::string> qNorm, kNorm;
  std::optional<int64_t> rotary; ///< of Decoder::rotary
  int64_t window = 0;            ///< positions a query sees; 0: all before it
  std::optional<std::string> postAttentionNorm;
  std::string mlpNorm;
  Linear gate, up, down;
  std::optional<std::string> postMlpNorm;
};

struct Decoder {
  std::string architecture;
  int64_t vocabulary = 0, hidden = 0, context = 0;
  double epsilon = 0, normOffset = 0;
  int64_t heads = 0, kvHeads = 0, headSize = 0;
  double attentionScale = 0;
  int64_t mlpSize = 0;
  Activation activation = Activation::Silu;
  std::vector<Rotary> rotary;
  std::string embedding;
  double embeddingScale = 1;
  std::vector<DecoderLayer> layers;
  std::string finalNorm;
  Linear head;

  /// Reads a decoder.json. The error names the place in it: a missing or
  /// unknown key, a value of the wrong kind, sizes that do not fit each other.
  static llvm::Expected<Decoder> parse(StringRef json);
};

} // namespace mlir::rotq

#endif // ROTQ_IMPORT_DECODER_H
