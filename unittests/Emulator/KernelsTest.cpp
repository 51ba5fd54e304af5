//===- KernelsTest.cpp - Compiled GPU kernels against the codec
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every kernel that the compiler makes for a matmul, or for several of one
// activation, which share a launch, or for two whose sums one element takes,
// with elementwise functions of the result: codes, scales and sums of
// activations bit for bit, products within the error that summing in f32
// allows, in several orders of the threads. --seed draws other cases.
//
//===----------------------------------------------------------------------===//

#include "EmulatorTestUtils.h"
#include "KernelReference.h"
#include "RandomEpilogue.h"

#include "rotq/Codec/ActivationLayout.h"
#include "rotq/Codec/TrellisCodebook.h"
#include "rotq/Codec/WindowCoding.h"
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
#include <list>
#include <numeric>
#include <random>
#include <set>

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
  std::string x, y;        ///< element types
  RandomEpilogue epilogue; ///< of every y, or of the first of a pair
  bool isPair;             ///< two matmuls whose product is y
  int64_t group;           ///< of activations
  std::string label;       ///< unique
  bool isE4M3 = false;     ///< what codes and points are

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
  std::vector<Format> formats;
  for (const Format &format : ::rotq::presets())
    // Those of pairs differ in the width of a code: whole words, and not.
    if (!StringRef(format.name).starts_with("qam_w") ||
        format.name == "qam_w8" || format.name == "qam_w11")
      // Those of frames, in the words of a lane.
      if (!StringRef(format.name).starts_with("liftquant_w") ||
          format.name == "liftquant_w18" || format.name == "liftquant_w20")
        // Points of a lattice, however finely it lies.
        if (!StringRef(format.name).starts_with("hyperquant_rice") ||
            format.name == "hyperquant_rice_4")
          formats.push_back(format);
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
  for (unsigned rate : {7u, 8u}) {
    Format format = *::rotq::lookupFormat("trellis2");
    format.name = "trellis" + std::to_string(rate);
    format.codebook = std::make_shared<::rotq::TrellisCodebook>(
        rate, /*multiplier=*/0x83dcd12d, /*increment=*/0);
    format.coding = std::make_shared<::rotq::WindowCoding>(rate);
    formats.push_back(format);
  }
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
  auto result = [&] { return pick(0, 3) ? element() : "bf16"; };
  std::vector<KernelCase> cases;
  auto add = [&](const Format &format, StringRef placement, StringRef chip,
                 std::vector<int64_t> ns, int64_t k, bool isPair = false,
                 bool isE4M3 = false) {
    // A weight can be rotated as it is loaded where its steps cover a block.
    if (placement == "load" && format.scale.group < format.rotation->block())
      return;
    KernelCase test{format,     ns,
                    k,          placement.str(),
                    chip.str(), element(),
                    result(),   RandomEpilogue::draw(random, /*count=*/4),
                    isPair,     pick(0, 3) ? 256 : 32 << pick(0, 2),
                    ""};
    test.label = llvm::formatv("{0}_{1}_n{2:$[_]}_k{3}_{4}_{5}{6}_g{7}_{8}",
                               cases.size(), format.name,
                               llvm::make_range(ns.begin(), ns.end()), k,
                               placement, test.x, test.y, test.group, chip);
    test.label += (isPair ? "_pair_" : "_") + test.epilogue.label();
    test.isE4M3 = isE4M3;
    if (isE4M3)
      test.label += "_e4m3";
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
  for (const Format &format : formats)
    for (const char *placement : kPlacements)
      add(format, placement, "sm_90a", {pick(100, 300)}, pick(1300, 4400));
  // Groups: members of whole strips, of less than one, at random; equal ones.
  for (const char *chip : {"sm_80", "sm_90a"})
    for (const Format &format : formats)
      for (const char *placement : kPlacements)
        add(format, placement, chip, {64, 5, pick(1, 200), 5}, pick(1, 1300));
  for (const char *chip : {"sm_80", "sm_90a"})
    for (const Format &format : formats)
      for (const char *placement : kPlacements) {
        int64_t n = pick(1, 200);
        add(format, placement, chip, {n, n}, pick(1, 1300), /*isPair=*/true);
      }
  // Codes and points in e4m3.
  auto addE4M3 = [&](const Format &format, StringRef chip,
                     std::vector<int64_t> ns, bool isPair = false) {
    add(format, "activation", chip, std::move(ns), pick(1, 1300), isPair,
        /*isE4M3=*/true);
  };
  static constexpr const char *kChips[] = {"sm_89", "sm_90a", "sm_120a"};
  for (auto [i, format] : llvm::enumerate(formats)) {
    addE4M3(format, kChips[i % std::size(kChips)], {pick(1, 100)});
    if (i % 8 == 0)
      addE4M3(format, "sm_90a", {64, 5, pick(1, 200)});
    if (i % 8 == 4)
      addE4M3(format, "sm_90a", {33, 33}, /*isPair=*/true);
  }
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
  ::rotq::LiftedLayout liftedLayout(int64_t parts) const;
  std::vector<uint8_t> lift(int64_t m, int64_t parts) const;
  int64_t liftedParts(const ::rotq::KernelInfo &kernel) const;
  ::rotq::QuantizedActivation quantize(const ::rotq::KernelInfo &kernel,
                                       int64_t m) const;

  std::optional<KernelsUnderTest> kernels;
  std::vector<PackedMatrix> weights;
  std::vector<std::vector<std::byte>> tiles; ///< as matmuls read them
  /// Of every epilogue.
  std::vector<std::vector<RandomEpilogue::Operand>> operands;
  std::vector<float> x; ///< of the most rows that are checked, as its type
                        ///< holds it
  std::vector<float> rotated;
};
} // namespace

