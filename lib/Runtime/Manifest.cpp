//===- Manifest.cpp - What a bundle's kernels are -------------------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Runtime/Manifest.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

using namespace rotq;
using nlohmann::json;

namespace {

constexpr int64_t kVersion = 1;
/// Threads of a block and bytes of shared memory no device exceeds.
constexpr int64_t kMaxThreads = 1024;
constexpr int64_t kMaxSharedBytes = 1 << 20;
constexpr int64_t kMaxInt32 = std::numeric_limits<int32_t>::max();
/// Manifests nest a handful of levels; a bound keeps hostile ones harmless.
constexpr int kMaxDepth = 32;

/// Reads typed values out of JSON. The first thing that is wrong is kept in
/// `error`; readers go on with defaults after it.
class Reader {
public:
  std::string error;

  void fail(std::string message) {
    if (error.empty())
      error = std::move(message);
  }

  const json *get(const json &object, const char *key,
                  const std::string &where) {
    if (!object.is_object()) {
      fail("expected an object at " + where);
      return nullptr;
    }
    auto it = object.find(key);
    if (it == object.end()) {
      fail("missing '" + std::string(key) + "' in " + where);
      return nullptr;
    }
    return &*it;
  }

  static bool has(const json &object, const char *key) {
    return object.is_object() && object.contains(key);
  }

  int64_t integer(const json &value, int64_t low, int64_t high,
                  const std::string &where) {
    // The unsigned check comes first: is_number_integer covers both, and a
    // large unsigned value would wrap.
    bool fits = value.is_number_unsigned()
                    ? value.get<uint64_t>() <= uint64_t(high)
                    : value.is_number_integer();
    if (fits)
      if (int64_t number = value.get<int64_t>();
          low <= number && number <= high)
        return number;
    fail("expected an integer in [" + std::to_string(low) + ", " +
         std::to_string(high) + "] at " + where);
    return low;
  }

  /// The integer under `key`, or `otherwise` where there is none.
  int64_t integerOr(const json &object, const char *key, int64_t otherwise,
                    int64_t low, int64_t high, const std::string &where) {
    if (!has(object, key))
      return otherwise;
    return integer(object[key], low, high, where + "." + key);
  }

  std::string text(const json &value, const std::string &where) {
    if (value.is_string() && !value.get_ref<const std::string &>().empty())
      return value.get<std::string>();
    fail("expected a non-empty string at " + where);
    return {};
  }

  std::string textAt(const json &object, const char *key,
                     const std::string &where) {
    const json *value = get(object, key, where);
    return value ? text(*value, where + "." + key) : std::string();
  }

  std::string textOr(const json &object, const char *key,
                     const std::string &where) {
    return has(object, key) ? textAt(object, key, where) : std::string();
  }

  /// The elements of the array under `key`, at most `limit`.
  const json &array(const json &object, const char *key, size_t limit,
                    const std::string &where) {
    static const json empty = json::array();
    const json *value = get(object, key, where);
    if (!value)
      return empty;
    if (value->is_array() && value->size() <= limit)
      return *value;
    fail("expected an array of at most " + std::to_string(limit) +
         " elements at " + where + "." + key);
    return empty;
  }

  KernelParam param(const json &object, const std::string &where);
  GridDim gridDim(const json &object, const std::string &where);
  KernelInfo kernel(const json &object, const std::string &where);
  Manifest manifest(const json &object);

private:
  void checkKernel(const KernelInfo &kernel, const std::string &where);
};

} // namespace

static std::string at(const std::string &where, size_t index) {
  return where + "[" + std::to_string(index) + "]";
}

KernelParam Reader::param(const json &object, const std::string &where) {
  KernelParam result;
  result.name = textAt(object, "name", where);
  std::string kind = textAt(object, "kind", where);
  if (kind == "i32") {
    result.kind = KernelParam::Kind::I32;
    return result;
  }
  if (kind != "pointer")
    fail("expected kind 'pointer' or 'i32' but got '" + kind + "' in " + where);
  std::string access = textAt(object, "access", where);
  if (access == "write")
    result.access = KernelParam::Access::Write;
  else if (access != "read")
    fail("expected access 'read' or 'write' but got '" + access + "' in " +
         where);
  result.type = textAt(object, "type", where);
  const json &shape = array(object, "shape", 8, where);
  for (size_t i = 0; i < shape.size(); ++i) {
    std::string place = at(where + ".shape", i);
    if (shape[i].is_string())
      result.shape.emplace_back(text(shape[i], place));
    else
      result.shape.emplace_back(
          integer(shape[i], 0, std::numeric_limits<int64_t>::max(), place));
  }
  return result;
}

