//===- ImportDecoder.cpp - Decoders as modules ----------------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LayerBuilder.h"
#include "rotq/Import/Import.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/Twine.h"

using namespace mlir;
using namespace mlir::rotq;

namespace {
/// A weight of a decoder.
struct Parameter {
  StringRef name;
  SmallVector<int64_t, 2> shape;
  Value LayerValues::*norm = nullptr; ///< where a layer has it
  LinearValues LayerValues::*linear = nullptr;
  bool isBias = false;

  Value &in(LayerValues &values) const {
    if (norm)
      return values.*norm;
    LinearValues &pair = values.*linear;
    return isBias ? pair.bias : pair.weight;
  }
};

/// What a function computes of its tokens.
enum class Purpose { Logits, Moments };

/// Builds a function on rows of any number, or on one.
class FunctionBuilder {
public:
  FunctionBuilder(ModuleOp module, const Decoder &decoder, StringRef name,
                  int64_t rows, Purpose purpose = Purpose::Logits)
      : module(module), decoder(decoder), name(name), rows(rows),
        purpose(purpose), b(module.getLoc(), module.getContext()) {}

  llvm::Error build();

private:
  RankedTensorType tensor(ArrayRef<int64_t> shape) {
    return RankedTensorType::get(shape, b.getF32Type());
  }
  RankedTensorType keysType() {
    return tensor({int64_t(decoder.layers.size()), decoder.kvHeads,
                   decoder.headSize, ShapedType::kDynamic});
  }
  RankedTensorType valuesType() {
    return tensor({int64_t(decoder.layers.size()), decoder.kvHeads,
                   ShapedType::kDynamic, decoder.headSize});
  }

  /// Of Moments' members, in their order; none where logits are wanted.
  SmallVector<Type> momentTypes();

  SmallVector<Parameter> parametersOf(const DecoderLayer &layer);
  func::FuncOp buildLayer(const DecoderLayer &kind, StringRef symbol);
  func::FuncOp layerFunction(const DecoderLayer &layer);
  Value embed(Value tokens, Value table);
  /// Cosines and sines of the angles of every row.
  SmallVector<Value> angles(const Rotary &rotary, Value position);
  /// The logits behind the last rows, as many as `logits` has room for.
  Value buildLogits(Value logits, const llvm::StringMap<Value> &weight);

  ModuleOp module;
  const Decoder &decoder;
  StringRef name;
  int64_t rows;
  Purpose purpose;
  TensorBuilder b;
  Value state; ///< the hidden state so far
  /// The layer functions so far, by what their layers consist of.
  llvm::StringMap<func::FuncOp> kinds;
};
} // namespace

//===----------------------------------------------------------------------===//
// Layers
//===----------------------------------------------------------------------===//

SmallVector<Parameter>
FunctionBuilder::parametersOf(const DecoderLayer &layer) {
  SmallVector<Parameter> result;
  int64_t hidden = decoder.hidden, head = decoder.headSize;
  auto norm = [&](StringRef name, int64_t size, Value LayerValues::*slot) {
    result.push_back({name, {size}, slot});
  };
  auto optionalNorm = [&](const std::optional<std::string> &name, int64_t size,
                          Value LayerValues::*slot) {
    if (name)
      norm(*name, size, slot);
  };
  auto linear = [&](const Linear &linear, int64_t n, int64_t k,
                    LinearValues LayerValues::*slot) {
    result.push_back({linear.weight, {n, k}, nullptr, slot});
    if (linear.bias)
      result.push_back({*linear.bias, {n}, nullptr, slot, /*isBias=*/true});
  };
  norm(layer.inputNorm, hidden, &LayerValues::inputNorm);
  linear(layer.q, decoder.heads * head, hidden, &LayerValues::q);
  linear(layer.k, decoder.kvHeads * head, hidden, &LayerValues::k);
  linear(layer.v, decoder.kvHeads * head, hidden, &LayerValues::v);
  optionalNorm(layer.qNorm, head, &LayerValues::qNorm);
  optionalNorm(layer.kNorm, head, &LayerValues::kNorm);
  linear(layer.o, hidden, decoder.heads * head, &LayerValues::o);
  optionalNorm(layer.postAttentionNorm, hidden,
               &LayerValues::postAttentionNorm);
  norm(layer.mlpNorm, hidden, &LayerValues::mlpNorm);
  linear(layer.gate, decoder.mlpSize, hidden, &LayerValues::gate);
  linear(layer.up, decoder.mlpSize, hidden, &LayerValues::up);
  linear(layer.down, hidden, decoder.mlpSize, &LayerValues::down);
  optionalNorm(layer.postMlpNorm, hidden, &LayerValues::postMlpNorm);
  return result;
}

