//===- EmulatorTestUtils.cpp - Kernels to run on the device under test
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "EmulatorTestUtils.h"

#include "rotq/Codec/PackedWeight.h"

#include "llvm/AsmParser/Parser.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/raw_ostream.h"

#include <bit>
#include <cmath>
#include <cstring>

using namespace mlir;
using namespace mlir::rotq;
using namespace mlir::rotq::test;
using llvm::createStringError;
using llvm::Error;
using llvm::Expected;

std::optional<::rotq::DeviceInfo> mlir::rotq::test::gpuUnderTest;
uint64_t mlir::rotq::test::seed = 3;

double mlir::rotq::test::lossPerAddend() {
  return gpuUnderTest ? 0x1p-23 : 0x1p-24;
}

bool mlir::rotq::test::hasChip(StringRef chip) {
  if (!gpuUnderTest || runsOn(*gpuUnderTest, chip))
    return true;
  [&] { GTEST_SKIP() << gpuUnderTest->name << " is no " << chip.str(); }();
  return false;
}

//===----------------------------------------------------------------------===//
// Comparisons
//===----------------------------------------------------------------------===//

namespace {
/// What has been compared so far.
struct Comparisons {
  size_t launches = 0, differing = 0, exactBytes = 0;
  size_t boundedValues = 0, equalValues = 0;
  double worst = 0; ///< deviation, of its bound
};
} // namespace

static Comparisons comparisons;

void mlir::rotq::test::reportComparisons() {
  llvm::outs() << llvm::formatv(
      "{0} launches on {1} compared with the emulator: {2} differ\n"
      "{3} bytes are the same bit for bit\n"
      "{4} floats are within their bounds, at most {5:f3} of it off; {6} of "
      "them are the same\n",
      comparisons.launches, gpuUnderTest->name, comparisons.differing,
      comparisons.exactBytes, comparisons.boundedValues, comparisons.worst,
      comparisons.equalValues);
}

static Error compareBits(StringRef name, ArrayRef<std::byte> emulated,
                         ArrayRef<std::byte> actual) {
  if (emulated == actual) {
    comparisons.exactBytes += actual.size();
    return Error::success();
  }
  size_t count = 0, first = actual.size();
  for (size_t i = 0; i < actual.size(); ++i)
    if (emulated[i] != actual[i]) {
      ++count;
      first = std::min(first, i);
    }
  // The word that holds the first of them.
  size_t at = first / 4 * 4, length = std::min<size_t>(4, actual.size() - at);
  uint32_t words[2] = {};
  std::memcpy(&words[0], emulated.data() + at, length);
  std::memcpy(&words[1], actual.data() + at, length);
  return createStringError(
      llvm::formatv("{0} of {1} bytes of {2} differ, the first at {3}: the "
                    "emulator wrote {4:x8} and the GPU {5:x8}",
                    count, actual.size(), name, first, words[0], words[1]));
}

double mlir::rotq::test::floatAt(ArrayRef<std::byte> bytes, StringRef type,
                                 size_t i) {
  if (type != "f32") {
    uint16_t bits;
    std::memcpy(&bits, bytes.data() + 2 * i, 2);
    return type == "f16" ? double(::rotq::fromHalf(bits))
                         : double(std::bit_cast<float>(uint32_t(bits) << 16));
  }
  float value;
  std::memcpy(&value, bytes.data() + 4 * i, 4);
  return double(value);
}

static Error compareValues(StringRef name, ArrayRef<std::byte> emulated,
                           ArrayRef<std::byte> actual, StringRef type,
                           ArrayRef<double> bounds) {
  size_t equal = 0;
  for (size_t i = 0; i < bounds.size(); ++i) {
    double a = floatAt(emulated, type, i);
    double b = floatAt(actual, type, i);
    if (a == b || (std::isnan(a) && std::isnan(b))) {
      ++equal;
      continue;
    }
    double deviation = std::abs(a - b) / bounds[i];
    if (!(deviation <= 1))
      return createStringError(
          llvm::formatv("element {0} of {1}: the emulator wrote {2} and the "
                        "GPU {3}, {4} times as far apart as they may be",
                        i, name, a, b, deviation));
    comparisons.worst = std::max(comparisons.worst, deviation);
  }
  comparisons.boundedValues += bounds.size();
  comparisons.equalValues += equal;
  return Error::success();
}

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

