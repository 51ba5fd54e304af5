//===- DecoderTest.cpp - Good and bad descriptions of decoders ------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Import/Import.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Verifier.h"
#include "llvm/ADT/StringRef.h"
#include "gtest/gtest.h"

using namespace mlir;
using namespace mlir::rotq;

/// The least that a decoder has.
static constexpr llvm::StringLiteral kPlain = R"({
  "version": 1, "architecture": "plain", "vocabulary": 32, "hidden": 8, "context": 64,
  "norm": {"epsilon": 1e-05, "offset": 0.0},
  "attention": {"heads": 4, "kv_heads": 2, "head_size": 4, "scale": 0.5},
  "mlp": {"size": 16, "activation": "silu"},
  "rotary": [{"interleaved": false, "frequencies": [1.0, 0.5], "factor": 1}],
  "embedding": {"weight": "embed", "scale": 1.0},
  "layers": [{
    "input_norm": "n0", "q": {"weight": "q"}, "k": {"weight": "k"}, "v": {"weight": "v"},
    "o": {"weight": "o"}, "mlp_norm": "n1", "gate": {"weight": "g"}, "up": {"weight": "u"},
    "down": {"weight": "d"}}],
  "final_norm": "n2", "head": {"weight": "embed"}, "tokens": {"end": [2]}
})";

/// kPlain with one text in place of another.
static std::string edited(StringRef from, StringRef to) {
  std::string text = kPlain.str();
  size_t at = text.find(from.str());
  EXPECT_NE(at, std::string::npos) << from.str();
  return text.replace(at, from.size(), to.str());
}

static std::string errorOf(StringRef text) {
  llvm::Expected<Decoder> decoder = Decoder::parse(text);
  return decoder ? "" : llvm::toString(decoder.takeError());
}

TEST(Decoder, ReadsWhatIsThere) {
  llvm::Expected<Decoder> decoder = Decoder::parse(kPlain);
  ASSERT_TRUE(bool(decoder)) << llvm::toString(decoder.takeError());
  EXPECT_EQ(decoder->architecture, "plain");
  EXPECT_EQ(decoder->vocabulary, 32);
  EXPECT_EQ(decoder->heads, 4);
  EXPECT_EQ(decoder->kvHeads, 2);
  EXPECT_EQ(decoder->attentionScale, 0.5);
  EXPECT_EQ(decoder->activation, Activation::Silu);
  ASSERT_EQ(decoder->rotary.size(), 1u);
  EXPECT_EQ(decoder->rotary[0].frequencies, (std::vector<double>{1.0, 0.5}));
  ASSERT_EQ(decoder->layers.size(), 1u);
  const DecoderLayer &layer = decoder->layers[0];
  EXPECT_EQ(layer.down.weight, "d");
  EXPECT_FALSE(layer.rotary || layer.qNorm || layer.postMlpNorm);
  EXPECT_FALSE(layer.q.bias);
  EXPECT_EQ(layer.window, 0);
  EXPECT_EQ(decoder->head.weight, "embed");
}

