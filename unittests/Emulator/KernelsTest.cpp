//===- KernelsTest.cpp - Compiled GPU kernels against the codec
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every kernel that the compiler makes for a matmul, on the emulator: codes,
// scales and sums of activations bit for bit, products within the error that
// summing in f32 allows, in several orders of the threads. benchmarks/gpu_check
// compares the same on a GPU.
//
//===----------------------------------------------------------------------===//

#include "EmulatorTestUtils.h"

#include "rotq/Codec/PackedWeight.h"
#include "rotq/InitAll.h"
#include "rotq/Pipelines/GPUPipeline.h"
#include "rotq/Target/Target.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/FormatVariadic.h"

#include <cmath>
#include <cstring>
#include <random>

using namespace mlir;
using namespace mlir::rotq;
using namespace mlir::rotq::test;
using ::rotq::Blocking;
using ::rotq::Format;
using ::rotq::Segment;
using ::rotq::storedLength;

namespace {
struct KernelCase {
  const char *format;
  int64_t n, k;
  const char *placement;
  const char *chip = "sm_90a";
  const char *x = "f16";
  const char *y = "f32";
  int64_t group = 256;
};

class EmulatedKernels : public testing::TestWithParam<KernelCase> {
protected:
  void SetUp() override;
  void checkKernel(const ::rotq::KernelInfo &kernel, int64_t m);
  void checkActivation(const ::rotq::KernelInfo &kernel, int64_t m);
  void checkProducts(const ::rotq::KernelInfo &kernel, int64_t m);
  void launch(const ::rotq::KernelInfo &kernel, int64_t m,
              ArrayRef<EmulatorArgument> buffers);

  std::mt19937_64 random{17};
  std::unique_ptr<Emulator> emulator;
  ::rotq::Manifest manifest;
  std::vector<std::byte> blob;
  std::vector<int8_t> points; ///< N x storedLength(K)
  std::vector<float> x;       ///< most rows; as its type holds it
  std::vector<float> rotated;
};

/// Values of y, and how far off a kernel may be.
struct Bounded {
  std::vector<double> values, bounds;
};
} // namespace

static constexpr int64_t kMaxRows = 67;
static constexpr double kHalf = 0x1p-11, kFloat = 0x1p-24; // unit roundoffs
/// What an addend may lose against the largest one in a tensor core.
static constexpr double kTensorCore = 0x1p-23;

/// Relative error of that many roundings in f32.
static double roundings(double operations) {
  return operations * kFloat / (1 - operations * kFloat);
}

static float toHalf(float value) {
  return ::rotq::fromHalf(::rotq::toHalf(value));
}

static const Format &formatOf(const KernelCase &test) {
  for (const Format &format : ::rotq::presets())
    if (format.name == ::rotq::lookupFormat(test.format)->name)
      return format;
  llvm_unreachable("unknown preset");
}

static std::string moduleText(const KernelCase &test) {
  return llvm::formatv(R"(
!w = !rotq.weight<{0}x{1}, #rotq.format<"{2}">>
func.func @f(%x: tensor<?x{1}x{3}>, %w: !w) -> tensor<?x{0}x{4}> {{
  %c0 = arith.constant 0 : index
  %m = tensor.dim %x, %c0 : tensor<?x{1}x{3}>
  %e = tensor.empty(%m) : tensor<?x{0}x{4}>
  %y = rotq.matmul ins(%x : tensor<?x{1}x{3}>) weight(%w : !w)
    outs(%e : tensor<?x{0}x{4}>) -> tensor<?x{0}x{4}>
  return %y : tensor<?x{0}x{4}>
}
)",
                       test.n, test.k, test.format, test.x, test.y)
      .str();
}