Expected<KernelsUnderTest> KernelsUnderTest::create(gpu::GPUModuleOp module,
                                                    StringRef chip) {
  KernelsUnderTest result;
  auto emulator = Emulator::create(module, chip);
  if (!emulator)
    return emulator.takeError();
  result.emulator = std::move(*emulator);
  if (!gpuUnderTest || !hasChip(chip))
    return result;
  auto gpu = GPU::create(module, chip);
  if (!gpu)
    return gpu.takeError();
  result.gpu = std::move(*gpu);
  return result;
}

static Expected<std::unique_ptr<llvm::Module>>
parseModule(const std::string &assembly, llvm::LLVMContext &context) {
  llvm::SMDiagnostic diagnostic;
  if (auto module = llvm::parseAssemblyString(assembly, diagnostic, context))
    return module;
  std::string text;
  llvm::raw_string_ostream stream(text);
  diagnostic.print("kernel", stream);
  return createStringError(text);
}

Expected<std::unique_ptr<Emulator>>
mlir::rotq::test::emulate(const std::string &assembly, StringRef chip) {
  auto context = std::make_unique<llvm::LLVMContext>();
  auto module = parseModule(assembly, *context);
  if (!module)
    return module.takeError();
  return Emulator::create(std::move(context), std::move(*module), chip);
}

Expected<KernelsUnderTest> KernelsUnderTest::create(const std::string &assembly,
                                                    StringRef chip) {
  KernelsUnderTest result;
  auto emulator = emulate(assembly, chip);
  if (!emulator)
    return emulator.takeError();
  result.emulator = std::move(*emulator);
  if (!gpuUnderTest || !hasChip(chip))
    return result;
  llvm::LLVMContext own;
  auto copy = parseModule(assembly, own);
  if (!copy)
    return copy.takeError();
  auto gpu = GPU::create(**copy, chip);
  if (!gpu)
    return gpu.takeError();
  result.gpu = std::move(*gpu);
  return result;
}

Error KernelsUnderTest::launch(StringRef kernel, const EmulatorLaunch &launch,
                               ArrayRef<EmulatorArgument> arguments,
                               const Tolerance &tolerance) {
  // Each starts from the same bytes; null for what is not written.
  std::vector<EmulatorBuffer> written;
  std::vector<std::vector<std::byte>> before;
  for (const EmulatorArgument &argument : arguments)
    if (const auto *buffer = std::get_if<EmulatorBuffer>(&argument);
        buffer && buffer->writable) {
      written.push_back(*buffer);
      before.emplace_back(buffer->bytes.begin(), buffer->bytes.end());
    }
  if (Error error = emulator->launch(kernel, launch, arguments))
    return error;
  if (!gpu)
    return Error::success();
  std::vector<std::vector<std::byte>> emulated;
  for (auto [buffer, bytes] : llvm::zip(written, before)) {
    emulated.emplace_back(buffer.bytes.begin(), buffer.bytes.end());
    llvm::copy(bytes, buffer.bytes.begin());
  }
  if (Error error = gpu->launch(kernel, launch, arguments))
    return error;
  ++comparisons.launches;
  Error differences = Error::success();
  // From the last on, as long as there are bounds.
  ArrayRef<double> bounds(tolerance.bounds);
  for (auto [buffer, expected] :
       llvm::reverse(llvm::zip_equal(written, emulated))) {
    ArrayRef<std::byte> actual(buffer.bytes.data(), buffer.bytes.size());
    if (bounds.empty()) {
      differences = joinErrors(std::move(differences),
                               compareBits(buffer.name, expected, actual));
      continue;
    }
    size_t count = actual.size() / (tolerance.type == "f32" ? 4 : 2);
    if (count > bounds.size()) {
      consumeError(std::move(differences));
      return createStringError("expected a bound for every element of " +
                               buffer.name);
    }
    differences =
        joinErrors(std::move(differences),
                   compareValues(buffer.name, expected, actual, tolerance.type,
                                 bounds.take_back(count)));
    bounds = bounds.drop_back(count);
  }
  if (!differences)
    return Error::success();
  ++comparisons.differing;
  return createStringError("kernel '" + kernel +
                           "': " + toString(std::move(differences)));
}

std::string mlir::rotq::test::runKernel(const std::string &assembly,
                                        ArrayRef<EmulatorArgument> arguments,
                                        const EmulatorLaunch &launch,
                                        StringRef chip,
                                        const Tolerance &tolerance) {
  auto kernels = KernelsUnderTest::create(assembly, chip);
  if (!kernels)
    return toString(kernels.takeError());
  if (Error error = kernels->launch("k", launch, arguments, tolerance))
    return toString(std::move(error));
  return "";
}
