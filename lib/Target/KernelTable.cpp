//===- KernelTable.cpp - What kernels were measured to take on a chip
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Target/KernelTable.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/YAMLTraits.h"

#include <map>
#include <tuple>

using namespace mlir;
using namespace mlir::rotq;

namespace {
/// A matmul, as the file has it.
struct Entry {
  std::string format;
  int64_t n = 0, k = 0, members = 1, group = 0, m = 0;
  std::vector<MeasuredKernel> kernels;
};

struct File {
  KernelTable table;
  std::vector<Entry> entries;
};
} // namespace

LLVM_YAML_IS_SEQUENCE_VECTOR(Entry)

namespace llvm::yaml {
template <> struct CustomMappingTraits<std::vector<MeasuredKernel>> {
  static void inputOne(IO &io, StringRef key,
                       std::vector<MeasuredKernel> &kernels) {
    std::optional<KernelConfig> config = KernelConfig::parse(key);
    MeasuredKernel kernel;
    io.mapRequired(key.str().c_str(), kernel.microseconds);
    if (!config)
      return io.setError("expected a kernel such as mma_s8_r16c8w4 but got '" +
                         key + "'");
    if (!(kernel.microseconds > 0))
      return io.setError("expected a time above 0 for '" + key + "'");
    kernel.config = *config;
    kernels.push_back(kernel);
  }
  // Tables are written by `benchmarks/tune`.
  static void output(IO &, std::vector<MeasuredKernel> &) {
    llvm_unreachable("tables are only read");
  }
};

template <> struct MappingTraits<Entry> {
  static void mapping(IO &io, Entry &entry) {
    io.mapRequired("format", entry.format);
    io.mapRequired("group", entry.group);
    io.mapRequired("n", entry.n);
    io.mapRequired("k", entry.k);
    io.mapOptional("members", entry.members, int64_t(1));
    io.mapRequired("m", entry.m);
    io.mapRequired("us", entry.kernels);
  }
  static std::string validate(IO &io, Entry &entry) {
    if (io.error()) // there may be no place for another
      return "";
    if (std::min({entry.group, entry.n, entry.k, entry.members, entry.m}) < 1)
      return "expected sizes above 0";
    if (entry.kernels.empty())
      return "expected a kernel at least";
    return "";
  }
};

template <> struct MappingTraits<File> {
  static void mapping(IO &io, File &file) {
    Chip &chip = file.table.chip;
    io.mapRequired("chip", chip.name);
    io.mapRequired("device", file.table.device);
    io.mapRequired("date", file.table.date);
    io.mapRequired("multiprocessors", chip.multiprocessors);
    io.mapRequired("gigahertz", chip.gigahertz);
    io.mapRequired("gigabytes-per-second", chip.gigabytesPerSecond);
    io.mapRequired("l2-megabytes", chip.l2Megabytes);
    io.mapRequired("warps", chip.warps);
    io.mapRequired("shared-kilobytes", chip.sharedKilobytes);
    io.mapRequired("mma-products", chip.mmaProducts);
    io.mapRequired("wgmma-products", chip.wgmmaProducts);
    io.mapRequired("measured", file.entries);
  }
  static std::string validate(IO &io, File &file) {
    if (io.error())
      return "";
    const Chip &chip = file.table.chip;
    if (std::min({chip.multiprocessors, chip.l2Megabytes, chip.warps,
                  chip.sharedKilobytes, chip.mmaProducts}) < 1 ||
        !(chip.gigahertz > 0) || !(chip.gigabytesPerSecond > 0) ||
        chip.wgmmaProducts < 0)
      return "expected what the chip has to be above 0";
    if (file.entries.empty() != file.table.date.empty())
      return "expected a date where something was measured, and only there";
    return "";
  }
};
} // namespace llvm::yaml

/// Keeps the first thing that the parser says.
static void keepMessage(const llvm::SMDiagnostic &diagnostic, void *context) {
  auto &message = *static_cast<std::string *>(context);
  if (message.empty())
    message = (diagnostic.getFilename() + ":" + Twine(diagnostic.getLineNo()) +
               ": " + diagnostic.getMessage())
                  .str();
}

llvm::Expected<KernelTable> KernelTable::parse(StringRef text, StringRef file) {
  std::string message;
  llvm::yaml::Input input(llvm::MemoryBufferRef(text, file),
                          /*Ctxt=*/nullptr, keepMessage, &message);
  File read;
  input >> read;
  KernelTable &table = read.table;
  if (message.empty() && table.chip.name.empty())
    message = (file + ": expected a table of kernels").str();
  if (input.error() || !message.empty())
    return llvm::createStringError(message);
  for (Entry &entry : read.entries) {
    // The parser hands out keys in no order.
    llvm::sort(entry.kernels, [](const auto &a, const auto &b) {
      return std::tie(a.microseconds, a.config) <
             std::tie(b.microseconds, b.config);
    });
    auto format = ::rotq::lookupFormat(entry.format);
    if (!format)
      return llvm::createStringError(file + ": " + format.error());
    MatmulShape shape =
        MatmulShape::get(*format, entry.n, entry.k, entry.members, entry.group);
    bool isKnown = llvm::any_of(table.rows, [&](const MeasuredRow &row) {
      return row.shape == shape && row.m == entry.m;
    });
    if (isKnown)
      return llvm::createStringError(
          file + ": " + entry.format + " " + Twine(entry.n) + " x " +
          Twine(entry.k) + ", M = " + Twine(entry.m) + " occurs twice");
    table.rows.push_back({shape, entry.m, std::move(entry.kernels)});
  }
  return std::move(table);
}

static constexpr std::pair<StringRef, StringRef> kTexts[] = {
#include "KernelTables.inc"
};

ArrayRef<std::pair<StringRef, StringRef>> mlir::rotq::embeddedKernelTables() {
  return kTexts;
}

const KernelTable &KernelTable::get(StringRef chip) {
  static const std::map<std::string, KernelTable, std::less<>> kTables = [] {
    std::map<std::string, KernelTable, std::less<>> tables;
    for (auto [name, text] : kTexts)
      tables[name.str()] = llvm::cantFail(parse(text, name.str() + ".yaml"));
    return tables;
  }();
  // Nothing tells these apart that the model knows of.
  StringRef name = llvm::StringSwitch<StringRef>(chip)
                       .Case("sm_86", "sm_89")
                       .Case("sm_90", "sm_90a")
                       .Default(chip);
  auto found = kTables.find(name);
  assert(found != kTables.end() && "a GPU has a table");
  return found->second;
}
