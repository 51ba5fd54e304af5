//===- HostTestUtils.cpp - Modules that run on this machine
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HostTestUtils.h"

#include "rotq/Codec/PackedWeight.h"
#include "rotq/InitAll.h"

#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"

#include <cstring>

using namespace mlir;
using namespace mlir::rotq;
using namespace mlir::rotq::test;

CompiledModule::CompiledModule(const std::string &text, StringRef options)
    : context(
          [] {
            DialectRegistry registry;
            registerAllDialects(registry);
            return registry;
          }(),
          MLIRContext::Threading::DISABLED) {
  module = parseSourceString<ModuleOp>(text, &context);
  HostPipelineOptions pipelineOptions;
  if (!module || failed(pipelineOptions.parseFromString(options)) ||
      failed(HostRunner::lower(*module, pipelineOptions))) {
    ADD_FAILURE() << "cannot lower\n" << text;
    return;
  }
  auto created = HostRunner::create(*module);
  if (created)
    runner.emplace(std::move(*created));
  else
    ADD_FAILURE() << toString(created.takeError());
}

std::vector<Array> CompiledModule::run(StringRef entry,
                                       ArrayRef<Array> arguments) {
  if (!runner)
    return {};
  auto results = runner->run(entry, arguments);
  if (results)
    return std::move(*results);
  ADD_FAILURE() << toString(results.takeError());
  return {};
}

std::string mlir::rotq::test::featuresOption(StringRef wanted) {
  std::string available = "," + hostFeatures() + ",";
  std::string list;
  SmallVector<StringRef> names;
  wanted.split(names, ',', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  for (StringRef name : names)
    if (StringRef(available).contains(("," + name + ",").str()))
      list += (list.empty() ? "" : ",") + name.str();
  return " features=" + (list.empty() ? std::string("none") : list);
}

Array mlir::rotq::test::copyOf(const Array &array) {
  Array copy(array.element, array.shape);
  std::memcpy(copy.data.get(), array.data.get(), size_t(array.numBytes()));
  return copy;
}

Array mlir::rotq::test::makeNormal(std::mt19937_64 &random,
                                   ArrayRef<int64_t> shape) {
  Array array(Element::F32, shape);
  std::normal_distribution<float> normal;
  for (float &value : valuesOf<float>(array))
    value = normal(random);
  return array;
}

Array mlir::rotq::test::makeBlob(std::mt19937_64 &random, StringRef format,
                                 int64_t n, int64_t k) {
  auto preset = ::rotq::lookupFormat(format);
  ::rotq::WeightLayout layout(*preset, n, k);
  Array source = makeNormal(random, {n, k});
  Array blob(Element::U8, layout.totalBytes);
  auto status = ::rotq::encode(*preset, valuesOf<float>(std::as_const(source)),
                               n, k, valuesOf<std::byte>(blob));
  EXPECT_TRUE(status) << status.error();
  return blob;
}