/// Layers of one kind differ in the names of their weights only.
static std::string kindOf(const DecoderLayer &layer) {
  std::string key;
  llvm::raw_string_ostream os(key);
  for (const Linear *linear : {&layer.q, &layer.k, &layer.v, &layer.o,
                               &layer.gate, &layer.up, &layer.down})
    os << bool(linear->bias);
  for (const auto *norm : {&layer.qNorm, &layer.kNorm, &layer.postAttentionNorm,
                           &layer.postMlpNorm})
    os << norm->has_value();
  os << "," << layer.rotary.value_or(-1) << "," << layer.window;
  return key;
}

func::FuncOp FunctionBuilder::buildLayer(const DecoderLayer &kind,
                                         StringRef symbol) {
  RankedTensorType state = tensor({rows, decoder.hidden});
  SmallVector<Type> inputs = {state, b.getIndexType(), b.getIndexType()};
  if (kind.rotary)
    inputs.append(2, tensor({rows, decoder.headSize / 2}));
  SmallVector<Type> carried = {keysType(), valuesType()};
  llvm::append_range(carried, momentTypes());
  llvm::append_range(inputs, carried);
  SmallVector<Parameter> parameters = parametersOf(kind);
  for (const Parameter &parameter : parameters)
    inputs.push_back(tensor(parameter.shape));

  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToEnd(module.getBody());
  SmallVector<Type> results = {state};
  llvm::append_range(results, carried);
  auto function =
      func::FuncOp::create(b, symbol, b.getFunctionType(inputs, results));
  function.setPrivate();
  b.setInsertionPointToStart(function.addEntryBlock());
  ArrayRef<BlockArgument> arguments = function.getArguments();
  auto next = [&]() -> Value {
    Value argument = arguments.front();
    arguments = arguments.drop_front();
    return argument;
  };
  Value x = next(), layer = next(), position = next(), cosines, sines;
  if (kind.rotary) {
    cosines = next();
    sines = next();
  }
  Caches caches;
  caches.keys = next();
  caches.values = next();
  Moments moments;
  if (purpose == Purpose::Moments)
    moments = {next(), next(), next(), next()};
  LayerValues values;
  for (const Parameter &parameter : parameters)
    parameter.in(values) = next();
  LayerBuilder builder(b, decoder, kind, layer, position, cosines, sines);
  x = builder.build(x, values, caches, moments);
  SmallVector<Value> result = {x, caches.keys, caches.values};
  if (purpose == Purpose::Moments)
    result.append({moments.qkv, moments.o, moments.gateUp, moments.down});
  func::ReturnOp::create(b, result);
  return function;
}

func::FuncOp FunctionBuilder::layerFunction(const DecoderLayer &layer) {
  func::FuncOp &function = kinds[kindOf(layer)];
  if (!function)
    function =
        buildLayer(layer, (name + "_layer" + Twine(kinds.size() - 1)).str());
  return function;
}

SmallVector<Type> FunctionBuilder::momentTypes() {
  SmallVector<Type> types;
  if (purpose == Purpose::Moments)
    for (int64_t size : {decoder.hidden, decoder.heads * decoder.headSize,
                         decoder.hidden, decoder.mlpSize})
      types.push_back(tensor({int64_t(decoder.layers.size()), size, size}));
  return types;
}

//===----------------------------------------------------------------------===//
// The whole decoder
//===----------------------------------------------------------------------===//

