//===- KernelSelector.cpp - The fastest kernels for a matmul
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Target/KernelSelector.h"
#include "rotq/Codec/ActivationLayout.h"
#include "rotq/Target/CostModel.h"
#include "rotq/Target/KernelSpace.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <tuple>

using namespace mlir;
using namespace mlir::rotq;
using ::rotq::kMaxRowsWithRests;

/// Where ranges of M may end; the last stands for all behind it.
static constexpr int64_t kSteps[] = {
    1, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024, 2048, 4096};
/// A kernel more has to gain as much, over all steps, and there are only so
/// many.
static constexpr double kKernelCost = 0.02;
static constexpr size_t kMaxKernels = 11;
/// How much more a loss counts that was measured than one that is estimated.
static constexpr double kMeasuredWeight = 4;
/// What keeps the weight of a row at no distance finite, and the weight of what
/// is assumed of a configuration: that it is in error as others are, and slower
/// by kUncertainty, or of many that are guessed the luckiest would be chosen.
static constexpr double kNear = 1e-3, kPriorWeight = 10, kUncertainty = 0.1;

static double square(double value) { return value * value; }

/// How unlike two problems are: 1 for a factor of two.
static double squaredDistance(const MatmulShape &a, int64_t mOfA,
                              const MatmulShape &b, int64_t mOfB) {
  auto log = [](int64_t value) { return std::log2(double(value)); };
  auto columns = [](int64_t m) { return int64_t(llvm::alignTo(m, 8)); };
  double distance = square(log(a.n) - log(b.n)) + square(log(a.k) - log(b.k)) +
                    square(log(columns(mOfA)) - log(columns(mOfB))) +
                    square(double(a.slots - b.slots)) +
                    square(log(a.group) - log(b.group));
  // Other arithmetic says least.
  if (a.hasOffset != b.hasOffset ||
      (a.liftedWords == 0) != (b.liftedWords == 0))
    distance += square(3);
  if ((a.decodeOperations == 0) != (b.decodeOperations == 0))
    distance += square(2);
  else if (a.decodeOperations != 0)
    distance += square(log(a.decodeOperations) - log(b.decodeOperations));
  if ((a.members == 1) != (b.members == 1))
    distance += square(0.25);
  return distance;
}

KernelSelector::KernelSelector(const KernelTable &table, bool hasWarpgroups,
                               const MatmulShape &shape, bool hasRests)
    : table(table), hasWarpgroups(hasWarpgroups), hasRests(hasRests),
      shape(shape), space(kernelSpace(table.chip, hasWarpgroups, shape)) {
  for (const MeasuredRow &row : table.rows) {
    auto &ofRow = errors.emplace_back();
    for (const MeasuredKernel &kernel : row.kernels) {
      double time =
          predictMicroseconds(table.chip, row.shape, row.m, kernel.config);
      ofRow.push_back(std::log(kernel.microseconds / time));
    }
  }
}

bool KernelSelector::takes(const KernelConfig &config, int64_t m) const {
  // A row takes two columns then, of a tile of eight.
  if (hasRests && m <= kMaxRowsWithRests && config.kind != KernelKind::MmaB1 &&
      (config.cols != 8 || config.isStaged()))
    return false;
  auto [least, most] = rowsTaken(config, hasWarpgroups);
  return KernelChoice{config, least, most}.takes(m);
}

SmallVector<MeasuredKernel> KernelSelector::predict(int64_t m) const {
  SmallVector<MeasuredKernel> kernels;
  for (const KernelConfig &config : space)
    if (takes(config, m))
      kernels.push_back(
          {config, predictMicroseconds(table.chip, shape, m, config)});
  return kernels;
}

static void sortByTime(SmallVectorImpl<MeasuredKernel> &kernels) {
  llvm::sort(kernels, [](const auto &a, const auto &b) {
    return std::tie(a.microseconds, a.config) <
           std::tie(b.microseconds, b.config);
  });
}

namespace {
/// A mean of which every value has a weight.
struct Mean {
  double sum = 0, weight = 0;

  void add(double value, double of) {
    sum += value * of;
    weight += of;
  }
  double get() const { return weight == 0 ? 0 : sum / weight; }
};
} // namespace

static bool lists(const MeasuredRow &row, const KernelConfig &config) {
  return llvm::any_of(row.kernels, [&](const MeasuredKernel &kernel) {
    return kernel.config == config;
  });
}

const MeasuredRow *KernelSelector::findRow(int64_t m) const {
  // What was measured has no epilogue.
  MatmulShape measured = shape;
  measured.hasEpilogue = false;
  auto found = llvm::find_if(table.rows, [&](const MeasuredRow &row) {
    return row.shape == measured && row.m == m;
  });
  return found == table.rows.end() ? nullptr : &*found;
}

