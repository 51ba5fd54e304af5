//===- CodecBenchmark.cpp - Speed of the codec on the host ----------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// items_per_second is weights per second of wall time; the last argument of a
// name is the number of threads.
//
//===----------------------------------------------------------------------===//

#include "rotq/Codec/PackedWeight.h"

#include <benchmark/benchmark.h>

#include <random>

using namespace rotq;

static constexpr int64_t kRows = 2048, kColumns = 4096;

static const std::vector<float> &weights() {
  static const std::vector<float> values = [] {
    std::mt19937 random(1);
    std::normal_distribution<float> normal(0, 0.02f);
    std::vector<float> result(kRows * kColumns);
    for (float &value : result)
      value = normal(random);
    return result;
  }();
  return values;
}

static void countWeights(benchmark::State &state) {
  state.SetItemsProcessed(state.iterations() * kRows * kColumns);
}

static void encodeWeights(benchmark::State &state, const Format &format) {
  std::vector<std::byte> blob(
      size_t(WeightLayout(format, kRows, kColumns).totalBytes));
  EncodeOptions options;
  options.threads = unsigned(state.range(0));
  for (auto _ : state)
    if (Status status =
            encode(format, weights(), kRows, kColumns, blob, options);
        !status)
      return state.SkipWithError(status.error().c_str());
  countWeights(state);
}

static void decodeWeights(benchmark::State &state, const Format &format) {
  std::vector<std::byte> blob(
      size_t(WeightLayout(format, kRows, kColumns).totalBytes));
  std::vector<float> out(weights().size());
  (void)encode(format, weights(), kRows, kColumns, blob);
  for (auto _ : state)
    if (Status status = decode(format, blob, kRows, kColumns, out,
                               unsigned(state.range(0)));
        !status)
      return state.SkipWithError(status.error().c_str());
  countWeights(state);
}

static void rotateRows(benchmark::State &state) {
  HadamardRotation rotation(state.range(0));
  std::vector<float> row(weights().begin(), weights().begin() + kColumns);
  for (auto _ : state) {
    rotation.forward(row);
    benchmark::DoNotOptimize(row.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * kColumns);
}

static void quantizeRows(benchmark::State &state) {
  std::span<const float> x = std::span(weights()).first(16 * kColumns);
  for (auto _ : state)
    benchmark::DoNotOptimize(quantizeActivation(x, 16, kColumns, 256));
  state.SetItemsProcessed(state.iterations() * 16 * kColumns);
}

int main(int argc, char **argv) {
  using benchmark::RegisterBenchmark;
  for (const Format &format : presets()) {
    RegisterBenchmark(("encode/" + format.name).c_str(), encodeWeights, format)
        ->Arg(1)
        ->Arg(2)
        ->UseRealTime()
        ->Unit(benchmark::kMillisecond);
    RegisterBenchmark(("decode/" + format.name).c_str(), decodeWeights, format)
        ->Arg(1)
        ->Arg(2)
        ->UseRealTime()
        ->Unit(benchmark::kMillisecond);
  }
  RegisterBenchmark("hadamard", rotateRows)->Arg(32)->Arg(256)->Arg(4096);
  RegisterBenchmark("quantizeActivation", quantizeRows);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv))
    return 1;
  (void)weights(); // outside of what is timed
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
