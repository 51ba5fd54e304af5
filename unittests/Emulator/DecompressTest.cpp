//===- DecompressTest.cpp - The kernel that decodes Rice codes
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Against the codec: the same bytes of the weight, and damage to be found where
// the codec finds some.
//
//===----------------------------------------------------------------------===//

#include "EmulatorTestUtils.h"

#include "rotq/Codec/CompressedWeight.h"
#include "rotq/Codec/LatticeCodebook.h"
#include "rotq/Codec/RiceStream.h"
#include "rotq/Dialect/RotQ/IR/RotQ.h"
#include "rotq/InitAll.h"
#include "rotq/Pipelines/GPUPipeline.h"
#include "rotq/Target/Target.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/FormatVariadic.h"

#include <algorithm>
#include <random>

using namespace mlir;
using namespace mlir::rotq;
using namespace mlir::rotq::test;
using Bytes = std::vector<std::byte>;

namespace {
struct Shape {
  int64_t n, k;
};

class DecompressTest : public testing::Test {
protected:
  void compile(Shape shape, StringRef chip, unsigned deviation = 117);
  /// Of weights of N(0, size^2), the first row zero.
  Bytes draw(float size = 1);
  Bytes compressed(const Bytes &blob) const {
    return *::rotq::compress(format, blob, n, k);
  }
  /// Runs the kernel on `codes`: the streams that are damaged.
  std::vector<size_t> run(const Bytes &codes, Bytes &blob);
  bool isAccepted(const Bytes &codes) const {
    Bytes blob(size_t(layout().totalBytes));
    return bool(::rotq::decompress(format, codes, n, k, blob));
  }
  ::rotq::WeightLayout layout() const { return {format, n, k}; }

  std::mt19937_64 random{seed};
  ::rotq::Format format;
  int64_t n = 0, k = 0;

private:
  ::rotq::KernelInfo info;
  std::optional<KernelsUnderTest> kernels;
};
} // namespace

void DecompressTest::compile(Shape shape, StringRef chip, unsigned deviation) {
  format = *::rotq::lookupFormat("hyperquant_rice_4");
  format.codebook = std::make_shared<::rotq::LatticeCodebook>(deviation);
  n = shape.n;
  k = shape.k;
  DialectRegistry registry;
  registerAllDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  context.loadDialect<RotQDialect>();
  auto type =
      WeightType::get(&context, n, k, FormatAttr::get(&context, format));
  int64_t streams = ::rotq::RiceLayout(layout()).streams;
  std::string text = llvm::formatv(
      R"(
func.func @f(%bytes: tensor<?xi8>, %e: tensor<{0}xi8>) -> (tensor<{0}xi8>, {1}) {{
  %d, %w = rotq.decompress ins(%bytes : tensor<?xi8>) outs(%e : tensor<{0}xi8>)
    -> tensor<{0}xi8>, {1}
  return %d, %w : tensor<{0}xi8>, {1}
}
)",
      streams, type);
  auto module = parseSourceString<ModuleOp>(text, &context);
  NVPTXPipelineOptions options;
  ASSERT_TRUE(module &&
              succeeded(options.parseFromString(("chip=" + chip).str())));
  PassManager pm(&context);
  buildNVPTXPipeline(pm, options);
  ASSERT_TRUE(succeeded(pm.run(*module)));
  auto compiled = *module->getOps<gpu::GPUModuleOp>().begin();
  auto manifest = readManifest(compiled);
  ASSERT_TRUE(succeeded(manifest));
  ASSERT_EQ(manifest->kernels.size(), 1u);
  info = manifest->kernels.front();
  EXPECT_EQ(info.role, "decompress");
  auto created = KernelsUnderTest::create(compiled, chip);
  ASSERT_TRUE(bool(created)) << toString(created.takeError());
  kernels = std::move(*created);
}

Bytes DecompressTest::draw(float size) {
  std::normal_distribution<float> normal(0, size);
  std::vector<float> values(size_t(n * k));
  for (float &value : values)
    value = normal(random);
  if (n > 1)
    std::fill_n(values.begin(), k, 0.0f);
  Bytes blob(size_t(layout().totalBytes));
  EXPECT_TRUE(::rotq::encode(format, values, n, k, blob));
  return blob;
}