SmallVector<MeasuredKernel> KernelSelector::estimate(int64_t m) const {
  SmallVector<MeasuredKernel> kernels = predict(m);
  // Errors of every configuration where it was measured, and of all of them.
  std::map<KernelConfig, Mean> own;
  Mean common;
  for (auto [row, ofKernels] : llvm::zip_equal(table.rows, errors)) {
    double weight =
        std::pow(squaredDistance(shape, m, row.shape, row.m) + kNear, -1.5);
    Mean ofRow;
    for (auto [kernel, error] : llvm::zip_equal(row.kernels, ofKernels)) {
      own[kernel.config].add(error, weight);
      ofRow.add(error, 1);
    }
    // Configurations differ alike far away; all of them, by what is near.
    common.add(ofRow.get(), weight * weight);
  }
  const MeasuredRow *row = findRow(m);
  for (MeasuredKernel &kernel : kernels) {
    if (common.weight == 0)
      break;
    Mean error = own[kernel.config];
    error.add(common.get() + kUncertainty, kPriorWeight);
    kernel.microseconds *= std::exp(error.get());
    // What a row does not list was slower, or expected to be.
    if (row && !lists(*row, kernel.config))
      kernel.microseconds =
          std::max(kernel.microseconds,
                   std::exp(kUncertainty) * row->kernels.back().microseconds);
  }
  sortByTime(kernels);
  return kernels;
}

SmallVector<MeasuredKernel>
KernelSelector::candidates(int64_t m, double slack,
                           const KernelConfig &always) const {
  SmallVector<MeasuredKernel> kernels = predict(m);
  sortByTime(kernels);
  double most = slack * kernels.front().microseconds;
  llvm::erase_if(kernels, [&](const MeasuredKernel &kernel) {
    return kernel.microseconds > most && kernel.config != always;
  });
  return kernels;
}

/// Kernels for rows with rests have those alone.
static void splitAtRests(SmallVectorImpl<KernelChoice> &choices) {
  auto *across = llvm::find_if(choices, [](const KernelChoice &choice) {
    return choice.takes(kMaxRowsWithRests);
  });
  if (across->mMax == kMaxRowsWithRests)
    return;
  KernelChoice rest = *across;
  across->mMax = kMaxRowsWithRests;
  rest.mMin = kMaxRowsWithRests + 1;
  choices.insert(std::next(across), rest);
}

SmallVector<KernelChoice> KernelSelector::choose() const {
  // By step and place in the space, what the configuration loses to the best.
  constexpr double kNever = std::numeric_limits<double>::infinity();
  constexpr size_t kCount = std::size(kSteps);
  std::vector<std::vector<double>> losses(
      kCount, std::vector<double>(space.size(), kNever));
  for (auto [step, m] : llvm::enumerate(kSteps)) {
    SmallVector<MeasuredKernel> times = estimate(m);
    double weight = findRow(m) ? kMeasuredWeight : 1;
    for (const MeasuredKernel &kernel : times) {
      size_t place = llvm::find(space, kernel.config) - space.begin();
      losses[step][place] =
          weight * std::log(kernel.microseconds / times.front().microseconds);
    }
  }
  // By the number of kernels: the cheapest way to cover the steps ahead of one,
  // and its last kernel.
  struct Cover {
    double loss = std::numeric_limits<double>::infinity();
    size_t begin = 0, place = 0;
  };
  std::vector<std::array<Cover, kCount + 1>> covers(kMaxKernels + 1);
  covers[0][0].loss = 0;
  for (size_t count = 0; count < kMaxKernels; ++count)
    for (size_t begin = 0; begin < kCount; ++begin)
      for (size_t place = 0; place < space.size(); ++place) {
        // Behind the rows with rests there is another kernel anyway.
        bool isFree =
            hasRests && begin != 0 && kSteps[begin - 1] == kMaxRowsWithRests;
        double loss = covers[count][begin].loss + (isFree ? 0 : kKernelCost);
        for (size_t end = begin; end < kCount; ++end) {
          loss += losses[end][place];
          if (Cover &cover = covers[count + 1][end + 1]; loss < cover.loss)
            cover = {loss, begin, place};
        }
      }
  size_t count = 1;
  for (size_t other = 2; other <= kMaxKernels; ++other)
    if (covers[other][kCount].loss < covers[count][kCount].loss)
      count = other;
  SmallVector<KernelChoice> choices(count);
  for (size_t end = kCount; end != 0; --count) {
    const Cover &cover = covers[count][end];
    choices[count - 1] = {space[cover.place],
                          cover.begin == 0 ? 1 : kSteps[cover.begin - 1] + 1,
                          end == kCount ? 0 : kSteps[end - 1]};
    end = cover.begin;
  }
  if (hasRests)
    splitAtRests(choices);
  return choices;
}