void EmulatedKernels::SetUp() {
  const KernelCase &test = GetParam();
  DialectRegistry registry;
  registerAllDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  auto module = parseSourceString<ModuleOp>(moduleText(test), &context);
  NVPTXPipelineOptions options;
  std::string text = llvm::formatv("chip={0} placement={1} group={2}",
                                   test.chip, test.placement, test.group);
  ASSERT_TRUE(module && succeeded(options.parseFromString(text)));
  PassManager pm(&context);
  buildNVPTXPipeline(pm, options);
  ASSERT_TRUE(succeeded(pm.run(*module)));
  auto kernels = *module->getOps<gpu::GPUModuleOp>().begin();
  auto read = readManifest(kernels);
  ASSERT_TRUE(succeeded(read));
  manifest = *read;
  auto created = Emulator::create(kernels, test.chip);
  ASSERT_TRUE(bool(created)) << toString(created.takeError());
  emulator = std::move(*created);

  const Format &format = formatOf(test);
  std::normal_distribution<float> normal;
  std::vector<float> weights(size_t(test.n * test.k));
  for (float &value : weights)
    value = normal(random);
  ::rotq::WeightLayout layout(format, test.n, test.k);
  blob.resize(size_t(layout.totalBytes));
  ASSERT_TRUE(::rotq::encode(format, weights, test.n, test.k, blob));
  points.resize(size_t(test.n * storedLength(test.k)));
  ASSERT_TRUE(::rotq::decodePoints(format, blob, test.n, test.k, points));
  x.resize(size_t(kMaxRows * test.k));
  for (float &value : x)
    value =
        test.x == StringRef("f16") ? toHalf(normal(random)) : normal(random);
  int64_t padded = ::rotq::paddedLength(test.k);
  rotated.resize(size_t(kMaxRows * padded));
  for (int64_t row = 0; row < kMaxRows; ++row) {
    auto target =
        std::span(rotated).subspan(size_t(row * padded), size_t(padded));
    std::copy_n(x.begin() + row * test.k, test.k, target.begin());
    format.rotation->forward(target);
  }
}

//===----------------------------------------------------------------------===//
// Expectations
//===----------------------------------------------------------------------===//

namespace {
/// A packed weight taken apart.
struct Weight {
  Weight(const Format &format, ArrayRef<std::byte> blob, int64_t n, int64_t k)
      : format(format), blob(blob), layout(format, n, k) {}

  bool hasOffset() const { return format.scale.numbers() > 1; }
  double number(int64_t row, int64_t position, int64_t which) const {
    uint16_t bits;
    int64_t at = row * layout.numbersPerRow +
                 layout.scaleBlocking.indexOf(position) *
                     int64_t(format.scale.numbers()) +
                 which;
    std::memcpy(&bits, blob.data() + layout.scalesOffset + at * 2, 2);
    return double(::rotq::fromHalf(bits));
  }

  const Format &format;
  ArrayRef<std::byte> blob;
  ::rotq::WeightLayout layout;
};
} // namespace

/// Integer sums are exact: an f32 kernel errs by one rounding of step x scale
/// and one for every addition.
static Bounded multiplyCodes(const Weight &weight, ArrayRef<int8_t> points,
                             const ::rotq::QuantizedActivation &activation,
                             int64_t m, int64_t group) {
  int64_t n = weight.layout.n, k = weight.layout.k, stored = storedLength(k);
  Blocking groups(k, group);
  Blocking cut(k, std::min({group, weight.format.scale.group, int64_t(256)}));
  Bounded result;
  for (int64_t row = 0; row < m; ++row)
    for (int64_t col = 0; col < n; ++col) {
      double value = 0, magnitude = 0;
      auto add = [&](double term) {
        value += term;
        magnitude += std::abs(term);
      };
      // Lanes of a warp add up runs of at least 32 weights.
      for (int64_t start = 0; start < cut.paddedSize(); start += 32) {
        int64_t dot = 0, sum = 0;
        for (int64_t j = start; j < start + 32; ++j) {
          int64_t code = activation.codes[size_t(row * stored + j)];
          dot += int64_t(points[size_t(col * stored + j)]) * code;
          sum += code;
        }
        double scale =
            activation
                .scales[size_t(row * groups.size() + groups.indexOf(start))];
        add(weight.number(col, start, 0) * scale * double(dot));
        if (weight.hasOffset())
          add(weight.number(col, start, 1) * scale * double(sum));
      }
      result.values.push_back(value);
      double additions = double(cut.size()) * (weight.hasOffset() ? 2 : 1);
      // Five more add up the lanes of a warp.
      result.bounds.push_back(roundings(additions + 7) * magnitude);
    }
  return result;
}