GridDim Reader::gridDim(const json &object, const std::string &where) {
  GridDim result;
  if (const json *count = get(object, "count", where))
    result.count = integer(*count, 1, kMaxInt32, where + ".count");
  result.over = textOr(object, "over", where);
  result.tile = integerOr(object, "tile", 1, 1, kMaxInt32, where);
  return result;
}

/// What the types of the values do not say.
void Reader::checkKernel(const KernelInfo &kernel, const std::string &where) {
  std::set<std::string_view> names;
  bool scalars = false;
  for (const KernelParam &param : kernel.params) {
    if (!names.insert(param.name).second)
      fail("duplicate parameter '" + param.name + "' in " + where);
    if (param.kind == KernelParam::Kind::I32)
      scalars = true;
    else if (scalars)
      fail("pointer '" + param.name + "' after a scalar in " + where);
    for (const KernelParam::Extent &extent : param.shape)
      if (auto *name = std::get_if<std::string>(&extent))
        if (kernel.scalarIndex(*name) < 0)
          fail("shape of '" + param.name + "' names '" + *name +
               "', which is no i32 parameter, in " + where);
  }
  for (const GridDim &dim : kernel.grid)
    if (!dim.over.empty() && kernel.scalarIndex(dim.over) < 0)
      fail("grid over '" + dim.over + "', which is no i32 parameter, in " +
           where);
  if (kernel.block[0] * kernel.block[1] * kernel.block[2] > kMaxThreads)
    fail("expected at most " + std::to_string(kMaxThreads) +
         " threads a block in " + where);
  if (kernel.mMax != 0 && kernel.mMax < kernel.mMin)
    fail("expected m_max >= m_min in " + where);
}

KernelInfo Reader::kernel(const json &object, const std::string &where) {
  KernelInfo result;
  result.name = textAt(object, "name", where);
  result.role = textAt(object, "role", where);
  const json &params = array(object, "params", 64, where);
  for (size_t i = 0; i < params.size(); ++i)
    result.params.push_back(param(params[i], at(where + ".params", i)));
  const json &grid = array(object, "grid", 3, where);
  const json &block = array(object, "block", 3, where);
  if (grid.size() != 3 || block.size() != 3)
    fail("expected 3 dimensions of grid and of block in " + where);
  for (size_t i = 0; i < grid.size(); ++i)
    result.grid[i] = gridDim(grid[i], at(where + ".grid", i));
  for (size_t i = 0; i < block.size(); ++i)
    result.block[i] =
        integer(block[i], 1, kMaxThreads, at(where + ".block", i));
  result.sharedBytes =
      integerOr(object, "shared_bytes", 0, 0, kMaxSharedBytes, where);
  if (has(object, "format")) {
    if (object["format"].is_object())
      result.format = object["format"].dump();
    else
      fail("expected an object at " + where + ".format");
  }
  constexpr int64_t anything = std::numeric_limits<int64_t>::max();
  result.n = integerOr(object, "n", 0, 0, anything, where);
  result.k = integerOr(object, "k", 0, 0, anything, where);
  result.layout = textOr(object, "layout", where);
  result.placement = textOr(object, "placement", where);
  result.activation = textOr(object, "activation", where);
  result.epilogue = textOr(object, "epilogue", where);
  result.mMin = integerOr(object, "m_min", 0, 0, kMaxInt32, where);
  result.mMax = integerOr(object, "m_max", 0, 0, kMaxInt32, where);
  if (has(object, "pdl")) {
    if (object["pdl"].is_boolean())
      result.pdl = object["pdl"].get<bool>();
    else
      fail("expected true or false at " + where + ".pdl");
  }
  checkKernel(result, where);
  return result;
}