std::vector<size_t> DecompressTest::run(const Bytes &codes, Bytes &blob) {
  Bytes source = codes, damage(size_t(::rotq::RiceLayout(layout()).streams));
  blob.assign(size_t(layout().totalBytes), std::byte(0xa5));
  EmulatorLaunch launch;
  for (unsigned i = 0; i < 3; ++i) {
    launch.grid[i] = uint32_t(info.grid[i].count);
    launch.block[i] = uint32_t(info.block[i]);
  }
  launch.sharedBytes = uint32_t(info.sharedBytes);
  launch.seed = random();
  llvm::Error error = kernels->launch(
      info.name, launch,
      {EmulatorBuffer{source, "source", /*writable=*/false},
       EmulatorBuffer{blob, "weight"},
       EmulatorBuffer{damage, "damage", true, 0, /*initialized=*/false},
       int32_t(source.size())});
  EXPECT_FALSE(bool(error)) << toString(std::move(error));
  std::vector<size_t> damaged;
  for (size_t i = 0; i < damage.size(); ++i)
    if (damage[i] != std::byte(0))
      damaged.push_back(i);
  return damaged;
}

TEST_F(DecompressTest, GivesTheBlob) {
  for (const char *chip : {"sm_80", "sm_89", "sm_90a", "sm_120a"}) {
    if (!hasChip(chip))
      continue;
    for (auto [shape, deviation] : {std::pair<Shape, unsigned>{{1, 1}, 57},
                                    {{3, 100}, 235},
                                    {{2, 512}, 1},
                                    {{5, 513}, 117},
                                    {{130, 545}, 57},
                                    {{2, 1600}, 400}}) {
      compile(shape, chip, deviation);
      Bytes blob = draw(0.02f), actual;
      EXPECT_TRUE(run(compressed(blob), actual).empty())
          << n << " x " << k << " on " << chip;
      EXPECT_EQ(actual, blob) << n << " x " << k << " on " << chip;
    }
  }
}

/// Symbols of up to 255, behind as many zeros where k is 0.
TEST_F(DecompressTest, GivesOutliers) {
  compile({2, 1024}, "sm_90a", /*deviation=*/8);
  Bytes blob = draw(), actual;
  for (size_t i : {0, 7, 100, 127})
    for (size_t j = 0; j < 8; ++j)
      blob[8 * i + j] = std::byte(
          int8_t(i % 2 ? (j % 2 ? 127 : -127) : (j % 2 ? -126 : 126)));
  EXPECT_TRUE(run(compressed(blob), actual).empty());
  EXPECT_EQ(actual, blob);
}

TEST_F(DecompressTest, FindsEveryFlippedBit) {
  compile({3, 40}, "sm_90a");
  Bytes codes = compressed(draw()), blob;
  auto first = size_t(::rotq::RiceLayout(layout()).words);
  for (size_t bit = 0; bit < 8 * codes.size(); ++bit) {
    codes[bit / 8] ^= std::byte(1u << bit % 8);
    std::vector<size_t> damaged = run(codes, blob);
    ASSERT_FALSE(damaged.empty()) << "bit " << bit;
    // Of a stream, in that alone.
    if (bit / 8 >= first)
      ASSERT_EQ(damaged.size(), 1u) << "bit " << bit;
    codes[bit / 8] ^= std::byte(1u << bit % 8);
  }
  EXPECT_TRUE(run(codes, blob).empty());
}

/// The emulator refuses to read or write beside the buffers.
TEST_F(DecompressTest, DamageIsRefusedAndNothingElseIsTouched) {
  compile({4, 600}, "sm_90a", /*deviation=*/26);
  Bytes codes = compressed(draw()), blob;
  for (int trial = 0; trial < 300; ++trial) {
    Bytes damaged = codes;
    for (unsigned edits = 1 + random() % 8; edits; --edits)
      damaged[random() % damaged.size()] ^= std::byte(1 + random() % 255);
    if (trial % 3 == 0)
      damaged.resize(random() % damaged.size());
    EXPECT_EQ(run(damaged, blob).empty(), isAccepted(damaged));
  }
  for (size_t more : {1u, 4u, 64u}) {
    Bytes longer = codes;
    longer.resize(codes.size() + more);
    EXPECT_FALSE(run(longer, blob).empty());
  }
}
