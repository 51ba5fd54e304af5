//===- KernelsTest.cpp - Compiled GPU kernels against the codec
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every kernel that the compiler makes for a matmul, or for several of one
// activation, which share a launch: codes, scales and sums of activations bit
// for bit, products within the error that summing in f32 allows, in several
// orders of the threads. --seed draws other cases.
//
//===----------------------------------------------------------------------===//

#include "EmulatorTestUtils.h"
#include "KernelReference.h"

#include "rotq/Dialect/RotQ/IR/RotQ.h"
#include "rotq/InitAll.h"
#include "rotq/Pipelines/GPUPipeline.h"
#include "rotq/Target/Target.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/FormatVariadic.h"

#include <cmath>
#include <cstring>
#include <numeric>
#include <random>

using namespace mlir;
using namespace mlir::rotq;
using namespace mlir::rotq::test;
using ::rotq::Format;

//===----------------------------------------------------------------------===//
// Cases
//===----------------------------------------------------------------------===//

namespace {
struct KernelCase {
  Format format;
  std::vector<int64_t> ns; ///< of the matmuls
  int64_t k;
  std::string placement, chip;
  std::string x, y;  ///< element types
  int64_t group;     ///< of activations
  std::string label; ///< unique

  /// An offset is multiplied by sums of codes, which must not span two of it.
  int64_t groupOfCodes() const {
    return format.scale.hasOffset ? std::min(group, format.scale.group) : group;
  }
};

[[maybe_unused]] std::ostream &operator<<(std::ostream &stream,
                                          const KernelCase &test) {
  return stream << test.label;
}
} // namespace

static Format declare(std::string name, unsigned bits,
                      std::vector<int8_t> levels, ::rotq::Scale scale,
                      int64_t rotation) {
  Format format;
  format.name = std::move(name);
  if (rotation)
    format.rotation = std::make_shared<::rotq::HadamardRotation>(rotation);
  else
    format.rotation = std::make_shared<::rotq::IdentityRotation>();
  format.scale = scale;
  format.codebook =
      std::make_shared<::rotq::TableCodebook>(std::move(levels), bits);
  format.coding = std::make_shared<::rotq::FixedCoding>(bits);
  return format;
}

/// The presets, and formats that are none.
static std::vector<Format> makeFormats() {
  std::vector<Format> formats(::rotq::presets().begin(),
                              ::rotq::presets().end());
  std::vector<int8_t> nibbles(16), centered(16);
  std::iota(nibbles.begin(), nibbles.end(), 0);
  std::iota(centered.begin(), centered.end(), -8);
  formats.push_back(declare("had64_s128", 3,
                            {-114, -71, -40, -13, 13, 40, 71, 114}, {128}, 64));
  formats.push_back(declare("had128_s256_off", 4, centered, {256, true}, 128));
  formats.push_back(declare("had128_s64_off", 2, {-1, 0, 1}, {64, true}, 128));
  formats.push_back(declare("had32_s32", 1, {-128, 127}, {32}, 32));
  formats.push_back(declare("ident_s128_off", 4, nibbles, {128, true}, 0));
  formats.push_back(declare("ident_s64", 2, {-2, -1, 0, 1}, {64}, 0));
  return formats;
}

