//===- HostDenseTest.cpp - Products without a packed weight
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HostTestUtils.h"

#include "rotq/Codec/PackedWeight.h"

#include "llvm/Support/FormatVariadic.h"
#include "gtest/gtest.h"

#include <cmath>

using namespace mlir;
using namespace mlir::rotq;
using namespace mlir::rotq::test;

namespace {
struct DenseCase {
  int64_t n, k;
  bool isHalf; ///< the weight is f16
};
class HostDense : public testing::TestWithParam<DenseCase> {};
} // namespace

/// y + x W^T
static std::string moduleText(const DenseCase &test) {
  return llvm::formatv(R"(
func.func @f(%x: tensor<?x{1}xf32>, %w: tensor<{0}x{1}x{2}>, %y: tensor<?x{0}xf32>)
    -> tensor<?x{0}xf32> {{
  %0 = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>,
      affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
    ins(%x, %w : tensor<?x{1}xf32>, tensor<{0}x{1}x{2}>)
    outs(%y : tensor<?x{0}xf32>) -> tensor<?x{0}xf32>
  return %0 : tensor<?x{0}xf32>
}
)",
                       test.n, test.k, test.isHalf ? "f16" : "f32")
      .str();
}

/// The weight as the module takes it; `values` become what it holds.
static Array makeWeight(const DenseCase &test, Array &values) {
  if (!test.isHalf)
    return copyOf(values);
  Array halves(Element::F16, values.shape);
  auto bits = valuesOf<uint16_t>(halves);
  for (auto [half, value] : llvm::zip(bits, valuesOf<float>(values))) {
    half = ::rotq::toHalf(value);
    value = ::rotq::fromHalf(half);
  }
  return halves;
}

TEST_P(HostDense, IsTheProduct) {
  const DenseCase &test = GetParam();
  std::mt19937_64 random(5);
  Array values = makeNormal(random, {test.n, test.k});
  Array weight = makeWeight(test, values);
  std::string options = featuresOption(hostFeatures());
  CompiledModule threads(moduleText(test), options + " threads=true");
  CompiledModule serial(moduleText(test), options + " threads=false");
  auto w = valuesOf<float>(std::as_const(values));
  for (int64_t rows : {0, 1, 4, 7, 130}) {
    Array input = makeNormal(random, {rows, test.k});
    Array start = makeNormal(random, {rows, test.n});
    auto run = [&](CompiledModule &module) {
      std::vector<Array> arguments;
      arguments.push_back(copyOf(input));
      arguments.push_back(copyOf(weight));
      arguments.push_back(copyOf(start));
      return module.run("f", arguments);
    };
    std::vector<Array> results = run(threads), same = run(serial);
    ASSERT_EQ(results.size(), 1u);
    ASSERT_EQ(same.size(), 1u);
    auto x = valuesOf<float>(std::as_const(input));
    auto y = valuesOf<float>(results[0]);
    auto serialY = valuesOf<float>(same[0]);
    ASSERT_EQ(y.size(), size_t(rows * test.n));
    for (int64_t i = 0; i < rows * test.n; ++i) {
      ASSERT_EQ(y[size_t(i)], serialY[size_t(i)]) << "at " << i;
      double expected = valuesOf<float>(start)[size_t(i)];
      double magnitude = std::abs(expected);
      for (int64_t k = 0; k < test.k; ++k) {
        double term = double(x[size_t(i / test.n * test.k + k)]) *
                      double(w[size_t(i % test.n * test.k + k)]);
        expected += term;
        magnitude += std::abs(term);
      }
      ASSERT_NEAR(y[size_t(i)], expected,
                  double(test.k + 2) * 0x1p-24 * magnitude)
          << "at " << i;
    }
  }
}

// Tails of K and of N, one row, K below a vector, work for threads and not.
INSTANTIATE_TEST_SUITE_P(Shapes, HostDense,
                         testing::Values(DenseCase{192, 576, false},
                                         DenseCase{301, 70, false},
                                         DenseCase{1, 1000, true},
                                         DenseCase{37, 5, false},
                                         DenseCase{133, 601, true}));