/// Unnormalized butterflies of one segment, rounded to f16 after each.
static void transformInHalf(std::span<float> values) {
  for (size_t stride = 1; stride < values.size(); stride *= 2)
    for (size_t i = 0; i < values.size(); ++i)
      if (!(i & stride)) {
        float a = values[i], b = values[i + stride];
        values[i] = toHalf(a + b);
        values[i + stride] = toHalf(a - b);
      }
}

/// The kernel that undoes the rotation of the weight in f16. At most 16
/// instructions of 16 products and what was there before make the product of a
/// piece; then step x length^-1/2 x product is added.
static Bounded multiplyInHalf(const Weight &weight, ArrayRef<int8_t> points,
                              ArrayRef<float> x, int64_t m) {
  int64_t n = weight.layout.n, k = weight.layout.k, stored = storedLength(k);
  int64_t rotation = weight.format.rotation->block();
  Blocking pieces(k, rotation ? rotation : weight.format.scale.group);
  int64_t padded = pieces.paddedSize();
  std::vector<double> factors(size_t(n * pieces.size()));
  std::vector<float> values(size_t(n * padded));
  for (int64_t col = 0; col < n; ++col)
    for (int64_t i = 0; i < pieces.size(); ++i) {
      Segment segment = pieces.segment(i);
      auto part = std::span(values).subspan(
          size_t(col * padded + segment.offset), size_t(segment.length));
      for (size_t j = 0; j < part.size(); ++j)
        part[j] = points[size_t(col * stored + segment.offset) + j];
      double factor = weight.number(col, segment.offset, 0);
      if (rotation) {
        transformInHalf(part);
        factor /= std::sqrt(double(segment.length));
      }
      factors[size_t(col * pieces.size() + i)] = factor;
    }
  Bounded result;
  for (int64_t row = 0; row < m; ++row)
    for (int64_t col = 0; col < n; ++col) {
      double value = 0, magnitude = 0, shift = 0;
      for (int64_t i = 0; i < pieces.size(); ++i) {
        Segment segment = pieces.segment(i);
        double dot = 0, absolute = 0;
        for (int64_t j = segment.offset;
             j < std::min(k, segment.offset + segment.length); ++j) {
          double term = double(toHalf(x[size_t(row * k + j)])) *
                        double(values[size_t(col * padded + j)]);
          dot += term;
          absolute += std::abs(term);
        }
        double factor = factors[size_t(col * pieces.size() + i)];
        value += dot * factor;
        magnitude += absolute * factor;
        if (!weight.hasOffset())
          continue;
        // The first entry of the inverse rotation of x is length^1/2 x[first].
        double term = weight.number(col, segment.offset, 1) *
                      std::sqrt(double(segment.length)) *
                      double(x[size_t(row * k + segment.offset)]);
        value += term;
        shift += std::abs(term);
      }
      double rounded =
          roundings(double(pieces.size()) * (weight.hasOffset() ? 2 : 1) + 4);
      result.values.push_back(value);
      result.bounds.push_back((16 * 18 * kTensorCore + rounded) * magnitude +
                              rounded * shift);
    }
  return result;
}

//===----------------------------------------------------------------------===//
// Checks
//===----------------------------------------------------------------------===//

void EmulatedKernels::launch(const ::rotq::KernelInfo &kernel, int64_t m,
                             ArrayRef<EmulatorArgument> buffers) {
  std::vector<EmulatorArgument> arguments(buffers);
  arguments.emplace_back(int32_t(m));
  EmulatorLaunch launch;
  for (unsigned i = 0; i < 3; ++i) {
    const ::rotq::GridDim &dim = kernel.grid[i];
    launch.grid[i] = uint32_t(
        dim.count *
        (dim.over.empty() ? 1 : int64_t(llvm::divideCeil(m, dim.tile))));
    launch.block[i] = uint32_t(kernel.block[i]);
  }
  launch.sharedBytes = uint32_t(kernel.sharedBytes);
  launch.seed = random();
  llvm::Error error = emulator->launch(kernel.name, launch, arguments);
  ASSERT_FALSE(bool(error)) << toString(std::move(error));
}

