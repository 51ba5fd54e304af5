//===- ManifestTest.cpp - Manifests, and manifests that lie ---------------===//
//
// Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "rotq/Runtime/Manifest.h"

#include <functional>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace rotq;
using nlohmann::json;

namespace {

json validManifest() {
  return json::parse(R"({
    "version": 1,
    "targets": ["sm_80", "sm_90a"],
    "kernels": [{
      "name": "matmul_rq3_4096x576",
      "role": "matmul",
      "params": [
        {"name": "x", "kind": "pointer", "access": "read", "type": "f16",
         "shape": ["m", 576]},
        {"name": "y", "kind": "pointer", "access": "write", "type": "f32",
         "shape": ["m", 4096]},
        {"name": "m", "kind": "i32"}],
      "grid": [{"count": 1024}, {"count": 1, "over": "m", "tile": 8},
               {"count": 1}],
      "block": [128, 1, 1],
      "shared_bytes": 65536,
      "format": {"name": "rq3"},
      "n": 4096, "k": 576,
      "layout": "canonical", "placement": "activation",
      "activation": "interleaved", "epilogue": "rotq.yield %arg0 : f32",
      "m_min": 1, "m_max": 64, "pdl": true,
      "future": [1, 2]}]})");
}

TEST(Manifest, ReadsEveryField) {
  Expected<Manifest> manifest = parseManifest(validManifest().dump());
  ASSERT_TRUE(manifest) << manifest.error();
  EXPECT_EQ(manifest->targets, (std::vector<std::string>{"sm_80", "sm_90a"}));
  const KernelInfo *kernel = manifest->find("matmul_rq3_4096x576");
  ASSERT_NE(kernel, nullptr);
  EXPECT_EQ(manifest->find("another"), nullptr);
  EXPECT_EQ(kernel->role, "matmul");
  ASSERT_EQ(kernel->params.size(), 3u);
  EXPECT_EQ(kernel->numPointers(), 2u);
  EXPECT_EQ(kernel->scalarIndex("m"), 0);
  EXPECT_EQ(kernel->scalarIndex("x"), -1);
  EXPECT_EQ(kernel->params[0].type, "f16");
  EXPECT_EQ(std::get<std::string>(kernel->params[0].shape[0]), "m");
  EXPECT_EQ(std::get<int64_t>(kernel->params[0].shape[1]), 576);
  EXPECT_EQ(kernel->params[1].access, KernelParam::Access::Write);
  EXPECT_EQ(kernel->grid[0].count, 1024);
  EXPECT_EQ(kernel->grid[1].over, "m");
  EXPECT_EQ(kernel->grid[1].tile, 8);
  EXPECT_EQ(kernel->block[0], 128);
  EXPECT_EQ(kernel->sharedBytes, 65536);
  EXPECT_EQ(json::parse(kernel->format)["name"], "rq3");
  EXPECT_EQ(kernel->n, 4096);
  EXPECT_EQ(kernel->k, 576);
  EXPECT_EQ(kernel->layout, "canonical");
  EXPECT_EQ(kernel->placement, "activation");
  EXPECT_EQ(kernel->activation, "interleaved");
  EXPECT_EQ(kernel->epilogue, "rotq.yield %arg0 : f32");
  EXPECT_EQ(kernel->mMin, 1);
  EXPECT_EQ(kernel->mMax, 64);
  EXPECT_TRUE(kernel->pdl);
}

TEST(Manifest, PrintsWhatItReads) {
  Expected<Manifest> manifest = parseManifest(validManifest().dump());
  ASSERT_TRUE(manifest) << manifest.error();
  Expected<Manifest> again = parseManifest(printManifest(*manifest));
  ASSERT_TRUE(again) << again.error();
  EXPECT_EQ(*manifest, *again);
}

TEST(Manifest, KernelsNeedNoWeight) {
  json object = validManifest();
  for (const char *key :
       {"format", "n", "k", "layout", "placement", "activation", "epilogue",
        "m_min", "m_max", "pdl", "shared_bytes"})
    object["kernels"][0].erase(key);
  Expected<Manifest> manifest = parseManifest(object.dump());
  ASSERT_TRUE(manifest) << manifest.error();
  Expected<Manifest> again = parseManifest(printManifest(*manifest));
  ASSERT_TRUE(again) << again.error();
  EXPECT_EQ(*manifest, *again);
}

