//===- Main.cpp - Runs the tests on the emulator, or on a GPU as well
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   RotQEmulatorTests --device=cuda --seed=5 --gtest_filter='Instructions.*'
//
//===----------------------------------------------------------------------===//

#include "EmulatorTestUtils.h"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/WithColor.h"

using namespace mlir::rotq;
namespace cl = llvm::cl;

int main(int argc, char **argv) {
  enum Device { Simt, Cuda };
  cl::OptionCategory category("test options");
  cl::opt<Device> device(
      "device", cl::init(Simt),
      cl::desc("what runs the kernels (options of GoogleTest: --gtest_help)"),
      cl::values(clEnumValN(Simt, "simt", "the emulator"),
                 clEnumValN(Cuda, "cuda", "the emulator and a GPU")),
      cl::cat(category));
  cl::opt<uint64_t, true> seed("seed", cl::location(test::seed),
                               cl::desc("of the random cases"),
                               cl::cat(category));
  cl::HideUnrelatedOptions(category);
  // Ours first: GoogleTest draws the cases as it starts.
  std::vector<char *> ours = {argv[0]}, theirs = {argv[0]};
  for (char *text : llvm::ArrayRef(argv, size_t(argc)).drop_front())
    (llvm::StringRef(text).starts_with("--gtest_") ? theirs : ours)
        .push_back(text);
  cl::ParseCommandLineOptions(int(ours.size()), ours.data(),
                              "Tests of the SIMT emulator\n");
  llvm::outs().SetUnbuffered();
  llvm::outs() << "seed " << test::seed << "\n";
  argc = int(theirs.size());
  testing::InitGoogleTest(&argc, theirs.data());
  if (device == Simt)
    return RUN_ALL_TESTS();

  auto gpu = findGPU();
  if (!gpu) {
    llvm::WithColor::error(llvm::errs(), "RotQEmulatorTests")
        << toString(gpu.takeError()) << "\n";
    return 2;
  }
  test::gpuUnderTest = *gpu;
  // Not to be let loose on a GPU.
  std::string filter = testing::GTEST_FLAG(filter);
  bool hasNegative = filter.find('-') != std::string::npos;
  testing::GTEST_FLAG(filter) = filter + (hasNegative ? ":" : "-") + "Planted*";
  llvm::outs() << "Planted* are left out: they are for the emulator\n";
  int code = RUN_ALL_TESTS();
  test::reportComparisons();
  return code;
}
