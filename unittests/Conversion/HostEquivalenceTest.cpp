//===- HostEquivalenceTest.cpp - The compiler against the codec
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The reference and the host kernels of random shapes, run on this machine,
// against the codec: decoded weights bit for bit, products within the error
// that summing in f32 allows.
//
//===----------------------------------------------------------------------===//

#include "HostTestUtils.h"

#include "rotq/Codec/PackedWeight.h"

#include "llvm/Support/FormatVariadic.h"
#include "gtest/gtest.h"

#include <bit>
#include <cmath>
#include <cstring>

using namespace mlir;
using namespace mlir::rotq;
using namespace mlir::rotq::test;
using ::rotq::Blocking;
using ::rotq::Format;
using ::rotq::Segment;

namespace {
struct Shape {
  int64_t n, k;
};

/// A format, a shape, and a weight in it.
struct Fixture {
  Fixture(const Format &format, Shape shape, uint64_t seed);

  std::string moduleText() const;
  Array blobArray() const;
  /// Where @rows starts.
  int64_t firstRow() const { return shape.n / 3; }

  const Format &format;
  Shape shape;
  std::mt19937_64 random;
  std::vector<std::byte> blob;
  std::vector<float> weights; ///< as the codec decodes them
};

/// A value, and how far off a computation in f32 may be.
struct Bounded {
  double value = 0, bound = 0;
};
} // namespace

static constexpr double kUnit = 0x1p-24; // half an ulp of 1 in f32

Fixture::Fixture(const Format &format, Shape shape, uint64_t seed)
    : format(format), shape(shape), random(seed) {
  ::rotq::WeightLayout layout(format, shape.n, shape.k);
  Array source = makeNormal(random, {shape.n, shape.k});
  blob.resize(size_t(layout.totalBytes));
  auto status = ::rotq::encode(format, valuesOf<float>(std::as_const(source)),
                               shape.n, shape.k, blob);
  EXPECT_TRUE(status) << status.error();
  weights.resize(size_t(shape.n * shape.k));
  status = ::rotq::decode(format, blob, shape.n, shape.k, weights);
  EXPECT_TRUE(status) << status.error();
}

Array Fixture::blobArray() const {
  Array array(Element::U8, int64_t(blob.size()));
  std::memcpy(array.data.get(), blob.data(), blob.size());
  return array;
}