struct Refusal {
  const char *what;
  std::function<void(json &)> change;
  const char *message;
};

TEST(Manifest, Refuses) {
  auto kernel = [](json &object) -> json & { return object["kernels"][0]; };
  const std::vector<Refusal> refusals = {
      {"version", [](json &o) { o["version"] = 2; }, "manifest version 1"},
      {"no version", [](json &o) { o.erase("version"); }, "missing 'version'"},
      {"no kernels", [](json &o) { o.erase("kernels"); }, "missing 'kernels'"},
      {"kernels", [](json &o) { o["kernels"] = 3; }, "array"},
      {"target", [](json &o) { o["targets"][0] = 80; }, "string"},
      {"kernel", [](json &o) { o["kernels"][0] = 1; }, "object"},
      {"empty name", [&](json &o) { kernel(o)["name"] = ""; }, "non-empty"},
      {"twice", [&](json &o) { o["kernels"].push_back(kernel(o)); },
       "duplicate kernel"},
      {"kind", [&](json &o) { kernel(o)["params"][2]["kind"] = "f64"; },
       "got 'f64'"},
      {"access", [&](json &o) { kernel(o)["params"][0]["access"] = "both"; },
       "got 'both'"},
      {"order",
       [&](json &o) {
         json late = kernel(o)["params"][0];
         late["name"] = "late";
         kernel(o)["params"].push_back(late);
       },
       "'late' after a scalar"},
      {"parameter twice",
       [&](json &o) { kernel(o)["params"][1]["name"] = "x"; },
       "duplicate parameter"},
      {"shape", [&](json &o) { kernel(o)["params"][0]["shape"][0] = "q"; },
       "'q'"},
      {"negative shape",
       [&](json &o) { kernel(o)["params"][0]["shape"][0] = -1; }, "integer"},
      {"grid over", [&](json &o) { kernel(o)["grid"][1]["over"] = "x"; },
       "'x', which is no i32 parameter"},
      {"tile", [&](json &o) { kernel(o)["grid"][1]["tile"] = 0; }, "tile"},
      {"count", [&](json &o) { kernel(o)["grid"][0]["count"] = 0; }, "count"},
      {"count type", [&](json &o) { kernel(o)["grid"][0]["count"] = 1.5; },
       "count"},
      {"count size",
       [&](json &o) { kernel(o)["grid"][0]["count"] = UINT64_MAX; }, "count"},
      {"grid", [&](json &o) { kernel(o)["grid"].erase(0); }, "3 dimensions"},
      {"block", [&](json &o) { kernel(o)["block"] = {1, 1}; }, "3 dimensions"},
      {"threads", [&](json &o) { kernel(o)["block"] = {512, 4, 1}; },
       "1024 threads"},
      {"shared", [&](json &o) { kernel(o)["shared_bytes"] = -1; },
       "shared_bytes"},
      {"format", [&](json &o) { kernel(o)["format"] = "rq3"; }, "format"},
      {"m", [&](json &o) { kernel(o)["m_max"] = 0.5; }, "m_max"},
      {"m range", [&](json &o) { kernel(o)["m_min"] = 65; }, "m_max >= m_min"},
      {"pdl", [&](json &o) { kernel(o)["pdl"] = 1; }, "pdl"},
  };
  for (const Refusal &refusal : refusals) {
    json object = validManifest();
    refusal.change(object);
    Expected<Manifest> manifest = parseManifest(object.dump());
    ASSERT_FALSE(manifest) << refusal.what;
    EXPECT_NE(manifest.error().find(refusal.message), std::string::npos)
        << refusal.what << ": " << manifest.error();
  }
}

TEST(Manifest, RefusesWhatIsNotAnObject) {
  for (const char *text :
       {"", "{", "[]", "null", "3", "\"text\"", "{\"version\": 1} x"})
    EXPECT_FALSE(parseManifest(text)) << text;
}

TEST(Manifest, RefusesDeepNesting) {
  json object = validManifest();
  std::string text = object.dump();
  std::string deep = std::string(100000, '[') + std::string(100000, ']');
  text.replace(text.find("{\"name\":\"rq3\"}"), 14, "{\"name\":" + deep + "}");
  Expected<Manifest> manifest = parseManifest(text);
  ASSERT_FALSE(manifest);
  EXPECT_NE(manifest.error().find("nested too deeply"), std::string::npos);
}

} // namespace
