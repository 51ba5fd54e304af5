//===- VectorsTest.cpp - The codec against its second implementation ------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// test/Vectors/generate.py wrote the files that these tests read.
//
//===----------------------------------------------------------------------===//

#include "TestUtils.h"
#include "rotq/Codec/CompressedWeight.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <fstream>

using namespace rotq;
using namespace rotq::test;
using Json = nlohmann::json;

namespace {

class VectorsTest : public testing::TestWithParam<std::string> {
protected:
  void SetUp() override {
    std::ifstream file(ROTQ_VECTORS_DIR "/" + GetParam() + ".json");
    ASSERT_TRUE(file) << "no vectors of " << GetParam();
    vectors = Json::parse(file);
    Expected<Format> read = Format::fromJson(vectors["format"].dump());
    ASSERT_TRUE(read) << read.error();
    format = *read;
  }

  static std::vector<std::byte> fromHex(const std::string &text) {
    std::vector<std::byte> bytes(text.size() / 2);
    for (size_t i = 0; i < bytes.size(); ++i)
      bytes[i] = std::byte(std::stoul(text.substr(2 * i, 2), nullptr, 16));
    return bytes;
  }

  /// The input rule.
  static std::vector<float> weightsOf(const Json &c) {
    int64_t n = c["n"], k = c["k"];
    uint32_t state = c["seed"];
    std::vector<float> weights(size_t(n * k));
    for (float &weight : weights) {
      int32_t sum = -24570;
      for (int i = 0; i < 12; ++i) {
        state = 1664525u * state + 1013904223u;
        sum += int32_t(state >> 20);
      }
      weight = std::ldexp(float(sum), c["exponent"].get<int>());
    }
    for (int64_t row : c["zeroRows"])
      std::fill_n(weights.begin() + row * k, k, 0.0f);
    return weights;
  }

  void expectDecodes(const Json &c, std::span<const std::byte> blob) {
    int64_t n = c["n"], k = c["k"];
    std::vector<float> got = decoded(format, blob, n, k);
    std::vector<std::byte> bytes = fromHex(c["decoded"]);
    ASSERT_EQ(bytes.size(), got.size() * 4);
    for (size_t i = 0; i < got.size(); ++i) {
      float expected;
      std::memcpy(&expected, bytes.data() + 4 * i, 4);
      ASSERT_EQ(got[i], expected)
          << n << " x " << k << ", row " << i / size_t(k) << ", column "
          << i % size_t(k);
    }
  }

  Json vectors;
  Format format;
};

} // namespace

TEST_P(VectorsTest, FormatIsThePreset) {
  EXPECT_TRUE(format.equals(preset(GetParam())));
}

TEST_P(VectorsTest, Encode) {
  ASSERT_FALSE(vectors["encode"].empty());
  for (const Json &c : vectors["encode"]) {
    auto blob = encoded(format, weightsOf(c), c["n"], c["k"]);
    ASSERT_TRUE(blob == fromHex(c["blob"])) << c["n"] << " x " << c["k"];
    expectDecodes(c, blob);
    ASSERT_EQ(c.contains("compressed"), format.coding->isCompressed());
    if (!c.contains("compressed"))
      continue;
    auto held = compress(format, blob, c["n"], c["k"]);
    ASSERT_TRUE(held) << held.error();
    ASSERT_TRUE(*held == fromHex(c["compressed"])) << c["n"] << " x " << c["k"];
  }
}

TEST_P(VectorsTest, Decode) {
  ASSERT_FALSE(vectors["decode"].empty());
  for (const Json &c : vectors["decode"])
    expectDecodes(c, fromHex(c["blob"]));
}

static std::vector<std::string> presetNames() {
  std::vector<std::string> names;
  for (const Format &format : presets())
    names.push_back(format.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Presets, VectorsTest, testing::ValuesIn(presetNames()),
                         [](const auto &info) { return info.param; });