/// What `type` holds of values.
static std::vector<std::byte> pack(ArrayRef<float> values, StringRef type) {
  std::vector<std::byte> bytes(values.size() * (type == "f16" ? 2 : 4));
  if (type == "f32") {
    std::memcpy(bytes.data(), values.data(), bytes.size());
    return bytes;
  }
  for (size_t i = 0; i < values.size(); ++i) {
    uint16_t bits = ::rotq::toHalf(values[i]);
    std::memcpy(bytes.data() + 2 * i, &bits, 2);
  }
  return bytes;
}

static double valueAt(ArrayRef<std::byte> bytes, StringRef type, size_t i) {
  if (type == "f32") {
    float value;
    std::memcpy(&value, bytes.data() + 4 * i, 4);
    return value;
  }
  uint16_t bits;
  std::memcpy(&bits, bytes.data() + 2 * i, 2);
  return double(::rotq::fromHalf(bits));
}

static ::rotq::QuantizedActivation quantize(ArrayRef<float> rotated, int64_t m,
                                            int64_t k, int64_t group) {
  int64_t padded = ::rotq::paddedLength(k);
  return ::rotq::quantizeActivation(
      std::span(rotated.data(), size_t(m * padded)), m, padded, group);
}

template <typename T>
static void expectSame(const std::vector<T> &expected,
                       const std::vector<T> &actual, const char *what) {
  ASSERT_EQ(expected.size(), actual.size()) << what;
  for (size_t i = 0; i < actual.size(); ++i)
    ASSERT_EQ(std::memcmp(&expected[i], &actual[i], sizeof(T)), 0)
        << what << " " << i << ": expected " << +expected[i] << " but got "
        << +actual[i];
}

void EmulatedKernels::checkActivation(const ::rotq::KernelInfo &kernel,
                                      int64_t m) {
  const KernelCase &test = GetParam();
  auto expected = quantize(rotated, m, test.k, test.group);
  std::vector<std::byte> input =
      pack(ArrayRef(x).take_front(size_t(m * test.k)), test.x);
  // Every element has to be written.
  ::rotq::QuantizedActivation actual{
      std::vector<int8_t>(expected.codes.size(), -128),
      std::vector<float>(expected.scales.size(), NAN),
      std::vector<int32_t>(expected.sums.size(), -1)};
  launch(kernel, m,
         {bufferOf(input, "x", false), bufferOf(actual.codes, "codes"),
          bufferOf(actual.scales, "scales"), bufferOf(actual.sums, "sums")});
  expectSame(expected.codes, actual.codes, "code");
  expectSame(expected.scales, actual.scales, "scale");
  expectSame(expected.sums, actual.sums, "sum");
}

void EmulatedKernels::checkProducts(const ::rotq::KernelInfo &kernel,
                                    int64_t m) {
  const KernelCase &test = GetParam();
  Weight weight(formatOf(test), blob, test.n, test.k);
  std::vector<EmulatorArgument> buffers;
  std::vector<std::byte> input;
  ::rotq::QuantizedActivation activation;
  Bounded expected;
  if (kernel.params.front().name == "codes") {
    activation = quantize(rotated, m, test.k, test.group);
    expected = multiplyCodes(weight, points, activation, m, test.group);
    buffers = {bufferOf(activation.codes, "codes", false),
               bufferOf(activation.scales, "scales", false),
               bufferOf(activation.sums, "sums", false)};
  } else {
    auto rows = ArrayRef(x).take_front(size_t(m * test.k));
    expected = multiplyInHalf(weight, points, rows, m);
    input = pack(rows, test.x);
    buffers = {bufferOf(input, "x", false)};
  }
  std::vector<float> nothing(size_t(m * test.n), NAN);
  std::vector<std::byte> y = pack(nothing, test.y);
  buffers.emplace_back(bufferOf(blob, "weight", false));
  buffers.emplace_back(bufferOf(y, "y"));
  launch(kernel, m, buffers);
  for (size_t i = 0; i < expected.values.size(); ++i) {
    double bound = expected.bounds[i];
    if (test.y == StringRef("f16"))
      bound += kHalf * (std::abs(expected.values[i]) + bound) + 0x1p-25;
    ASSERT_LE(std::abs(valueAt(y, test.y, i) - expected.values[i]), bound)
        << "y " << i << ": expected " << expected.values[i] << " but got "
        << valueAt(y, test.y, i);
  }
}

