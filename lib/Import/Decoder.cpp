//===- Decoder.cpp - Reading the description of a decoder -----------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Import/Decoder.h"

#include "rotq/Support/LLVMJson.h"

#include "llvm/ADT/STLExtras.h"

#include <cmath>

using namespace mlir;
using namespace mlir::rotq;
namespace json = llvm::json;

/// Sizes beyond this are mistakes: kernels index with 32 bits.
static constexpr int64_t kMaxSize = (int64_t(1) << 31) - 1;

/// Integers up to here are doubles.
static constexpr double kMaxCount = double(int64_t(1) << 53);

namespace {
/// The members of an object, taken one by one. Every method returns whether it
/// went well; the first error sticks to the root of the path.
class Members {
public:
  Members(const json::Value &value, json::Path path)
      : object(value.getAsObject()), path(path) {
    if (!object)
      path.report("expected an object");
  }

  template <typename T> bool read(StringLiteral key, T &out) {
    const json::Value *value = take(key);
    if (!value && object)
      path.field(key).report("expected a value");
    return value && convert(*value, out, path.field(key));
  }
  template <typename T>
  bool readOptional(StringLiteral key, std::optional<T> &out) {
    const json::Value *value = take(key);
    if (!value)
      return object;
    return convert(*value, out.emplace(), path.field(key));
  }
  bool readSize(StringLiteral key, int64_t &out) {
    if (!read(key, out))
      return false;
    return check(out > 0 && out <= kMaxSize, key, "expected a positive size");
  }
  /// The object behind `key`, read by `body`.
  template <typename Body> bool readObject(StringLiteral key, Body body) {
    const json::Value *value = take(key);
    if (!value) {
      if (object)
        path.field(key).report("expected an object");
      return false;
    }
    Members members(*value, path.field(key));
    return members.object && body(members) && members.finish();
  }
  /// For others to read.
  void skip(StringLiteral key) { take(key); }
  bool check(bool holds, StringLiteral key, StringLiteral message) {
    if (!holds)
      path.field(key).report(message);
    return holds;
  }
  /// Every member must have been taken: a key that is skipped would be a part
  /// of the decoder that is left out.
  bool finish() {
    if (!object)
      return false;
    for (const auto &[key, value] : *object)
      if (!llvm::is_contained(taken, StringRef(key))) {
        path.field(StringRef(key)).report("unknown key");
        return false;
      }
    return true;
  }

private:
  const json::Value *take(StringRef key) {
    if (!object)
      return nullptr;
    taken.push_back(key);
    return object->get(key);
  }

  template <typename T>
  static bool convert(const json::Value &value, T &out, json::Path path) {
    if constexpr (std::is_same_v<T, std::string>) {
      if (!json::fromJSON(value, out, path))
        return false;
      if (out.empty())
        path.report("expected a name");
      return !out.empty();
    } else if constexpr (std::is_same_v<T, double>) {
      if (!json::fromJSON(value, out, path))
        return false;
      if (!std::isfinite(float(out)))
        path.report("expected a number within f32");
      return std::isfinite(float(out));
    } else if constexpr (std::is_same_v<T, int64_t>) {
      // Beyond what a double counts, LLVM's conversion is undefined.
      std::optional<double> number = value.getAsNumber();
      if (!number || !(std::abs(*number) < kMaxCount) ||
          *number != std::trunc(*number)) {
        path.report("expected an integer");
        return false;
      }
      out = int64_t(*number);
      return true;
    } else if constexpr (std::is_same_v<T, bool>) {
      return json::fromJSON(value, out, path);
    } else {
      return readFrom(value, out, path);
    }
  }

  static bool readFrom(const json::Value &value, Linear &out, json::Path path) {
    Members members(value, path);
    return members.read("weight", out.weight) &&
           members.readOptional("bias", out.bias) && members.finish();
  }

  static bool readFrom(const json::Value &value, Activation &out,
                       json::Path path) {
    std::string name;
    if (!json::fromJSON(value, name, path))
      return false;
    if (name == "silu")
      out = Activation::Silu;
    else if (name == "gelu_tanh")
      out = Activation::GeluTanh;
    else {
      path.report("expected 'silu' or 'gelu_tanh'");
      return false;
    }
    return true;
  }

  static bool readFrom(const json::Value &value, Rotary &out, json::Path path) {
    Members members(value, path);
    return members.read("interleaved", out.isInterleaved) &&
           members.read("frequencies", out.frequencies) &&
           members.read("factor", out.factor) && members.finish();
  }