/// The matrices that epilogues are of.
static size_t countEpilogues(const KernelCase &test) {
  return test.isPair ? 1 : test.ns.size();
}

static OwningOpRef<ModuleOp> parseCase(const KernelCase &test,
                                       MLIRContext *context) {
  context->loadDialect<RotQDialect>();
  std::string arguments, empties, body, results, types;
  std::set<int64_t> sizes(test.ns.begin(), test.ns.end());
  for (int64_t n : sizes)
    empties += llvm::formatv(
        "\n  %empty_{0} = tensor.empty(%m) : tensor<?x{0}xf32>", n);
  for (auto [i, n] : llvm::enumerate(test.ns)) {
    std::string weight = llvm::formatv("!rotq.weight<{0}x{1}, {2}>", n, test.k,
                                       FormatAttr::get(context, test.format));
    arguments += llvm::formatv(", %w{0}: {1}", i, weight);
    body += llvm::formatv(R"(
  %y{0} = rotq.matmul ins(%x : !x) weight(%w{0} : {1})
    outs(%empty_{2} : tensor<?x{2}xf32>) -> tensor<?x{2}xf32>)",
                          i, weight, n);
  }
  for (size_t i = 0; i < countEpilogues(test); ++i) {
    int64_t n = test.ns[i];
    std::string name = llvm::formatv("y{0}", i);
    std::string value = test.epilogue.result(name);
    std::string matrix = llvm::formatv("tensor<?x{0}xf32>", n);
    std::string y = llvm::formatv("tensor<?x{0}x{1}>", n, test.y);
    arguments += test.epilogue.arguments(name, n);
    body += test.epilogue.text(name, n);
    if (test.isPair) {
      body += llvm::formatv("\n  %pair = linalg.mul ins({0}, %y1 : {1}, {1}) "
                            "outs(%empty_{2} : {1}) -> {1}",
                            value, matrix, n);
      value = "%pair";
    }
    if (test.y != "f32") {
      body += llvm::formatv("\n  %{0}_stored = arith.truncf {1} : {2} to {3}",
                            name, value, matrix, y);
      value = "%" + name + "_stored";
    }
    results += (i ? ", " : "") + value;
    types += (i ? ", " : "") + y;
  }
  std::string text = llvm::formatv(
      R"(
#mn = affine_map<(m, n) -> (m, n)>
#n = affine_map<(m, n) -> (n)>
!x = tensor<?x{0}x{1}>
func.func @f(%x: !x{2}) -> ({3}) {{
  %c0 = arith.constant 0 : index
  %one = arith.constant 1.0 : f32
  %factor = arith.constant 1.25 : f32
  %m = tensor.dim %x, %c0 : !x{4}{5}
  return {6} : {3}
}
)",
      test.k, test.x, arguments, types, empties, body, results);
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
  std::string text =
      llvm::formatv("chip={0} placement={1} group={2} operand={3}", test.chip,
                    test.placement, test.group, test.isE4M3 ? "e4m3" : "int8");
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
  for (size_t i = 0; i < countEpilogues(test); ++i)
    operands.push_back(test.epilogue.drawOperands(random, rows, test.ns[i]));
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