void EmulatedKernels::checkKernel(const ::rotq::KernelInfo &kernel, int64_t m) {
  SCOPED_TRACE(kernel.name + " with m = " + std::to_string(m));
  if (kernel.role == "quantize_activation")
    checkActivation(kernel, m);
  else
    checkProducts(kernel, m);
}

TEST_P(EmulatedKernels, AreWhatTheCodecComputes) {
  ASSERT_TRUE(emulator);
  for (const ::rotq::KernelInfo &kernel : manifest.kernels) {
    // The fewest rows, and more than a tile where the kernel takes them.
    int64_t first = std::max<int64_t>(1, kernel.mMin);
    int64_t last = std::min<int64_t>(kernel.mMax ? kernel.mMax : kMaxRows,
                                     first < 34 ? 33 : kMaxRows);
    checkKernel(kernel, first);
    if (HasFatalFailure())
      return;
    if (last > first)
      checkKernel(kernel, std::uniform_int_distribution<int64_t>(first + 1,
                                                                 last)(random));
    if (HasFatalFailure())
      return;
  }
}

static std::string nameOf(const testing::TestParamInfo<KernelCase> &info) {
  const KernelCase &test = info.param;
  return llvm::formatv("{0}_{1}_n{2}_k{3}_{4}_{5}{6}_g{7}_{8}", info.index,
                       test.format, test.n, test.k, test.placement, test.x,
                       test.y, test.group, test.chip);
}

/// One weight, the least padding, tails of every length, full blocks alone;
/// every format, placement and chip in turn, shapes at random.
static std::vector<KernelCase> makeCases() {
  static constexpr const char *kFormats[] = {"rq3", "rq2", "rq4", "itq3_s",
                                             "int4_g128"};
  static constexpr const char *kChips[] = {"sm_80", "sm_89", "sm_90a",
                                           "sm_120a"};
  std::mt19937_64 random(3);
  auto pick = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  auto element = [&] { return pick(0, 1) ? "f16" : "f32"; };
  std::vector<KernelCase> cases;
  auto add = [&](const char *format, int64_t n, int64_t k,
                 const char *placement, int64_t group = 256) {
    cases.push_back({format, n, k, placement, kChips[cases.size() % 4],
                     element(), element(), group});
  };
  static constexpr int64_t kLengths[] = {1,   31,  32,  33,  64,  96,
                                         100, 255, 257, 576, 640, 1000};
  for (auto [i, k] : llvm::enumerate(kLengths)) {
    add(kFormats[i % 5], pick(1, 100), k, "activation");
    // int4_g128 has no rotation to place.
    add(kFormats[i % 4], pick(1, 100), k, "load");
  }
  for (const char *format : kFormats) {
    add(format, pick(1, 300), pick(1, 2048), "activation");
    if (format != kFormats[4])
      add(format, pick(1, 300), pick(1, 2048), "load");
  }
  add("rq3", 33, 1248, "activation", 32);
  add("itq3_s", 16, 4304, "activation");
  add("rq2", 31, 4304, "load");
  add("rq4", 300, 4352, "activation");
  add("rq4", 16, 4352, "load");
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Formats, EmulatedKernels,
                         testing::ValuesIn(makeCases()), nameOf);