  static bool readFrom(const json::Value &value, DecoderLayer &out,
                       json::Path path) {
    Members members(value, path);
    std::optional<int64_t> window;
    bool isRead =
        members.read("input_norm", out.inputNorm) && members.read("q", out.q) &&
        members.read("k", out.k) && members.read("v", out.v) &&
        members.read("o", out.o) && members.readOptional("q_norm", out.qNorm) &&
        members.readOptional("k_norm", out.kNorm) &&
        members.readOptional("rotary", out.rotary) &&
        members.readOptional("window", window) &&
        members.readOptional("post_attention_norm", out.postAttentionNorm) &&
        members.read("mlp_norm", out.mlpNorm) &&
        members.read("gate", out.gate) && members.read("up", out.up) &&
        members.read("down", out.down) &&
        members.readOptional("post_mlp_norm", out.postMlpNorm) &&
        members.finish();
    if (!isRead)
      return false;
    out.window = window.value_or(0);
    return members.check(!window || (*window > 0 && *window <= kMaxSize),
                         "window", "expected a positive number of positions");
  }

  template <typename T>
  static bool readFrom(const json::Value &value, std::vector<T> &out,
                       json::Path path) {
    const json::Array *array = value.getAsArray();
    if (!array) {
      path.report("expected an array");
      return false;
    }
    out.clear();
    for (auto [i, element] : llvm::enumerate(*array))
      if (!convert(element, out.emplace_back(), path.index(unsigned(i))))
        return false;
    return true;
  }

  const json::Object *object;
  json::Path path;
  SmallVector<StringRef> taken;
};
} // namespace

static bool readDecoder(const json::Value &value, Decoder &out,
                        json::Path path) {
  Members root(value, path);
  int64_t version = 0;
  bool isRead =
      root.read("version", version) &&
      root.check(version == 1, "version", "expected 1") &&
      root.read("architecture", out.architecture) &&
      root.readSize("vocabulary", out.vocabulary) &&
      root.readSize("hidden", out.hidden) &&
      root.readSize("context", out.context) &&
      root.readObject("norm",
                      [&](Members &norm) {
                        return norm.read("epsilon", out.epsilon) &&
                               norm.check(out.epsilon >= 0, "epsilon",
                                          "expected a number from 0") &&
                               norm.read("offset", out.normOffset);
                      }) &&
      root.readObject(
          "attention",
          [&](Members &attention) {
            return attention.readSize("heads", out.heads) &&
                   attention.readSize("kv_heads", out.kvHeads) &&
                   attention.readSize("head_size", out.headSize) &&
                   attention.read("scale", out.attentionScale) &&
                   attention.check(out.heads % out.kvHeads == 0, "kv_heads",
                                   "expected a divisor of heads") &&
                   attention.check(float(out.attentionScale) > 0, "scale",
                                   "expected a positive number") &&
                   attention.check(out.headSize % 2 == 0, "head_size",
                                   "expected an even number") &&
                   attention.check(out.heads * out.headSize <= kMaxSize,
                                   "head_size",
                                   "expected heads of less than 2^31 values");
          }) &&
      root.readObject("mlp",
                      [&](Members &mlp) {
                        return mlp.readSize("size", out.mlpSize) &&
                               mlp.read("activation", out.activation);
                      }) &&
      root.read("rotary", out.rotary) &&
      root.readObject("embedding",
                      [&](Members &embedding) {
                        return embedding.read("weight", out.embedding) &&
                               embedding.read("scale", out.embeddingScale);
                      }) &&
      root.read("layers", out.layers) &&
      root.read("final_norm", out.finalNorm) && root.read("head", out.head);
  // A module has no tokenizer.
  root.skip("tokens");
  if (!isRead || !root.finish())
    return false;
  if (!root.check(!out.layers.empty(), "layers", "expected at least one"))
    return false;
  json::Path rotaryPath = path.field("rotary");
  for (auto [i, rotary] : llvm::enumerate(out.rotary))
    if (int64_t(rotary.frequencies.size()) != out.headSize / 2) {
      rotaryPath.index(unsigned(i))
          .field("frequencies")
          .report("expected head_size / 2 numbers");
      return false;
    }
  json::Path layersPath = path.field("layers");
  for (auto [i, layer] : llvm::enumerate(out.layers))
    if (layer.rotary &&
        (*layer.rotary < 0 || *layer.rotary >= int64_t(out.rotary.size()))) {
      layersPath.index(unsigned(i))
          .field("rotary")
          .report("expected an index into the list of rotary embeddings");
      return false;
    }
  return true;
}

llvm::Expected<Decoder> Decoder::parse(StringRef text) {
  llvm::Expected<json::Value> value = ::rotq::parseJson(text);
  if (!value)
    return value.takeError();
  Decoder decoder;
  json::Path::Root root("decoder");
  if (!readDecoder(*value, decoder, root))
    return root.getError();
  return decoder;
}