/// Every format, placement and chip; one weight, the least padding, tails of
/// every length, full blocks alone; the rest at random.
static std::vector<KernelCase> makeCases() {
  static constexpr const char *kPlacements[] = {"activation", "load"};
  static constexpr int64_t kLengths[] = {1,   31,  32,  33,  64,  96,  100,
                                         255, 256, 257, 320, 576, 640, 1000};
  std::mt19937_64 random(seed);
  auto pick = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  auto element = [&] { return pick(0, 1) ? "f16" : "f32"; };
  std::vector<KernelCase> cases;
  auto add = [&](const Format &format, StringRef placement, StringRef chip,
                 std::vector<int64_t> ns, int64_t k) {
    // A weight can be rotated as it is loaded where its steps cover a block.
    if (placement == "load" && format.scale.group < format.rotation->block())
      return;
    KernelCase test{
        format,     ns,        k,         placement.str(),
        chip.str(), element(), element(), pick(0, 3) ? 256 : 32 << pick(0, 2),
        ""};
    test.label = llvm::formatv("{0}_{1}_n{2:$[_]}_k{3}_{4}_{5}{6}_g{7}_{8}",
                               cases.size(), format.name,
                               llvm::make_range(ns.begin(), ns.end()), k,
                               placement, test.x, test.y, test.group, chip);
    cases.push_back(std::move(test));
  };
  std::vector<Format> formats = makeFormats();
  for (const char *chip : {"sm_80", "sm_89", "sm_90a", "sm_120a"})
    for (const Format &format : formats)
      for (const char *placement : kPlacements) {
        size_t i = cases.size() / 2;
        add(format, placement, chip, {pick(1, 100)},
            cases.size() % 2 ? pick(1, 1300)
                             : kLengths[i % std::size(kLengths)]);
      }
  for (const Format &format : ::rotq::presets())
    for (const char *placement : kPlacements)
      add(format, placement, "sm_90a", {pick(100, 300)}, pick(1300, 4400));
  // Groups: members of whole strips, of less than one, at random; equal ones.
  for (const char *chip : {"sm_80", "sm_90a"})
    for (const Format &format : formats)
      for (const char *placement : kPlacements)
        add(format, placement, chip, {64, 5, pick(1, 200), 5}, pick(1, 1300));
  return cases;
}

//===----------------------------------------------------------------------===//
// Compilation
//===----------------------------------------------------------------------===//

namespace {
class EmulatedKernels : public testing::TestWithParam<KernelCase> {
protected:
  void SetUp() override;
  void checkKernel(const ::rotq::KernelInfo &kernel, int64_t m);

  std::mt19937_64 random{seed};
  ::rotq::Manifest manifest;

private:
  void compile();
  void drawInputs();
  void checkRepack(const ::rotq::KernelInfo &kernel);
  void checkActivation(const ::rotq::KernelInfo &kernel, int64_t m);
  void checkProducts(const ::rotq::KernelInfo &kernel, int64_t m);
  /// `m` where the kernel has that parameter.
  void launch(const ::rotq::KernelInfo &kernel, std::optional<int64_t> m,
              ArrayRef<EmulatorArgument> buffers,
              const Tolerance &tolerance = {});
  ::rotq::QuantizedActivation quantize(int64_t m) const;

  std::optional<KernelsUnderTest> kernels;
  std::vector<PackedMatrix> weights;
  std::vector<std::vector<std::byte>> tiles; ///< as matmuls read them
  std::vector<float> x; ///< of the most rows that are checked, as its type
                        ///< holds it
  std::vector<float> rotated;
};
} // namespace

static OwningOpRef<ModuleOp> parseCase(const KernelCase &test,
                                       MLIRContext *context) {
  context->loadDialect<RotQDialect>();
  std::string arguments, body, results, types;
  for (auto [i, n] : llvm::enumerate(test.ns)) {
    std::string weight = llvm::formatv("!rotq.weight<{0}x{1}, {2}>", n, test.k,
                                       FormatAttr::get(context, test.format));
    std::string y = llvm::formatv("tensor<?x{0}x{1}>", n, test.y);
    arguments += llvm::formatv(", %w{0}: {1}", i, weight);
    body += llvm::formatv(
        R"(
  %e{0} = tensor.empty(%m) : {2}
  %y{0} = rotq.matmul ins(%x : !x) weight(%w{0} : {1})
    outs(%e{0} : {2}) -> {2}
)",
        i, weight, y);
    results += llvm::formatv("{0}%y{1}", i ? ", " : "", i);
    types += (i ? ", " : "") + y;
  }
  std::string text = llvm::formatv(
      R"(
!x = tensor<?x{0}x{1}>
func.func @f(%x: !x{2}) -> ({3}) {{
  %c0 = arith.constant 0 : index
  %m = tensor.dim %x, %c0 : !x
  {4}
  return {5} : {3}
}
)",
      test.k, test.x, arguments, types, body, results);
  return parseSourceString<ModuleOp>(text, context);
}

/// The fewest rows that a kernel takes, and the most to check it with: more
/// than a tile where it takes them.
static std::pair<int64_t, int64_t>
rowsToCheck(const ::rotq::KernelInfo &kernel) {
  int64_t first = std::max<int64_t>(1, kernel.mMin);
  int64_t last = std::max<int64_t>(first, first < 34 ? 33 : 67);
  return {first, kernel.mMax ? std::min<int64_t>(kernel.mMax, last) : last};
}

