//===- LayerBuilder.cpp - The parts of a decoder layer --------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Loops of products have a parallel dimension of contiguous elements innermost,
// which a compiler vectorizes without reordering sums.
//
//===----------------------------------------------------------------------===//

#include "LayerBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <limits>

using namespace mlir;
using namespace mlir::rotq;
using Dims = TensorBuilder::Dims;

Value mlir::rotq::buildNorm(TensorBuilder &b, const Decoder &decoder, Value x,
                            Value weight) {
  SmallVector<OpFoldResult> shape = b.shapeOf(x);
  unsigned last = unsigned(shape.size()) - 1;
  Dims all = llvm::to_vector(llvm::seq(last + 1)), rows = all;
  rows.pop_back();
  Value zeros = b.filled(ArrayRef(shape).drop_back(), 0);
  Value squares =
      b.generic({{x, all}}, {{zeros, rows}}, [&](ValueRange e) {
         return SmallVector<Value>{b.accumulate(e[1], b.multiply(e[0], e[0]))};
       }).front();
  double size = double(*getConstantIntValue(shape[last]));
  Value inverse =
      b.map({{squares, rows}}, ArrayRef(shape).drop_back(), [&](ValueRange e) {
        Value mean = arith::DivFOp::create(b, e[0], b.f32(size));
        Value moved = b.add(mean, b.f32(decoder.epsilon));
        return SmallVector<Value>{
            arith::DivFOp::create(b, b.f32(1), math::SqrtOp::create(b, moved))};
      });
  return b.map(
      {{x, all}, {inverse, rows}, {weight, {last}}}, shape, [&](ValueRange e) {
        Value gain = e[2];
        if (decoder.normOffset != 0)
          gain = b.add(gain, b.f32(decoder.normOffset));
        return SmallVector<Value>{b.multiply(b.multiply(e[0], e[1]), gain)};
      });
}

Value LayerBuilder::linear(Value x, const LinearValues &values) {
  Value y = b.matmul(x, values.weight);
  if (!values.bias)
    return y;
  return b.map(
      {{y, {0, 1}}, {values.bias, {1}}}, b.shapeOf(y),
      [&](ValueRange e) { return SmallVector<Value>{b.add(e[0], e[1])}; });
}

void LayerBuilder::addProducts(Value x, Value &moments) {
  if (!moments)
    return;
  OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1);
  OpFoldResult channels = b.shapeOf(x)[1];
  SmallVector<OpFoldResult> at = {layer, zero, zero},
                            size = {one, channels, channels};
  Value sums = b.slice(moments, at, size, {}, {0});
  // A row of the sums after the other.
  sums = b.generic({{x, {1, 0}}, {x, {1, 2}}}, {{sums, {0, 2}}},
                   [&](ValueRange e) {
                     return SmallVector<Value>{
                         b.accumulate(e[2], b.multiply(e[0], e[1]))};
                   })
             .front();
  moments = b.insert(sums, moments, at, size);
}

Value LayerBuilder::residual(Value x, Value y, Value postNorm) {
  if (postNorm)
    y = buildNorm(b, decoder, y, postNorm);
  return b.map({{x, {0, 1}}, {y, {0, 1}}}, b.shapeOf(x), [&](ValueRange e) {
    return SmallVector<Value>{b.add(e[0], e[1])};
  });
}

//===----------------------------------------------------------------------===//
// Heads
//===----------------------------------------------------------------------===//

Value LayerBuilder::headsOf(Value projected, int64_t heads, Value norm) {
  Value result = b.split(projected, 1, {heads, decoder.headSize});
  if (norm)
    result = buildNorm(b, decoder, result, norm);
  return kind.rotary ? rotate(result) : result;
}