static bool hasRests(const ::rotq::KernelInfo &kernel) {
  return kernel.activation == "rests";
}

/// Row by row, as the kernel reads or writes it.
::rotq::QuantizedActivation
EmulatedKernels::quantize(const ::rotq::KernelInfo &kernel, int64_t m) const {
  int64_t padded = ::rotq::paddedLength(GetParam().k);
  auto values = std::span(rotated.data(), size_t(m * padded));
  int64_t group = GetParam().groupOfCodes();
  return GetParam().isE4M3
             ? ::rotq::quantizeActivationE4M3(values, m, padded, group)
             : ::rotq::quantizeActivation(values, m, padded, group,
                                          hasRests(kernel));
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

::rotq::LiftedLayout EmulatedKernels::liftedLayout(int64_t parts) const {
  return {*::rotq::LiftedLayout::frameOf(GetParam().format),
          ::rotq::paddedLength(GetParam().k), parts};
}

/// The rows that are lifted, in as many parts.
std::vector<uint8_t> EmulatedKernels::lift(int64_t m, int64_t parts) const {
  int64_t padded = ::rotq::paddedLength(GetParam().k);
  auto bytes = ::rotq::liftActivation(
      *::rotq::LiftedLayout::frameOf(GetParam().format),
      std::span(rotated.data(), size_t(m * padded)), m, padded, parts);
  std::vector<uint8_t> result(bytes.size());
  std::memcpy(result.data(), bytes.data(), bytes.size());
  return result;
}

/// Of what a product reads, by the bytes of a row.
int64_t EmulatedKernels::liftedParts(const ::rotq::KernelInfo &kernel) const {
  auto bytes = std::get<int64_t>(kernel.params[0].shape[1]);
  return bytes == liftedLayout(2).rowBytes ? 2 : 1;
}

/// As the kernel has it.
static ::rotq::QuantizedActivation
layOut(const ::rotq::KernelInfo &kernel,
       const ::rotq::QuantizedActivation &activation, int64_t m) {
  return ::rotq::laidOut(activation, hasRests(kernel) ? 2 * m : m,
                         ::rotq::activationLayout(kernel.activation).value());
}

void EmulatedKernels::checkActivation(const ::rotq::KernelInfo &kernel,
                                      int64_t m) {
  const KernelCase &test = GetParam();
  auto expected = layOut(kernel, quantize(kernel, m), m);
  std::vector<std::byte> input =
      pack(ArrayRef(x).take_front(size_t(m * test.k)), test.x);
  // Every element has to be written.
  ::rotq::QuantizedActivation actual{
      std::vector<int8_t>(expected.codes.size(), -128),
      std::vector<float>(expected.scales.size(), NAN),
      std::vector<int32_t>(expected.sums.size(), -1)};
  std::vector<EmulatorArgument> buffers = {
      bufferOf(input, "x", false), bufferOf(actual.codes, "codes"),
      bufferOf(actual.scales, "scales"), bufferOf(actual.sums, "sums")};
  std::vector<uint8_t> planes, lifted;
  if (kernel.params[4].name == "planes") {
    planes = lift(m, hasRests(kernel) ? 2 : 1);
    lifted.assign(planes.size(), 0xff);
    buffers.push_back(bufferOf(lifted, "planes"));
  }
  launch(kernel, m, buffers);
  // What fills rows up is nobody's.
  if (!lifted.empty()) {
    ::rotq::LiftedLayout layout = liftedLayout(hasRests(kernel) ? 2 : 1);
    for (int64_t row = 1; row <= m; ++row)
      for (int64_t at =
               row * layout.rowBytes -
               (layout.rowBytes - layout.scalesOffset - 8 * layout.segments);
           at < row * layout.rowBytes; ++at)
        lifted[size_t(at)] = 0;
  }
  expectSame(planes, lifted, "lifted");
  expectSame(expected.codes, actual.codes, "code");
  expectSame(expected.scales, actual.scales, "scale");
  expectSame(expected.sums, actual.sums, "sum");
}

static std::optional<double> lostOfE4M3(const KernelCase &test,
                                        const ::rotq::KernelInfo &kernel) {
  if (!test.isE4M3)
    return std::nullopt;
  bool isWgmma = StringRef(kernel.name).contains("wgmma");
  return gpuUnderTest && isWgmma ? kWgmmaE4M3 : kTensorCore;
}

void EmulatedKernels::checkProducts(const ::rotq::KernelInfo &kernel,
                                    int64_t m) {
  const KernelCase &test = GetParam();
  bool hasCodes = kernel.params[0].name == "codes";
  bool isLifted = kernel.params[0].name == "planes";
  std::vector<EmulatorArgument> buffers;
  std::vector<std::byte> input;
  std::vector<uint8_t> lifted;
  ::rotq::QuantizedActivation activation, inKernel;
  auto rows = ArrayRef(x).take_front(size_t(m * test.k));
  if (hasCodes) {
    activation = quantize(kernel, m);
    inKernel = layOut(kernel, activation, m);
    buffers = {bufferOf(inKernel.codes, "codes", false),
               bufferOf(inKernel.scales, "scales", false),
               bufferOf(inKernel.sums, "sums", false)};
  } else if (isLifted) {
    lifted = lift(m, liftedParts(kernel));
    buffers = {bufferOf(lifted, "planes", false)};
  } else {
    input = pack(rows, test.x);
    buffers = {bufferOf(input, "x", false)};
  }
  for (std::vector<std::byte> &weight : tiles)
    buffers.emplace_back(bufferOf(weight, "weight", false));
  std::vector<BoundedProduct> products;
  for (const PackedMatrix &weight : weights) {
    products.push_back(
        hasCodes
            ? multiplyCodes(weight, activation, hasRests(kernel) ? 2 * m : m,
                            test.groupOfCodes(), lostOfE4M3(test, kernel))
        : isLifted ? multiplyLifted(weight, std::as_bytes(std::span(lifted)), m,
                                    liftedParts(kernel))
                   : multiplyInHalf(weight, rows, m));
    if (hasRests(kernel))
      products.back().addRests(weight.layout.n);
  }
  std::list<std::vector<std::byte>> elements; // of operands
  for (auto [i, ofEpilogue] : llvm::enumerate(operands)) {
    test.epilogue.apply(products[i], test.ns[i], ofEpilogue);
    for (const RandomEpilogue::Operand &operand : ofEpilogue) {
      size_t count = size_t(operand.isVector ? 1 : m) * size_t(test.ns[i]);
      elements.push_back(
          pack(ArrayRef(operand.values).take_front(count), operand.type));
      buffers.emplace_back(bufferOf(elements.back(), "epilogue", false));
    }
  }
  if (test.isPair) {
    products[0].multiply(products[1]);
    products.pop_back();
  }
  std::vector<std::vector<std::byte>> ys;
  Tolerance tolerance{{}, test.y};
  for (BoundedProduct &expected : products) {
    if (test.y != "f32")
      expected.roundTo(test.y);
    // Tensor cores add floats in an order of their own; all else is exact.
    if (test.isE4M3 || (!hasCodes && !isLifted))
      for (double bound : expected.bounds)
        tolerance.bounds.push_back(2 * bound);
    ys.push_back(pack(std::vector<float>(expected.values.size(), NAN), test.y));
  }
  for (std::vector<std::byte> &y : ys)
    buffers.emplace_back(bufferOf(y, "y"));
  launch(kernel, m, buffers, tolerance);
  for (auto [expected, y] : llvm::zip_equal(products, ys))
    for (size_t i = 0; i < expected.values.size(); ++i) {
      double actual = floatAt(y, test.y, i);
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
