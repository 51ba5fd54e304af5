//===- EncodersTest.cpp - Encoders on GPUs against the codec
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The bytes that rotq.quantize makes are those of the host's encoder. The first
// rows are special; the others are drawn from a distribution of many outliers,
// which are beyond every point. --seed draws others.
//
//===----------------------------------------------------------------------===//

#include "EmulatorTestUtils.h"

#include "rotq/Codec/PackedWeight.h"
#include "rotq/Codec/PairTrellisCodebook.h"
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
#include <limits>
#include <map>
#include <random>

using namespace mlir;
using namespace mlir::rotq;
using namespace mlir::rotq::test;
using ::rotq::Format;

namespace {
struct EncoderCase {
  std::string format; ///< a preset, or "trellis" or "pairs" of a rate
  unsigned rate;      ///< 0: that of the preset
  int64_t n, k;
  std::string element, chip;
};

class EmulatedEncoders : public testing::TestWithParam<EncoderCase> {};
} // namespace

/// Those that are no presets are not rotated.
static Format formatOf(const EncoderCase &test) {
  if (test.rate == 0)
    return *::rotq::lookupFormat(test.format);
  Format format = *::rotq::lookupFormat("trellis3v");
  auto pairs = std::dynamic_pointer_cast<const ::rotq::PairTrellisCodebook>(
      format.codebook);
  format.name = test.format;
  format.rotation = std::make_shared<::rotq::IdentityRotation>();
  if (test.format == "pairs")
    format.codebook = std::make_shared<::rotq::PairTrellisCodebook>(
        test.rate, pairs->multiplier(), pairs->deviation(), pairs->points());
  else
    format.codebook = std::make_shared<::rotq::TrellisCodebook>(
        test.rate, /*multiplier=*/0x83dcd12d, /*increment=*/76625530);
  format.coding =
      std::make_shared<::rotq::WindowCoding>(test.rate, format.codebook->dim());
  return format;
}

/// As bytes of `element`, and as what these hold.
static std::vector<std::byte> roundTo(StringRef element,
                                      std::vector<float> &values) {
  std::vector<std::byte> bytes;
  for (float &value : values) {
    uint32_t word = llvm::bit_cast<uint32_t>(value);
    if (element == "f16") {
      word = ::rotq::toHalf(value);
      value = ::rotq::fromHalf(uint16_t(word));
    } else if (element == "bf16") {
      word >>= 16;
      value = llvm::bit_cast<float>(word << 16);
    }
    for (unsigned i = 0; i < (element == "f32" ? 4 : 2); ++i)
      bytes.push_back(std::byte(word >> (8 * i)));
  }
  return bytes;
}

/// The blob that the two kernels make of the weights.
static std::vector<std::byte> encodeOnDevice(const EncoderCase &test,
                                             const Format &format,
                                             std::vector<std::byte> weights) {
  DialectRegistry registry;
  registerAllDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  context.loadDialect<RotQDialect>();
  std::string source =
      llvm::formatv("tensor<{0}x{1}x{2}>", test.n, test.k, test.element);
  std::string weight = llvm::formatv("!rotq.weight<{0}x{1}, {2}>", test.n,
                                     test.k, FormatAttr::get(&context, format));
  std::string text = llvm::formatv(R"(
func.func @f(%x: {0}) -> {1} {{
  %w = rotq.quantize %x : {0} -> {1}
  return %w : {1}
})",
                                   source, weight);
  auto module = parseSourceString<ModuleOp>(text, &context);
  NVPTXPipelineOptions options;
  std::vector<std::byte> blob(
      size_t(::rotq::WeightLayout(format, test.n, test.k).totalBytes));
  if (!module || failed(options.parseFromString("chip=" + test.chip))) {
    ADD_FAILURE() << text;
    return blob;
  }
  PassManager pm(&context);
  buildNVPTXPipeline(pm, options);
  if (failed(pm.run(*module))) {
    ADD_FAILURE() << text;
    return blob;
  }
  auto compiled = *module->getOps<gpu::GPUModuleOp>().begin();
  auto manifest = readManifest(compiled);
  auto kernels = KernelsUnderTest::create(compiled, test.chip);
  if (failed(manifest) || !kernels) {
    ADD_FAILURE() << toString(kernels.takeError());
    return blob;
  }
  std::map<std::string, std::vector<std::byte>> memory = {
      {"x", std::move(weights)}, {"weight", std::move(blob)}};
  for (const ::rotq::KernelInfo &kernel : manifest->kernels) {
    std::vector<EmulatorArgument> arguments;
    for (const ::rotq::KernelParam &param : kernel.params) {
      std::vector<std::byte> &bytes = memory[param.name];
      bool isWritten = param.access == ::rotq::KernelParam::Access::Write;
      if (bytes.empty()) {
        size_t size = param.type == "f16" || param.type == "i16" ? 2
                      : param.type == "i8"                       ? 1
                                                                 : 4;
        for (const ::rotq::KernelParam::Extent &extent : param.shape)
          size *= size_t(std::get<int64_t>(extent));
        bytes.resize(size);
      }
      EmulatorBuffer buffer = bufferOf(bytes, param.name, isWritten);
      buffer.initialized = !isWritten;
      arguments.emplace_back(buffer);
    }
    EmulatorLaunch launch;
    launch.grid[0] = uint32_t(kernel.grid[0].count);
    launch.block[0] = uint32_t(kernel.block[0]);
    launch.sharedBytes = uint32_t(kernel.sharedBytes);
    launch.seed = seed;
    llvm::Error error = kernels->launch(kernel.name, launch, arguments);
    if (error)
      ADD_FAILURE() << toString(std::move(error));
  }
  return memory["weight"];
}

