//===- HostStateTest.cpp - Caches that compiled code writes in place
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a model is made of: a function that calls another for every layer, rows
// of any number, and a cache that both get and return.
//
//===----------------------------------------------------------------------===//

#include "HostTestUtils.h"

#include "gtest/gtest.h"

#include <cmath>

using namespace mlir;
using namespace mlir::rotq;
using namespace mlir::rotq::test;

static constexpr int64_t kSize = 64, kCapacity = 40;

/// Every layer appends exp of its rows, and adds the weighted mean of what the
/// cache holds to their product with a weight.
static const char *const kModule = R"(
!w = !rotq.weight<64x64, #rotq.format<"rq4">>
#s = affine_map<(s, d) -> (s, d)>
#d = affine_map<(s, d) -> (d)>

func.func private @layer(%x: tensor<?x64xf32>, %i: index, %position: index,
                         %cache: tensor<2x?x64xf32>, %w: !w)
    -> (tensor<?x64xf32>, tensor<2x?x64xf32>) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %rows = tensor.dim %x, %c0 : tensor<?x64xf32>
  %e = tensor.empty(%rows) : tensor<?x64xf32>
  %0 = linalg.exp ins(%x : tensor<?x64xf32>) outs(%e : tensor<?x64xf32>)
    -> tensor<?x64xf32>
  %1 = tensor.insert_slice %0 into %cache[%i, %position, 0] [1, %rows, 64]
    [1, 1, 1] : tensor<?x64xf32> into tensor<2x?x64xf32>
  %end = arith.addi %position, %rows : index
  %seen = tensor.extract_slice %1[%i, 0, 0] [1, %end, 64] [1, 1, 1]
    : tensor<2x?x64xf32> to tensor<?x64xf32>
  %f = tensor.empty() : tensor<64xf32>
  %z = linalg.fill ins(%zero : f32) outs(%f : tensor<64xf32>) -> tensor<64xf32>
  %sum = linalg.generic {indexing_maps = [#s, #d],
                         iterator_types = ["reduction", "parallel"]}
      ins(%seen : tensor<?x64xf32>) outs(%z : tensor<64xf32>) {
  ^bb0(%a: f32, %o: f32):
    %2 = arith.addf %a, %o : f32
    linalg.yield %2 : f32
  } -> tensor<64xf32>
  %p = rotq.matmul ins(%x : tensor<?x64xf32>) weight(%w : !w)
    outs(%e : tensor<?x64xf32>) -> tensor<?x64xf32>
  %y = linalg.generic {indexing_maps = [#s, #d, #s],
                       iterator_types = ["parallel", "parallel"]}
      ins(%p, %sum : tensor<?x64xf32>, tensor<64xf32>)
      outs(%e : tensor<?x64xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %2 = arith.divf %a, %b : f32
    linalg.yield %2 : f32
  } -> tensor<?x64xf32>
  return %y, %1 : tensor<?x64xf32>, tensor<2x?x64xf32>
}

func.func @step(%x: tensor<?x64xf32>, %at: tensor<1xindex>,
                %cache: tensor<2x?x64xf32>, %y: tensor<?x64xf32>, %v: !w,
                %w: !w) -> (tensor<?x64xf32>, tensor<2x?x64xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %position = tensor.extract %at[%c0] : tensor<1xindex>
  %0:2 = call @layer(%x, %c0, %position, %cache, %v)
    : (tensor<?x64xf32>, index, index, tensor<2x?x64xf32>, !w)
    -> (tensor<?x64xf32>, tensor<2x?x64xf32>)
  %1:2 = call @layer(%0#0, %c1, %position, %0#1, %w)
    : (tensor<?x64xf32>, index, index, tensor<2x?x64xf32>, !w)
    -> (tensor<?x64xf32>, tensor<2x?x64xf32>)
  %2 = linalg.add ins(%1#0, %x : tensor<?x64xf32>, tensor<?x64xf32>)
    outs(%y : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %2, %1#1 : tensor<?x64xf32>, tensor<2x?x64xf32>
}
)";

namespace {
/// What a session holds: a cache, and how much of it is written.
struct State {
  Array cache{Element::F32, {2, kCapacity, kSize}};
  int64_t position = 0;

  State() { llvm::fill(valuesOf<float>(cache), -1.0f); }
};
} // namespace

/// Runs rows behind those of `state`; the output.
static Array step(CompiledModule &module, State &state, const Array &x,
                  ArrayRef<Array> weights) {
  std::vector<Array> arguments;
  arguments.push_back(copyOf(x));
  Array position(Element::I64, {1});
  valuesOf<int64_t>(position)[0] = state.position;
  arguments.push_back(std::move(position));
  arguments.push_back(std::move(state.cache));
  arguments.push_back(Array(Element::F32, x.shape));
  for (const Array &weight : weights)
    arguments.push_back(copyOf(weight));
  std::vector<Array> results = module.run("step", arguments);
  EXPECT_TRUE(results.empty());
  state.cache = std::move(arguments[2]);
  state.position += x.shape[0];
  return std::move(arguments[3]);
}

static void expectSameBits(const Array &expected, const Array &actual) {
  ASSERT_EQ(expected.describe(), actual.describe());
  auto a = valuesOf<uint32_t>(expected), b = valuesOf<uint32_t>(actual);
  for (size_t i = 0; i < a.size(); ++i)
    ASSERT_EQ(a[i], b[i]) << "at " << i;
}

TEST(HostState, IsWrittenInPlace) {
  std::mt19937_64 random(12);
  std::vector<Array> weights;
  weights.push_back(makeBlob(random, "rq4", kSize, kSize));
  weights.push_back(makeBlob(random, "rq4", kSize, kSize));
  std::string options = featuresOption(hostFeatures()) + " in-place threads=";
  CompiledModule threads(kModule, options + "true");
  CompiledModule serial(kModule, options + "false");
  State a, b;
  for (int64_t rows : {5, 1, 0, 1, 33}) {
    Array x = makeNormal(random, {rows, kSize});
    Array y = step(serial, a, x, weights);
    expectSameBits(y, step(threads, b, x, weights));
    expectSameBits(a.cache, b.cache);

    // The first layer's entries are those of the input, the rest is as it was.
    auto cache = valuesOf<float>(std::as_const(a.cache));
    for (int64_t t = 0; t < rows; ++t)
      for (int64_t d = 0; d < kSize; ++d) {
        float entry = cache[size_t((a.position - rows + t) * kSize + d)];
        float expected = std::exp(valuesOf<float>(x)[size_t(t * kSize + d)]);
        ASSERT_NEAR(entry, expected, 1e-6 * expected);
      }
    for (int64_t layer : {0, 1})
      for (int64_t i = a.position * kSize; i < kCapacity * kSize; ++i)
        ASSERT_EQ(cache[size_t(layer * kCapacity * kSize + i)], -1.0f);
  }
  EXPECT_EQ(a.position, kCapacity);
}