void EmulatedKernels::SetUp() {
  if (!hasChip(GetParam().chip))
    return;
  compile();
  drawInputs();
}

void EmulatedKernels::compile() {
  const KernelCase &test = GetParam();
  DialectRegistry registry;
  registerAllDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  auto module = parseCase(test, &context);
  NVPTXPipelineOptions options;
  std::string text = llvm::formatv("chip={0} placement={1} group={2}",
                                   test.chip, test.placement, test.group);
  ASSERT_TRUE(module && succeeded(options.parseFromString(text)));
  PassManager pm(&context);
  buildNVPTXPipeline(pm, options);
  ASSERT_TRUE(succeeded(pm.run(*module)));
  auto compiled = *module->getOps<gpu::GPUModuleOp>().begin();
  auto read = readManifest(compiled);
  ASSERT_TRUE(succeeded(read));
  manifest = *read;
  auto created = KernelsUnderTest::create(compiled, test.chip);
  ASSERT_TRUE(bool(created)) << toString(created.takeError());
  kernels = std::move(*created);
}

static float toHalf(float value) {
  return ::rotq::fromHalf(::rotq::toHalf(value));
}

void EmulatedKernels::drawInputs() {
  const KernelCase &test = GetParam();
  std::normal_distribution<float> normal;
  for (int64_t n : test.ns) {
    std::vector<float> values(size_t(n * test.k));
    for (float &value : values)
      value = normal(random);
    const PackedMatrix &weight =
        weights.emplace_back(test.format, n, test.k, values);
    ::rotq::TiledLayout layout(test.format, n, test.k);
    tiles.emplace_back(size_t(layout.totalBytes));
    ASSERT_TRUE(
        ::rotq::repack(test.format, n, test.k, weight.blob, tiles.back()));
  }
  int64_t rows = 0;
  for (const ::rotq::KernelInfo &kernel : manifest.kernels)
    rows = std::max(rows, rowsToCheck(kernel).second);
  x.resize(size_t(rows * test.k));
  for (float &value : x)
    value = test.x == "f16" ? toHalf(normal(random)) : normal(random);
  int64_t padded = ::rotq::paddedLength(test.k);
  rotated.resize(size_t(rows * padded));
  for (int64_t row = 0; row < rows; ++row) {
    auto target =
        std::span(rotated).subspan(size_t(row * padded), size_t(padded));
    std::copy_n(x.begin() + row * test.k, test.k, target.begin());
    test.format.rotation->forward(target);
  }
}

//===----------------------------------------------------------------------===//
// Checks
//===----------------------------------------------------------------------===//