static std::vector<float> drawWeights(const EncoderCase &test) {
  std::mt19937_64 random(seed);
  std::student_t_distribution<float> outliers(1.5f);
  std::vector<float> weights(size_t(test.n * test.k));
  for (float &weight : weights)
    weight = 0.02f * outliers(random);
  return weights;
}

TEST_P(EmulatedEncoders, BytesAreThoseOfTheHost) {
  const EncoderCase &test = GetParam();
  if (!hasChip(test.chip))
    return;
  Format format = formatOf(test);
  std::vector<float> weights = drawWeights(test);
  // Nothing at all, less than a step can be, a step that f16 has no full
  // precision for, and more than any step.
  constexpr float kScales[] = {0, 0x1p-50f, 0x1p-12f, 0x1p40f};
  for (size_t row = 0; row + 1 < size_t(test.n) && row < 4; ++row)
    for (size_t i = 0; i < size_t(test.k); ++i)
      weights[row * size_t(test.k) + i] *= kScales[row];
  std::vector<std::byte> source = roundTo(test.element, weights);
  std::vector<std::byte> found =
      encodeOnDevice(test, format, std::move(source));
  std::vector<std::byte> expected(found.size());
  ASSERT_TRUE(::rotq::encode(format, weights, test.n, test.k, expected));
  for (size_t i = 0; i < found.size(); ++i)
    ASSERT_EQ(found[i], expected[i]) << "byte " << i;
}

INSTANTIATE_TEST_SUITE_P(
    Paths, EmulatedEncoders,
    testing::Values(EncoderCase{"trellis2", 0, 5, 32, "f32", "sm_90a"},
                    EncoderCase{"trellis2", 0, 1, 300, "f16", "sm_80"},
                    EncoderCase{"trellis3", 0, 2, 40, "bf16", "sm_90a"},
                    EncoderCase{"trellis4", 0, 2, 33, "f32", "sm_80"},
                    EncoderCase{"trellis2v", 0, 2, 64, "f16", "sm_90a"},
                    EncoderCase{"trellis3v", 0, 1, 96, "f32", "sm_80"},
                    EncoderCase{"trellis", 1, 1, 32, "f32", "sm_90a"},
                    EncoderCase{"trellis", 5, 1, 32, "f32", "sm_90a"},
                    EncoderCase{"trellis", 6, 1, 32, "f32", "sm_90a"},
                    EncoderCase{"trellis", 7, 1, 32, "f32", "sm_90a"},
                    EncoderCase{"trellis", 8, 1, 32, "f32", "sm_90a"},
                    EncoderCase{"pairs", 1, 1, 32, "f32", "sm_90a"},
                    EncoderCase{"pairs", 4, 1, 32, "f32", "sm_90a"}),
    [](const auto &info) {
      const EncoderCase &test = info.param;
      return llvm::formatv("{0}{1}_n{2}_k{3}_{4}_{5}", test.format,
                           test.rate ? std::to_string(test.rate) : "", test.n,
                           test.k, test.element, test.chip)
          .str();
    });

TEST(EmulatedEncodersTest, WhatTheHostRefusesHasNoStep) {
  EncoderCase test{"trellis4", 0, 4, 32, "f32", "sm_80"};
  if (!hasChip(test.chip))
    return;
  Format format = formatOf(test);
  std::vector<float> weights = drawWeights(test);
  weights[5] = std::numeric_limits<float>::quiet_NaN();
  weights[32 + 31] = -std::numeric_limits<float>::infinity();
  weights[64] = 0x1.1p64f;
  std::vector<float> rounded = weights;
  // What is not a number has other bits on a GPU.
  auto gpu = std::exchange(gpuUnderTest, std::nullopt);
  std::vector<std::byte> found =
      encodeOnDevice(test, format, roundTo(test.element, rounded));
  gpuUnderTest = gpu;
  // The last row is as if the others were nothing.
  std::fill_n(weights.begin(), 96, 0.0f);
  std::vector<std::byte> expected(found.size());
  ASSERT_TRUE(::rotq::encode(format, weights, test.n, test.k, expected));
  size_t steps =
      size_t(::rotq::WeightLayout(format, test.n, test.k).scalesOffset);
  for (size_t row = 0; row < 3; ++row) {
    uint16_t step;
    std::memcpy(&step, &found[steps + 2 * row], sizeof(step));
    EXPECT_TRUE(std::isnan(::rotq::fromHalf(step))) << "row " << row;
    std::memset(&found[steps + 2 * row], 0, sizeof(step));
  }
  EXPECT_EQ(found, expected);
}
