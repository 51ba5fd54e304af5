//===- HostThreadsTest.cpp - Threads change no bit
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
struct ThreadsCase {
  const char *format;
  int64_t n, k;
  const char *options;
};
class HostThreads : public testing::TestWithParam<ThreadsCase> {};
} // namespace

/// Two functions that call a third.
static std::string moduleText(const ThreadsCase &test) {
  return llvm::formatv(R"(
!w = !rotq.weight<{0}x{1}, #rotq.format<"{2}">>
func.func private @linear(%x: tensor<?x{1}xf32>, %w: !w, %e: tensor<?x{0}xf32>)
    -> tensor<?x{0}xf32> {{
  %y = rotq.matmul ins(%x : tensor<?x{1}xf32>) weight(%w : !w)
    outs(%e : tensor<?x{0}xf32>) -> tensor<?x{0}xf32>
  return %y : tensor<?x{0}xf32>
}
func.func @matmul(%x: tensor<?x{1}xf32>, %w: !w) -> tensor<?x{0}xf32> {{
  %c0 = arith.constant 0 : index
  %m = tensor.dim %x, %c0 : tensor<?x{1}xf32>
  %e = tensor.empty(%m) : tensor<?x{0}xf32>
  %y = func.call @linear(%x, %w, %e)
    : (tensor<?x{1}xf32>, !w, tensor<?x{0}xf32>) -> tensor<?x{0}xf32>
  return %y : tensor<?x{0}xf32>
}
func.func @dequantize(%w: !w) -> tensor<{0}x{1}xf32> {{
  %e = tensor.empty() : tensor<{0}x{1}xf32>
  %y = rotq.dequantize weight(%w : !w)
    outs(%e : tensor<{0}x{1}xf32>) -> tensor<{0}x{1}xf32>
  return %y : tensor<{0}x{1}xf32>
}
)",
                       test.n, test.k, test.format)
      .str();
}

static void expectSameBits(ArrayRef<Array> expected, ArrayRef<Array> actual) {
  ASSERT_EQ(expected.size(), 1u);
  ASSERT_EQ(actual.size(), 1u);
  ASSERT_EQ(expected[0].describe(), actual[0].describe());
  auto a = valuesOf<uint32_t>(expected[0]), b = valuesOf<uint32_t>(actual[0]);
  for (size_t i = 0; i < a.size(); ++i)
    ASSERT_EQ(a[i], b[i]) << "at " << i;
}

TEST_P(HostThreads, ChangeNoBit) {
  const ThreadsCase &test = GetParam();
  std::mt19937_64 random(11);
  Array blob = makeBlob(random, test.format, test.n, test.k);
  std::string options =
      test.options + featuresOption(hostFeatures()) + " threads=";
  CompiledModule threads(moduleText(test), options + "true");
  CompiledModule serial(moduleText(test), options + "false");
  for (int64_t m : {0, 1, 5, 33}) {
    std::vector<Array> arguments;
    arguments.push_back(makeNormal(random, {m, test.k}));
    arguments.push_back(copyOf(blob));
    expectSameBits(serial.run("matmul", arguments),
                   threads.run("matmul", arguments));
  }
  std::vector<Array> arguments;
  arguments.push_back(std::move(blob));
  expectSameBits(serial.run("dequantize", arguments),
                 threads.run("dequantize", arguments));
}

// More and less work than threads are started for; rows that fill no range.
INSTANTIATE_TEST_SUITE_P(
    Shapes, HostThreads,
    testing::Values(ThreadsCase{"rq4", 301, 1000, ""},
                    ThreadsCase{"rq3", 7, 288, ""},
                    ThreadsCase{"int4_g128", 1, 70000, ""},
                    ThreadsCase{"itq3_s", 130, 576, "activations=float"},
                    ThreadsCase{"rq2", 65, 1056,
                                "placement=load activations=float"}));
