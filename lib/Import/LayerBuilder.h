//===- LayerBuilder.h - The parts of a decoder layer ------------*- C++ -*-===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ROTQ_LIB_IMPORT_LAYERBUILDER_H
#define ROTQ_LIB_IMPORT_LAYERBUILDER_H

#include "TensorBuilder.h"

#include "rotq/Import/Decoder.h"

namespace mlir::rotq {

/// A linear layer's values; no bias: null.
struct LinearValues {
  Value weight, bias;
};

/// What a layer reads besides the hidden state; null: it has no such part.
struct LayerValues {
  Value inputNorm;
  LinearValues q, k, v;
  Value qNorm, kNorm;
  LinearValues o;
  Value postAttentionNorm, mlpNorm;
  LinearValues gate, up, down;
  Value postMlpNorm;
};

/// Entries of all layers, by position: layers x kvHeads x headSize x capacity
/// and layers x kvHeads x capacity x headSize.
struct Caches {
  Value keys, values;
};

/// Sums over the rows so far of the products x x^T of what linear layers read,
/// layers x its size x its size: q, k and v; o; gate and up; down. Null: they
/// are not wanted.
struct Moments {
  Value qkv, o, gateUp, down;
};

/// Builds a layer on the rows of a T x hidden state.
class LayerBuilder {
public:
  /// `layer` and `position` are of type index: which entries of the caches
  /// are this layer's, and where the first row stands. `cosines` and `sines`
  /// are T x headSize / 2, or null.
  LayerBuilder(TensorBuilder &b, const Decoder &decoder,
               const DecoderLayer &kind, Value layer, Value position,
               Value cosines, Value sines)
      : b(b), decoder(decoder), kind(kind), layer(layer), position(position),
        cosines(cosines), sines(sines) {}

  /// The state behind the layer; `caches` become those with its entries, and
  /// `moments` those with its rows.
  Value build(Value x, const LayerValues &values, Caches &caches,
              Moments &moments);

private:
  Value linear(Value x, const LinearValues &values);
  Value residual(Value x, Value y, Value postNorm);
  /// T x heads x headSize -> the same, normalized and turned.
  Value headsOf(Value projected, int64_t heads, Value norm);
  Value rotate(Value heads);
  /// Writes T x kvHeads x headSize behind the entries there are.
  void append(Value k, Value v, Caches &caches);
  Value attention(Value q, const Caches &caches);
  Value mlp(Value x, const LayerValues &values, Moments &moments);
  /// Adds the products of T x K rows to those of this layer.
  void addProducts(Value x, Value &moments);

  TensorBuilder &b;
  const Decoder &decoder;
  const DecoderLayer &kind;
  Value layer, position, cosines, sines;
};

/// x / sqrt(mean(x^2) + epsilon) * (weight + offset) along the last dimension.
Value buildNorm(TensorBuilder &b, const Decoder &decoder, Value x,
                Value weight);

} // namespace mlir::rotq

#endif // ROTQ_LIB_IMPORT_LAYERBUILDER_H
