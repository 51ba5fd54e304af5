//===- HostActivationTest.cpp - Rotated and quantized activations
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HostTestUtils.h"

#include "rotq/Codec/PackedWeight.h"

#include "llvm/Support/FormatVariadic.h"
#include "gtest/gtest.h"

#include <cstring>
#include <limits>

using namespace mlir;
using namespace mlir::rotq;
using namespace mlir::rotq::test;
using ::rotq::paddedLength;
using ::rotq::storedLength;

namespace {
struct ActivationCase {
  int64_t k, block, group; ///< block 0: no rotation
  const char *options;
};
class HostActivation : public testing::TestWithParam<ActivationCase> {};
} // namespace

static std::string moduleText(const ActivationCase &test) {
  std::string rotation =
      test.block ? llvm::formatv("#rotq.hadamard<{0}>", test.block).str()
                 : "#rotq.identity";
  return llvm::formatv(
             R"(
func.func @quantize(%x: tensor<?x{0}xf32>)
    -> (tensor<?x{1}xi8>, tensor<?x{2}xf32>, tensor<?x{2}xi32>) {{
  %c0 = arith.constant 0 : index
  %m = tensor.dim %x, %c0 : tensor<?x{0}xf32>
  %0 = tensor.empty(%m) : tensor<?x{1}xi8>
  %1 = tensor.empty(%m) : tensor<?x{2}xf32>
  %2 = tensor.empty(%m) : tensor<?x{2}xi32>
  %r:3 = rotq.quantize_activation {3} group({4}) ins(%x : tensor<?x{0}xf32>)
    outs(%0, %1, %2 : tensor<?x{1}xi8>, tensor<?x{2}xf32>, tensor<?x{2}xi32>)
    -> tensor<?x{1}xi8>, tensor<?x{2}xf32>, tensor<?x{2}xi32>
  return %r#0, %r#1, %r#2
    : tensor<?x{1}xi8>, tensor<?x{2}xf32>, tensor<?x{2}xi32>
}
func.func @rotate(%x: tensor<?x{0}xf32>) -> tensor<?x{5}xf32> {{
  %c0 = arith.constant 0 : index
  %m = tensor.dim %x, %c0 : tensor<?x{0}xf32>
  %0 = tensor.empty(%m) : tensor<?x{5}xf32>
  %r = rotq.rotate {3} ins(%x : tensor<?x{0}xf32>)
    outs(%0 : tensor<?x{5}xf32>) -> tensor<?x{5}xf32>
  return %r : tensor<?x{5}xf32>
}
)",
             test.k, storedLength(test.k),
             ::rotq::Blocking(test.k, test.group).size(), rotation, test.group,
             paddedLength(test.k))
      .str();
}

template <typename T>
static void expectSame(std::span<const T> expected, const Array &actual) {
  auto values = valuesOf<T>(actual);
  ASSERT_EQ(expected.size(), values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    // NaN has many forms.
    if (expected[i] != expected[i] && values[i] != values[i])
      continue;
    ASSERT_EQ(std::memcmp(&expected[i], &values[i], sizeof(T)), 0)
        << "at " << i << ": expected " << +expected[i] << " but got "
        << +values[i];
  }
}

/// Random rows, and rows of what rounds badly.
static Array makeRows(int64_t k) {
  std::mt19937_64 random(7);
  Array x = makeNormal(random, {5, k});
  auto values = valuesOf<float>(x);
  using Limits = std::numeric_limits<float>;
  const float odd[] = {0.0f, -0.0f, Limits::denorm_min(), 0.5f, 1.5f, -2.5f};
  for (int64_t i = 0; i < k; ++i) {
    values[size_t(k + i)] = 0;
    values[size_t(2 * k + i)] = odd[i % 6] * 127 / 127.5f;
    values[size_t(3 * k + i)] = Limits::denorm_min() * float(i % 3);
  }
  values[size_t(4 * k)] = Limits::quiet_NaN();
  values[size_t(4 * k + k / 2)] = Limits::infinity();
  return x;
}

TEST_P(HostActivation, IsWhatTheCodecComputes) {
  const ActivationCase &test = GetParam();
  Array x = makeRows(test.k);
  int64_t m = x.shape[0], padded = paddedLength(test.k);
  std::vector<float> rotated(size_t(m * padded));
  for (int64_t row = 0; row < m; ++row) {
    std::span<float> target =
        std::span(rotated).subspan(size_t(row * padded), size_t(padded));
    std::copy_n(valuesOf<float>(x).begin() + row * test.k, test.k,
                target.begin());
    if (test.block)
      ::rotq::HadamardRotation(test.block).forward(target);
  }
  ::rotq::QuantizedActivation expected =
      ::rotq::quantizeActivation(rotated, m, padded, test.group);

  CompiledModule module(moduleText(test), test.options);
  std::vector<Array> arguments;
  arguments.push_back(std::move(x));
  auto results = module.run("rotate", arguments);
  ASSERT_EQ(results.size(), 1u);
  expectSame<float>(rotated, results[0]);
  results = module.run("quantize", arguments);
  ASSERT_EQ(results.size(), 3u);
  expectSame<int8_t>(expected.codes, results[0]);
  expectSame<float>(expected.scales, results[1]);
  expectSame<int32_t>(expected.sums, results[2]);
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, HostActivation,
    testing::Values(ActivationCase{512, 256, 256, ""},
                    ActivationCase{1000, 256, 128, ""},
                    ActivationCase{33, 0, 32, ""},
                    ActivationCase{4304, 4096, 4096, ""},
                    ActivationCase{1000, 256, 128, "reference=true"},
                    ActivationCase{97, 0, 64, "reference=true"},
                    ActivationCase{608, 512, 32, "reference=true"}));