std::string Fixture::moduleText() const {
  return llvm::formatv(R"(
!w = !rotq.weight<{0}x{1}, #rotq.format<"{2}">>
func.func @matmul(%x: tensor<?x{1}xf32>, %w: !w) -> tensor<?x{0}xf32> {{
  %c0 = arith.constant 0 : index
  %m = tensor.dim %x, %c0 : tensor<?x{1}xf32>
  %e = tensor.empty(%m) : tensor<?x{0}xf32>
  %y = rotq.matmul ins(%x : tensor<?x{1}xf32>) weight(%w : !w)
    outs(%e : tensor<?x{0}xf32>) -> tensor<?x{0}xf32>
  return %y : tensor<?x{0}xf32>
}
func.func @dequantize(%w: !w) -> tensor<{0}x{1}xf32> {{
  %e = tensor.empty() : tensor<{0}x{1}xf32>
  %y = rotq.dequantize weight(%w : !w)
    outs(%e : tensor<{0}x{1}xf32>) -> tensor<{0}x{1}xf32>
  return %y : tensor<{0}x{1}xf32>
}
func.func @gather(%ids: tensor<?xi32>, %w: !w) -> tensor<?x{1}xf32> {{
  %c0 = arith.constant 0 : index
  %m = tensor.dim %ids, %c0 : tensor<?xi32>
  %e = tensor.empty(%m) : tensor<?x{1}xf32>
  %y = rotq.gather ins(%ids : tensor<?xi32>) weight(%w : !w)
    outs(%e : tensor<?x{1}xf32>) -> tensor<?x{1}xf32>
  return %y : tensor<?x{1}xf32>
}
func.func @rows(%w: !w) -> tensor<{3}x{1}xf32> {{
  %first = arith.constant {4} : index
  %e = tensor.empty() : tensor<{3}x{1}xf32>
  %r = rotq.extract_rows %w[%first]
    : !w -> !rotq.weight<{3}x{1}, #rotq.format<"{2}">>
  %y = rotq.dequantize
    weight(%r : !rotq.weight<{3}x{1}, #rotq.format<"{2}">>)
    outs(%e : tensor<{3}x{1}xf32>) -> tensor<{3}x{1}xf32>
  return %y : tensor<{3}x{1}xf32>
}
)",
                       shape.n, shape.k, format.name, shape.n - firstRow(),
                       firstRow())
      .str();
}

//===----------------------------------------------------------------------===//
// Expectations
//===----------------------------------------------------------------------===//

/// y[m, n] with the activation as it is: K products, K sums.
static Bounded floatProduct(const Fixture &fixture, std::span<const float> x,
                            int64_t n) {
  Bounded result;
  double magnitude = 0;
  for (int64_t k = 0; k < fixture.shape.k; ++k) {
    double term = double(x[size_t(k)]) *
                  double(fixture.weights[size_t(n * fixture.shape.k + k)]);
    result.value += term;
    magnitude += std::abs(term);
  }
  result.bound = double(fixture.shape.k + 1) * kUnit * magnitude * 1.01;
  return result;
}

namespace {
/// Products with the activation in int8, in f64.
struct QuantizedOracle {
  QuantizedOracle(const Fixture &fixture, const Array &x, int64_t group);
  Bounded product(int64_t m, int64_t n) const;

  const Fixture &fixture;
  ::rotq::WeightLayout layout;
  Blocking activationCut, cut;
  ::rotq::QuantizedActivation activation;
  std::vector<int8_t> points;
};
} // namespace

QuantizedOracle::QuantizedOracle(const Fixture &fixture, const Array &x,
                                 int64_t group)
    : fixture(fixture),
      layout(fixture.format, fixture.shape.n, fixture.shape.k),
      activationCut(fixture.shape.k, group),
      cut(fixture.shape.k, std::min(group, fixture.format.scale.group)),
      points(size_t(fixture.shape.n * ::rotq::storedLength(fixture.shape.k))) {
  int64_t m = x.shape[0], k = fixture.shape.k, padded = ::rotq::paddedLength(k);
  std::vector<float> rotated(size_t(m * padded));
  auto source = valuesOf<float>(x);
  for (int64_t row = 0; row < m; ++row) {
    std::span<float> target =
        std::span(rotated).subspan(size_t(row * padded), size_t(padded));
    std::copy_n(source.begin() + row * k, k, target.begin());
    fixture.format.rotation->forward(target);
  }
  activation = ::rotq::quantizeActivation(rotated, m, padded, group);
  auto status = ::rotq::decodePoints(fixture.format, fixture.blob,
                                     fixture.shape.n, k, points);
  EXPECT_TRUE(status) << status.error();
}

/// A term takes 4 roundings at most (step by scale, the conversion of the
/// integer, their product, the sum with the offset's term), and the sum of G
/// terms G - 1.
Bounded QuantizedOracle::product(int64_t m, int64_t n) const {
  int64_t stored = ::rotq::storedLength(fixture.shape.k);
  int64_t numbers = fixture.format.scale.numbers();
  auto numberOf = [&](int64_t k, int64_t number) {
    uint16_t bits;
    int64_t position = n * layout.numbersPerRow +
                       layout.scaleBlocking.indexOf(k) * numbers + number;
    std::memcpy(&bits, fixture.blob.data() + layout.scalesOffset + position * 2,
                2);
    return double(::rotq::fromHalf(bits));
  };
  Bounded result;
  double magnitude = 0;
  for (int64_t g = 0; g < cut.size(); ++g) {
    Segment segment = cut.segment(g);
    int64_t dot = 0;
    for (int64_t k = segment.offset; k < segment.offset + segment.length; ++k)
      dot += int64_t(points[size_t(n * stored + k)]) *
             int64_t(activation.codes[size_t(m * stored + k)]);
    size_t group = size_t(m * activationCut.size() +
                          activationCut.indexOf(segment.offset));
    double scale = activation.scales[group];
    double term = numberOf(segment.offset, 0) * scale * double(dot);
    result.value += term;
    magnitude += std::abs(term);
    if (numbers > 1) {
      term = numberOf(segment.offset, 1) * scale * activation.sums[group];
      result.value += term;
      magnitude += std::abs(term);
    }
  }
  result.bound = double(cut.size() + 4) * kUnit * magnitude * 1.01;
  return result;
}

//===----------------------------------------------------------------------===//
// Checks
//===----------------------------------------------------------------------===//

static void expectSameBits(std::span<const float> expected,
                           const Array &actual) {
  auto values = valuesOf<float>(actual);
  ASSERT_EQ(expected.size(), values.size());
  for (size_t i = 0; i < values.size(); ++i)
    ASSERT_EQ(std::bit_cast<uint32_t>(expected[i]),
              std::bit_cast<uint32_t>(values[i]))
        << "at " << i << ": expected " << expected[i] << " but got "
        << values[i];
}

static void checkDecoding(Fixture &fixture, CompiledModule &module) {
  std::vector<Array> arguments;
  arguments.push_back(fixture.blobArray());
  auto results = module.run("dequantize", arguments);
  ASSERT_EQ(results.size(), 1u);
  expectSameBits(fixture.weights, results[0]);
  results = module.run("rows", arguments);
  ASSERT_EQ(results.size(), 1u);
  expectSameBits(std::span(fixture.weights)
                     .subspan(size_t(fixture.firstRow() * fixture.shape.k)),
                 results[0]);

  Array ids(Element::I32, {5});
  std::uniform_int_distribution<int32_t> row(0, int32_t(fixture.shape.n - 1));
  std::vector<float> expected;
  for (int32_t &id : valuesOf<int32_t>(ids)) {
    id = row(fixture.random);
    auto begin = fixture.weights.begin() + id * fixture.shape.k;
    expected.insert(expected.end(), begin, begin + fixture.shape.k);
  }
  arguments.insert(arguments.begin(), std::move(ids));
  results = module.run("gather", arguments);
  ASSERT_EQ(results.size(), 1u);
  expectSameBits(expected, results[0]);
}

/// `expectation` gives y[m, n] for an activation.
template <typename Expectation>
static void checkProduct(const Fixture &fixture, CompiledModule &module,
                         const Array &x, Expectation expectation) {
  std::vector<Array> arguments;
  arguments.push_back(copyOf(x));
  arguments.push_back(fixture.blobArray());
  auto results = module.run("matmul", arguments);
  ASSERT_EQ(results.size(), 1u);
  int64_t rows = x.shape[0];
  ASSERT_EQ(results[0].describe(),
            llvm::formatv("{0}x{1}xf32", rows, fixture.shape.n).str());
  auto y = valuesOf<float>(std::as_const(results[0]));
  for (int64_t m = 0; m < rows; ++m)
    for (int64_t n = 0; n < fixture.shape.n; ++n) {
      Bounded expected = expectation(m, n);
      ASSERT_NEAR(y[size_t(m * fixture.shape.n + n)], expected.value,
                  expected.bound)
          << "m " << m << " n " << n;
    }
}

static void checkQuantized(Fixture &fixture, CompiledModule &module,
                           ArrayRef<int64_t> rows, int64_t group) {
  for (int64_t m : rows) {
    Array x = makeNormal(fixture.random, {m, fixture.shape.k});
    QuantizedOracle oracle(fixture, x, group);
    checkProduct(fixture, module, x,
                 [&](int64_t m, int64_t n) { return oracle.product(m, n); });
  }
}

static void checkFloat(Fixture &fixture, CompiledModule &module,
                       ArrayRef<int64_t> rows) {
  for (int64_t m : rows) {
    Array x = makeNormal(fixture.random, {m, fixture.shape.k});
    auto values = valuesOf<float>(std::as_const(x));
    checkProduct(fixture, module, x, [&](int64_t m, int64_t n) {
      return floatProduct(
          fixture,
          values.subspan(size_t(m * fixture.shape.k), size_t(fixture.shape.k)),
          n);
    });
  }
}

//===----------------------------------------------------------------------===//
// Tests
//===----------------------------------------------------------------------===//

namespace {
class HostEquivalence : public testing::TestWithParam<size_t> {
protected:
  const Format &format() const { return ::rotq::presets()[GetParam()]; }
  /// N from 1 to 300 and K up to 4352, rounded up to `multiple`, or no
  /// multiple of 32.
  Shape drawShape(int64_t multiple) {
    std::uniform_int_distribution<int64_t> n(1, 300), k(1, 4352 / multiple);
    Shape shape = {n(random), k(random) * multiple};
    if (multiple == 1 && shape.k % 32 == 0)
      ++shape.k;
    return shape;
  }
  int64_t drawRows() {
    return std::uniform_int_distribution<int64_t>(2, 33)(random);
  }

  /// Other shapes and values: --gtest_random_seed.
  std::mt19937_64 random{GetParam() + 1 +
                         1000 * uint64_t(GTEST_FLAG_GET(random_seed))};
};
} // namespace

TEST_P(HostEquivalence, KernelsWholeBlocks) {
  Fixture fixture(format(), drawShape(256), random());
  CompiledModule module(fixture.moduleText(), featuresOption(hostFeatures()));
  checkDecoding(fixture, module);
  checkQuantized(fixture, module, {1, drawRows(), 33}, 256);
}

TEST_P(HostEquivalence, KernelsShortVectors) {
  Fixture fixture(format(), drawShape(64), random());
  CompiledModule module(fixture.moduleText(), featuresOption("+ssse3,+avx2"));
  checkDecoding(fixture, module);
  checkQuantized(fixture, module, {1, drawRows(), 33}, 256);
}

TEST_P(HostEquivalence, KernelsPortable) {
  Fixture fixture(format(), drawShape(32), random());
  CompiledModule module(fixture.moduleText(), featuresOption(""));
  checkDecoding(fixture, module);
  checkQuantized(fixture, module, {1, drawRows()}, 256);
}

TEST_P(HostEquivalence, KernelsRaggedRows) {
  Fixture fixture(format(), drawShape(1), random());
  CompiledModule module(fixture.moduleText(),
                        "group=64" + featuresOption("+ssse3,+avx2,+avxvnni"));
  checkDecoding(fixture, module);
  checkQuantized(fixture, module, {1, drawRows()}, 64);
}

TEST_P(HostEquivalence, KernelsFloat) {
  Fixture fixture(format(), drawShape(1), random());
  CompiledModule module(fixture.moduleText(),
                        "placement=load activations=float" +
                            featuresOption(hostFeatures()));
  checkFloat(fixture, module, {1, drawRows()});
}

TEST_P(HostEquivalence, ReferenceQuantized) {
  Fixture fixture(format(), drawShape(1), random());
  CompiledModule module(fixture.moduleText(), "reference=true group=128");
  checkDecoding(fixture, module);
  checkQuantized(fixture, module, {1, drawRows()}, 128);
}

TEST_P(HostEquivalence, ReferenceFloat) {
  Fixture fixture(format(), drawShape(32), random());
  CompiledModule module(fixture.moduleText(),
                        "reference=true placement=load activations=float");
  checkDecoding(fixture, module);
  checkFloat(fixture, module, {1, drawRows()});
}

INSTANTIATE_TEST_SUITE_P(Presets, HostEquivalence,
                         testing::Range<size_t>(0, ::rotq::presets().size()),
                         [](const testing::TestParamInfo<size_t> &info) {
                           return ::rotq::presets()[info.param].name;
                         });