Manifest Reader::manifest(const json &object) {
  Manifest result;
  if (const json *version = get(object, "version", "manifest"))
    if (*version != kVersion)
      fail("expected manifest version " + std::to_string(kVersion));
  const json &targets = array(object, "targets", 256, "manifest");
  for (size_t i = 0; i < targets.size(); ++i)
    result.targets.push_back(text(targets[i], at("targets", i)));
  const json &kernels = array(object, "kernels", 65536, "manifest");
  std::set<std::string> names;
  for (size_t i = 0; i < kernels.size() && error.empty(); ++i) {
    result.kernels.push_back(kernel(kernels[i], at("kernels", i)));
    if (!names.insert(result.kernels.back().name).second)
      fail("duplicate kernel '" + result.kernels.back().name + "'");
  }
  return result;
}

size_t KernelInfo::numPointers() const {
  return size_t(std::ranges::count(params, KernelParam::Kind::Pointer,
                                   &KernelParam::kind));
}

int64_t KernelInfo::scalarIndex(std::string_view scalar) const {
  int64_t index = 0;
  for (const KernelParam &param : params) {
    if (param.kind != KernelParam::Kind::I32)
      continue;
    if (param.name == scalar)
      return index;
    ++index;
  }
  return -1;
}

const KernelInfo *Manifest::find(std::string_view name) const {
  auto it = std::ranges::find(kernels, name, &KernelInfo::name);
  return it == kernels.end() ? nullptr : &*it;
}

Expected<Manifest> rotq::parseManifest(std::string_view text) {
  bool tooDeep = false;
  auto bound = [&](int depth, json::parse_event_t, json &) {
    tooDeep |= depth > kMaxDepth;
    return depth <= kMaxDepth;
  };
  json object = json::parse(text, bound, /*allow_exceptions=*/false);
  if (object.is_discarded())
    return failure("manifest is not valid JSON");
  if (tooDeep)
    return failure("manifest is nested too deeply");
  Reader reader;
  Manifest result = reader.manifest(object);
  if (!reader.error.empty())
    return failure(reader.error);
  return result;
}

static nlohmann::ordered_json paramToJson(const KernelParam &param) {
  nlohmann::ordered_json object;
  object["name"] = param.name;
  if (param.kind == KernelParam::Kind::I32) {
    object["kind"] = "i32";
    return object;
  }
  object["kind"] = "pointer";
  object["access"] =
      param.access == KernelParam::Access::Write ? "write" : "read";
  object["type"] = param.type;
  object["shape"] = nlohmann::ordered_json::array();
  for (const KernelParam::Extent &extent : param.shape)
    std::visit([&](const auto &value) { object["shape"].push_back(value); },
               extent);
  return object;
}

static nlohmann::ordered_json kernelToJson(const KernelInfo &kernel) {
  nlohmann::ordered_json object;
  object["name"] = kernel.name;
  object["role"] = kernel.role;
  object["params"] = nlohmann::ordered_json::array();
  for (const KernelParam &param : kernel.params)
    object["params"].push_back(paramToJson(param));
  for (const GridDim &dim : kernel.grid) {
    nlohmann::ordered_json entry;
    entry["count"] = dim.count;
    if (!dim.over.empty()) {
      entry["over"] = dim.over;
      entry["tile"] = dim.tile;
    }
    object["grid"].push_back(std::move(entry));
  }
  object["block"] = kernel.block;
  object["shared_bytes"] = kernel.sharedBytes;
  if (!kernel.format.empty())
    object["format"] = nlohmann::ordered_json::parse(
        kernel.format, nullptr, /*allow_exceptions=*/false);
  auto number = [&](const char *key, int64_t value) {
    if (value != 0)
      object[key] = value;
  };
  auto text = [&](const char *key, const std::string &value) {
    if (!value.empty())
      object[key] = value;
  };
  number("n", kernel.n);
  number("k", kernel.k);
  text("layout", kernel.layout);
  text("placement", kernel.placement);
  text("activation", kernel.activation);
  text("epilogue", kernel.epilogue);
  number("m_min", kernel.mMin);
  number("m_max", kernel.mMax);
  object["pdl"] = kernel.pdl;
  return object;
}

std::string rotq::printManifest(const Manifest &manifest) {
  nlohmann::ordered_json object;
  object["version"] = kVersion;
  object["targets"] = manifest.targets;
  object["kernels"] = nlohmann::ordered_json::array();
  for (const KernelInfo &kernel : manifest.kernels)
    object["kernels"].push_back(kernelToJson(kernel));
  // A name that is not UTF-8 is printed with replacement characters.
  return object.dump(-1, ' ', false,
                     nlohmann::ordered_json::error_handler_t::replace);
}
