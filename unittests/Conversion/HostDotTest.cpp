//===- HostDotTest.cpp - int8 products by every kind of instruction
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HostTestUtils.h"

#include "gtest/gtest.h"

using namespace mlir;
using namespace mlir::rotq;
using namespace mlir::rotq::test;

namespace {
/// LLVM features; those that this machine lacks are left out.
class HostDot : public testing::TestWithParam<const char *> {};
} // namespace

static constexpr int64_t kBytes = 64;

static const char *const kModule = R"(
func.func @f(%a: memref<64xi8>, %b: memref<64xi8>, %y: memref<32xi32>)
    -> tensor<32xi32> {
  %c0 = arith.constant 0 : index
  %c16 = arith.constant 16 : index
  %lhs = vector.load %a[%c0] : memref<64xi8>, vector<64xi8>
  %rhs = vector.load %b[%c0] : memref<64xi8>, vector<64xi8>
  %0 = vector.load %y[%c0] : memref<32xi32>, vector<16xi32>
  %1 = vector.load %y[%c16] : memref<32xi32>, vector<16xi32>
  %2 = rotq.dot %lhs, %rhs, %0 : vector<64xi8>, vector<16xi32>
  %3 = rotq.dot unsigned %lhs, %rhs, %1 : vector<64xi8>, vector<16xi32>
  vector.store %2, %y[%c0] : memref<32xi32>, vector<16xi32>
  vector.store %3, %y[%c16] : memref<32xi32>, vector<16xi32>
  %4 = bufferization.to_tensor %y restrict : memref<32xi32> to tensor<32xi32>
  return %4 : tensor<32xi32>
}
)";

/// Bytes of which many are the largest and the smallest there are.
static Array makeBytes(std::mt19937_64 &random) {
  Array array(Element::I8, {kBytes});
  for (int8_t &value : valuesOf<int8_t>(array)) {
    static constexpr int8_t kExtremes[] = {-128, -127, -1, 0, 1, 127};
    value = random() % 2 ? int8_t(random()) : kExtremes[random() % 6];
  }
  return array;
}

TEST_P(HostDot, IsExact) {
  CompiledModule module(kModule, featuresOption(GetParam()));
  std::mt19937_64 random(7);
  for (int turn = 0; turn < 200; ++turn) {
    Array a = makeBytes(random), b = makeBytes(random);
    Array y(Element::I32, {kBytes / 2});
    std::vector<int32_t> expected;
    for (int32_t &value : valuesOf<int32_t>(y))
      expected.push_back(value = int32_t(random() % 1000));
    for (int64_t i = 0; i < kBytes; ++i) {
      int8_t lhs = valuesOf<int8_t>(a)[i], rhs = valuesOf<int8_t>(b)[i];
      expected[i / 4] += lhs * rhs;
      expected[16 + i / 4] += uint8_t(lhs) * rhs;
    }
    std::vector<Array> arguments;
    arguments.push_back(std::move(a));
    arguments.push_back(std::move(b));
    arguments.push_back(std::move(y));
    std::vector<Array> results = module.run("f", arguments);
    ASSERT_EQ(results.size(), 1u);
    auto found = valuesOf<int32_t>(std::as_const(results[0]));
    ASSERT_EQ(std::vector<int32_t>(found.begin(), found.end()), expected);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Features, HostDot,
    testing::Values("", "+ssse3", "+ssse3,+avx2", "+ssse3,+avx2,+avxvnni",
                    "+ssse3,+avx2,+avx512f,+avx512bw",
                    "+ssse3,+avx2,+avx512f,+avx512bw,+avx512vl,+avx512vnni"));