/// (a, b) -> (a cos - b sin, b cos + a sin) for every pair of a head.
Value LayerBuilder::rotate(Value heads) {
  SmallVector<OpFoldResult> shape = b.shapeOf(heads), half = shape;
  int64_t pairs = decoder.headSize / 2;
  bool isInterleaved = decoder.rotary[*kind.rotary].isInterleaved;
  half.back() = b.getIndexAttr(pairs);
  SmallVector<OpFoldResult> first(3, b.getIndexAttr(0)),
      second = first, strides(3, b.getIndexAttr(1));
  second.back() = b.getIndexAttr(isInterleaved ? 1 : pairs);
  strides.back() = b.getIndexAttr(isInterleaved ? 2 : 1);

  Dims all = {0, 1, 2}, angle = {0, 2};
  SmallVector<Value> turned = b.generic(
      {{b.slice(heads, first, half, strides), all},
       {b.slice(heads, second, half, strides), all},
       {cosines, angle},
       {sines, angle}},
      {{b.empty(half), all}, {b.empty(half), all}}, [&](ValueRange e) {
        Value low = b.subtract(b.multiply(e[0], e[2]), b.multiply(e[1], e[3]));
        Value high = b.add(b.multiply(e[1], e[2]), b.multiply(e[0], e[3]));
        return SmallVector<Value>{low, high};
      });
  Value result = b.empty(shape);
  result = b.insert(turned[0], result, first, half, strides);
  return b.insert(turned[1], result, second, half, strides);
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

void LayerBuilder::append(Value k, Value v, Caches &caches) {
  OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1);
  OpFoldResult kvHeads = b.getIndexAttr(decoder.kvHeads);
  OpFoldResult headSize = b.getIndexAttr(decoder.headSize);
  OpFoldResult rows = b.shapeOf(k)[0];
  auto permuted = [&](Value heads, ArrayRef<OpFoldResult> shape,
                      ArrayRef<int64_t> permutation) -> Value {
    return linalg::TransposeOp::create(b, heads, b.empty(shape), permutation)
        .getResult()[0];
  };
  caches.keys =
      b.insert(permuted(k, {kvHeads, headSize, rows}, {1, 2, 0}), caches.keys,
               {layer, zero, zero, position}, {one, kvHeads, headSize, rows});
  caches.values =
      b.insert(permuted(v, {kvHeads, rows, headSize}, {1, 0, 2}), caches.values,
               {layer, zero, position, zero}, {one, kvHeads, rows, headSize});
}