Value FunctionBuilder::embed(Value tokens, Value table) {
  SmallVector<OpFoldResult> shape = {b.shapeOf(tokens)[0],
                                     b.getIndexAttr(decoder.hidden)};
  Value rowsOfTable = b.map({{tokens, {0}}}, shape, [&](ValueRange e) {
    Value row = arith::IndexCastOp::create(b, b.getIndexType(), e[0]);
    Value column = linalg::IndexOp::create(b, 1);
    return SmallVector<Value>{
        tensor::ExtractOp::create(b, table, ValueRange{row, column})};
  });
  if (decoder.embeddingScale == 1)
    return rowsOfTable;
  return b.map({{rowsOfTable, {0, 1}}}, shape, [&](ValueRange e) {
    return SmallVector<Value>{b.multiply(e[0], b.f32(decoder.embeddingScale))};
  });
}

SmallVector<Value> FunctionBuilder::angles(const Rotary &rotary,
                                           Value position) {
  SmallVector<float> numbers(rotary.frequencies.begin(),
                             rotary.frequencies.end());
  Value frequencies = arith::ConstantOp::create(
      b, DenseElementsAttr::get(tensor({int64_t(numbers.size())}),
                                ArrayRef<float>(numbers)));
  SmallVector<OpFoldResult> shape = b.shapeOf(frequencies);
  shape.insert(shape.begin(), b.shapeOf(state)[0]);
  return b.generic(
      {{frequencies, {1}}},
      {{b.empty(shape), {0, 1}}, {b.empty(shape), {0, 1}}}, [&](ValueRange e) {
        Value row = linalg::IndexOp::create(b, 0);
        Value place = arith::IndexCastOp::create(
            b, b.getI64Type(), arith::AddIOp::create(b, row, position));
        Value angle =
            b.multiply(arith::SIToFPOp::create(b, b.getF32Type(), place), e[0]);
        SmallVector<Value> results = {math::CosOp::create(b, angle),
                                      math::SinOp::create(b, angle)};
        if (rotary.factor != 1)
          for (Value &result : results)
            result = b.multiply(result, b.f32(rotary.factor));
        return results;
      });
}

/// As a description would say it: [4, 8].
static std::string shapeText(ArrayRef<int64_t> shape) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "[";
  llvm::interleaveComma(shape, os);
  os << "]";
  return text;
}

Value FunctionBuilder::buildLogits(Value logits,
                                   const llvm::StringMap<Value> &weight) {
  if (rows != 1) {
    SmallVector<OpFoldResult> shape = b.shapeOf(state);
    shape[0] = b.shapeOf(logits)[0];
    auto value = [&](OpFoldResult size) {
      return getValueOrCreateConstantIndexOp(b, b.getLoc(), size);
    };
    OpFoldResult first =
        arith::SubIOp::create(b, value(b.shapeOf(state)[0]), value(shape[0]))
            .getResult();
    state = b.slice(state, {first, b.getIndexAttr(0)}, shape);
  }
  state = buildNorm(b, decoder, state, weight.at(decoder.finalNorm));
  Value result = b.matmul(state, weight.at(decoder.head.weight), logits);
  if (decoder.head.bias)
    result =
        b.generic({{weight.at(*decoder.head.bias), {1}}}, {{result, {0, 1}}},
                  [&](ValueRange e) {
                    return SmallVector<Value>{b.add(e[1], e[0])};
                  })
            .front();
  return result;
}