void EmulatedKernels::launch(const ::rotq::KernelInfo &kernel,
                             std::optional<int64_t> m,
                             ArrayRef<EmulatorArgument> buffers,
                             const Tolerance &tolerance) {
  std::vector<EmulatorArgument> arguments(buffers);
  if (m)
    arguments.emplace_back(int32_t(*m));
  EmulatorLaunch launch;
  for (unsigned i = 0; i < 3; ++i) {
    const ::rotq::GridDim &dim = kernel.grid[i];
    launch.grid[i] = uint32_t(
        dim.count *
        (dim.over.empty() ? 1 : int64_t(llvm::divideCeil(*m, dim.tile))));
    launch.block[i] = uint32_t(kernel.block[i]);
  }
  launch.sharedBytes = uint32_t(kernel.sharedBytes);
  launch.seed = random();
  llvm::Error error =
      kernels->launch(kernel.name, launch, arguments, tolerance);
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

::rotq::QuantizedActivation EmulatedKernels::quantize(int64_t m) const {
  int64_t padded = ::rotq::paddedLength(GetParam().k);
  return ::rotq::quantizeActivation(
      std::span(rotated.data(), size_t(m * padded)), m, padded,
      GetParam().groupOfCodes());
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

/// Weights of as many rows share the kernel.
void EmulatedKernels::checkRepack(const ::rotq::KernelInfo &kernel) {
  const std::vector<int64_t> &ns = GetParam().ns;
  auto i = size_t(llvm::find(ns, kernel.n) - ns.begin());
  ASSERT_LT(i, ns.size());
  std::vector<std::byte> actual(tiles[i].size(), std::byte(0xff));
  launch(
      kernel, std::nullopt,
      {bufferOf(weights[i].blob, "source", false), bufferOf(actual, "weight")});
  EXPECT_EQ(actual, tiles[i]);
}

/// The codes in the order that the kernel has them in.
static std::vector<int8_t> orderOf(const ::rotq::KernelInfo &kernel,
                                   std::vector<int8_t> codes, int64_t m) {
  if (kernel.codes.empty())
    return codes;
  auto stored = int64_t(codes.size()) / m;
  std::vector<int8_t> result(codes.size());
  for (int64_t i = 0; i < int64_t(codes.size()); ++i)
    result[size_t(i / stored * stored +
                  ::rotq::interleavedPosition(i % stored, stored))] =
        codes[size_t(i)];
  return result;
}

void EmulatedKernels::checkActivation(const ::rotq::KernelInfo &kernel,
                                      int64_t m) {
  const KernelCase &test = GetParam();
  auto expected = quantize(m);
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
  expectSame(orderOf(kernel, expected.codes, m), actual.codes, "code");
  expectSame(expected.scales, actual.scales, "scale");
  expectSame(expected.sums, actual.sums, "sum");
}

void EmulatedKernels::checkProducts(const ::rotq::KernelInfo &kernel,
                                    int64_t m) {
  const KernelCase &test = GetParam();
  bool isHalf = test.y == "f16", hasCodes = kernel.params[0].name == "codes";
  std::vector<EmulatorArgument> buffers;
  std::vector<std::byte> input;
  ::rotq::QuantizedActivation activation;
  std::vector<int8_t> codes;
  auto rows = ArrayRef(x).take_front(size_t(m * test.k));
  if (hasCodes) {
    activation = quantize(m);
    codes = orderOf(kernel, activation.codes, m);
    buffers = {bufferOf(codes, "codes", false),
               bufferOf(activation.scales, "scales", false),
               bufferOf(activation.sums, "sums", false)};
  } else {
    input = pack(rows, test.x);
    buffers = {bufferOf(input, "x", false)};
  }
  std::vector<BoundedProduct> products;
  std::vector<std::vector<std::byte>> ys;
  Tolerance tolerance{{}, isHalf};
  for (const PackedMatrix &weight : weights) {
    BoundedProduct &expected = products.emplace_back(
        hasCodes ? multiplyCodes(weight, activation, m, test.groupOfCodes())
                 : multiplyInHalf(weight, rows, m));
    if (isHalf)
      expected.roundToHalf();
    // Tensor cores add floats in an order of their own; all else is exact.
    if (!hasCodes)
      for (double bound : expected.bounds)
        tolerance.bounds.push_back(2 * bound);
    ys.push_back(pack(std::vector<float>(expected.values.size(), NAN), test.y));
  }
  for (std::vector<std::byte> &weight : tiles)
    buffers.emplace_back(bufferOf(weight, "weight", false));
  for (std::vector<std::byte> &y : ys)
    buffers.emplace_back(bufferOf(y, "y"));
  launch(kernel, m, buffers, tolerance);
  for (auto [expected, y] : llvm::zip_equal(products, ys))
    for (size_t i = 0; i < expected.values.size(); ++i) {
      double actual = floatAt(y, isHalf, i);
      ASSERT_LE(std::abs(actual - expected.values[i]), expected.bounds[i])
          << "y " << &y - ys.data() << ", " << i << ": expected "
          << expected.values[i] << " but got " << actual;
    }
}

void EmulatedKernels::checkKernel(const ::rotq::KernelInfo &kernel, int64_t m) {
  SCOPED_TRACE(kernel.name + " with m = " + std::to_string(m));
  if (kernel.role == "repack")
    checkRepack(kernel);
  else if (kernel.role == "quantize_activation")
    checkActivation(kernel, m);
  else
    checkProducts(kernel, m);
}

TEST_P(EmulatedKernels, AreWhatTheCodecComputes) {
  for (const ::rotq::KernelInfo &kernel : manifest.kernels) {
    auto [first, last] = rowsToCheck(kernel);
    checkKernel(kernel, first);
    if (last > first)
      checkKernel(kernel, std::uniform_int_distribution<int64_t>(first + 1,
                                                                 last)(random));
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, EmulatedKernels,
                         testing::ValuesIn(makeCases()),
                         [](const testing::TestParamInfo<KernelCase> &info) {
                           return info.param.label;
                         });