TEST(Decoder, ReadsOptionalParts) {
  llvm::Expected<Decoder> decoder = Decoder::parse(
      edited(R"("q": {"weight": "q"},)", R"("q": {"weight": "q", "bias": "qb"},
         "q_norm": "qn", "rotary": 0, "window": 7, "post_mlp_norm": "pn",)"));
  ASSERT_TRUE(bool(decoder)) << llvm::toString(decoder.takeError());
  const DecoderLayer &layer = decoder->layers[0];
  EXPECT_EQ(layer.q.bias, "qb");
  EXPECT_EQ(layer.qNorm, "qn");
  EXPECT_EQ(layer.rotary, 0);
  EXPECT_EQ(layer.window, 7);
  EXPECT_EQ(layer.postMlpNorm, "pn");
}

// As Python reads such a text.
TEST(Decoder, TakesTheLastOfEqualKeys) {
  llvm::Expected<Decoder> decoder =
      Decoder::parse(edited("\"hidden\": 8,", "\"hidden\": 9, \"hidden\": 8,"));
  ASSERT_TRUE(bool(decoder)) << llvm::toString(decoder.takeError());
  EXPECT_EQ(decoder->hidden, 8);
}

namespace {
struct BadDecoder {
  const char *from, *to, *error;
};
} // namespace

TEST(Decoder, NamesThePlaceOfAnError) {
  const char *size = "expected a positive size at decoder.hidden";
  const char *integer = "expected an integer at decoder.hidden";
  const BadDecoder tests[] = {
      {"\"hidden\": 8", "\"hidden\": 0", size},
      {"\"hidden\": 8", "\"hidden\": -8", size},
      {"\"hidden\": 8", "\"hidden\": 2147483648", size},
      {"\"hidden\": 8", "\"hidden\": 8.5", integer},
      {"\"hidden\": 8", "\"hidden\": 9.223372036854775808e18", integer},
      {"\"hidden\": 8", "\"hidden\": 99999999999999999999", integer},
      {"\"hidden\": 8", "\"hidden\": 1e999", integer},
      {"\"hidden\": 8", "\"hidden\": \"8\"", integer},
      {"\"hidden\": 8", "\"hidden\": null", integer},
      {"\"hidden\": 8,", "", "expected a value at decoder.hidden"},
      {"\"version\": 1", "\"version\": 2", "expected 1 at decoder.version"},
      {"\"version\": 1", "\"more\": 0, \"version\": 1",
       "unknown key at decoder.more"},
      {"\"epsilon\": 1e-05", "\"epsilon\": -1",
       "expected a number from 0 at decoder.norm.epsilon"},
      {"\"epsilon\": 1e-05", "\"epsilon\": 1e39",
       "expected a number within f32 at decoder.norm.epsilon"},
      {"\"offset\": 0.0", "\"offset\": true",
       "expected number at decoder.norm.offset"},
      {"\"kv_heads\": 2", "\"kv_heads\": 3",
       "expected a divisor of heads at decoder.attention.kv_heads"},
      {"\"head_size\": 4", "\"head_size\": 3",
       "expected an even number at decoder.attention.head_size"},
      {"\"head_size\": 4", "\"head_size\": 2147483646",
       "expected heads of less than 2^31 values at "
       "decoder.attention.head_size"},
      {"\"scale\": 0.5", "\"scale\": 0",
       "expected a positive number at decoder.attention.scale"},
      {"\"scale\": 0.5", "\"scale\": 1e-60",
       "expected a positive number at decoder.attention.scale"},
      {"\"silu\"", "\"relu\"",
       "expected 'silu' or 'gelu_tanh' at decoder.mlp.activation"},
      {"[1.0, 0.5]", "[1.0]",
       "expected head_size / 2 numbers at decoder.rotary[0].frequencies"},
      {"[1.0, 0.5]", "[1.0, \"0.5\"]",
       "expected number at decoder.rotary[0].frequencies[1]"},
      {"\"factor\": 1", "\"factor\": 1, \"theta\": 1e4",
       "unknown key at decoder.rotary[0].theta"},
      {"\"interleaved\": false", "\"interleaved\": 0",
       "expected boolean at decoder.rotary[0].interleaved"},
      {"\"embed\"", "\"\"", "expected a name at decoder.embedding.weight"},
      {"{\"weight\": \"q\"}", "\"q\"",
       "expected an object at decoder.layers[0].q"},
      {"{\"weight\": \"q\"}", "{\"weight\": \"q\", \"bias\": null}",
       "expected string at decoder.layers[0].q.bias"},
      {"\"n1\"", "\"n1\", \"rotary\": 1",
       "expected an index into the list of rotary embeddings at "
       "decoder.layers[0].rotary"},
      {"\"n1\"", "\"n1\", \"rotary\": -1",
       "expected an index into the list of rotary embeddings at "
       "decoder.layers[0].rotary"},
      {"\"n1\"", "\"n1\", \"window\": 0",
       "expected a positive number of positions at decoder.layers[0].window"},
      {"\"layers\": [", "\"layers\": [7, ",
       "expected an object at decoder.layers[0]"},
      {"\"rotary\": [", "\"rotary\": {}, \"x\": [",
       "expected an array at decoder.rotary"}};
  for (const BadDecoder &test : tests)
    EXPECT_EQ(errorOf(edited(test.from, test.to)), test.error) << test.to;
  EXPECT_EQ(errorOf("[]"), "expected an object when parsing decoder");
  EXPECT_EQ(errorOf("{}"), "expected a value at decoder.version");
}

TEST(Decoder, RefusesTextThatIsNoJson) {
  for (StringRef text :
       {"", " ", "{", "nul", "{\"a\": NaN}", "{\"a\": Infinity}",
        "{\"a\": -Infinity}", "{\"a\": 1,}", "{\"a\": \"\xff\"}", "{} {}"})
    EXPECT_NE(errorOf(text), "") << text.str();
  std::string text = edited("\"hidden\": 8", "\"hidden\": NaN");
  EXPECT_NE(errorOf(text), "");
  for (size_t length = 0; length < kPlain.size() - 1; ++length)
    EXPECT_NE(errorOf(kPlain.substr(0, length)), "") << length;
}

TEST(Decoder, RefusesTextThatNestsWithoutEnd) {
  for (const char *open : {"[", "{\"layers\":"}) {
    std::string text;
    for (int i = 0; i < 1000000; ++i)
      text += open;
    EXPECT_EQ(errorOf(text), "json is nested too deeply");
  }
  // Brackets in a name nest nothing.
  std::string name(1000, '[');
  EXPECT_EQ(errorOf(edited("\"n1\"", "\"\\\"" + name + "\"")), "");
}

static std::string importError(StringRef text) {
  llvm::Expected<Decoder> decoder = Decoder::parse(text);
  if (!decoder)
    return llvm::toString(decoder.takeError());
  MLIRContext context;
  auto module = importDecoder(context, *decoder);
  if (!module)
    return llvm::toString(module.takeError());
  EXPECT_TRUE(succeeded(verify(**module)));
  return "";
}

TEST(ImportDecoder, GivesValidModules) {
  EXPECT_EQ(importError(kPlain), "");
  // A layer may have no sight but of itself, and a weight stand in two places.
  EXPECT_EQ(importError(edited("\"n1\"", "\"n0\", \"window\": 1")), "");
  EXPECT_EQ(importError(edited("\"n1\"", "\"n1\", \"window\": 2147483647")),
            "");
}

TEST(ImportDecoder, RefusesOneTensorOfTwoShapes) {
  EXPECT_EQ(importError(edited("\"n2\"", "\"embed\"")),
            "tensor 'embed' stands where its shape is [32, 8], and where it is "
            "[8]");
  EXPECT_EQ(importError(edited("{\"weight\": \"u\"}",
                               "{\"weight\": \"u\", \"bias\": \"d\"}")),
            "tensor 'd' stands where its shape is [16], and where it is "
            "[8, 16]");
}
