//===- HostGroupTest.cpp - Products in one loop change no bit
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HostTestUtils.h"

#include "llvm/Support/FormatVariadic.h"
#include "gtest/gtest.h"

using namespace mlir;
using namespace mlir::rotq;
using namespace mlir::rotq::test;

namespace {
struct GroupCase {
  const char *format;
  int64_t q, kv; ///< rows of the weights
  int64_t k;
  const char *options;
};
class HostGroup : public testing::TestWithParam<GroupCase> {};
} // namespace

/// @group and @pair compute at once what @linear computes one by one.
static std::string moduleText(const GroupCase &test) {
  return llvm::formatv(R"(
!wq = !rotq.weight<{0}x{2}, #rotq.format<"{3}">>
!wk = !rotq.weight<{1}x{2}, #rotq.format<"{3}">>
func.func @linear_q(%x: tensor<?x{2}xf32>, %w: !wq, %y: tensor<?x{0}xf32>)
    -> tensor<?x{0}xf32> {{
  %0 = rotq.matmul ins(%x : tensor<?x{2}xf32>) weight(%w : !wq)
    outs(%y : tensor<?x{0}xf32>) -> tensor<?x{0}xf32>
  return %0 : tensor<?x{0}xf32>
}
func.func @linear_k(%x: tensor<?x{2}xf32>, %w: !wk, %y: tensor<?x{1}xf32>)
    -> tensor<?x{1}xf32> {{
  %0 = rotq.matmul ins(%x : tensor<?x{2}xf32>) weight(%w : !wk)
    outs(%y : tensor<?x{1}xf32>) -> tensor<?x{1}xf32>
  return %0 : tensor<?x{1}xf32>
}
func.func @group(%x: tensor<?x{2}xf32>, %wq: !wq, %wk: !wk, %wv: !wk,
                 %q: tensor<?x{0}xf32>, %k: tensor<?x{1}xf32>,
                 %v: tensor<?x{1}xf32>)
    -> (tensor<?x{0}xf32>, tensor<?x{1}xf32>, tensor<?x{1}xf32>) {{
  %0 = rotq.matmul ins(%x : tensor<?x{2}xf32>) weight(%wq : !wq)
    outs(%q : tensor<?x{0}xf32>) -> tensor<?x{0}xf32>
  %1 = rotq.matmul ins(%x : tensor<?x{2}xf32>) weight(%wk : !wk)
    outs(%k : tensor<?x{1}xf32>) -> tensor<?x{1}xf32>
  %2 = rotq.matmul ins(%x : tensor<?x{2}xf32>) weight(%wv : !wk)
    outs(%v : tensor<?x{1}xf32>) -> tensor<?x{1}xf32>
  return %0, %1, %2
    : tensor<?x{0}xf32>, tensor<?x{1}xf32>, tensor<?x{1}xf32>
}
func.func @pair(%x: tensor<?x{2}xf32>, %wk: !wk, %wv: !wk,
                %y: tensor<?x{1}xf32>) -> tensor<?x{1}xf32> {{
  %c0 = arith.constant 0 : index
  %m = tensor.dim %x, %c0 : tensor<?x{2}xf32>
  %e = tensor.empty(%m) : tensor<?x{1}xf32>
  %0 = rotq.matmul ins(%x : tensor<?x{2}xf32>) weight(%wk : !wk)
    outs(%e : tensor<?x{1}xf32>) -> tensor<?x{1}xf32>
  %1 = rotq.matmul ins(%x : tensor<?x{2}xf32>) weight(%wv : !wk)
    outs(%y : tensor<?x{1}xf32>) epilogue(%0 : tensor<?x{1}xf32>) {{
  ^bb0(%v: f32, %k: f32):
    %2 = arith.subf %v, %k : f32
    rotq.yield %2 : f32
  } -> tensor<?x{1}xf32>
  return %1 : tensor<?x{1}xf32>
}
)",
                       test.q, test.kv, test.k, test.format)
      .str();
}

static void expectSameBits(const Array &expected, const Array &actual) {
  ASSERT_EQ(expected.describe(), actual.describe());
  auto a = valuesOf<uint32_t>(expected), b = valuesOf<uint32_t>(actual);
  for (size_t i = 0; i < a.size(); ++i)
    ASSERT_EQ(a[i], b[i]) << "at " << i;
}

static std::vector<Array> listOf(const Array &x, ArrayRef<Array> weights,
                                 ArrayRef<int64_t> widths) {
  std::vector<Array> arguments;
  arguments.push_back(copyOf(x));
  for (const Array &weight : weights)
    arguments.push_back(copyOf(weight));
  for (int64_t width : widths)
    arguments.push_back(Array(Element::F32, {x.shape[0], width}));
  return arguments;
}

TEST_P(HostGroup, ChangesNoBit) {
  const GroupCase &test = GetParam();
  std::mt19937_64 random(17);
  std::vector<Array> weights;
  for (int64_t n : {test.q, test.kv, test.kv})
    weights.push_back(makeBlob(random, test.format, n, test.k));
  ArrayRef<Array> all = weights;
  CompiledModule module(moduleText(test),
                        test.options + featuresOption(hostFeatures()));
  for (int64_t m : {1, 3, 5, 9}) {
    Array x = makeNormal(random, {m, test.k});
    std::vector<Array> expected;
    for (const Array &weight : weights) {
      bool isQ = &weight == &weights.front();
      std::vector<Array> y =
          module.run(isQ ? "linear_q" : "linear_k",
                     listOf(x, ArrayRef(weight), {isQ ? test.q : test.kv}));
      ASSERT_EQ(y.size(), 1u);
      expected.push_back(std::move(y[0]));
    }
    std::vector<Array> group =
        module.run("group", listOf(x, all, {test.q, test.kv, test.kv}));
    ASSERT_EQ(group.size(), 3u);
    for (size_t i = 0; i < 3; ++i)
      expectSameBits(expected[i], group[i]);

    std::vector<Array> pair =
        module.run("pair", listOf(x, all.drop_front(), {test.kv}));
    ASSERT_EQ(pair.size(), 1u);
    auto k = valuesOf<float>(expected[1]), v = valuesOf<float>(expected[2]);
    for (size_t i = 0; i < v.size(); ++i)
      v[i] -= k[i];
    expectSameBits(expected[2], pair[0]);
  }
}

// Ranges that hold rows of two and of three weights; more work than one range.
INSTANTIATE_TEST_SUITE_P(
    Shapes, HostGroup,
    testing::Values(GroupCase{"rq4", 301, 61, 1000, ""},
                    GroupCase{"rq3", 13, 3, 288, ""},
                    GroupCase{"int4_g128", 64, 24, 4096, ""},
                    GroupCase{"trellis3", 45, 9, 576, ""},
                    GroupCase{"rq2", 37, 11, 1056, "activations=float "}));