llvm::Error FunctionBuilder::build() {
  // Arguments: the tokens, where they stand, what is written (the caches and
  // the logits, or the moments), the weights.
  bool isLogits = purpose == Purpose::Logits;
  SmallVector<Type> written = {keysType(), valuesType()};
  llvm::append_range(written, momentTypes());
  if (isLogits)
    written.push_back(tensor({rows, decoder.vocabulary}));
  SmallVector<Type> inputs = {RankedTensorType::get({rows}, b.getI32Type()),
                              b.getIndexType()};
  llvm::append_range(inputs, written);
  llvm::MapVector<StringRef, RankedTensorType> weights;
  llvm::Error error = llvm::Error::success();
  auto declare = [&](StringRef name, ArrayRef<int64_t> shape) {
    auto [entry, isNew] = weights.insert({name, tensor(shape)});
    if (entry->second.getShape() != shape && !error)
      error = llvm::createStringError("tensor '" + name +
                                      "' stands where its shape is " +
                                      shapeText(entry->second.getShape()) +
                                      ", and where it is " + shapeText(shape));
  };
  declare(decoder.embedding, {decoder.vocabulary, decoder.hidden});
  for (const DecoderLayer &layer : decoder.layers)
    for (const Parameter &parameter : parametersOf(layer))
      declare(parameter.name, parameter.shape);
  if (isLogits) {
    declare(decoder.finalNorm, {decoder.hidden});
    declare(decoder.head.weight, {decoder.vocabulary, decoder.hidden});
    if (decoder.head.bias)
      declare(*decoder.head.bias, {decoder.vocabulary});
  }
  if (error)
    return error;
  unsigned firstWeight = unsigned(inputs.size());
  for (const auto &[name, type] : weights)
    inputs.push_back(type);

  b.setInsertionPointToStart(module.getBody());
  if (isLogits)
    std::rotate(written.begin(), written.end() - 1, written.end());
  auto function =
      func::FuncOp::create(b, name, b.getFunctionType(inputs, written));
  b.setInsertionPointToStart(function.addEntryBlock());
  llvm::StringMap<Value> weight;
  for (auto [i, entry] : llvm::enumerate(weights)) {
    weight[entry.first] = function.getArgument(firstWeight + unsigned(i));
    function.setArgAttr(firstWeight + unsigned(i), "rotq.parameter",
                        b.getStringAttr(entry.first));
  }
  Value tokens = function.getArgument(0), position = function.getArgument(1);
  // What every layer hands on beside the state.
  SmallVector<Value> carried(
      function.getArguments().slice(2, written.size() - isLogits));

  state = embed(tokens, weight[decoder.embedding]);
  SmallVector<SmallVector<Value>> turns;
  for (const Rotary &rotary : decoder.rotary)
    turns.push_back(angles(rotary, position));
  for (auto [i, layer] : llvm::enumerate(decoder.layers)) {
    SmallVector<Value> operands = {state, b.index(int64_t(i)), position};
    if (layer.rotary)
      llvm::append_range(operands, turns[size_t(*layer.rotary)]);
    llvm::append_range(operands, carried);
    for (const Parameter &parameter : parametersOf(layer))
      operands.push_back(weight[parameter.name]);
    auto call = func::CallOp::create(b, layerFunction(layer), operands);
    state = call.getResult(0);
    carried.assign(call.result_begin() + 1, call.result_end());
  }
  if (isLogits)
    carried.insert(carried.begin(),
                   buildLogits(function.getArgument(firstWeight - 1), weight));
  func::ReturnOp::create(b, carried);
  return llvm::Error::success();
}

static OwningOpRef<ModuleOp> emptyModule(MLIRContext &context,
                                         const Decoder &decoder) {
  context.loadDialect<arith::ArithDialect, func::FuncDialect,
                      linalg::LinalgDialect, math::MathDialect,
                      tensor::TensorDialect>();
  return ModuleOp::create(UnknownLoc::get(&context), decoder.architecture);
}

llvm::Expected<OwningOpRef<ModuleOp>>
mlir::rotq::importDecoder(MLIRContext &context, const Decoder &decoder) {
  OwningOpRef<ModuleOp> module = emptyModule(context, decoder);
  FunctionBuilder prefill(*module, decoder, "prefill", ShapedType::kDynamic);
  if (llvm::Error error = prefill.build())
    return error;
  FunctionBuilder decode(*module, decoder, "decode", 1);
  if (llvm::Error error = decode.build())
    return error;
  return module;
}

llvm::Expected<OwningOpRef<ModuleOp>>
mlir::rotq::importCalibration(MLIRContext &context, const Decoder &decoder) {
  OwningOpRef<ModuleOp> module = emptyModule(context, decoder);
  FunctionBuilder calibrate(*module, decoder, "calibrate", ShapedType::kDynamic,
                            Purpose::Moments);
  if (llvm::Error error = calibrate.build())
    return error;
  return module;
}