/// Dimensions: 0 the row t, 1 the head j of keys, 2 the head g of queries that
/// read it, then s, a position, and d, within a head.
Value LayerBuilder::attention(Value q, const Caches &caches) {
  OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1);
  OpFoldResult kvHeads = b.getIndexAttr(decoder.kvHeads);
  OpFoldResult groups = b.getIndexAttr(decoder.heads / decoder.kvHeads);
  OpFoldResult headSize = b.getIndexAttr(decoder.headSize);
  OpFoldResult rows = b.shapeOf(q)[0];
  Value end = arith::AddIOp::create(
      b, position, getValueOrCreateConstantIndexOp(b, b.getLoc(), rows));
  OpFoldResult positions = end;
  Value keys = b.slice(caches.keys, {layer, zero, zero, zero},
                       {one, kvHeads, headSize, positions}, {}, {0});
  Value values = b.slice(caches.values, {layer, zero, zero, zero},
                         {one, kvHeads, positions, headSize}, {}, {0});
  q = b.split(q, 1, {decoder.kvHeads, decoder.heads / decoder.kvHeads});

  SmallVector<OpFoldResult> perHead = {rows, kvHeads, groups};
  SmallVector<OpFoldResult> perPosition = {rows, kvHeads, groups, positions};
  SmallVector<OpFoldResult> perEntry = {rows, kvHeads, groups, headSize};
  Value scores = b.generic({{q, {0, 1, 2, 3}}, {keys, {1, 3, 4}}},
                           {{b.filled(perPosition, 0), {0, 1, 2, 4}}},
                           [&](ValueRange e) {
                             return SmallVector<Value>{
                                 b.accumulate(e[2], b.multiply(e[0], e[1]))};
                           })
                     .front();

  // Whether the query of row t sees position s.
  auto isSeen = [&]() -> Value {
    Value t = arith::AddIOp::create(b, linalg::IndexOp::create(b, 0), position);
    Value s = linalg::IndexOp::create(b, 3);
    Value seen = arith::CmpIOp::create(b, arith::CmpIPredicate::sle, s, t);
    if (!kind.window)
      return seen;
    Value reach = arith::AddIOp::create(b, s, b.index(kind.window));
    Value isNear =
        arith::CmpIOp::create(b, arith::CmpIPredicate::slt, t, reach);
    return arith::AndIOp::create(b, seen, isNear);
  };
  Dims head = {0, 1, 2}, all = {0, 1, 2, 3};
  double lowest = -std::numeric_limits<float>::infinity();
  Value largest =
      b.generic({{scores, all}}, {{b.filled(perHead, lowest), head}},
                [&](ValueRange e) {
                  Value score =
                      arith::SelectOp::create(b, isSeen(), e[0], b.f32(lowest));
                  return SmallVector<Value>{
                      arith::MaximumFOp::create(b, e[1], score)};
                })
          .front();
  Value weights =
      b.map({{scores, all}, {largest, head}}, perPosition, [&](ValueRange e) {
        Value distance = b.subtract(e[0], e[1]);
        Value power =
            b.exp(b.multiply(distance, b.f32(decoder.attentionScale)));
        return SmallVector<Value>{
            arith::SelectOp::create(b, isSeen(), power, b.f32(0))};
      });
  Value sums = b.generic({{weights, all}}, {{b.filled(perHead, 0), head}},
                         [&](ValueRange e) {
                           return SmallVector<Value>{b.accumulate(e[1], e[0])};
                         })
                   .front();
  Value mixed = b.generic({{weights, all}, {values, {1, 3, 4}}},
                          {{b.filled(perEntry, 0), {0, 1, 2, 4}}},
                          [&](ValueRange e) {
                            return SmallVector<Value>{
                                b.accumulate(e[2], b.multiply(e[0], e[1]))};
                          })
                    .front();
  Value result =
      b.map({{mixed, all}, {sums, head}}, perEntry, [&](ValueRange e) {
        return SmallVector<Value>{arith::DivFOp::create(b, e[0], e[1])};
      });
  return b.flatten(result);
}

//===----------------------------------------------------------------------===//
// Feed-forward network
//===----------------------------------------------------------------------===//

static Value activate(TensorBuilder &b, Activation activation, Value x) {
  if (activation == Activation::Silu)
    return b.multiply(x, b.sigmoid(x));
  // 0.5 (1 + tanh z) = sigmoid(2z), z = sqrt(2 / pi) (x + 0.044715 x^3)
  Value cube = b.multiply(b.multiply(x, x), x);
  Value inner = b.add(x, b.multiply(b.f32(0.044715), cube));
  return b.multiply(x, b.sigmoid(b.multiply(b.f32(1.5957691216057308), inner)));
}

Value LayerBuilder::mlp(Value x, const LayerValues &values, Moments &moments) {
  addProducts(x, moments.gateUp);
  Value gate = linear(x, values.gate), up = linear(x, values.up);
  Value hidden =
      b.map({{gate, {0, 1}}, {up, {0, 1}}}, b.shapeOf(gate), [&](ValueRange e) {
        return SmallVector<Value>{
            b.multiply(activate(b, decoder.activation, e[0]), e[1])};
      });
  addProducts(hidden, moments.down);
  return linear(hidden, values.down);
}

Value LayerBuilder::build(Value x, const LayerValues &values, Caches &caches,
                          Moments &moments) {
  Value h = buildNorm(b, decoder, x, values.inputNorm);
  addProducts(h, moments.qkv);
  Value q = headsOf(linear(h, values.q), decoder.heads, values.qNorm);
  Value k = headsOf(linear(h, values.k), decoder.kvHeads, values.kNorm);
  Value v =
      b.split(linear(h, values.v), 1, {decoder.kvHeads, decoder.headSize});
  append(k, v, caches);
  Value mixed = attention(q, caches);
  addProducts(mixed, moments.o);
  x = residual(x, linear(mixed, values.o), values.postAttentionNorm);
  h = buildNorm(b, decoder, x, values.mlpNorm);
  return residual(x, mlp(h, values, moments), values.postMlpNorm);
}
